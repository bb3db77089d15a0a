"""A process that has dbt and the parsed project in memory already, and forks one `grace-dbt` after another from it.

Run as a script it reads orders from a socket, a line of JSON each, and answers each with a line:

    {"do": "start", "arguments": [...], "environment": {...}, "output": path, ...}    -> {"pid": ...}
    {"do": "wait", "pid": ...}                                                        -> {"code": ...}

What is started leads a process group of its own, and may be told to die or to wait where nobody could hit it by time:

- `at`, `signal`: before that operation of Python on files under its GRACE_HOME, from 1 on, it sends itself a signal;
- `pause`, `channel`: before the first operation on this path it takes orders from that socket, and forks what goes on;
- `trace`: a file to which each of these operations is written;
- `file_size`: so many bytes are the most that a file may have;
- `patience`: seconds for which it waits for a database that is locked;
- `ahead`: seconds that its clock is ahead of the machine's.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

PATIENCE = 120.0
FOLDERS_OF_DBT = ("dbt", "logs")


class Channel:
    """A listening socket, and who connects to it: gives orders, and waits for answers."""

    def __init__(self, path: Path) -> None:
        """Listen on a path."""
        self.path = path
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.settimeout(PATIENCE)
        self.listener.bind(str(path))
        self.listener.listen(1)

    def meet(self) -> None:
        """Wait for the other end."""
        self.end, _ = self.listener.accept()
        self.end.settimeout(PATIENCE)

    def order(self, **words: Any) -> Any:
        """Give an order, and wait for its answer."""
        self.end.sendall(json.dumps(words).encode() + b"\n")
        answer = b""
        while not answer.endswith(b"\n"):
            part = self.end.recv(4096)
            assert part, "the process is gone"
            answer += part
        return json.loads(answer)

    def close(self) -> None:
        """Close both sockets."""
        self.end.close()
        self.listener.close()


class Warm(Channel):
    """Starts the process, and gives it orders."""

    def __init__(self, home: Path, database: Path) -> None:
        """Start it; the parsed project is taken from this home."""
        super().__init__(home.parent / "warm.socket")
        environment = {
            **os.environ,
            "GRACE_HOME": str(home),
            "COLUMNS": "120",
            # What numpy calculates with would start threads, which a fork leaves behind.
            "OPENBLAS_NUM_THREADS": "1",
        }
        self.process = subprocess.Popen(
            [sys.executable, __file__, f"sqlite:///{database}", str(self.path)], env=environment
        )
        self.meet()

    def close(self) -> None:
        """End it."""
        super().close()
        self.process.kill()
        self.process.wait()


class Orders:
    """Orders and answers of the process itself."""

    def __init__(self, path: str) -> None:
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(path)

    def answer(self, **words: Any) -> None:
        self.socket.sendall(json.dumps(words).encode() + b"\n")

    def serve(self) -> dict[str, Any]:
        """Fork what is ordered; returns, in a new process alone, what it was told."""
        with self.socket.makefile("r") as lines:
            for line in lines:
                order = json.loads(line)
                if order["do"] == "wait":
                    _, status = os.waitpid(order["pid"], 0)
                    self.answer(code=os.waitstatus_to_exitcode(status))
                elif pid := os.fork():
                    self.answer(pid=pid)
                else:
                    os.setpgid(0, 0)
                    return dict(order)
        os._exit(0)


class Watch:
    """What happens to files under a GRACE_HOME, as Python's audit hook tells it."""

    def __init__(self, order: dict[str, Any], home: str) -> None:
        self.home = home
        self.follow(order)

    def follow(self, order: dict[str, Any]) -> None:
        self.count, self.at, self.signal = 0, order.get("at"), order.get("signal", signal.SIGKILL)
        self.pause, self.channel, self.trace = (
            order.get(name) for name in ("pause", "channel", "trace")
        )
        if order.get("file_size"):
            resource.setrlimit(resource.RLIMIT_FSIZE, (order["file_size"], resource.RLIM_INFINITY))
        if self.trace:
            self.handle = os.open(self.trace, os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def __call__(self, event: str, arguments: tuple[Any, ...]) -> None:
        if not event.startswith(("open", "os.", "sqlite3.connect")):
            return
        for argument in arguments:
            path = os.fsdecode(argument) if isinstance(argument, bytes | os.PathLike) else argument
            if not isinstance(path, str) or not path.startswith(f"{self.home}/"):
                continue
            if path.removeprefix(f"{self.home}/").split("/")[0] in FOLDERS_OF_DBT:
                continue
            if self.pause is not None and path == self.pause:
                self.pause = None
                orders = Orders(str(self.channel))
                # A thread would be missing in what is forked.
                assert len(os.listdir("/proc/self/task")) == 1  # noqa: PTH208
                self.follow(orders.serve())
            self.count += 1
            if self.trace:
                os.write(self.handle, f"{event} {path}\n".encode())
            if self.count == self.at:
                os.kill(os.getpid(), self.signal)
            return


def _set_clock(ahead: float) -> None:
    """Move the clock of this process, as Python reads it."""
    import datetime as module

    from grace_dbt import build_state, publishing, runs

    class Moved(module.datetime):
        @classmethod
        def now(cls, tz: module.tzinfo | None = None) -> Any:
            return module.datetime.now(tz) + module.timedelta(seconds=ahead)

    for user in (build_state, publishing, runs):
        user.datetime = Moved  # type: ignore[attr-defined]


def _set_patience(seconds: float) -> None:
    """Wait so long, and not half a minute."""
    from grace_dbt import refresh
    from grace_dbt.operational import attach, backend

    for user in (refresh, attach, backend):
        user.WAIT_SECONDS = seconds  # type: ignore[attr-defined]


def _run(order: dict[str, Any]) -> None:
    """Be `grace-dbt`."""
    output, errors = (
        os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        for path in (order["output"], f"{order['output']}.err")
    )
    os.dup2(output, 1)
    os.dup2(errors, 2)
    os.environ.update(order["environment"])
    sys.argv = ["grace-dbt", *order["arguments"]]
    sys.orig_argv[:] = sys.argv
    if order.get("patience"):
        _set_patience(order["patience"])
    if order.get("ahead"):
        _set_clock(order["ahead"])
    sys.addaudithook(Watch(order, os.environ["GRACE_HOME"]))
    from grace_dbt.cli.app import main

    code: Any = 0
    try:
        main()
    except SystemExit as error:
        code = error.code
    except KeyboardInterrupt:
        code = 130
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(int(code or 0))


def _serve(url: str, channel: str) -> None:
    from grace_dbt.cli import app
    from grace_dbt.dbt_runner import run_dbt
    from grace_dbt.settings import Settings

    assert app
    done = run_dbt(["ls", "--quiet", "--select", "dim_tier"], Settings.load(url))
    assert done.listed, done.errors
    _run(Orders(channel).serve())


if __name__ == "__main__":
    _serve(*sys.argv[1:])
