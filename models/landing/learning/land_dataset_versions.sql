{{ land('learning', 'dataset_versions') }}
