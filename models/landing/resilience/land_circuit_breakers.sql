{{ land('resilience', 'circuit_breakers') }}
