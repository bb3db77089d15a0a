"""What is defined: semantic models and metrics, as the YAML files say and as they are published with a snapshot."""

from __future__ import annotations

import csv
import hashlib
import json
import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from grace_dbt.errors import GraceError
from grace_dbt.metrics.yaml_files import KINDS, Entry, Problem, read_folder
from grace_dbt.settings import Settings, project_directory

FOLDER_VARIABLE = "GRACE_METRICS"
PROJECT_FOLDER = Path("models/semantic")
TIERS = Path("seeds/reference/tiers.csv")
TIME_SPINE = {"table": "dim_time", "column": "timestamp", "grain": "minute"}


@dataclass(frozen=True)
class Definitions:
    """Everything that a metric can be computed from.

    Attributes:
        semantic_models: Semantic models in dbt's words.
        metrics: Metrics in dbt's words.
        clearances: Codes of the tiers, the least first: who is cleared for one is cleared for those before it.
    """

    semantic_models: tuple[Mapping[str, Any], ...]
    metrics: tuple[Mapping[str, Any], ...]
    clearances: tuple[str, ...]

    @cached_property
    def digest(self) -> str:
        """A name for exactly these definitions."""
        return hashlib.sha256(self.to_json().encode()).hexdigest()[:16]

    def to_json(self) -> str:
        """As they are published."""
        parts = (self.semantic_models, self.metrics, self.clearances)
        return json.dumps(dict(zip((*KINDS, "clearances"), parts, strict=True)), default=str)

    @classmethod
    def from_json(cls, text: str) -> Definitions:
        """As they were published.

        Raises:
            ValueError: This is none of ours.
        """
        record = json.loads(text)
        try:
            models, metrics, clearances = (tuple(record[kind]) for kind in (*KINDS, "clearances"))
            return cls(models, metrics, clearances)
        except (KeyError, TypeError) as error:
            raise ValueError(f"no definitions: {error}") from error


def own_folder(settings: Settings) -> Path:
    """Where users keep metrics of their own: `GRACE_METRICS`, else `metrics` under `GRACE_HOME`.

    Raises:
        GraceError: The folder that `GRACE_METRICS` names is not there.
    """
    named = os.environ.get(FOLDER_VARIABLE)
    if not named:
        return settings.home / "metrics"
    folder = Path(named).expanduser().absolute()
    if not folder.is_dir():
        raise GraceError(
            f"{FOLDER_VARIABLE} names {folder}, which is no folder.",
            "Make it, or take the variable away.",
        )
    return folder


def read_definitions(settings: Settings) -> tuple[Definitions, list[Problem]]:
    """The definitions of the project and of the user's folder as they stand in the files, and what can't be read.

    Raises:
        GraceError: The user's folder is named and not there, or the project's tiers can't be read.
    """
    project, folder = project_directory(), own_folder(settings)
    entries: dict[str, list[Entry]] = {kind: [] for kind in KINDS}
    problems: list[Problem] = []
    for place, root in ((project / PROJECT_FOLDER, project), (folder, folder.parent)):
        found, trouble = read_folder(place, root)
        problems += trouble
        for kind in KINDS:
            entries[kind] += found[kind]
    models, metrics = (tuple(entries[kind]) for kind in KINDS)
    return Definitions(models, metrics, _tiers(project)), problems


def own_fingerprint(settings: Settings) -> str:
    """Changes when a file in the user's folder does."""
    digest = hashlib.sha256()
    folder = own_folder(settings)
    for path in sorted([*folder.rglob("*.yml"), *folder.rglob("*.yaml")]):
        digest.update(f"\n{path}\n".encode())
        with suppress(OSError):  # what can't be read is told when it is read
            if path.is_file():
                digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def _tiers(project: Path) -> tuple[str, ...]:
    """The codes of the tiers in the order of the seed, which is that of their power."""
    try:
        with (project / TIERS).open(newline="", encoding="utf-8") as file:
            codes = [line["tier_code"] for line in csv.DictReader(file)]
    except (OSError, KeyError, csv.Error) as error:
        raise GraceError(f"{TIERS} can't be read: {error}", "Restore it.") from error
    return tuple(dict.fromkeys(codes))
