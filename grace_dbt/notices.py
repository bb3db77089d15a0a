"""Tell somebody that refreshes fail, once, and once that they work again."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shlex
import subprocess
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from http.client import HTTPException
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from grace_dbt.errors import ExitCode, GraceError
from grace_dbt.redaction import redacted
from grace_dbt.settings import Settings

COMMAND_SECONDS = 30
WEBHOOK_SECONDS = 10


@dataclass(frozen=True)
class Notifier:
    """Sends notices to commands and webhooks; what was told is kept under GRACE_HOME, between processes as well.

    Attributes:
        settings: The installation.
        targets: `http://` or `https://` URLs, to which a JSON object is posted, and commands, which get it on
            their standard input and its event in `GRACE_EVENT`.
    """

    settings: Settings
    targets: Sequence[str]

    def __post_init__(self) -> None:
        """Fail on a target that can never be told.

        Raises:
            GraceError: A command has no words, or an open quote; a URL has no host, or a port that is none.
        """
        for target in self.targets:
            if _is_webhook(target):
                _require_url(target)
            else:
                _words(target)

    def failed(self, error: GraceError) -> list[str]:
        """Tell of a failure whoever was not told since the last success.

        Returns:
            What went wrong with telling it: that never stops a refresh.
        """
        known = self._known()
        since = known.get("since") or datetime.now(UTC).isoformat(timespec="seconds")
        told = set(known.get("told", ()))
        notice = {"event": "failure", "since": since, "error": redacted(error.message)}
        troubles = self._send(notice, [t for t in self.targets if _key(t) not in told], told)
        return troubles + self._keep({"since": since, "told": sorted(told)})

    def succeeded(self) -> list[str]:
        """Tell those who were told of a failure that it is over.

        Returns:
            What went wrong with telling it; it is tried again after the next success.
        """
        known = self._known()
        if not known:
            return []
        reached: set[str] = set()
        waiting = [target for target in self.targets if _key(target) in known.get("told", ())]
        troubles = self._send({"event": "recovery", "since": known.get("since")}, waiting, reached)
        left = sorted(set(map(_key, waiting)) - reached)
        return troubles + self._keep({"since": known.get("since"), "told": left} if left else None)

    def _send(self, notice: dict[str, Any], targets: Sequence[str], told: set[str]) -> list[str]:
        notice = {**notice, "home": str(self.settings.home), "at": datetime.now(UTC).isoformat()}
        troubles = []
        for target in targets:
            try:
                (_post if _is_webhook(target) else _run)(target, notice)
                told.add(_key(target))
            except (OSError, subprocess.SubprocessError, HTTPException, ValueError) as error:
                # What a command is given may be a secret, and the path of a webhook often is one.
                reason = (
                    type(error).__name__
                    if isinstance(error, ValueError | subprocess.SubprocessError)
                    else error
                )
                troubles.append(
                    f"{_shown(target)} could not be told of the {notice['event']}: {reason}"
                )
        return troubles

    def _known(self) -> dict[str, Any]:
        try:
            known = json.loads(self._place.read_text())
        except (OSError, ValueError):
            return {}
        return known if isinstance(known, dict) else {}

    def _keep(self, known: dict[str, Any] | None) -> list[str]:
        try:
            if known is None:
                self._place.unlink(missing_ok=True)
            else:
                self._place.write_text(json.dumps(known))
        except OSError as error:
            return [f"what was told could not be kept in {self._place}: {error.strerror}"]
        return []

    @property
    def _place(self) -> Path:
        return self.settings.home / "notices.json"


def _is_webhook(target: str) -> bool:
    return target.startswith(("http://", "https://"))


def _key(target: str) -> str:
    """What a target is known by in the file: never itself."""
    return hashlib.sha256(target.encode()).hexdigest()[:16]


def _shown(target: str) -> str:
    """A target as it may be printed."""
    if _is_webhook(target):
        return f"{target.split(':', maxsplit=1)[0]}://{urlsplit(target).hostname}/..."
    return shlex.split(target)[0]


def _require_url(url: str) -> None:
    try:
        parts = urlsplit(url)
        valid = bool(parts.hostname) and parts.port != 0 and not re.search(r"[\s\x00-\x1f]", url)
    except ValueError:
        valid = False
    if not valid:
        raise GraceError(
            "A URL of --notify can't be read.",
            "Give an address such as https://hooks.example.org/grace.",
            ExitCode.USAGE,
        )


def _words(command: str) -> list[str]:
    try:
        words = shlex.split(command)
    except ValueError as error:
        words, reason = [], str(error)
    else:
        reason = "it is empty"
    if not words:
        raise GraceError(
            f"'{command}' is no command: {reason}.",
            "Give --notify a command with its arguments, or an http(s) URL.",
            ExitCode.USAGE,
        )
    return words


def _run(command: str, notice: dict[str, Any]) -> None:
    subprocess.run(
        _words(command),
        input=json.dumps(notice),
        text=True,
        env={**os.environ, "GRACE_EVENT": notice["event"]},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        timeout=COMMAND_SECONDS,
        check=True,
    )


def _post(url: str, notice: dict[str, Any]) -> None:
    request = urllib.request.Request(
        url, json.dumps(notice).encode(), {"Content-Type": "application/json"}, method="POST"
    )
    with urllib.request.urlopen(request, timeout=WEBHOOK_SECONDS):
        pass
