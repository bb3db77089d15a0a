"""Every cell of the capability table in docs/adapters.md, tried on its engine."""

from __future__ import annotations

import re
import shutil
import sqlite3
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import pytest
from conftest import DIALECTS
from row_values import RowMaker

from grace_dbt.declaration import load_declaration

PAGE = Path(__file__).parents[2] / "docs" / "adapters.md"
TABLES = load_declaration()
Error = (sqlite3.Error, duckdb.Error)


def capability_table() -> dict[tuple[str, str], str]:
    """The cells of the first table of the page, by rule and engine."""
    lines = PAGE.read_text().splitlines()
    start = next(number for number, line in enumerate(lines) if line.startswith("| Rule |"))
    heading = [cell.strip() for cell in lines[start].strip("|").split("|")]
    cells: dict[tuple[str, str], str] = {}
    for line in lines[start + 2 :]:
        if not line.startswith("|"):
            break
        rule, *values = (cell.strip() for cell in line.strip("|").split("|"))
        for engine, value in zip(heading[1:], values, strict=True):
            assert (rule, engine) not in cells, f"{rule} stands twice"
            cells[rule, engine] = value
    return cells


CELLS = capability_table()


class Trial:
    """A database with the whole schema, on which rules are tried."""

    def __init__(self, dialect: str, path: Path) -> None:
        self.dialect = dialect
        self.path = path
        self.database: Any = self.connect()
        if dialect == "sqlite":
            self.database.execute("pragma foreign_keys = on")
        self.maker = RowMaker(self.database, TABLES)

    def connect(self) -> Any:
        if self.dialect == "sqlite":
            return sqlite3.connect(self.path, isolation_level=None)
        return duckdb.connect(self.path)

    def refuses(self, sql: str, *values: Any) -> bool:
        try:
            self.database.execute(sql, values)
        except Error:
            return True
        return False

    def refuses_row(self, name: str, verb: str = "insert", **changes: Any) -> bool:
        row = self.maker.valid_row(TABLES[name]) | changes
        try:
            self.maker.insert(TABLES[name], row, verb)
        except Error:
            return True
        return False

    def one(self, sql: str, *values: Any) -> Any:
        row = self.database.execute(sql, values).fetchone()
        return row[0] if row else None

    # One method a rule: True where the engine enforces it.

    def not_null(self) -> bool:
        return self.refuses_row("audit_logs", hash=None)

    def primary_key(self) -> bool:
        return self.refuses_row(
            "models", model_id=self.maker.insert_valid(TABLES["models"])["model_id"]
        )

    def unique_column(self) -> bool:
        row = self.maker.insert_valid(TABLES["benchmark_runs"])
        return self.refuses_row("benchmark_runs", run_id=row["run_id"])

    def unique_index(self) -> bool:
        row = self.maker.insert_valid(TABLES["feature_views"])
        return self.refuses_row(
            "feature_views", dataset_id=row["dataset_id"], version=row["version"]
        )

    def child_needs_parent(self) -> bool:
        return self.refuses_row("feature_views", dataset_id="nobody")

    def parent_stays(self) -> bool:
        row = self.maker.insert_valid(TABLES["feature_views"])
        return self.refuses("delete from datasets where dataset_id = ?", row["dataset_id"])

    def references_by_default(self) -> bool:
        row = self.maker.valid_row(TABLES["feature_views"]) | {"dataset_id": "nobody"}
        if self.dialect == "duckdb":
            return self.refuses_row("feature_views", dataset_id="nobody")
        plain = self.connect()
        try:
            RowMaker(plain, TABLES).insert(TABLES["feature_views"], row)
        except Error:
            return True
        finally:
            plain.close()
        return False

    def on_delete_cascade(self) -> bool:
        row = self.maker.insert_valid(TABLES["processing_metrics"])
        refused = self.refuses("delete from sources where source_id = ?", row["source_id"])
        left = self.one("select count(*) from processing_metrics where id = ?", row["id"])
        assert refused == bool(left)
        return not refused

    def on_delete_set_null(self) -> bool:
        row = self.maker.insert_valid(TABLES["playbook_runs"])
        sql = "delete from approval_requests where id = ?"
        if self.refuses(sql, row["approval_request_id"]):
            return False
        left = "select approval_request_id from playbook_runs where id = ?"
        return self.one(left, row["id"]) is None

    def check(self) -> bool:
        return self.refuses_row("sources", pii_policy="nonsense")

    def accepted_values(self) -> bool:
        status = self.refuses_row("action_contracts", status="nonsense")
        share = self.refuses_row("action_contracts", confidence_score=7.5)
        assert status == share
        return status

    def type_of_a_value(self) -> bool:
        return self.refuses_row("security_events", created_at="yesterday")

    def well_formed_json(self) -> bool:
        return self.refuses_row("action_contracts", expected_effect="{not json")

    def default_value(self) -> bool:
        row = self.maker.valid_row(TABLES["action_contracts"])
        del row["status"]
        self.maker.insert(TABLES["action_contracts"], row)
        return bool(
            self.one("select status from action_contracts where id = ?", row["id"]) == "pending"
        )

    def default_timestamp_in_utc(self) -> bool:
        if self.dialect == "duckdb":
            self.database.execute("set TimeZone = 'Asia/Tokyo'")
        row = self.maker.valid_row(TABLES["security_events"])
        del row["created_at"]
        self.maker.insert(TABLES["security_events"], row)
        written = self.one("select created_at from security_events where id = ?", row["id"])
        moment = datetime.fromisoformat(str(written)).replace(tzinfo=UTC)
        return abs((datetime.now(UTC) - moment).total_seconds()) < 60

    def automatic_integer_key(self) -> bool:
        row = self.maker.valid_row(TABLES["security_events"])
        del row["id"]
        try:
            self.maker.insert(TABLES["security_events"], row)
        except Error:
            return False
        return bool(self.one("select max(id) from security_events"))

    def guarded(self, attempt: Callable[[str, str, Any], bool]) -> bool:
        """Try on every append-only and immutable table; they have to agree."""
        answers = set()
        for table in TABLES.values():
            if table.mutability != "mutable":
                row = self.maker.insert_valid(table)
                answers.add(attempt(table.name, table.primary_key[0], row[table.primary_key[0]]))
        [answer] = answers
        return answer

    def update(self) -> bool:
        return self.guarded(
            lambda name, key, value: self.refuses(
                f'update "{name}" set {self.free_column(name)} where "{key}" = ?', value
            )
        )

    @staticmethod
    def free_column(name: str) -> str:
        """An assignment that no key, index or reference minds: only a trigger can refuse it."""
        table = TABLES[name]
        bound = {column for index in table.indexes for column in index.columns}
        bound |= {part for key in table.unique_keys for part in key}
        free = next(c.name for c in table.columns if c.name not in bound and not c.references)
        return f'"{free}" = "{free}"'

    def delete(self) -> bool:
        return self.guarded(
            lambda name, key, value: self.refuses(f'delete from "{name}" where "{key}" = ?', value)
        )

    def replace(self) -> bool:
        verb = "insert or replace"
        # DuckDB replaces only where one key can be meant.
        single = [
            name
            for name, table in TABLES.items()
            if table.mutability != "mutable" and len(table.unique_keys) == 1
        ]
        answers = set()
        for name in single:
            row = self.maker.insert_valid(TABLES[name])
            key = TABLES[name].primary_key[0]
            answers.add(self.refuses_row(name, verb, **{key: row[key]}))
        assert len(single) > 2
        [answer] = answers
        return answer

    def cascade_from_a_parent(self) -> bool:
        row = self.maker.insert_valid(TABLES["bronze_raw_events"])
        refused = self.refuses("delete from sources where source_id = ?", row["source_id"])
        assert self.one("select count(*) from bronze_raw_events where id = ?", row["id"])
        return refused

    def drop(self) -> bool:
        if self.dialect == "sqlite" and self.refuses("drop trigger immutable_log__never_updated"):
            return True
        return self.refuses("drop table immutable_log")


RULES: dict[str, Callable[[Trial], bool]] = {
    "not null": Trial.not_null,
    "primary key": Trial.primary_key,
    "unique column": Trial.unique_column,
    "unique index": Trial.unique_index,
    "foreign key: a child needs its parent": Trial.child_needs_parent,
    "foreign key: a parent with children stays": Trial.parent_stays,
    "foreign key: on a connection that sets nothing": Trial.references_by_default,
    "on delete cascade": Trial.on_delete_cascade,
    "on delete set null": Trial.on_delete_set_null,
    "check": Trial.check,
    "accepted values and ranges without a check": Trial.accepted_values,
    "type of a value": Trial.type_of_a_value,
    "well-formed JSON": Trial.well_formed_json,
    "default value": Trial.default_value,
    "default timestamp in UTC": Trial.default_timestamp_in_utc,
    "automatic integer key": Trial.automatic_integer_key,
    "append-only and immutable: update": Trial.update,
    "append-only and immutable: delete": Trial.delete,
    "append-only and immutable: insert or replace": Trial.replace,
    "append-only: cascade from a parent": Trial.cascade_from_a_parent,
    "append-only and immutable: drop of the table or a trigger": Trial.drop,
}


@pytest.fixture
def trial(request: pytest.FixtureRequest, templates: Path, tmp_path: Path) -> Trial:
    dialect: str = request.param
    path = tmp_path / f"trial.{dialect}"
    shutil.copy(templates / f"fresh.{dialect}", path)
    return Trial(dialect, path)


def test_the_table_has_every_rule_and_engine_and_no_other() -> None:
    assert set(CELLS) == {(rule, dialect) for rule in RULES for dialect in DIALECTS}


@pytest.mark.parametrize("trial", DIALECTS, indirect=True)
@pytest.mark.parametrize("rule", RULES)
def test_cell(rule: str, trial: Trial) -> None:
    cell = CELLS[rule, trial.dialect]
    enforced = RULES[rule](trial)
    trial.database.close()
    if enforced:
        assert cell == "enforced"
    else:
        control = re.fullmatch(r"not enforced: (.+)", cell)
        assert control, f"{rule} is not enforced on {trial.dialect}: {cell!r}"
        assert len(control[1].split()) > 8, "a compensating control takes a sentence"
