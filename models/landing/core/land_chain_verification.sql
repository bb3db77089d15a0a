{{ land('core', 'chain_verification') }}
