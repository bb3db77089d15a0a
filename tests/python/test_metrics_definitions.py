"""Definitions of metrics: every mistake in a user's YAML is told where it stands, and costs what stands on it alone."""

from __future__ import annotations

import json
import os
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from copy import deepcopy
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

import duckdb
import pytest
import yaml
from conftest import ROOT
from cube_oracle.rows import contract, insert

from grace_dbt import metrics
from grace_dbt.errors import ExitCode, GraceError
from grace_dbt.metrics.catalogue import Catalogue
from grace_dbt.metrics.checks import check, without
from grace_dbt.metrics.definitions import Definitions, own_fingerprint, read_definitions
from grace_dbt.metrics.yaml_files import LARGEST_FILE, Problem
from grace_dbt.operational.url import FileUrl
from grace_dbt.refresh import Scope, refresh
from grace_dbt.refresh_report import RefreshReport
from grace_dbt.settings import Settings, published_columns

FIXTURES = ROOT / "tests" / "fixtures"
META = "config: {meta: {owner: me, unit: count, direction: up, clearance: tier_1}}"
# Stands in the same folder as every mistake.
FINE = f"""
metrics:
  - name: fine
    description: Nothing is wrong with it
    type: ratio
    type_params: {{numerator: executions, denominator: error_count}}
    {META}
"""
TOLD = re.compile(r"# <- (.+)$")


def sections() -> dict[str, str]:
    """The YAML with mistakes, by what is wrong with it."""
    text = (FIXTURES / "broken_metrics.txt").read_text()
    found = re.split(r"^#### (.+)\n", text, flags=re.MULTILINE)[1:]
    return dict(zip(found[::2], found[1::2], strict=True))


BROKEN = sections()


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of a user's metrics in which one holds."""
    folder = tmp_path / "own"
    folder.mkdir()
    (folder / "fine.yml").write_text(FINE)
    monkeypatch.setenv("GRACE_METRICS", str(folder))
    return folder


@cache
def columns() -> dict[str, frozenset[str]]:
    return published_columns()


def read(home: Path) -> tuple[list[Problem], Definitions]:
    """What is wrong with all definitions, and those that hold."""
    definitions, problems = read_definitions(Settings.load(home=home))
    problems += check(definitions, columns())
    return problems, without(definitions, problems)


def names(definitions: Definitions) -> set[str]:
    """The metrics that can be asked for; each of them is looked at."""
    return {*Catalogue(definitions).metrics}


@cache
def of_the_project() -> frozenset[str]:
    """The names that stand in the project's files, read by another reader."""
    files = [*(ROOT / "models" / "semantic").glob("*.yml")]
    assert files
    return frozenset(
        metric["name"]
        for file in files
        for metric in yaml.safe_load(file.read_text()).get("metrics", ())
    )


def test_the_project_has_no_mistakes(tmp_path: Path) -> None:
    problems, sound = read(tmp_path)
    assert not problems
    assert len(of_the_project()) > 50
    assert names(sound) == of_the_project()


@pytest.mark.parametrize("mistake", BROKEN)
def test_a_mistake_is_told_where_it_stands(mistake: str, folder: Path, tmp_path: Path) -> None:
    text = BROKEN[mistake]
    (folder / "own.yml").write_text(text)
    expected = {
        line: mark[1].strip()
        for line, written in enumerate(text.splitlines(), 1)
        if (mark := TOLD.search(written))
    }
    assert expected
    problems, sound = read(tmp_path)
    told = {line: " ".join(p.message for p in problems if p.line == line) for line in expected}
    assert {(p.file, p.line) for p in problems} == {("own/own.yml", line) for line in expected}
    for line, message in expected.items():
        assert message in told[line]
    for problem in problems:
        assert str(problem).startswith(f"own/own.yml:{problem.line}: ")
    [kept] = re.findall(r"^# kept: (.+)$", text, re.MULTILINE) or [""]
    assert names(sound) == of_the_project() | {"fine"} | {*kept.split()}


def test_every_kind_of_mistake_is_there() -> None:
    assert len(BROKEN) > 150
    assert all(TOLD.search(text) or "# <- " in text for text in BROKEN.values())


# Files


def test_bytes_that_are_no_text(folder: Path, tmp_path: Path) -> None:
    (folder / "latin.yml").write_bytes(
        "metrics:\n  - name: broken\n    label: größe\n".encode("latin-1")
    )
    (folder / "nul.yml").write_bytes(b"metrics:\n\n  - name: bro\0ken\n")
    (folder / "wide.yml").write_bytes("metrics: []\n".encode("utf-16"))
    problems, sound = read(tmp_path)
    assert {(p.file, p.line) for p in problems} == {
        ("own/latin.yml", 3), ("own/nul.yml", 3), ("own/wide.yml", 1),
    }  # fmt: skip
    assert all("can't be read" in p.message or "no YAML" in p.message for p in problems)
    assert "fine" in names(sound)


def test_files_that_say_nothing_are_no_mistakes(folder: Path, tmp_path: Path) -> None:
    for name, content in {
        "empty.yml": "", "comment.yaml": "# nothing\n", "mark.yml": "\ufeff---\n", "null.yml": "null",
        "lists.yml": "version: 2\nmetrics:\nsemantic_models: []\n", "notes.txt": "metrics: [", "part.yml~": "[",
    }.items():  # fmt: skip
        (folder / name).write_text(content)
    problems, sound = read(tmp_path)
    assert not problems
    assert names(sound) == of_the_project() | {"fine"}


def test_what_is_no_file(folder: Path, tmp_path: Path) -> None:
    (folder / "folder.yml").mkdir()
    (folder / "gone.yml").symlink_to(folder / "nowhere")
    os.mkfifo(folder / "pipe.yml")
    problems, sound = read(tmp_path)
    assert [(p.file, p.line) for p in problems] == [
        (f"own/{name}.yml", 1) for name in ("folder", "gone", "pipe")
    ]
    assert "fine" in names(sound)
    assert own_fingerprint(Settings.load(home=tmp_path))


def test_more_than_anybody_writes(folder: Path, tmp_path: Path) -> None:
    (folder / "large.yml").write_text("# " + "x" * LARGEST_FILE)
    laughs = "a0: &a0 [ha, ha, ha, ha, ha, ha, ha, ha, ha, ha]\n" + "".join(
        f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 12)
    )
    (folder / "laughs.yml").write_text(laughs)
    (folder / "deep.yml").write_text("metrics: " + "[" * 5000 + "]" * 5000)
    (folder / "deeper.yml").write_text("\n".join(" " * n + "metrics:" for n in range(900)))
    problems, sound = read(tmp_path)
    assert {p.file: p.message for p in problems} == {
        "own/large.yml": "The file can't be read: it is larger than 1,000,000 bytes.",
        "own/laughs.yml": "This is no YAML: it has more than 100,000 values.",
        "own/deep.yml": "This is nested too deep.",
        "own/deeper.yml": "This is nested too deep.",
    }
    assert "fine" in names(sound)


def test_many_files_below_one_another(folder: Path, tmp_path: Path) -> None:
    (folder / "a" / "b").mkdir(parents=True)
    (folder / "a" / "b" / "deep.yaml").write_text(FINE.replace("fine", "deep"))
    (folder / "a" / "again.yml").write_text(FINE)
    problems, sound = read(tmp_path)
    assert [(p.file, p.line) for p in problems] == [("own/fine.yml", 3)]
    assert "own/a/again.yml:3" in problems[0].message
    assert names(sound) == of_the_project() | {"fine", "deep"}


def test_anchors_and_merge_keys_are_yaml(folder: Path, tmp_path: Path) -> None:
    (folder / "own.yml").write_text(f"""
metrics:
  - &base
    name: base
    description: A metric
    type: simple
    type_params: &counted {{measure: executions}}
    {META}
  - <<: *base
    name: other
    label: Another
  - {{<<: *base, name: third, type_params: *counted}}
""")
    problems, sound = read(tmp_path)
    assert not problems
    assert names(sound) == of_the_project() | {"fine", "base", "other", "third"}
    assert Catalogue(sound).metrics["other"].label == "Another"


def test_the_example_of_a_user_holds(folder: Path, tmp_path: Path) -> None:
    (folder / "own.yml").write_text((FIXTURES / "own_metrics.txt").read_text())
    problems, sound = read(tmp_path)
    assert not problems
    assert len(names(sound)) > len(of_the_project()) + 15
    told = {name: metric.formula for name, metric in Catalogue(sound).metrics.items()}
    assert told["own_input"] == (
        "(own_executions where action_type = 'restart' or true) / own_executions"
    )
    assert told["own_any"] == (
        "sum(duration_seconds) of fact_verification_executions"
        " where (action_type = 'restart' or true) and (true or action_type = 'x')"
    )
    assert told["own_growth"] == (
        "now - before; now is executions, before is executions 7 days before"
    )
    assert told["own_p99"] == "percentile 0.99(duration_seconds) of fact_verification_executions"


# What stands on a mistake


def test_what_stands_on_a_mistake_goes_with_it_and_nothing_else(
    folder: Path, tmp_path: Path
) -> None:
    def ratio(name: str, top: str) -> str:
        return (
            f"  - name: {name}\n    description: A metric\n    type: ratio\n"
            f"    type_params: {{numerator: {top}, denominator: executions}}\n    {META}\n"
        )

    (folder / "own.yml").write_text(
        "metrics:\n"
        + ratio("top", "middle")
        + ratio("middle", "bottom")
        + ratio("bottom", "nothing")
        + ratio("beside", "executions")
    )  # fmt: skip
    problems, sound = read(tmp_path)
    assert [(p.line, p.metric) for p in problems] == [(15, "bottom")]
    assert names(sound) == of_the_project() | {"fine", "beside"}


def test_a_second_model_of_a_name_is_not_the_one_that_is_read(folder: Path, tmp_path: Path) -> None:
    (folder / "own.yml").write_text("""
semantic_models:
  - name: tiers
    model: ref('dim_tier')
    entities: [{name: my_tier, type: primary, expr: tier_key}, {name: tier_key, type: foreign}]
  - name: tiers
    model: ref('dim_tier')
    entities: [{name: tier_key, type: primary}]
""")
    problems, sound = read(tmp_path)
    assert {(p.line, p.message.split(" '")[0]) for p in problems} == {
        (3, "There is a semantic model"), (6, "There is a semantic model"), 
        (8, "Rows of dim_tier have a tier, and clearances need it: {name: tier_key, type: foreign}."),
    }  # fmt: skip
    assert "tier" in Catalogue(sound).metrics["executions"].slices
    assert [m["name"] for m in sound.semantic_models].count("tiers") == 1


# A refresh


OWN = f"""
metrics:
  - name: mine
    description: What I count
    type: simple
    type_params: {{measure: executions}}
    {META}
  - name: unfinished
    description: What I will count
    type: simple
    type_params: {{measure: executionz}}
    {META}
  - name: on_top
    description: What stands on it
    type: ratio
    type_params: {{numerator: unfinished, denominator: mine}}
    {META}
"""


@pytest.fixture
def installation(tmp_path: Path, templates: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """A small database that was never refreshed."""
    monkeypatch.delenv("GRACE_METRICS", raising=False)
    database = tmp_path / "operational.sqlite"
    database.write_bytes((templates / "fresh.sqlite").read_bytes())
    with closing(sqlite3.connect(database)) as connection, connection:
        for number in range(3):
            insert(connection, "action_contracts", contract(f"c-{number}"))
    return Settings(tmp_path / "home", FileUrl("sqlite", database))


def test_a_metric_of_a_user_is_there_after_the_next_refresh(
    installation: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home, own = installation.home, installation.home / "metrics"
    own.mkdir(parents=True)
    (own / "own.yml").write_text(OWN)
    report = refresh(installation, Scope())
    told = "metrics/own.yml:11: There is no measure 'executionz'. Did you mean 'executions'?"
    assert [warning for warning in report.warnings if "own.yml" in warning] == [told]
    assert {*metrics.available(home=home)} == of_the_project() | {"mine"}
    assert metrics.query("mine", home=home).rows == [{"mine": 3}]
    assert actual_columns(report) == columns()

    # Nothing but the definitions changes.
    (own / "own.yml").write_text(OWN.replace("executionz", "executions"))
    assert {*metrics.available(home=home)} == of_the_project() | {"mine"}
    report = refresh(installation, Scope())
    assert not [warning for warning in report.warnings if "own.yml" in warning]
    assert {*metrics.available(home=home)} == of_the_project() | {"mine", "unfinished", "on_top"}
    assert metrics.query("on_top", home=home).rows == [{"on_top": 1.0}]

    # Another folder takes the place of the one under the home; one that is not there stops nothing halfway.
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    (folder / "other.yml").write_text(FINE.replace("fine", "elsewhere"))
    monkeypatch.setenv("GRACE_METRICS", str(folder))
    refresh(installation, Scope())
    assert {*metrics.available(home=home)} == of_the_project() | {"elsewhere"}
    monkeypatch.setenv("GRACE_METRICS", str(tmp_path / "nowhere"))
    with pytest.raises(GraceError, match="GRACE_METRICS names"):
        refresh(installation, Scope())
    assert {*metrics.available(home=home)} == of_the_project() | {"elsewhere"}


def test_lost_or_damaged_definitions_are_published_again(installation: Settings) -> None:
    """Though nothing else changed, in which case a refresh publishes nothing."""
    snapshots, home = installation.home / "snapshots", installation.home
    first = refresh(installation, Scope()).snapshot
    assert refresh(installation, Scope()).snapshot.snapshot_path == first.snapshot_path
    (snapshots / "metrics-000001.json").unlink()
    with pytest.raises(GraceError) as caught:
        metrics.available(home=home)
    assert caught.value.exit_code == ExitCode.ENVIRONMENT
    assert "grace-dbt refresh" in caught.value.hint
    refresh(installation, Scope())
    (snapshots / "metrics-000002.json").write_text("[]")
    refresh(installation, Scope())
    assert {*metrics.available(home=home)} == of_the_project()
    text = (snapshots / "metrics-000003.json").read_text()
    assert names(Definitions.from_json(text)) == of_the_project()


def actual_columns(report: RefreshReport) -> dict[str, frozenset[str]]:
    """The columns of each published table."""
    with duckdb.connect(report.snapshot.snapshot_path, read_only=True) as connection:
        rows = connection.execute(
            "select table_name, column_name from duckdb_columns() where database_name = current_database()"
        ).fetchall()
    return {
        table: frozenset(name for other, name in rows if other == table)
        for table, _ in sorted(rows)
    }


# No definitions, whatever is in them, break anything


def test_any_value_in_the_place_of_any_other(tmp_path: Path) -> None:
    """Nothing is raised, and what is left can be asked for."""
    definitions, _ = read_definitions(Settings.load(home=tmp_path))
    whole = json.loads(definitions.to_json())
    models = yaml.safe_load((FIXTURES / "own_metrics.txt").read_text())
    for kind in ("semantic_models", "metrics"):
        whole[kind] += [
            entry | {"declared_in": f"own.yml:{n}"} for n, entry in enumerate(models[kind], 1)
        ]
    chance = Random(7)
    places = list(paths(whole))
    assert len(places) > 2000
    left_out = 0
    for _ in range(600):
        changed = deepcopy(whole)
        for _ in range(chance.choice((1, 1, 2, 5))):
            put(changed, chance.choice(places), chance)
        mutant = Definitions(
            *(tuple(changed[kind]) for kind in ("semantic_models", "metrics", "clearances"))
        )
        problems = check(mutant, columns())
        sound = without(mutant, problems)
        assert names(sound) <= {metric["name"] for metric in mutant.metrics}
        assert Definitions.from_json(sound.to_json()).digest == sound.digest
        assert all_tiers_are_known(sound)
        left_out += len(sound.metrics) < len(mutant.metrics)
    assert left_out > 200


def all_tiers_are_known(definitions: Definitions) -> bool:
    """Whether all rows that have a tier are cut by it, where it is said at all what tiers are."""
    catalogue = Catalogue(definitions)
    if not any(model["name"] == "tiers" for model in definitions.semantic_models):
        return True
    read = {model for metric in catalogue.metrics.values() for model in metric.models}
    tables = {name: re.sub(r"ref\(|[)' \"]", "", catalogue.models[name]["model"]) for name in read}
    return all(
        "tier" in catalogue.slices_of_model(name)
        for name, table in tables.items()
        if columns()[table] & {"tier_key", "tier_code"}
    )


VALUES: tuple[Any, ...] = (
    None, 3, -1, 0, 0.5, float("nan"), True, False, "", "x", "executions", "tier_1", "a\nb", "ünï 🦆", "{{ x }}",
    "'", [], {}, [[]], [None], [3], ["executions"], [{}], {"name": None}, {"name": 3}, {"name": "executions"},
    {"a": {"b": [1]}}, [{"name": "executions", "type": "primary"}], "x" * 5000, 10**400,
)  # fmt: skip


def paths(value: Any, place: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The place of every value; the names of entries and the tiers are not the user's to lose."""
    parts = (
        value.items()
        if isinstance(value, dict)
        else enumerate(value)
        if isinstance(value, list)
        else ()
    )
    for key, each in parts:
        here = (*place, key)
        if (
            len(here) > 2
            and here[0] != "clearances"
            and not (len(here) == 3 and key in ("name", "declared_in"))
        ):
            yield here
        yield from paths(each, here)


def put(whole: Any, place: tuple[Any, ...], chance: Random) -> None:
    """Replace, delete or add something at a place, if it is still there."""
    *way, last = place
    for key in way:
        try:
            whole = whole[key]
        except (KeyError, IndexError, TypeError):
            return
    if isinstance(whole, list) and last >= len(whole):
        return
    if not isinstance(whole, dict | list) or (isinstance(whole, dict) and last not in whole):
        return
    way_of = chance.random()
    if way_of < 0.1:
        del whole[last]
    elif way_of < 0.2 and isinstance(whole, dict):
        whole[chance.choice(("x", "type", "filter", "measure", "metrics", "config", "1"))] = (
            deepcopy(chance.choice(VALUES))
        )
    elif way_of < 0.25 and isinstance(whole, list):
        whole.append(deepcopy(chance.choice([*VALUES, whole[last]])))
    else:
        whole[last] = deepcopy(chance.choice(VALUES))


def test_any_text_in_a_file(folder: Path, tmp_path: Path) -> None:
    """Lines that are left out, doubled, moved or bent: nothing is raised, and the file beside it holds."""
    chance = Random(11)
    sound = (FIXTURES / "own_metrics.txt").read_text().splitlines()
    told = 0
    for _ in range(80):
        lines = list(sound)
        for _ in range(chance.choice((1, 2, 6))):
            at = chance.randrange(len(lines))
            bent = lines[at]
            lines[at : at + 1] = chance.choice((
                [], [bent, bent], [bent + chance.choice(":{[&*!|>%@`'\"#,?-\t\x07")], [" " + bent], [bent[2:]],
                [bent[: len(bent) // 2]], [bent.replace(":", "", 1)], [bent, "  - &a {<<: *a}"], [bent[::-1]],
            ))  # fmt: skip
        (folder / "own.yml").write_text("\n".join(lines))
        problems, left = read(tmp_path)
        assert "fine" in names(left)
        assert all(p.file == "own/own.yml" and 1 <= p.line <= len(lines) + 1 for p in problems)
        told += bool(problems)
    assert told > 40
