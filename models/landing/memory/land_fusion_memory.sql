{{ land('memory', 'fusion_memory') }}
