"""What dbt's Jinja may see of the operational database: where its tables are, and never a password."""

from __future__ import annotations

from typing import Any

from dbt.plugins.manager import dbtPlugin


class OperationalEnvironment(dbtPlugin):
    """A dbt plugin that completes and cleans the environment of a command before dbt parses the project.

    dbt keeps the value of each variable that the project reads in its artifacts. `grace-dbt` hands
    over a clean environment; a bare `dbt build` has the URL as its user wrote it.
    """

    def initialize(self) -> None:
        """Take the password out of the URL, and say which schema it means.

        Raises:
            GraceError: The URL can't be read.
        """
        from dbt_common.context import get_invocation_context

        from grace_dbt.operational.url import PASSWORD_VARIABLE, OperationalUrl
        from grace_dbt.settings import URL_VARIABLE

        # The context's own copy: the process, and so the connections, keep the whole URL.
        environment: Any = get_invocation_context()._env
        text = environment.get(URL_VARIABLE, "")
        if text:
            url = OperationalUrl.parse(text)
            environment[URL_VARIABLE] = str(url)
            environment |= {
                name: value
                for name, value in url.dbt_variables().items()
                if name != PASSWORD_VARIABLE and not name.startswith("PG")
            }
