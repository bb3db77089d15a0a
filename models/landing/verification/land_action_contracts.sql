{{ land('verification', 'action_contracts') }}
