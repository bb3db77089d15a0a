{{ land('verification', 'benchmark_runs') }}
