{{ land('memory', 'memory_access_patterns') }}
