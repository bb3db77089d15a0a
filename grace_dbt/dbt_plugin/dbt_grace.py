"""The module by which dbt finds the plugins: dbt imports every top-level module named dbt_*."""

from grace_dbt.dbt_environment import OperationalEnvironment
from grace_dbt.sqlite_connections import SQLiteFunctions

plugins = [OperationalEnvironment, SQLiteFunctions]
