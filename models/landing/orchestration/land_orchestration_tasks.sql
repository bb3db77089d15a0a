{{ land('orchestration', 'orchestration_tasks') }}
