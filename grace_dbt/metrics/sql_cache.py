"""SQL that was compiled before: kept in the process, and in GRACE_HOME for the next one.

MetricFlow takes a second to import and tens of milliseconds a question; what it wrote holds for as long as the
definitions do, and the code that has it written.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import threading
from collections import OrderedDict
from contextlib import suppress
from dataclasses import asdict
from functools import cache
from importlib.metadata import version
from pathlib import Path

from grace_dbt.metrics.catalogue import Catalogue
from grace_dbt.metrics.compiling import Compiled, compile_shape
from grace_dbt.metrics.prepared import Shape

# Questions that are kept: in a process the latest, on disk the first.
KEPT = 2000
# Definitions whose questions are kept on disk: those of the snapshots that may still be read.
KEPT_DEFINITIONS = 3
_memory: OrderedDict[tuple[str, Shape], Compiled] = OrderedDict()
_lock = threading.Lock()
# MetricFlow numbers what it makes from one counter for all threads.
_compiling = threading.Lock()


def compiled(catalogue: Catalogue, shape: Shape, home: Path) -> Compiled:
    """The SQL of a shape, compiled once for these definitions.

    Raises:
        GraceError: It can't be compiled.
    """
    digest = catalogue.definitions.digest
    key = digest, shape
    with _lock:
        if key in _memory:
            _memory.move_to_end(key)
            return _memory[key]
    text = json.dumps([_writer(), digest, asdict(shape)], sort_keys=True)
    name = hashlib.sha256(text.encode()).hexdigest()[:32]
    file = cache_folder(home) / digest / f"{name}.json"
    found = _read(file)
    if found is None or {*found.slices} != {*shape.by}:
        with _compiling:
            found = compile_shape(catalogue, shape)
        _write(file, found)
    with _lock:
        _memory[key] = found
        while len(_memory) > KEPT:
            _memory.popitem(last=False)
    return found


def cache_folder(home: Path) -> Path:
    """Where compiled SQL is kept; it may be deleted at any time."""
    return home / "cache" / "metrics"


def forget() -> None:
    """Drop what this process keeps."""
    with _lock:
        _memory.clear()


@cache
def _writer() -> str:
    """Changes with the code that has SQL written: MetricFlow's release, and this package's."""
    code = hashlib.sha256(version("metricflow").encode())
    for file in sorted(Path(__file__).parent.glob("*.py")):
        code.update(file.read_bytes())
    return code.hexdigest()


def _read(file: Path) -> Compiled | None:
    try:
        found = Compiled(**json.loads(file.read_text()))
        return found if isinstance(found.sql, str) and isinstance(found.slices, dict) else None
    except (OSError, ValueError, TypeError):
        return None


def _write(file: Path, found: Compiled) -> None:
    """Keep it for the next process; where that can't be done, it compiles for itself."""
    with suppress(OSError):
        folder = file.parent
        if not folder.is_dir():
            folder.mkdir(parents=True)
            latest = sorted(folder.parent.iterdir(), key=lambda f: f.stat().st_mtime, reverse=True)
            for old in latest[KEPT_DEFINITIONS:]:
                shutil.rmtree(old, ignore_errors=True)
        if sum(1 for _ in folder.glob("*.json")) < KEPT:
            draft = file.with_suffix(f".{os.getpid()}-{threading.get_ident()}.draft")
            draft.write_text(json.dumps(asdict(found)))
            draft.replace(file)
