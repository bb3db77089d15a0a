{{ land('intelligence', 'intel_specialist_reports') }}
