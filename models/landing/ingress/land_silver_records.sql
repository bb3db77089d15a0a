{{ land('ingress', 'silver_records') }}
