{{ land('intelligence', 'intel_requests') }}
