"""The parsed dbt project, kept between runs: parsing takes as long as many a run."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path
from typing import Any

from grace_dbt.settings import project_directory, project_fingerprint

_KEPT: dict[str, Any] = {}


def parsed_project(folder: Path, target: str, schema: str, parse: Callable[[], Any]) -> Any:
    """The project as dbt parsed it, from this process, from a file, or parsed now.

    dbt's own partial parsing begins anew whenever a path of the profile changes. What is parsed depends on none: each
    run reads the profile for itself, and a live database that is attached has one name, wherever it is.

    Args:
        folder: Where the parsed project is kept between processes.
        target: The dbt target.
        schema: The schema of the operational tables, the one thing of the environment that is parsed.
        parse: Parses the project; gives None where dbt can't.

    Returns:
        A manifest for `dbtRunner`, or None, with which the runner parses for itself and says what is wrong.
    """
    files = project_fingerprint(
        *("dbt_project.yml", "models", "macros", "seeds", "snapshots", "tests")
    )
    named = "\n".join((version("dbt-core"), str(project_directory()), files, target, schema))
    digest = hashlib.sha256(named.encode()).hexdigest()[:16]
    kept = folder / f"{target}-{digest}.msgpack"
    if digest not in _KEPT:
        manifest = _read(kept)
        if manifest is None:
            manifest = parse()
            if manifest is None:
                return None
            _write(kept, manifest, target)
        _KEPT[digest] = manifest
    return _KEPT[digest]


def _read(kept: Path) -> Any:
    """A manifest from a file; None where there is none that this dbt can read."""
    from dbt.contracts.graph.manifest import Manifest
    from dbt.parser.manifest import extended_mashumuro_decoder

    try:
        manifest = Manifest.from_msgpack(kept.read_bytes(), decoder=extended_mashumuro_decoder)
        manifest.build_flat_graph()
    except Exception:  # whatever is wrong with the file, the project can be parsed again
        return None
    return manifest


def _write(kept: Path, manifest: Any, target: str) -> None:
    """Keep one parsed project of a target, and no older one; a full disk is for the run itself to tell."""
    from dbt.parser.manifest import extended_mashumaro_encoder

    try:
        kept.parent.mkdir(parents=True, exist_ok=True)
        for old in kept.parent.glob(f"{target}-*.msgpack"):
            old.unlink(missing_ok=True)
        draft = kept.with_suffix(".draft")
        draft.write_bytes(manifest.to_msgpack(extended_mashumaro_encoder))
        draft.replace(kept)
    except OSError:
        with suppress(OSError):
            kept.unlink(missing_ok=True)
