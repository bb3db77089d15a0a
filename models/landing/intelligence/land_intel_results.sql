{{ land('intelligence', 'intel_results') }}
