"""A published snapshot of millions of facts, made out of a small one: each of its facts stands there many times."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb

from grace_dbt.publishing import metrics_file, numbered, publish
from grace_dbt.settings import Settings

MAIN = "fact_verification_executions"
# Copies lie in so many spans of the history's own length, each a little earlier than what it is a copy of.
SPANS, SPAN_DAYS = 3, 30
JITTER_MICROSECONDS = 3_600_000_000
# Names of single things, of which each copy has its own; others are names of kinds.
IDS = (
    "contract_id", "mission_id", "snapshot_id", "benchmark_run_id", "benchmark_id", "approval_id", "playbook_run_id",
    "error_id", "vote_id", "session_id", "compliance_id", "action_id", "healing_id", "task_id", "execution_task_id",
)  # fmt: skip


def multiply(small: Path, home: Path, copies: int) -> int:
    """Publish a snapshot under a new home in which every fact that metrics read stands so many times.

    Keys, ids and times of the copies are their own, and so are their missions. `dim_time` and the rollups are made by
    the SQL that dbt compiled for the small snapshot: they are what a refresh would make of these facts.

    Args:
        small: A home with a published snapshot.
        home: The new home, which is not there yet.
        copies: How often each fact stands in the new snapshot.

    Returns:
        Rows of `fact_verification_executions`.

    Raises:
        SystemExit: The compiled SQL does not make the small snapshot's own rows, a key stands twice, or a row is lost.
    """
    record: dict[str, Any] = json.loads((small / "snapshots" / "current.json").read_text())
    source = small / "snapshots" / record["snapshot"]
    definitions = metrics_file(source.parent, numbered(source)).read_text()
    models = json.loads(definitions)["semantic_models"]
    tables = {model["model"].removeprefix("ref('").removesuffix("')") for model in models}
    many = sorted({table for table in tables if table.startswith("fact_")} | {"dim_mission"})
    made = ["dim_time", *_rollups(models)]
    home.mkdir()
    with duckdb.connect(config={"threads": 2, "memory_limit": "4GB"}) as connection:
        connection.execute(f"set temp_directory = '{home / 'spilled'}'")
        connection.execute(f"attach '{source}' as small (read_only)")
        # What dbt compiled names its tables in the database `build`.
        connection.execute(f"attach '{home / 'build.duckdb'}' as build")
        connection.execute("create schema build.staging")
        for table in record["rows"]:
            connection.execute(f"create table build.main.{table} as from small.main.{table}")
        compiled = {table: _compiled(small, table) for table in made}
        _make(connection, compiled)
        for table in made:
            _require_same(connection, table)
        for table in many:
            _multiply(connection, table, copies)
        _make(connection, compiled)
        [(rows,)] = connection.execute(f"select count(*) from build.main.{MAIN}").fetchall()
    publish(
        Settings.load(home=home),
        datetime.fromisoformat(record["as_of"]),
        record["rows"],
        metrics=definitions,
    )
    (home / "build.duckdb").unlink()
    return int(rows)


def _rollups(models: list[dict[str, Any]]) -> Iterator[str]:
    """The rollups that metrics may be read from."""
    for model in models:
        for rollup in ((model.get("config") or {}).get("meta") or {}).get("rollups") or ():
            yield rollup["table"]


def _compiled(small: Path, table: str) -> str:
    """The SELECT that dbt compiled for a model."""
    [file] = small.glob(f"dbt/*/compiled/grace/models/**/{table}.sql")
    return file.read_text(encoding="utf-8")


def _make(connection: duckdb.DuckDBPyConnection, compiled: dict[str, str]) -> None:
    """Make `dim_time` over the days of all facts, then the rollups."""
    connection.execute(
        f"""
        create or replace table build.staging.int_time__minutes as
        select unnest(range(first, last + interval 1 day, interval 1 minute)) as moment
        from (
            select
                least(min(date_trunc('day', created_at)), (select min(timestamp) from small.dim_time)) as first,
                (select date_trunc('day', max(timestamp)) from small.dim_time) as last
            from build.main.{MAIN}
        )
        """
    )
    for table, select in compiled.items():
        connection.execute(f"create or replace table build.main.{table} as {select}")


def _require_same(connection: duckdb.DuckDBPyConnection, table: str) -> None:
    """Fail where a table that was made is not the one that was published."""
    columns = ", ".join(
        f"printf('%.8e', {name})" if kind == "DOUBLE" else name
        for name, kind in connection.execute(
            "select column_name, data_type from duckdb_columns()"
            " where database_name = 'small' and table_name = ? order by column_index",
            [table],
        ).fetchall()
    )
    ours, theirs = (f"select {columns} from {place}.main.{table}" for place in ("build", "small"))
    [(differing,)] = connection.execute(
        f"select count(*) from ((({ours}) except all ({theirs})) union all (({theirs}) except all ({ours})))"
    ).fetchall()
    if differing:
        raise SystemExit(f"{table}: {differing} rows are not as they were published.")


def _multiply(connection: duckdb.DuckDBPyConnection, table: str, copies: int) -> None:
    """Put copies in the place of the rows; what has no key (-1) in a dimension stays there once."""
    columns = connection.execute(
        "select column_name, data_type from duckdb_columns()"
        " where database_name = 'small' and table_name = ? order by column_index",
        [table],
    ).fetchall()
    key, is_fact = columns[0][0], table.startswith("fact_")
    earlier = (
        f"to_days(cast(copy % {SPANS} * {SPAN_DAYS} as integer))"
        f" + to_microseconds(cast(hash({key}, copy) % {JITTER_MICROSECONDS} as bigint))"
    )
    time = "started_at" if table == "fact_mission_progress" else "created_at"
    written = [_copied(name, kind, key, time, earlier) for name, kind in columns]
    connection.execute(
        f"""
        create or replace table build.main.{table} as
        select {", ".join(written)}
        from (select *, {earlier} as earlier from small.main.{table}, range({copies}) as copies(copy)
            {"" if is_fact else f"where {key} <> -1 or copy = 0"})
        {f"order by {time}" if is_fact else ""}
        """
    )
    [(rows, keys, expected)] = connection.execute(
        f"""
        select count(*), count(distinct {key}),
            (select sum(if({key} = -1, 1, {copies})) from small.main.{table})
        from build.main.{table}
        """
    ).fetchall()
    if not rows == keys == expected:
        raise SystemExit(f"{table}: {rows} rows and {keys} keys, expected {expected}.")


def _copied(name: str, kind: str, key: str, time: str, earlier: str) -> str:
    """A column of a copy."""
    if name == "time_key":
        value = f"coalesce(cast(strftime({time} - earlier, '%Y%m%d%H%M') as bigint), -1)"
    elif name in (key, "mission_key"):
        value = f"if({name} = -1, -1, cast(hash({name}, copy) // 16 as bigint))"
    elif name in IDS:
        value = f"if({key} = -1, {name}, {name} || '_' || copy)"
    elif kind == "TIMESTAMP" and not name.startswith("effective"):
        value = f"{name} - earlier"
    else:
        value = name
    return f"{value} as {name}"
