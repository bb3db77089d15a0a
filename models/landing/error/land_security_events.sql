{{ land('error', 'security_events') }}
