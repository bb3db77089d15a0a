"""`grace-dbt metrics` as an analyst meets it: over six executions whose numbers anyone can add up."""

from __future__ import annotations

import csv
import io
import json
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import pyarrow
import pyarrow.parquet
import pytest
from conftest import ROOT, GraceCli

import grace_dbt
from grace_dbt import metrics
from grace_dbt.cli.metrics.printing import bars, line_of
from grace_dbt.errors import ExitCode, GraceError
from grace_dbt.metrics.checks import sound_definitions
from grace_dbt.operational.url import FileUrl
from grace_dbt.publishing import metrics_file, publish
from grace_dbt.settings import Settings

AS_OF = datetime(2026, 1, 10, 12, 30, 0, 250_000, tzinfo=UTC)
# contract, tier key, action type, created at, successful, rolled back, status, seconds
EXECUTIONS = """
    (1, 1, 'tune', timestamp '2026-01-03 12:30:00.249999', true, false, 'verified', 10.0),
    (2, 1, 'tune', timestamp '2026-01-03 12:30:00.25', true, false, 'verified', 20.0),
    (3, 2, 'tune', timestamp '2026-01-05 00:00:00', false, true, 'rolled_back', 30.0),
    (4, 2, 'scale', timestamp '2026-01-05 23:59:59.999999', true, false, 'verified', 40.0),
    (5, 3, 'scale', timestamp '2026-01-10 12:30:00.249999', false, false, 'pending', null),
    (6, -1, null, null, true, false, 'verified', 60.0)
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A GRACE_HOME with a snapshot of the tables that these questions are about, and the project's own metrics."""
    home = tmp_path_factory.mktemp("metrics") / "home"
    home.mkdir()
    settings = Settings(home, FileUrl("sqlite", home / "none.sqlite"))
    with duckdb.connect(str(settings.build_file)) as connection:
        connection.execute(f"""
            create table dim_tier as select *, true as requires_snapshot, 'low' as risk_level from (values
                (1, 'tier_1', 'Operational'), (2, 'tier_2', 'Tactical'), (3, 'tier_3', 'Strategic'),
                (-1, 'unknown', 'Unknown')) t(tier_key, tier_code, tier_name);
            create table dim_time as select moment as timestamp from
                range(timestamp '2026-01-03', timestamp '2026-01-11', interval 1 minute) t(moment);
            create table fact_verification_executions as
                select *, execution_key as contract_id, -1 as component_key, -1 as actor_key, -1 as mission_key,
                    0.5 as confidence_score, false as created_snapshot, null as playbook_id
                from (values {EXECUTIONS}) t(execution_key, tier_key, action_type, created_at, was_successful,
                    was_rolled_back, contract_status, duration_seconds);
            create table cube_daily_verification_by_tier as
                select year(created_at) as year, month(created_at) as month, day(created_at) as day,
                    tier_code, tier_name, count(*) as total_executions,
                    count(*) filter (was_successful) as successful_executions,
                    count(*) filter (was_rolled_back) as rollbacks, 0 as failed_executions,
                    count(*) filter (contract_status = 'pending') as open_executions,
                    sum(confidence_score) as confidence_sum, count(confidence_score) as confidence_count,
                    sum(duration_seconds) as duration_seconds_sum, count(duration_seconds) as duration_count
                from fact_verification_executions join dim_tier using (tier_key) group by all;
            create table cube_daily_verification_by_action_type as
                select year(created_at) as year, month(created_at) as month, day(created_at) as day, action_type,
                    count(*) as total_executions from fact_verification_executions group by all;
        """)
        tables = [
            name
            for (name,) in connection.execute("select table_name from duckdb_tables()").fetchall()
        ]
    definitions, _ = sound_definitions(settings)
    publish(settings, AS_OF, tables, run_id="run-1", metrics=definitions.to_json())
    return home


@pytest.fixture
def cli(home: Path) -> GraceCli:
    return GraceCli(home)


def asked(cli: GraceCli, *arguments: str) -> dict[str, Any]:
    done = cli.run("metrics", "query", *arguments, "--format", "json")
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_an_answer_says_what_it_is_made_of(cli: GraceCli) -> None:
    found = asked(cli, "verification_success_rate", "duration_p50", "--by", "tier")
    assert found["as_of"] == "2026-01-10T12:30:00.250000+00:00"
    assert found["snapshot"] == "snap-000001.duckdb"
    assert found["source"] == {
        "verification_success_rate": "cube_daily_verification_by_tier",
        "duration_p50": "fact_verification_executions",
    }
    assert found["rows"] == [
        {"tier": "tier_1", "verification_success_rate": 1.0, "duration_p50": 15.0},
        {"tier": "tier_2", "verification_success_rate": 0.5, "duration_p50": 35.0},
        {"tier": "tier_3", "verification_success_rate": 0.0, "duration_p50": None},
        {"tier": "unknown", "verification_success_rate": 1.0, "duration_p50": 60.0},
    ]


def test_seven_days_are_seven_times_24_hours_to_the_microsecond(cli: GraceCli) -> None:
    found = asked(cli, "executions", "--days", "7")
    assert found["window"]["from"] == "2026-01-03T12:30:00.250000+00:00"
    assert found["window"]["to"] == "2026-01-10T12:30:00.250000+00:00"
    assert found["rows"] == [
        {"executions": 4}
    ]  # 2 to 5: the first lies a microsecond before, the last has no time


def test_the_first_partial_day_is_in_and_empty_days_are_shown(cli: GraceCli) -> None:
    found = asked(cli, "executions", "verification_success_rate", "--days", "7", "--grain", "day")
    days = {
        row["period"][:10]: (row["executions"], row["verification_success_rate"])
        for row in found["rows"]
    }
    assert days == {
        "2026-01-03": (1, 1.0), "2026-01-04": (0, None), "2026-01-05": (2, 0.5), "2026-01-06": (0, None),
        "2026-01-07": (0, None), "2026-01-08": (0, None), "2026-01-09": (0, None), "2026-01-10": (1, 0.0),
    }  # fmt: skip


def test_a_rate_is_never_a_mean_of_rates(cli: GraceCli) -> None:
    """5 January has one of two, 3 January two of two, 10 January none of one: the week has three of five, not half."""
    found = asked(cli, "verification_success_rate", "--from", "2026-01-03", "--to", "2026-01-11")
    assert found["rows"] == [{"verification_success_rate": 0.6}]
    assert found["source"] == {"verification_success_rate": "cube_daily_verification_by_tier"}


def test_the_window_before_stands_beside(cli: GraceCli) -> None:
    found = asked(
        cli, "executions", "--from", "2026-01-05", "--to", "2026-01-07", "--compare", "previous"
    )
    assert found["previous_window"] == {
        "from": "2026-01-03T00:00:00+00:00",
        "to": "2026-01-05T00:00:00+00:00",
    }
    assert found["rows"] == [
        {
            "executions": 2,
            "executions_previous": 2,
            "executions_change": 0,
            "executions_change_ratio": 0.0,
        }
    ]


def test_what_changed_most_comes_first(cli: GraceCli) -> None:
    rows = asked(cli, "executions", "--by", "tier", "--from", "2026-01-05", "--to", "2026-01-07", "--compare",
                 "previous", "--order-by", "executions_change", "--desc")["rows"]  # fmt: skip
    assert [(row["tier"], row["executions_change"]) for row in rows] == [
        ("tier_2", 2),
        ("tier_1", -2),
    ]


def test_what_has_no_time_stands_last_under_no_period(cli: GraceCli) -> None:
    rows = asked(cli, "executions", "--grain", "month")["rows"]
    assert [(row["period"], row["executions"]) for row in rows] == [
        ("2026-01-01T00:00:00+00:00", 5),
        (None, 1),
    ]


def test_conditions_on_one_slice_are_alternatives_and_those_on_several_all_hold(
    cli: GraceCli,
) -> None:
    def count(*conditions: str) -> int:
        options = [word for condition in conditions for word in ("--where", condition)]
        return int(asked(cli, "executions", *options)["rows"][0]["executions"])

    assert count("tier=tier_1", "tier=tier_2") == 4
    assert count("tier=tier_1", "tier=tier_2", "action_type=tune") == 3
    assert count("tier!=tier_1") == 4
    assert count("action_type!=tune") == 3  # what has none is no tune
    assert count("action_type=") == 1
    assert count("action_type!=") == 5


def test_a_rolling_window_reads_what_lies_before_the_first_period_shown(cli: GraceCli) -> None:
    rows = asked(cli, "executions_7d", "--from", "2026-01-09", "--to", "2026-01-13")["rows"]
    # 3 to 9 January: 1 to 4; 4 to 10 January: 3 to 5; the cube ends with 10 January.
    assert [row["executions_7d"] for row in rows] == [4, 3, None, None]


def test_every_format_tells_the_same(cli: GraceCli, tmp_path: Path) -> None:
    question = ("executions", "average_duration", "--by", "tier", "--grain", "day", "--days", "7")
    rows = asked(cli, *question)["rows"]
    assert len(rows) == 8 * 3

    text = cli.run("metrics", "query", *question, "--format", "csv").stdout
    numbers = [{**r, "executions": int(r["executions"]), "average_duration": r["average_duration"] or None}
               for r in csv.DictReader(io.StringIO(text))]  # fmt: skip
    for row in numbers:
        row["average_duration"] = (
            float(row["average_duration"]) if row["average_duration"] else None
        )
    assert numbers == rows

    file = tmp_path / "answer.parquet"
    done = cli.run("metrics", "query", *question, "--format", "parquet", "--output", file)
    assert done.returncode == 0, done.stderr
    table = pyarrow.parquet.read_table(file)
    assert table.schema.types == [
        pyarrow.timestamp("us", tz="UTC"), pyarrow.string(), pyarrow.int64(), pyarrow.float64(),
    ]  # fmt: skip
    assert [{**row, "period": row["period"].isoformat()} for row in table.to_pylist()] == rows
    assert table.schema.metadata[b"snapshot"] == b"snap-000001.duckdb"


def test_parquet_goes_down_a_pipe(cli: GraceCli, tmp_path: Path) -> None:
    done = subprocess.run(
        cli.command("metrics", "query", "executions", "--format", "parquet"),
        env={**grace_environment(cli)}, cwd=cli.home.parent, capture_output=True, check=False,
    )  # fmt: skip
    assert pyarrow.parquet.read_table(pyarrow.BufferReader(done.stdout)).to_pylist() == [
        {"executions": 6}
    ]


@pytest.mark.parametrize("kind", ["table", "json", "csv", "parquet"])
def test_a_full_disk_is_told(cli: GraceCli, kind: str) -> None:
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            cli.command("metrics", "query", "executions", "--format", kind),
            env=grace_environment(cli), cwd=cli.home.parent, stdout=full, stderr=subprocess.PIPE, text=True,
            check=False,
        )  # fmt: skip
    assert done.returncode == ExitCode.ENVIRONMENT
    assert done.stderr.startswith("Error: No space left on device: ")
    assert "Make room" in done.stderr
    assert "not foreseen" not in done.stderr


def grace_environment(cli: GraceCli) -> dict[str, str]:
    from conftest import environment

    return environment(cli.home)


def test_the_table_draws_what_it_tells(cli: GraceCli) -> None:
    by_tier = cli.run(
        "metrics", "query", "executions", "--by", "tier", PYTHONIOENCODING="utf-8"
    ).stdout
    assert "tier_2" in by_tier
    assert "█" * 16 in by_tier
    by_day = cli.run("metrics", "query", "verification_success_rate", "--grain", "day", "--days", "7",
                     PYTHONIOENCODING="utf-8").stdout  # fmt: skip
    assert "█ ▅    ▁  0.0 % to 100.0 %" in by_day
    plain = cli.run("metrics", "query", "executions", "--by", "tier", PYTHONIOENCODING="ascii")
    assert plain.returncode == 0
    assert plain.stdout.isascii() or "\\u" in plain.stdout


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("executons",), ("There is no metric 'executons'", "executions")),
        (("executions", "--by", "severity"), ("can't be cut by 'severity'", "action_type")),
        (("executions", "--where", "tier"), ("'tier' is no condition",)),
        (("executions", "--days", "0"), ("empty",)),
        (("executions", "--days", "7", "--from", "2026-01-01"), ("one beginning",)),
        (("executions", "--from", "yesterday"), ("'yesterday' is no time",)),
        (("executions", "--from", "2026-01-05", "--to", "2026-01-05"), ("before it begins",)),
        (("executions", "--compare", "previous"), ("nothing before all time",)),
        (("executions_7d", "--grain", "hour"), ("by the day",)),
        (("executions", "--order-by", "tier"), ("no column 'tier'",)),
        (("executions", "--desc"), ("The largest of what?", "--order-by")),
        (
            ("executions", "--clearance", "tier_9"),
            ("no clearance 'tier_9'", "tier_1, tier_2, tier_3"),
        ),
        (("executions", "--grain", "minute", "--from", "1950-01-01"), ("rows",)),
    ],
)
def test_a_question_without_an_answer_is_wrong_usage(
    cli: GraceCli, arguments: tuple[str, ...], words: tuple[str, ...]
) -> None:
    done = cli.run("metrics", "query", *arguments)
    assert done.returncode == ExitCode.USAGE, done.stderr
    assert done.stdout == ""
    for word in words:
        assert word in " ".join(done.stderr.split())


def test_the_limit_says_that_there_is_more(cli: GraceCli) -> None:
    done = cli.run("metrics", "query", "executions", "--by", "tier", "--order-by", "executions", "--desc",
                   "--limit", "1", "--format", "csv")  # fmt: skip
    assert done.stdout == "tier,executions\ntier_1,2\n"
    assert "more than these 1 rows" in done.stderr
    assert asked(cli, "executions", "--by", "tier", "--limit", "1")["truncated"] is True


def test_list_and_describe_say_what_a_metric_is(cli: GraceCli) -> None:
    everything = json.loads(cli.run("metrics", "list", "--json").stdout)
    assert {"verification_success_rate", "rollback_rate", "queue_wait_p95"} <= {
        m["name"] for m in everything
    }
    for metric in everything:
        assert metric["description"], metric["name"]
        assert metric["direction"] in ("up", "down", "neutral")
        assert metric["clearance"] in ("tier_1", "tier_2", "tier_3")
        assert metric["owner"], metric["unit"]
    fewer = json.loads(cli.run("metrics", "list", "--clearance", "tier_1", "--json").stdout)
    assert [m["name"] for m in fewer] == [
        m["name"] for m in everything if m["clearance"] == "tier_1"
    ]
    assert 0 < len(fewer) < len(everything)

    one = json.loads(cli.run("metrics", "describe", "verification_success_rate", "--json").stdout)
    assert one["formula"] == "successful_executions / executions"
    assert one["unit"] == "ratio"
    assert one["grains"] == ["minute", "hour", "day", "week", "month", "quarter", "year"]
    assert "tier" in one["slices"]
    shown = cli.run("metrics", "describe", "executions_7d").stdout
    assert "over the last 7 days" in " ".join(shown.split())
    hidden = cli.run("metrics", "describe", "votes", "--clearance", "tier_1")
    unknown = cli.run("metrics", "describe", "votez", "--clearance", "tier_1")
    assert hidden.returncode == unknown.returncode == ExitCode.USAGE
    assert hidden.stderr.replace("votes", "votez") == unknown.stderr


def test_the_sql_is_shown_with_its_parameters_and_no_value_in_it(cli: GraceCli) -> None:
    done = cli.run(
        "metrics", "query", "executions", "--where", "tier=tier_2", "--days", "7", "--sql"
    )
    assert "fact_verification_executions" in done.stdout
    assert "$mq_since" in done.stdout
    assert "tier_2" not in done.stdout


def test_mistakes_are_told_with_file_and_line(cli: GraceCli, home: Path, tmp_path: Path) -> None:
    folder = tmp_path / "ours"
    folder.mkdir()
    # This snapshot lacks most tables, and each metric over one of them is told as well.
    assert "ours/" not in cli.run("metrics", "validate", GRACE_METRICS=str(folder)).stdout
    (folder / "wrong.yml").write_text("""\
metrics:
  - name: tactical_rate
    description: Share of tactical ones
    type: ratio
    type_params:
      numerator: successful_executons
      denominator: executions
    config: {meta: {owner: us, unit: ratio, direction: up, clearance: tier_1}}
  - name: no_such_column
    description: Sums what is not there
    type: simple
    type_params: {measure: missing_sum}
    config: {meta: {owner: us, unit: count, direction: up, clearance: tier_1}}
semantic_models:
  - name: ours
    model: ref('fact_verification_executions')
    defaults: {agg_time_dimension: created_at}
    entities: [{name: execution_key, type: primary}, {name: tier_key, type: foreign}]
    dimensions: [{name: created_at, type: time, type_params: {time_granularity: minute}}]
    measures: [{name: missing_sum, agg: sum, expr: no_such_column}]
""")
    done = cli.run("metrics", "validate", GRACE_METRICS=str(folder))
    assert done.returncode == ExitCode.BAD
    told = done.stdout.splitlines()
    assert any(
        line.startswith("ours/wrong.yml:6: ")
        and "'successful_executons'" in line
        and "'successful_executions'" in line
        for line in told
    ), told
    assert any(
        line.startswith("ours/wrong.yml:9: ") and "no_such_column" in line for line in told
    ), told
    assert (
        cli.run("metrics", "validate", GRACE_METRICS=str(tmp_path / "none")).returncode
        == ExitCode.ENVIRONMENT
    )


def test_a_snapshot_that_is_held_goes_on_answering(home: Path) -> None:
    with grace_dbt.open_snapshot(home) as snapshot:
        answer = metrics.query("executions", by="tier", snapshot=snapshot, home=home)
    assert answer.snapshot == "snap-000001.duckdb"
    assert answer.arrow().column("executions").to_pylist() == [2, 2, 1, 1]


def test_without_definitions_or_a_snapshot_a_refresh_is_asked_for(
    home: Path, tmp_path: Path
) -> None:
    with pytest.raises(GraceError, match="No snapshot"):
        metrics.query("executions", home=tmp_path)
    file = metrics_file(home / "snapshots", 1)
    text = file.read_text()
    for content in (None, "{", "[]", '{"metrics": 3}'):
        file.unlink()
        if content is not None:
            file.write_text(content)
        with (
            grace_dbt.open_snapshot(home) as snapshot,
            pytest.raises(GraceError) as error,
        ):
            metrics.query("executions", snapshot=snapshot, home=home)
        file.write_text(text)
        assert error.value.hint == "Run: grace-dbt refresh"
        assert error.value.exit_code == ExitCode.ENVIRONMENT


def test_marks_are_as_long_and_high_as_the_numbers() -> None:
    assert bars([16, 8, 0.05, 0, None, -3, float("nan")]) == [
        "█" * 16,
        "█" * 8,
        "▏",
        "",
        "",
        "",
        "",
    ]
    assert line_of([0, 7, None, 3.5, 7]) == "▁█ ▅█"
    assert line_of([None, None]) == "  "
    assert line_of([5, 5]) == "▁▁"


def test_asking_imports_neither_dbt_nor_metricflow_twice(cli: GraceCli) -> None:
    """A question that was compiled before is answered without MetricFlow, which takes most of a second to import."""
    question = ["metrics", "query", "executions", "--by", "tier"]
    assert cli.run(*question).returncode == 0
    program = f"""
import sys
from grace_dbt.cli.app import app
app({question!r}, standalone_mode=False)
heavy = [name for name in ('metricflow', 'dbt', 'pandas', 'pyarrow', 'numpy') if name in sys.modules]
print('heavy:', heavy)
"""
    done = subprocess.run(
        [*cli.command()[:1], "-c", program], env=grace_environment(cli), cwd=ROOT, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert "heavy: []" in done.stdout, done.stdout + done.stderr
