"""What a database says about itself, in words that are the same for every engine."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class ColumnFacts:
    """A column as it exists.

    Attributes:
        name: Its name.
        declared_type: The type as the engine spells it.
        kind: The logical type that it is for: text, integer, real, boolean, timestamp, json, blob.
        not_null: Whether NULL is refused.
        default: SQL of the default value as the engine keeps it.
        keeps_bytes: Whether a text is read as it was written; binary JSON is not.
    """

    name: str
    declared_type: str
    kind: str
    not_null: bool
    default: str | None
    keeps_bytes: bool = True


@dataclass(frozen=True)
class ForeignKeyFacts:
    """A foreign key as it exists; `action` is empty, or begins with `on delete`."""

    columns: tuple[str, ...]
    parent: str
    parent_columns: tuple[str, ...]
    action: str

    def __str__(self) -> str:
        """The words of a reference clause."""
        text = f"references {self.parent} ({', '.join(self.parent_columns)}) {self.action}"
        return text.rstrip()


@dataclass(frozen=True)
class IndexFacts:
    """An index as it exists, those of keys left out; None stands for an expression."""

    name: str
    columns: tuple[str | None, ...]
    unique: bool
    partial: bool = False


@dataclass(frozen=True)
class TableFacts:
    """A table as it exists.

    Attributes:
        name: Its name.
        definition: The statement that the engine keeps of it; on a server what its comment says of
            who made it.
        columns: In their order.
        primary_key: Its columns.
        unique_keys: Columns of every unique constraint.
        foreign_keys: Every reference to a parent.
        checks: Conditions as the engine keeps them.
        indexes: By lower-case name.
        triggers: The statement of each, by lower-case name, with whatever else guards its rows.
    """

    name: str
    definition: str
    columns: tuple[ColumnFacts, ...]
    primary_key: tuple[str, ...] = ()
    unique_keys: frozenset[tuple[str, ...]] = frozenset()
    foreign_keys: frozenset[ForeignKeyFacts] = frozenset()
    checks: tuple[str, ...] = ()
    indexes: Mapping[str, IndexFacts] = field(default_factory=dict)
    triggers: Mapping[str, str] = field(default_factory=dict)

    def column(self, name: str) -> ColumnFacts | None:
        """The column of a name, whatever its case."""
        return next((c for c in self.columns if c.name.lower() == name.lower()), None)


@dataclass(frozen=True)
class Rights:
    """What a connection may do in a database.

    Attributes:
        engine: Name and version of what runs it.
        unreadable: Of the tables that exist, those that it may not read, in lower case.
        unwritable: Of the tables that exist, those that it may not change.
        creates: Whether it may create tables.
    """

    engine: str
    unreadable: tuple[str, ...] = ()
    unwritable: tuple[str, ...] = ()
    creates: bool = True


@dataclass(frozen=True)
class Catalogue:
    """What a database holds.

    Attributes:
        tables: The tables that were asked for, by lower-case name.
        names: What each lower-case name stands for (`table`, `view`, `index on x`): an engine skips
            `create ... if not exists` in silence where something else has the name.
    """

    tables: Mapping[str, TableFacts] = field(default_factory=dict)
    names: Mapping[str, str] = field(default_factory=dict)
