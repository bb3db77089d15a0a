"""The commands of `grace-dbt audit`."""
