{{ land('orchestration', 'orchestration_loops') }}
