"""The declaration of the operational schema, read from its YAML without starting dbt."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from grace_dbt.errors import ExitCode, GraceError
from grace_dbt.settings import project_directory


@dataclass(frozen=True)
class Reference:
    """A foreign key of one column.

    Attributes:
        table: The parent.
        column: The column of the parent.
        action: What a deleted parent does: empty, `on delete cascade` or `on delete set null`.
    """

    table: str
    column: str
    action: str = ""


@dataclass(frozen=True)
class Column:
    """A declared column.

    Attributes:
        name: Its name.
        description: What it holds and who writes it.
        data_type: Logical: text, integer, real, boolean, timestamp, json, blob.
        not_null: Whether NULL is refused.
        primary_key: Whether it belongs to the primary key.
        unique: Whether a value may stand only once.
        references: The column that it points to.
        checks: SQL conditions, with the column as `{column}`.
        default: SQL of the default value.
        pii: Whether it can hold personal data.
        accepted_values: Every value that a writer should use; empty where anything goes.
        range: Lowest and highest value, either None where it is open; None where anything goes.
        format: What a value looks like where its type doesn't say it: `timestamp` (text) or
            `epoch_seconds`.
        hash_input: Whether a chain hash covers the very bytes of the value.
    """

    name: str
    description: str
    data_type: str
    not_null: bool = False
    primary_key: bool = False
    unique: bool = False
    references: Reference | None = None
    checks: tuple[str, ...] = ()
    default: str | None = None
    pii: bool = False
    accepted_values: tuple[str, ...] = ()
    range: tuple[float | None, float | None] | None = None
    format: str | None = None
    hash_input: bool = False


@dataclass(frozen=True)
class Index:
    """A declared index over columns, in their order."""

    columns: tuple[str, ...]
    unique: bool = False


@dataclass(frozen=True)
class Retention:
    """How long rows are kept: a number of days (None: no limit) and the rule in words."""

    days: int | None
    rule: str


@dataclass(frozen=True)
class Table:
    """A declared table.

    Attributes:
        component: The part of Grace that writes it, and the name of its dbt source.
        name: Its name.
        description: What it is for.
        grain: What one row is.
        mutability: `mutable`, `append_only` or `immutable`.
        retention: How long rows are kept.
        governance_label: `public`, `internal` or `restricted`.
        owner: The team that answers for it.
        columns: In their order.
        indexes: Beyond those of the keys.
        loaded_at_field: The column that says when a row was written, if there is one.
    """

    component: str
    name: str
    description: str
    grain: str
    mutability: str
    retention: Retention
    governance_label: str
    owner: str
    columns: tuple[Column, ...]
    indexes: tuple[Index, ...] = ()
    loaded_at_field: str | None = None

    @property
    def primary_key(self) -> tuple[str, ...]:
        """The names of its key columns."""
        return tuple(column.name for column in self.columns if column.primary_key)

    @property
    def unique_keys(self) -> tuple[tuple[str, ...], ...]:
        """Every set of columns whose values stand only once, the primary key first."""
        return (
            self.primary_key,
            *((column.name,) for column in self.columns if column.unique),
            *(index.columns for index in self.indexes if index.unique),
        )

    @property
    def pii_columns(self) -> tuple[str, ...]:
        """The names of the columns that can hold personal data."""
        return tuple(column.name for column in self.columns if column.pii)

    def column(self, name: str) -> Column:
        """The column of a name.

        Raises:
            KeyError: There is none.
        """
        for column in self.columns:
            if column.name == name:
                return column
        raise KeyError(f"{self.name} has no column {name}")


def load_declaration(project: Path | None = None) -> dict[str, Table]:
    """Read every table that `models/operational` declares.

    Args:
        project: The dbt project; by default the one of this installation.

    Returns:
        Tables by name, sorted by component, in the order of their files.

    Raises:
        GraceError: A file can't be read or lacks what a declaration needs.
    """
    import yaml

    # libyaml is ten times as fast as the Python parser, but not part of every build.
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    folder = (project or project_directory()) / "models" / "operational"
    tables: dict[str, Table] = {}
    for path in sorted(folder.glob("*/_*__sources.yml")):
        try:
            document = yaml.load(path.read_text(encoding="utf-8"), Loader=loader)
            for table in _read_tables(document):
                tables[table.name] = table
        except (OSError, yaml.YAMLError, KeyError, TypeError, AttributeError) as error:
            reason = " ".join(str(error).split())
            raise GraceError(
                f"The declaration {path} can't be read: {type(error).__name__}: {reason}",
                "Compare the file with its neighbours under models/operational.",
                ExitCode.BAD,
            ) from error
    return tables


def select_component(tables: Mapping[str, Table], component: str) -> dict[str, Table]:
    """The tables of one component.

    Raises:
        GraceError: No table belongs to it; the message names those that exist (exit code 2).
    """
    selected = {name: table for name, table in tables.items() if table.component == component}
    if not selected:
        known = ", ".join(sorted({table.component for table in tables.values()}))
        raise GraceError(
            f"'{component}' is not a component of Grace.", f"Use one of: {known}.", ExitCode.USAGE
        )
    return selected


def _read_tables(document: dict[str, Any]) -> Iterator[Table]:
    for source in document["sources"]:
        for table in source["tables"]:
            config = table["config"]
            meta = config["meta"]
            yield Table(
                component=source["name"],
                name=table["name"],
                description=table["description"],
                grain=meta["grain"],
                mutability=meta["mutability"],
                retention=Retention(meta["retention"]["days"], meta["retention"]["rule"]),
                governance_label=meta["governance_label"],
                owner=meta["owner"],
                columns=tuple(_read_column(column) for column in table["columns"]),
                indexes=tuple(
                    Index(tuple(index["columns"]), bool(index.get("unique")))
                    for index in meta.get("indexes", [])
                ),
                loaded_at_field=config.get("loaded_at_field"),
            )


def _read_column(column: dict[str, Any]) -> Column:
    constraints = column.get("constraints", [])
    kinds = {constraint["type"] for constraint in constraints}
    meta = column.get("config", {}).get("meta", {})
    references = [
        Reference(c["to"], c["to_columns"][0], c.get("expression", ""))
        for c in constraints
        if c["type"] == "foreign_key"
    ]
    return Column(
        name=column["name"],
        description=column["description"],
        data_type=column["data_type"],
        not_null="not_null" in kinds,
        primary_key="primary_key" in kinds,
        unique="unique" in kinds,
        references=references[0] if references else None,
        checks=tuple(c["expression"] for c in constraints if c["type"] == "check"),
        default=str(meta["default"]) if "default" in meta else None,
        pii=bool(meta.get("pii")),
        accepted_values=tuple(meta.get("accepted_values", ())),
        range=tuple(meta["range"]) if "range" in meta else None,
        format=meta.get("format"),
        hash_input=bool(meta.get("hash_input")),
    )
