{{ land('error', 'agentic_insights') }}
