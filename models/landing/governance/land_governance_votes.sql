{{ land('governance', 'governance_votes') }}
