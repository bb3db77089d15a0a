{{ land('core', 'audit_logs') }}
