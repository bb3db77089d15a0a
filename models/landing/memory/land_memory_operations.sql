{{ land('memory', 'memory_operations') }}
