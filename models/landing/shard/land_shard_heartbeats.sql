{{ land('shard', 'shard_heartbeats') }}
