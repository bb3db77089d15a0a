{{ land('core', 'governance_decisions') }}
