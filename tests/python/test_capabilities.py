"""Every cell of the capability table in docs/adapters.md, tried on its engine."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from conftest import ENGINES
from places import Place
from raw_drivers import Error, RawDatabase
from row_values import RowMaker, insertion

from grace_dbt.declaration import load_declaration
from grace_dbt.operational.backend import open_database
from grace_dbt.operational.url import OperationalUrl

PAGE = Path(__file__).parents[2] / "docs" / "adapters.md"
TABLES = load_declaration()
# The column of MySQL is tried on MariaDB.
COLUMNS = {"sqlite": "sqlite", "duckdb": "duckdb", "postgres": "postgres", "mariadb": "mysql"}


class NoSuchStatementError(Exception):
    """The engine can't even read it."""


class OnPurposeError(Exception):
    """What makes a run fail in the middle."""


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

    def __init__(self, place: Place) -> None:
        self.dialect = place.dialect
        self.place = place
        self.database = RawDatabase.open(place)
        if self.dialect == "sqlite":
            self.database.execute("pragma foreign_keys = on")
        self.maker = RowMaker(self.database, TABLES)

    def refuses(self, sql: str, *values: Any) -> bool:
        try:
            self.database.execute(sql, values)
        except Error as error:
            if re.search("syntax error|error in your SQL syntax", str(error)):
                raise NoSuchStatementError(sql) from error
            return True
        return False

    def refuses_row(self, name: str, **changes: Any) -> bool:
        row = self.maker.valid_row(TABLES[name]) | changes
        return self.refuses_insertion(*insertion(TABLES[name], row))

    def refuses_insertion(self, sql: str, values: Sequence[Any]) -> bool:
        return self.refuses(sql, *values)

    def one(self, sql: str, *values: Any) -> Any:
        rows = self.database.execute(sql, values)
        return rows[0][0] if rows else None

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
        plain = RawDatabase.open(self.place)
        try:
            RowMaker(plain, TABLES).insert(TABLES["feature_views"], row)
        except Error:
            return True
        finally:
            plain.close()
        # The one database is shared by all trials.
        self.database.execute("delete from feature_views where dataset_id = 'nobody'")
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

    def two_keys(self, first: str, second: str) -> bool:
        """Whether both are taken, beside each other, as keys of parents and as references to them."""
        found = []
        for key in (first, second):
            parent = self.maker.valid_row(TABLES["datasets"]) | {"dataset_id": key}
            found.append(self.refuses_insertion(*insertion(TABLES["datasets"], parent)))
            if not found[-1]:
                found.append(self.refuses_row("feature_views", dataset_id=key, version="1"))
        return not any(found) and self.one(
            "select count(*) from feature_views where dataset_id = ?", first
        ) == 1  # fmt: skip

    def keys_by_case(self) -> bool:
        return self.two_keys("Case", "case")

    def keys_by_blanks(self) -> bool:
        return self.two_keys("blank", "blank  ")

    def long_key(self) -> bool:
        return self.two_keys("k" * 255 + "1", "k" * 255 + "2")

    def type_of_a_value(self) -> bool:
        return self.refuses_row("security_events", created_at="soon")

    def well_formed_json(self) -> bool:
        return self.refuses_row("action_contracts", expected_effect="{not json")

    def well_formed_hashed_json(self) -> bool:
        [name] = [
            c.name for c in TABLES["audit_logs"].columns if c.hash_input and c.data_type == "json"
        ]
        return self.refuses_row("audit_logs", **{name: "{not json"})

    def default_value(self) -> bool:
        row = self.maker.valid_row(TABLES["action_contracts"])
        del row["status"]
        self.maker.insert(TABLES["action_contracts"], row)
        return bool(
            self.one("select status from action_contracts where id = ?", row["id"]) == "pending"
        )

    def default_timestamp_in_utc(self) -> bool:
        if self.dialect == "duckdb":
            # The servers stand in another zone.
            self.database.execute("set TimeZone = 'Asia/Tokyo'")
        row = self.maker.valid_row(TABLES["security_events"])
        del row["created_at"]
        self.maker.insert(TABLES["security_events"], row)
        written = self.one("select created_at from security_events where id = ?", row["id"])
        moment = datetime.fromisoformat(str(written))
        moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        return abs((datetime.now(UTC) - moment).total_seconds()) < 60

    def automatic_integer_key(self) -> bool:
        row = self.maker.valid_row(TABLES["security_events"])
        del row["id"]
        before = self.one("select count(*) from security_events")
        if self.refuses_insertion(*insertion(TABLES["security_events"], row)):
            return False
        return bool(self.one("select count(*) from security_events where id > 0") == before + 1)

    def guarded(
        self, attempt: Callable[[str, str, Any], bool], besides: set[str] | None = None
    ) -> bool:
        """Try on every append-only and immutable table; they have to agree."""
        answers = set()
        for table in TABLES.values():
            if table.mutability != "mutable" and table.name not in (besides or ()):
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

    def upsert(self) -> bool:
        on_mariadb = self.dialect == "mariadb"

        def attempt(name: str, key: str, value: Any) -> bool:
            row = self.maker.valid_row(TABLES[name]) | {key: value}
            target = "duplicate key update" if on_mariadb else f'conflict ("{key}") do update set'
            column = self.free_column(name).partition(" = ")[0]
            suffix = f' on {target} {column} = "{name}".{column}'
            return self.refuses_insertion(*insertion(TABLES[name], row, suffix))

        return self.guarded(attempt)

    def replace(self) -> bool:
        verb = "replace" if self.dialect == "mariadb" else "insert or replace"
        # DuckDB replaces only where one key can be meant.
        single = [
            name
            for name, table in TABLES.items()
            if table.mutability != "mutable" and len(table.unique_keys) == 1
        ]
        answers = set()
        for name in single:
            key = TABLES[name].primary_key[0]
            row = self.maker.insert_valid(TABLES[name])
            other = self.maker.valid_row(TABLES[name]) | {key: row[key]}
            answers.add(self.refuses_insertion(*insertion(TABLES[name], other, verb=verb)))
        assert len(single) > 2
        [answer] = answers
        return answer

    def truncate(self) -> bool:
        # No table refers to these, which would be reason enough to refuse.
        parents = {c.references.table for t in TABLES.values() for c in t.columns if c.references}
        return self.guarded(
            lambda name, key, value: self.refuses(f'truncate table "{name}"'), besides=parents
        )

    def delete_everything(self) -> bool:
        return self.guarded(lambda name, key, value: self.refuses(f'delete from "{name}"'))

    def cascade_from_a_parent(self) -> bool:
        row = self.maker.insert_valid(TABLES["bronze_raw_events"])
        refused = self.refuses("delete from sources where source_id = ?", row["source_id"])
        assert self.one("select count(*) from bronze_raw_events where id = ?", row["id"])
        return refused

    def drop(self) -> bool:
        trigger = "drop trigger immutable_log__never_updated"
        if self.dialect == "postgres":
            trigger += " on immutable_log"
        if self.dialect != "duckdb" and self.refuses(trigger):
            return True
        if self.dialect == "mariadb" and self.refuses("drop table immutable_log__never_truncated"):
            return True
        return self.refuses("drop table immutable_log")

    def whole_run(self) -> bool:
        """Whether nothing is left of a run that made a table and then failed."""
        url = OperationalUrl.parse(self.place.url)
        with (
            pytest.raises(OnPurposeError),
            open_database(url, write=True) as backend,
            backend.transaction(),
        ):
            backend.execute("create table half_done (id integer)")
            raise OnPurposeError
        left = not self.refuses("select * from half_done")
        self.database.execute("drop table if exists half_done")
        return not left


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
    "keys that differ in case only are two": Trial.keys_by_case,
    "keys that differ in blanks at their end only are two": Trial.keys_by_blanks,
    "a text key longer than 255 characters": Trial.long_key,
    "type of a value": Trial.type_of_a_value,
    "well-formed JSON": Trial.well_formed_json,
    "well-formed JSON that a hash covers": Trial.well_formed_hashed_json,
    "default value": Trial.default_value,
    "default timestamp in UTC": Trial.default_timestamp_in_utc,
    "automatic integer key": Trial.automatic_integer_key,
    "append-only and immutable: update": Trial.update,
    "append-only and immutable: delete": Trial.delete,
    "append-only and immutable: delete without a condition": Trial.delete_everything,
    "append-only and immutable: upsert": Trial.upsert,
    "append-only and immutable: replace": Trial.replace,
    "append-only and immutable: truncate": Trial.truncate,
    "append-only: cascade from a parent": Trial.cascade_from_a_parent,
    "append-only and immutable: drop of the table or a trigger": Trial.drop,
    "a failed `init` leaves nothing behind": Trial.whole_run,
}


# What a trial leaves is of no use to another one.
DESTRUCTIVE = (Trial.drop, Trial.delete_everything, Trial.truncate)


@pytest.fixture(scope="module")
def trial_on(fresh_place: Callable[[str], Place]) -> Iterator[Callable[[str, bool], Trial]]:
    """By dialect, the one database that all trials share, or one for a single trial."""
    with ExitStack() as opened:

        def make(dialect: str) -> Trial:
            trial = Trial(fresh_place(dialect))
            opened.callback(trial.database.close)
            return trial

        shared = cache(make)
        yield lambda dialect, destructive: (make if destructive else shared)(dialect)


def test_the_table_has_every_rule_and_engine_and_no_other() -> None:
    assert set(CELLS) == {(rule, column) for rule in RULES for column in COLUMNS.values()}


@pytest.mark.parametrize("dialect", ENGINES)
@pytest.mark.parametrize("rule", RULES)
def test_cell(rule: str, dialect: str, trial_on: Callable[[str, bool], Trial]) -> None:
    cell = CELLS[rule, COLUMNS[dialect]]
    trial = trial_on(dialect, RULES[rule] in DESTRUCTIVE)
    try:
        found = "enforced" if RULES[rule](trial) else "not enforced"
    except NoSuchStatementError:
        found = "no such statement"
    if found == "enforced":
        assert cell == found
    else:
        control = re.fullmatch(rf"{found}: (.+)", cell)
        assert control, f"{rule} on {dialect}: {found}, but the page says {cell!r}"
        assert len(control[1].split()) > 8, "what stands in its place takes a sentence"
