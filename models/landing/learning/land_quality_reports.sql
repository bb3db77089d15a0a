{{ land('learning', 'quality_reports') }}
