{{ land('error', 'immutable_log') }}
