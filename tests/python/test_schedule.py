"""Refreshing for weeks: how often, what is told to whom, and how it ends."""

from __future__ import annotations

import http.server
import json
import os
import re
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from conftest import GraceCli, environment

from grace_dbt import schedule
from grace_dbt.build_state import BuildState
from grace_dbt.errors import GraceError
from grace_dbt.locking import BusyError
from grace_dbt.notices import Notifier
from grace_dbt.operational.url import FileUrl
from grace_dbt.refresh import Scope
from grace_dbt.schedule import Scheduler, Vitals
from grace_dbt.settings import Settings

BROKEN = GraceError("The disk is full.", "Make room.")


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(tmp_path, FileUrl("sqlite", tmp_path / "operational.sqlite"))


class Report:
    """As much of a report as the scheduler looks at."""

    mode = "incremental"
    seconds = 1.5


class Looks:
    """A scheduler whose looks end as they are told, and which never waits."""

    def __init__(
        self, settings: Settings, *outcomes: object, targets: tuple[str, ...] = ()
    ) -> None:
        self.outcomes = list(outcomes)
        self.waits: list[float] = []
        self.errors: list[str] = []
        self.troubles: list[str] = []
        self.reports: list[Any] = []
        self.scheduler = Scheduler(
            settings,
            60.0,
            Notifier(settings, targets),
            on_report=self.reports.append,
            on_error=lambda error: self.errors.append(error.message),
            on_trouble=self.troubles.append,
        )

    def run(self, monkeypatch: pytest.MonkeyPatch) -> Vitals:
        def refresh(*arguments: object, **options: object) -> object:
            outcome = self.outcomes.pop(0)
            if isinstance(outcome, Exception):
                raise outcome
            return outcome

        def wait(seconds: float) -> None:
            self.waits.append(seconds)
            if not self.outcomes:
                self.scheduler._stop.set()

        with monkeypatch.context() as patched:
            patched.setattr(schedule, "refresh", refresh)
            patched.setattr(schedule, "is_current", self.is_current)
            patched.setattr(self.scheduler._stop, "wait", wait)
            self.scheduler.run()
        return self.scheduler.vitals

    def is_current(self, settings: Settings) -> bool:
        if self.outcomes[0] == "nothing new":
            self.outcomes.pop(0)
            return True
        return False


def test_looks_are_counted_by_their_outcome(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks = Looks(settings, Report(), "nothing new", BusyError("busy", ""), BROKEN, Report())
    vitals = looks.run(monkeypatch)
    counts = (vitals.looks, vitals.published, vitals.unchanged, vitals.busy, vitals.failed)
    assert counts == (5, 2, 1, 1, 1)
    assert looks.errors == ["The disk is full."]
    assert (vitals.failures_in_a_row, vitals.last_error, vitals.last_seconds) == (0, None, 1.5)
    assert len(looks.reports) == 2


def test_failures_are_looked_at_less_and_less_often(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks = Looks(settings, Report(), *[BROKEN] * 6, Report())
    looks.run(monkeypatch)
    # 60 s doubles with each failure up to 15 minutes; on top comes a tenth at most, and never more than 30 s.
    expected = [60, 120, 240, 480, 900, 900, 900, 60]
    for wait, seconds in zip(looks.waits, expected, strict=True):
        assert seconds - 1 <= wait <= seconds + min(30, seconds / 10)


def test_a_table_over_the_budget_is_compared_as_a_whole_once_a_day(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[bool] = []

    def refresh(settings: Settings, scope: Scope, **options: object) -> Report:
        asked.append(scope.reconcile)
        return Report()

    looks = Looks(settings)
    monkeypatch.setattr(schedule, "refresh", refresh)
    monkeypatch.setattr(schedule, "is_current", lambda settings: False)
    for hours in (None, 23, 25):
        exact = datetime.now(UTC) - timedelta(hours=hours or 0)
        inexact = {"action_contracts": exact.isoformat()} if hours else {}
        BuildState(None, "", "", "", "", None, "", "", inexact=inexact).write(settings.home)
        looks.scheduler._look()
    assert asked == [False, False, True]


def test_an_error_that_nobody_foresaw_stops_nothing(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks = Looks(settings, ValueError("what is this"), Report())
    assert looks.run(monkeypatch).published == 1
    assert looks.errors == ["ValueError: what is this"]


def test_vitals_are_written_for_status_and_for_prometheus(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    vitals = Looks(settings, Report(), BROKEN).run(monkeypatch)
    kept = Vitals.read(settings.home)
    assert kept == vitals
    assert kept is not None and kept.is_alive()
    assert kept.resident_bytes > 10_000_000
    text = (settings.home / "schedule.prom").read_text()
    samples = dict(re.findall(r"^(grace_refresh_\S+) (\S+)$", text, re.MULTILINE))
    assert samples['grace_refresh_looks_total{outcome="published"}'] == "1"
    assert samples["grace_refresh_failures_in_a_row"] == "1"
    # The format: each line a comment or a name, labels and a number.
    line = re.compile(r'# TYPE \w+ (counter|gauge)|\w+(\{\w+="\w+"\})? [0-9.e+-]+')
    assert [found for found in text.splitlines() if not line.fullmatch(found)] == []


def test_a_process_that_is_gone_is_no_schedule(settings: Settings) -> None:
    gone = subprocess.Popen(["true"])
    gone.wait()
    ahead = schedule._now(60)
    assert not Vitals(60.0, pid=gone.pid, next_at=ahead).is_alive()
    assert Vitals(60.0, next_at=ahead).is_alive()
    assert not Vitals(60.0, next_at=schedule._now(-3600)).is_alive()


class Inbox:
    """A webhook that keeps what it got."""

    def __init__(self) -> None:
        self.got: list[dict[str, Any]] = []
        self.answers = 200


@pytest.fixture
def inbox() -> Iterator[tuple[str, Inbox]]:
    kept = Inbox()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if kept.answers == 200:
                kept.got.append(json.loads(body))
            self.send_response(kept.answers)
            self.end_headers()

        def log_message(self, *arguments: object) -> None:
            pass

    server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/hook", kept
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_failure_is_told_once_and_a_recovery_once(
    settings: Settings, tmp_path: Path, inbox: tuple[str, Inbox]
) -> None:
    url, kept = inbox
    command = f"sh -c 'echo $GRACE_EVENT >> {tmp_path}/told; cat >> {tmp_path}/bodies'"
    # A notifier of its own each time, as processes that cron starts have.
    for _ in range(3):
        assert Notifier(settings, (url, command)).failed(BROKEN) == []
    for _ in range(2):
        assert Notifier(settings, (url, command)).succeeded() == []
    Notifier(settings, (url, command)).failed(BROKEN)
    assert (tmp_path / "told").read_text().split() == ["failure", "recovery", "failure"]
    assert [notice["event"] for notice in kept.got] == ["failure", "recovery", "failure"]
    assert kept.got[0]["error"] == "The disk is full."
    assert url not in (tmp_path / "notices.json").read_text(), "an address may be a secret"
    assert kept.got[0]["since"] == kept.got[1]["since"]
    assert '"error": "The disk is full."' in (tmp_path / "bodies").read_text()


def test_who_could_not_be_told_is_told_later(settings: Settings, inbox: tuple[str, Inbox]) -> None:
    url, kept = inbox
    kept.answers = 500
    notifier = Notifier(settings, (f"{url}?token=secret", "false"))
    [webhook, command] = notifier.failed(BROKEN)
    assert webhook.startswith("http://127.0.0.1/... could not be told") and "500" in webhook
    assert command.startswith("false could not be told of the failure")
    kept.answers = 200
    assert len(notifier.failed(BROKEN)) == 1
    assert len(notifier.failed(BROKEN)) == 1
    assert [notice["event"] for notice in kept.got] == ["failure"]
    # Who never heard of the failure needn't hear that it is over.
    assert notifier.succeeded() == []
    assert [notice["event"] for notice in kept.got] == ["failure", "recovery"]


@pytest.mark.parametrize("url", ["http://host:abc/x", "https:///x", "http://a b/", "http://h:0/"])
def test_a_webhook_that_can_never_be_told_is_refused(settings: Settings, url: str) -> None:
    with pytest.raises(GraceError, match="--notify"):
        Notifier(settings, (url,))


def test_a_success_without_a_failure_tells_nobody(
    settings: Settings, inbox: tuple[str, Inbox]
) -> None:
    url, kept = inbox
    assert Notifier(settings, (url,)).succeeded() == []
    assert kept.got == []


def looking(home: Path) -> dict[str, Any] | None:
    """What the process says of itself, read from outside."""
    try:
        found: dict[str, Any] = json.loads((home / "schedule.json").read_text())
    except (OSError, ValueError):
        return None
    return found


def test_a_process_looks_tells_and_stops_at_a_signal(grace_cli: GraceCli, tmp_path: Path) -> None:
    """Without a database each look fails: it goes on, tells once, and SIGTERM ends it with 0."""
    told = tmp_path / "told"
    command = grace_cli.command(
        *("refresh", "--every", "200ms", "--db", f"sqlite:///{tmp_path}/none.sqlite"),
        *("--notify", f"sh -c 'echo $GRACE_EVENT >> {told}'"),
    )
    with subprocess.Popen(
        command, env=environment(grace_cli.home), stderr=subprocess.PIPE, text=True
    ) as process:
        deadline = time.monotonic() + 60
        while (found := looking(grace_cli.home)) is None or found["looks"] < 3:
            assert time.monotonic() < deadline
            assert process.poll() is None
            time.sleep(0.05)
        os.kill(process.pid, signal.SIGTERM)
        _, errors = process.communicate(timeout=30)
    assert process.returncode == 0
    assert errors.rstrip().endswith("Stopped.")
    assert told.read_text().split() == ["failure"]
    assert found["failed"] >= 3
    assert "none.sqlite" in found["last_error"]
