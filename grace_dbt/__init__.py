"""Operational schema, data cube and proof for Grace, from one dbt declaration.

In Python, `open_snapshot` reads what is published, `grace_dbt.metrics` answers questions by the name of a metric, and
`append_audit_log` appends to the audit log of Grace; everything else is the command line.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from grace_dbt.audit.append import append_audit_log
    from grace_dbt.reading import open_snapshot

__version__ = "0.1.0"
__all__ = ["__version__", "append_audit_log", "open_snapshot"]


def __getattr__(name: str) -> Any:
    """Import what these need when they are first asked for: every command imports this package."""
    if name == "append_audit_log":
        from grace_dbt.audit.append import append_audit_log

        return append_audit_log
    if name == "open_snapshot":
        from grace_dbt.reading import open_snapshot

        return open_snapshot
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
