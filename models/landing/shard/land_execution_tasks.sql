{{ land('shard', 'execution_tasks') }}
