{{ land('resilience', 'active_degradations') }}
