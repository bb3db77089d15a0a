{{ land('resilience', 'sli_measurements') }}
