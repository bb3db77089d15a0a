{{ land('verification', 'safe_hold_snapshots') }}
