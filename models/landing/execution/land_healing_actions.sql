{{ land('execution', 'healing_actions') }}
