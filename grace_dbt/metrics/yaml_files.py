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
# Bytes of a file, and values in it where what an alias repeats counts each time: nobody writes more by hand.
LARGEST_FILE = 1_000_000
MOST_VALUES = 100_000


class Entry(dict[str, Any]):
    """A mapping of a YAML file that knows where it stands.

    Attributes:
        line: Line on which it begins, from 1.
        lines: Line of each of its keys.
    """

    line: int
    lines: dict[str, int]


class Items(list[Any]):
    """A list of a YAML file that knows where it stands.

    Attributes:
        lines: Line of each of its items, from 1.
    """

    lines: list[int]


@dataclass(frozen=True, order=True)
class Problem:
    """A mistake in a file.

    Attributes:
        file: The file, as it is shown.
        line: Line, from 1.
        message: What is wrong, and what would be right.
        metric: Which metric can't be asked for because of it; empty where it is not one of a metric.
        entry: File and line of the metric or semantic model that is left out because of it; empty where there is none.
    """

    file: str
    line: int
    message: str
    metric: str = ""
    entry: str = ""

    def __str__(self) -> str:
        """As compilers tell of a mistake."""
        return f"{self.file}:{self.line}: {self.message}"


class _Loader(yaml.CSafeLoader):
    """Plain YAML, read by libyaml. A key that stands twice is a mistake, and not a matter of which comes last."""

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        """Say of every value that can't be read where it stands."""
        try:
            return super().construct_object(node, deep)
        except (yaml.YAMLError, RecursionError):
            raise
        except Exception as error:  # e.g. a day that no month has, or `!!bool perhaps`
            message = f"this can't be read: {error}"
            raise yaml.MarkedYAMLError(None, None, message, node.start_mark) from error

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        """Keep where the mapping and its keys stand."""
        seen: set[str] = set()
        for key, _ in node.value:
            if (word := self._word(key)) in seen:
                raise yaml.MarkedYAMLError(
                    None, None, f"'{word}' stands twice here", key.start_mark
                )
            seen.add(word)
        self.flatten_mapping(node)
        entry = Entry({str(k): v for k, v in super().construct_mapping(node, deep=True).items()})
        entry.line = node.start_mark.line + 1
        entry.lines = {self._word(key): key.start_mark.line + 1 for key, _ in node.value}
        return entry  # type: ignore[return-value]

    def _word(self, key: yaml.Node) -> str:
        """A key as text, which `<<` is as well."""
        if key.tag == "tag:yaml.org,2002:merge":
            return str(key.value)
        return str(self.construct_object(key, deep=True))


def _mapping(loader: _Loader, node: yaml.MappingNode) -> dict[Hashable, Any]:
    return loader.construct_mapping(node, deep=True)


def _items(loader: _Loader, node: yaml.SequenceNode) -> Items:
    items = Items(loader.construct_sequence(node, deep=True))
    items.lines = [each.start_mark.line + 1 for each in node.value]
    return items


_Loader.add_constructor("tag:yaml.org,2002:map", _mapping)
_Loader.add_constructor("tag:yaml.org,2002:seq", _items)


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
        shown = str(path.relative_to(root) if path.is_relative_to(root) else path)
        name = shown.encode(errors="backslashreplace").decode()
        for kind, entries in _read(path, name, problems).items():
            found[kind] += entries
    return found, problems


def _read(path: Path, name: str, problems: list[Problem]) -> dict[str, list[Entry]]:
    """The entries of one file; what is wrong with it is added to the problems."""
    try:
        content = _content(path, name)
    except _UnreadableError as error:
        problems.append(error.problem)
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
            message = f"'{word}' is not known here; use {' or '.join(KINDS)}."
            problems.append(Problem(name, line, message))
    return found


def _entries(kind: str, value: Any, name: str, line: int, problems: list[Problem]) -> list[Entry]:
    """What stands in a list of entries."""
    if value is None:
        return []
    if not isinstance(value, Items):
        problems.append(Problem(name, line, f"'{kind}' is a list: `- name: ...`."))
        return []
    entries: list[Entry] = []
    for entry, at in zip(value, value.lines, strict=True):
        if not isinstance(entry, Entry) or not isinstance(entry.get("name"), str):
            problems.append(Problem(name, at, f"An entry of '{kind}' begins with `- name: ...`."))
        elif any(entry is other for other in entries):
            problems.append(Problem(name, at, f"'{entry['name']}' is an alias of another entry."))
        else:
            entry["declared_in"] = f"{name}:{entry.line}"
            entries.append(entry)
    return entries


class _UnreadableError(Exception):
    """A file of which nothing can be said but why."""

    def __init__(self, name: str, line: int, message: str) -> None:
        super().__init__(message)
        self.problem = Problem(name, line, message)


def _content(path: Path, name: str) -> Any:
    """All of a file.

    Raises:
        _UnreadableError: It is no file, or no YAML, or too much.
    """
    text = ""
    try:
        text = _text(path)
        content = yaml.load(text, _Loader)
        if _size(content, {}) > MOST_VALUES:
            raise yaml.YAMLError(f"it has more than {MOST_VALUES:,} values")
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise _UnreadableError(name, line, f"The file can't be read: {error}.") from error
    except OSError as error:
        reason = error.strerror or error
        raise _UnreadableError(name, 1, f"The file can't be read: {reason}.") from error
    except yaml.YAMLError as error:
        reason = getattr(error, "problem", None) or str(error).splitlines()[0]
        message = f"This is no YAML: {reason}."
        raise _UnreadableError(name, _line_of(error, text), message) from error
    except RecursionError as error:
        raise _UnreadableError(name, 1, "This is nested too deep.") from error
    return content


def _text(path: Path) -> str:
    """What is in a file.

    Raises:
        OSError: It is no file, or it is too large.
        UnicodeDecodeError: It is no UTF-8.
    """
    if not path.is_file():  # a pipe would never end
        raise OSError("it is no file")
    with path.open("rb") as file:
        content = file.read(LARGEST_FILE + 1)
    if len(content) > LARGEST_FILE:
        raise OSError(f"it is larger than {LARGEST_FILE:,} bytes")
    return content.decode("utf-8")


def _line_of(error: yaml.YAMLError, text: str) -> int:
    """Where a mistake stands; the first line where the reader does not say."""
    mark = getattr(error, "problem_mark", None)
    if "end of stream" in str(getattr(error, "problem", "")):
        mark = getattr(error, "context_mark", None) or mark  # where what has no end begins
    if mark is not None:
        return int(mark.line) + 1
    if isinstance(error, yaml.reader.ReaderError):
        return text.encode()[: error.position].count(b"\n") + 1
    return 1


def _size(value: Any, known: dict[int, int]) -> int:
    """How many values there are, those of an alias each time that it stands somewhere."""
    if not isinstance(value, dict | list):
        return 1
    if id(value) not in known:
        parts = value.values() if isinstance(value, dict) else value
        known[id(value)] = 1 + sum(_size(each, known) for each in parts)
    return known[id(value)]
