"""Take passwords out of what others say: an error of a driver or of dbt may quote anything."""

from __future__ import annotations

import os
import re
from urllib.parse import unquote

from grace_dbt.operational.url import PASSWORD_VARIABLE
from grace_dbt.settings import URL_VARIABLE

# Up to the password, the password, and what stands behind it.
URL_WITH_PASSWORD = re.compile(
    r"(?s)((?:postgres(?:ql)?|mysql|mariadb)://[^:@/?#]*):(.*)@([^@]*)", re.IGNORECASE
)


def redacted(text: str) -> str:
    """A text of foreign origin on one line, without the passwords that this process knows."""
    names = (PASSWORD_VARIABLE, "PGPASSWORD", "MYSQL_PWD")
    known = {os.environ.get(name, "") for name in names}
    if given := URL_WITH_PASSWORD.fullmatch(os.environ.get(URL_VARIABLE, "")):
        known |= {given[2], unquote(given[2])}
    for secret in sorted(known - {""}, key=len, reverse=True):
        text = text.replace(secret, "***")
    return " ".join(text.split())
