"""`grace-dbt tables`, and the declaration as Python reads it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from test_declaration import TABLES as PLAIN
from test_declaration import describe_column, meta
from typer.testing import CliRunner, Result

from grace_dbt.cli.app import app
from grace_dbt.declaration import Column, load_declaration, select_component
from grace_dbt.errors import ExitCode, GraceError

TABLES = load_declaration()


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["tables", *arguments], env={"COLUMNS": "250"})


def test_every_declared_table_is_read() -> None:
    assert TABLES.keys() == PLAIN.keys()
    for name, (component, plain) in PLAIN.items():
        table, facts = TABLES[name], meta(plain)
        assert (table.component, table.grain) == (component, facts["grain"])
        assert table.mutability == facts["mutability"]
        assert table.retention.days == facts["retention"]["days"]
        assert table.pii_columns == tuple(
            column["name"] for column in plain["columns"] if meta(column).get("pii")
        )
        assert [words(column) for column in table.columns] == [
            describe_column(column) for column in plain["columns"]
        ]


def words(column: Column) -> tuple[str, ...]:
    """A column in the words of the reference file."""
    target = column.references
    references = f"{target.table}.{target.column} {target.action}".rstrip() if target else ""
    key = "primary" if column.primary_key else "unique" if column.unique else ""
    not_null = "yes" if column.not_null else ""
    return (column.name, column.data_type, not_null, column.default or "", key, references)


def test_a_column_by_name() -> None:
    assert TABLES["sources"].column("pii_policy").checks
    with pytest.raises(KeyError, match="sources has no column nonsense"):
        TABLES["sources"].column("nonsense")


def test_lists_all_by_component() -> None:
    done = run()
    assert done.exit_code == 0
    for name, table in TABLES.items():
        assert name in done.stdout
        assert table.component in done.stdout


def test_one_component() -> None:
    done = run("--component", "verification", "--json")
    listed = json.loads(done.stdout)
    assert {table["name"] for table in listed} == {
        name for name, table in TABLES.items() if table.component == "verification"
    }
    [contracts] = [table for table in listed if table["name"] == "action_contracts"]
    assert contracts["grain"] == "One action that an agent committed to execute"
    assert contracts["pii"] == ["triggered_by"]
    assert contracts["retention"]["days"] is None
    assert {column["name"] for column in contracts["columns"]} >= {"id", "tier"}


def test_the_table_tells_what_matters() -> None:
    _, _, text = run("--component", "error").stdout.partition(" immutable_log ")
    for word in ("append-only", "kept without limit", "restricted", "actor, payload"):
        assert word in text.partition(" security_events ")[0]


def test_an_unknown_component_names_the_known() -> None:
    with pytest.raises(GraceError) as unknown:
        select_component(TABLES, "kitchen")
    assert unknown.value.exit_code == ExitCode.USAGE
    assert "core" in unknown.value.hint
    assert "verification" in unknown.value.hint
    assert isinstance(run("--component", "kitchen").exception, GraceError)


@pytest.mark.parametrize("content", ["sources: [", "sources: 1", "{}", "sources: [{name: a}]"])
def test_a_declaration_that_cannot_be_read_names_its_file(content: str, tmp_path: Path) -> None:
    path = tmp_path / "models" / "operational" / "a" / "_a__sources.yml"
    path.parent.mkdir(parents=True)
    path.write_text(content)
    with pytest.raises(GraceError, match=str(path)):
        load_declaration(tmp_path)
