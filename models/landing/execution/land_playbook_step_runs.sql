{{ land('execution', 'playbook_step_runs') }}
