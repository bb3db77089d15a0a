{{ land('governance', 'approval_requests') }}
