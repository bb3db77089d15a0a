"""The module by which dbt finds the plugin: dbt imports every top-level module named dbt_*."""

from grace_dbt.sqlite_connections import SQLiteFunctions

plugins = [SQLiteFunctions]
