{{ land('ingress', 'bronze_raw_events') }}
