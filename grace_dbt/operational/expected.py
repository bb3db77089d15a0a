"""What a plan makes on a server, told from the plan and the declaration: there is no scratch database to make it in."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from grace_dbt.declaration import Table
from grace_dbt.operational.catalogue import (
    Catalogue,
    ColumnFacts,
    ForeignKeyFacts,
    IndexFacts,
    TableFacts,
)
from grace_dbt.operational.plan import Step

# A server keeps no statement: the end of a table's comment tells whether the plan made it.
OWN_MARK = "Made by grace-dbt."


def expected_catalogue(
    plan: Sequence[Step],
    declaration: Mapping[str, Table],
    *,
    keeps_actions: Callable[[Table], bool],
    trigger_words: Callable[[str], str],
) -> Catalogue:
    """The tables of a plan as facts.

    Args:
        plan: All steps.
        declaration: The tables by name.
        keeps_actions: Whether the references of a table have the action that is declared.
        trigger_words: What `reflect` says of a trigger, function or guard that a statement makes.
    """
    tables: dict[str, TableFacts] = {}
    for step in plan:
        if step.kind == "table":
            table = declaration[step.table]
            tables[step.table.lower()] = _table(table, step, plan, keeps_actions, trigger_words)
    return Catalogue(tables, {})


def _table(
    table: Table,
    step: Step,
    plan: Sequence[Step],
    keeps_actions: Callable[[Table], bool],
    trigger_words: Callable[[str], str],
) -> TableFacts:
    columns = tuple(
        ColumnFacts(
            column.name,
            step.columns[column.name],
            column.data_type,
            column.not_null or column.primary_key,
            column.default,
        )
        for column in table.columns
    )
    references = frozenset(
        ForeignKeyFacts(
            (column.name,),
            column.references.table,
            (column.references.column,),
            column.references.action.lower() if keeps_actions(table) else "",
        )
        for column in table.columns
        if column.references
    )
    # The plan names its indexes in the order of the declaration.
    names = [part.name for part in plan if part.kind == "index" and part.table == table.name]
    indexes = {
        name.lower(): IndexFacts(name, tuple(index.columns), index.unique)
        for name, index in zip(names, table.indexes, strict=True)
    }
    return TableFacts(
        name=table.name,
        definition=OWN_MARK,
        columns=columns,
        primary_key=tuple(table.primary_key),
        unique_keys=frozenset((column.name,) for column in table.columns if column.unique),
        foreign_keys=references,
        checks=tuple(
            check.replace("{column}", column.name)
            for column in table.columns
            for check in column.checks
        ),
        indexes=indexes,
        triggers={
            part.name.lower(): trigger_words(part.sql)
            for part in plan
            if part.table == table.name and part.kind in ("trigger", "function", "guard")
        },
    )
