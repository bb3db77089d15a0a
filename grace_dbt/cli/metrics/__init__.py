"""The commands of `grace-dbt metrics`, one a module."""
