{{ land('ingress', 'processing_metrics') }}
