{{ land('execution', 'playbook_runs') }}
