"""What MySQL and MariaDB say of themselves, and what the backend makes of their refusals."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pymysql
import pytest
from conftest import ServerMissingError  # noqa: F401
from servers import PASSWORD, Server, free_port, mariadb_server

from grace_dbt.errors import GraceError
