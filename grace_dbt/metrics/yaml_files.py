"""YAML files of semantic models and metrics, with the line of each entry."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

# What a file of metrics may hold; dbt's other words may stand in the project's own files.
KINDS = ("semantic_models", "metrics")
_OTHER_WORDS = ("version", "saved_queries", "exposures")


class Entry(dict[str, Any]):
    """A mapping of a YAML file that knows where it stands.

    Attributes:
        line: Line on which it begins, from 1.
        lines: Line of each of its keys.
    """

    line: int
    lines: dict[str, int]


@dataclass(frozen=True, order=True)
class Problem:
    """A mistake in a file.

    Attributes:
        file: The file, as it is shown.
        line: Line, from 1.
        message: What is wrong, and what would be right.
        metric: Which metric can't be asked for because of it; empty where it is not one of a metric.
    """

    file: str
    line: int
    message: str
    metric: str = ""

    def __str__(self) -> str:
        """As compilers tell of a mistake."""
        return f"{self.file}:{self.line}: {self.message}"


class _Loader(yaml.CSafeLoader):
    """Plain YAML, read by libyaml. A key that stands twice is a mistake, and not a matter of which comes last."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        """Keep where the mapping and its keys stand."""
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        for place, key in enumerate(keys):
            if key in keys[:place]:
                mark = node.value[place][0].start_mark
                raise yaml.MarkedYAMLError(None, None, f"'{key}' stands twice here", mark)
        self.flatten_mapping(node)
        entry = Entry({str(k): v for k, v in super().construct_mapping(node, deep=True).items()})
        entry.line = node.start_mark.line + 1
        entry.lines = {
            str(key): place.start_mark.line + 1
            for key, (place, _) in zip(keys, node.value, strict=False)
        }
        return entry  # type: ignore[return-value]


def _mapping(loader: _Loader, node: yaml.MappingNode) -> dict[Hashable, Any]:
    return loader.construct_mapping(node, deep=True)


_Loader.add_constructor("tag:yaml.org,2002:map", _mapping)


def read_folder(folder: Path, root: Path) -> tuple[dict[str, list[Entry]], list[Problem]]:
    """The entries of all YAML files in a folder and below it, by kind.

    Args:
        folder: Where to look; one that is not there is empty.
        root: Names of files are shown from here.

    Returns:
        The semantic models and metrics, each with `declared_in` (file:line), and what could not be read.
    """
    found: dict[str, list[Entry]] = {kind: [] for kind in KINDS}
    problems: list[Problem] = []
    for path in sorted([*folder.rglob("*.yml"), *folder.rglob("*.yaml")]):
        name = str(path.relative_to(root) if path.is_relative_to(root) else path)
        for kind, entries in _read(path, name, problems).items():
            found[kind] += entries
    return found, problems


def _read(path: Path, name: str, problems: list[Problem]) -> dict[str, list[Entry]]:
    """The entries of one file; what is wrong with it is added to the problems."""
    try:
        content = yaml.load(path.read_text(encoding="utf-8"), _Loader)
    except (OSError, UnicodeDecodeError) as error:
        problems.append(Problem(name, 1, f"The file can't be read: {error}"))
        return {}
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        reason = getattr(error, "problem", None) or str(error).splitlines()[0]
        problems.append(Problem(name, mark.line + 1 if mark else 1, f"This is no YAML: {reason}."))
        return {}
    except RecursionError:
        problems.append(Problem(name, 1, "This is nested too deep."))
        return {}
    if content is None:
        return {}
    if not isinstance(content, Entry):
        problems.append(Problem(name, 1, f"A file begins with one of: {', '.join(KINDS)}."))
        return {}
    found: dict[str, list[Entry]] = {}
    for word, value in content.items():
        line = content.lines.get(word, content.line)
        if word in KINDS:
            found[word] = _entries(word, value, name, line, problems)
        elif word not in _OTHER_WORDS:
            problems.append(Problem(name, line, f"'{word}' is not known here; use {KINDS}."))
    return found


def _entries(kind: str, value: Any, name: str, line: int, problems: list[Problem]) -> list[Entry]:
    """What stands in a list of entries."""
    if value is None:
        return []
    if not isinstance(value, list):
        problems.append(Problem(name, line, f"'{kind}' is a list: `- name: ...`."))
        return []
    entries = []
    for entry in value:
        if not isinstance(entry, Entry) or not isinstance(entry.get("name"), str):
            at = entry.line if isinstance(entry, Entry) else line
            problems.append(Problem(name, at, f"An entry of '{kind}' begins with `- name: ...`."))
            continue
        entry["declared_in"] = f"{name}:{entry.line}"
        entries.append(entry)
    return entries
