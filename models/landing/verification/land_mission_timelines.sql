{{ land('verification', 'mission_timelines') }}
