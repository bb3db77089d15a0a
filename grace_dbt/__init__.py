"""Operational schema, data cube and proof for Grace, from one dbt declaration."""

__version__ = "0.1.0"
