{{ land('governance', 'constitutional_compliance') }}
