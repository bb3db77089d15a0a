"""The mark of an operational database: a text that differs once a transaction has committed since.

Cheap and never wrong: where an engine can't tell, there is no mark, and the rows themselves are asked.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

from grace_dbt.errors import GraceError
from grace_dbt.operational.backend import open_database
from grace_dbt.operational.url import FileUrl, OperationalUrl

# A file system may stamp two writes of one such span alike, so that the second one can't be told by its time.
SETTLING_SECONDS = 2.0
# The part of SQLite's shared memory that every commit changes: https://sqlite.org/walformat.html
WAL_INDEX_HEADER = 48


@dataclass(frozen=True)
class Mark:
    """What a database said of itself at one moment.

    Attributes:
        text: Differs whenever a transaction committed in between.
        settled: Whether that holds for every later commit; a file that was written a moment ago may be written
            again under the same time.
    """

    text: str
    settled: bool


def database_mark(url: OperationalUrl) -> Mark | None:
    """The mark of a database, without a look at its rows; None where its engine or the user's rights don't tell.

    Take it before rows are read: what commits in between is then found by the next look.
    """
    try:
        if isinstance(url, FileUrl):
            return _file_mark(url.path, url.dialect)
        with open_database(url, write=False) as server:
            text = server.mark()
        return None if text is None else Mark(text, settled=True)
    except (OSError, GraceError):
        return None


def _file_mark(path: Path, dialect: str) -> Mark | None:
    """Times, sizes and identity of the files; for SQLite also the header of its shared memory.

    In WAL mode frames are written before they are committed, and the commit itself shows in shared memory alone.
    """
    now = time.time_ns()
    path = path.resolve()  # the other files stand beside the one that a link names
    log = Path(f"{path}-wal" if dialect == "sqlite" else f"{path}.wal")
    journal = Path(f"{path}-journal")
    parts = [dialect]
    newest = 0
    for file in (path, log, journal):
        try:
            facts = file.stat()
        except FileNotFoundError:
            if file == path:
                raise
            continue
        if file != path and not facts.st_size:
            continue  # what a reader left behind
        parts.append(
            f"{facts.st_dev}.{facts.st_ino}.{facts.st_size}.{facts.st_mtime_ns}.{facts.st_ctime_ns}"
        )
        newest = max(newest, facts.st_mtime_ns, facts.st_ctime_ns)
        if file == log and dialect == "sqlite":
            with Path(f"{path}-shm").open("rb") as memory:
                parts.append(memory.read(WAL_INDEX_HEADER).hex())
    return Mark(" ".join(parts), now - newest > SETTLING_SECONDS * 1e9)
