{{ land('intelligence', 'intel_policy_violations') }}
