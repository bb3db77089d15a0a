"""Valid rows of any declared table, made from the declaration."""

from __future__ import annotations

import re
from collections.abc import Mapping
from itertools import count
from typing import Any

from grace_dbt.declaration import Column, Table

Row = dict[str, Any]
_VALUES: Mapping[str, Any] = {
    "text": "words",
    "integer": 1,
    "real": 0.5,
    "boolean": True,
    "timestamp": "2025-11-02 14:50:02",
    "json": '{"a": 1}',
    "blob": b"\x00\x01",
}


def insertion(
    table: Table, row: Row, suffix: str = "", verb: str = "insert"
) -> tuple[str, list[Any]]:
    """The statement that inserts a row, and its values."""
    names = ", ".join(f'"{name}"' for name in row)
    marks = ", ".join("?" * len(row))
    return f'{verb} into "{table.name}" ({names}) values ({marks}){suffix}', list(row.values())


class RowMaker:
    """Makes and inserts rows; every one has keys of its own.

    A reference gets a parent of its own, so that a delete of the parent concerns this row alone.
    """

    def __init__(self, connection: Any, tables: Mapping[str, Table]) -> None:
        """Work on an open database that has the tables: a `RawDatabase`, or SQLite's own connection."""
        self.connection = connection
        self.tables = tables
        self._numbers = count(1000)

    def valid_row(self, table: Table) -> Row:
        """A row that every rule accepts; the parents that it needs are inserted."""
        row = {column.name: self._value(column) for column in table.columns}
        for column in table.columns:
            if column.references:
                parent = self.tables[column.references.table]
                row[column.name] = self.insert_valid(parent)[column.references.column]
        return row

    def insert(self, table: Table, row: Row, verb: str = "insert") -> None:
        """Insert a row as it is."""
        self.connection.execute(*insertion(table, row, verb=verb))

    def insert_valid(self, table: Table) -> Row:
        """Insert a valid row, and its parents before it."""
        row = self.valid_row(table)
        self.insert(table, row)
        return row

    def _value(self, column: Column) -> Any:
        if column.primary_key or column.unique:
            number = next(self._numbers)
            return number if column.data_type == "integer" else f"{column.name}-{number}"
        if column.accepted_values:
            return column.accepted_values[0]
        for check in column.checks:
            if words := re.search(r"in \('([^']*)'", check):
                return words[1]
        if column.range:
            low, high = column.range
            return low if low is not None else high
        return self._text_or(column)

    def _text_or(self, column: Column) -> Any:
        if column.format == "timestamp":
            return _VALUES["timestamp"]
        if column.format == "epoch_seconds":
            return 1762095002
        # Distinct, since a unique index may go over several columns.
        number = next(self._numbers)
        return f"words {number}" if column.data_type == "text" else _VALUES[column.data_type]
