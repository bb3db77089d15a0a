"""The declaration against the reference facts, read as plain YAML: nothing of the package is imported here."""

from __future__ import annotations

import csv
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
REFERENCE = ROOT / "tests" / "fixtures" / "reference"
PLANNED_TABLES = {"shard_heartbeats"}
LABELS = {"public", "internal", "restricted"}
MUTABILITY = {"mutable", "append_only", "immutable"}
LOGICAL_TYPES = {"text", "integer", "real", "boolean", "timestamp", "json", "blob"}

TABLE_META = {
    "owner",
    "grain",
    "mutability",
    "retention",
    "governance_label",
    "indexes",
    "open_while",
}
COLUMN_META = {"default", "pii", "accepted_values", "range", "format", "hash_input", "landed"}
# The inputs of the two chain hashes, as their writers compute them.
HASH_INPUTS = {
    "audit_logs": "entry_id category data_json transparency_level timestamp hash previous_hash chain_position",
    "immutable_log": "sequence actor action resource payload result previous_hash",
}

Table = dict[str, Any]


def declared_tables() -> dict[str, tuple[str, Table]]:
    """Every declared table by name, with the component it is declared under."""
    found: dict[str, tuple[str, Table]] = {}
    for path in sorted((ROOT / "models" / "operational").glob("*/_*__sources.yml")):
        for source in yaml.safe_load(path.read_text())["sources"]:
            assert source["name"] == path.parent.name
            for table in source["tables"]:
                assert table["name"] not in found, f"{table['name']} is declared twice"
                found[table["name"]] = (source["name"], table)
    return found


TABLES = declared_tables()
EACH_TABLE = pytest.mark.parametrize("name", sorted(TABLES))


def meta(node: dict[str, Any]) -> dict[str, Any]:
    facts: dict[str, Any] = node.get("config", {}).get("meta", {})
    return facts


def constraints(column: dict[str, Any], kind: str) -> list[dict[str, Any]]:
    return [c for c in column.get("constraints", []) if c["type"] == kind]


def reference_rows(file: str) -> list[dict[str, str]]:
    with (REFERENCE / file).open(newline="") as lines:
        return list(csv.DictReader(lines))


def test_all_tables_and_nothing_else() -> None:
    reference = {(r["table"], r["component"]) for r in reference_rows("operational_columns.csv")}
    assert len(reference) == 95
    declared = {(name, component) for name, (component, _) in TABLES.items()}
    assert declared - reference == {("shard_heartbeats", "shard")}
    assert reference <= declared


def describe_column(column: dict[str, Any]) -> tuple[str, ...]:
    """A declared column in the words of the reference file: type, not_null, default, key, references."""
    key = "primary" if constraints(column, "primary_key") else ""
    key = key or ("unique" if constraints(column, "unique") else "")
    references = ""
    for foreign in constraints(column, "foreign_key"):
        references = f"{foreign['to']}.{foreign['to_columns'][0]}"
        if foreign.get("expression"):
            references += f" {foreign['expression']}"
    not_null = "yes" if constraints(column, "not_null") else ""
    default = str(meta(column).get("default", ""))
    return (column["name"], column["data_type"], not_null, default, key, references)


@pytest.mark.parametrize("name", sorted(set(TABLES) - PLANNED_TABLES))
def test_columns_are_the_reference_columns(name: str) -> None:
    expected = [
        (r["column"], r["type"], r["not_null"], r["default"], r["key"], r["references"])
        for r in reference_rows("operational_columns.csv")
        if r["table"] == name
    ]
    assert [describe_column(c) for c in TABLES[name][1]["columns"]] == expected


@EACH_TABLE
def test_indexes_cover_reference_and_foreign_keys(name: str) -> None:
    table = TABLES[name][1]
    indexes = {(tuple(i["columns"]), bool(i.get("unique"))) for i in meta(table).get("indexes", [])}
    expected = {
        (tuple(r["columns"].split()), r["unique"] == "yes")
        for r in reference_rows("operational_indexes.csv")
        if r["table"] == name
    }
    assert expected <= indexes
    leading = {columns[0] for columns, _ in indexes} | {
        c["name"]
        for c in table["columns"]
        if constraints(c, "primary_key") or constraints(c, "unique")
    }
    foreign = {c["name"] for c in table["columns"] if constraints(c, "foreign_key")}
    assert foreign <= leading, "a foreign key without an index makes every parent delete a scan"
    names = {c["name"] for c in table["columns"]}
    assert {column for columns, _ in indexes for column in columns} <= names


@EACH_TABLE
def test_table_facts_are_complete(name: str) -> None:
    table = TABLES[name][1]
    facts = meta(table)
    assert set(facts) <= TABLE_META
    assert facts["mutability"] in MUTABILITY
    assert facts["governance_label"] in LABELS
    assert facts["grain"].startswith("One ")
    assert set(facts["retention"]) == {"days", "rule"}
    days = facts["retention"]["days"]
    assert days is None or (isinstance(days, int) and days > 0)
    assert len(facts["retention"]["rule"]) > 10
    assert facts["owner"]
    columns = {c["name"]: c for c in table["columns"]}
    clock = table["config"].get("loaded_at_field")
    if clock is None:
        assert "freshness" not in table["config"]
    else:
        assert table["config"]["freshness"]["warn_after"]["count"] > 0
        column = columns[clock]
        assert column["data_type"] == "timestamp" or meta(column).get("format") == "timestamp"
    assert "operational_contract" in table["data_tests"]


@EACH_TABLE
def test_the_inputs_of_a_chain_hash_are_marked(name: str) -> None:
    marked = [c["name"] for c in TABLES[name][1]["columns"] if meta(c).get("hash_input")]
    assert set(marked) == set(HASH_INPUTS.get(name, "").split())


@EACH_TABLE
def test_column_facts_are_known(name: str) -> None:
    for column in TABLES[name][1]["columns"]:
        facts = meta(column)
        assert set(facts) <= COLUMN_META, column["name"]
        assert column["data_type"] in LOGICAL_TYPES
        assert facts.get("pii") in (None, True)
        assert facts.get("format") in (None, "timestamp", "epoch_seconds")
        if "range" in facts:
            low, high = facts["range"]
            assert low is not None or high is not None
            assert column["data_type"] in ("integer", "real")
        for check in constraints(column, "check"):
            assert "{column}" in check["expression"], "a check names its column as {column}"


@EACH_TABLE
def test_only_content_stays_unlanded(name: str) -> None:
    """What names, places or proves a row is landed, and all of a row that may not change."""
    table = TABLES[name][1]
    for column in table["columns"]:
        if meta(column).get("landed", True) is True:
            continue
        assert meta(column)["landed"] is False
        assert meta(column).get("pii"), (
            f"{column['name']} tells of nobody: nothing speaks against landing it"
        )
        assert meta(table)["mutability"] == "mutable"
        assert column["data_type"] in ("text", "json", "blob")
        kinds = {c["type"] for c in column.get("constraints", [])}
        assert kinds <= {"not_null"}
        assert column["name"] not in meta(table).get("open_while", {})
        assert not any(column["name"] in i["columns"] for i in meta(table).get("indexes", []))


def words(text: str) -> set[str]:
    """Lower-case words, plural and verb endings cut so that 'created' meets 'creation'."""
    return {re.sub(r"(ions?|ing|ed|es|s|e)$", "", w) for w in re.findall(r"[a-z]+", text.lower())}


EMPTY_WORDS = words(
    "a an the of for to in on at by from with and or is are was were be been it its this that "
    "which when if as row rows record table column value field data name identifier id unique "
    "key text integer real boolean timestamp json blob number time date stored used contains"
)


def says_something_new(description: str, *names: str) -> bool:
    """True where at least three informative words of a description are not in the names."""
    known = EMPTY_WORDS.union(*(words(n.replace("_", " ")) for n in names))
    return len(words(description) - known) >= 3


@pytest.mark.parametrize(
    ("description", "name"),
    [("The created at timestamp", "created_at"), ("Unique id of the record", "id"), ("", "id")],
)
def test_the_guard_rejects_a_restatement(description: str, name: str) -> None:
    assert not says_something_new(description, name, "records")


@EACH_TABLE
def test_descriptions_say_what_the_name_does_not(name: str) -> None:
    table = TABLES[name][1]
    assert says_something_new(table["description"], name), f"{name}: {table['description']!r}"
    poor = [
        (c["name"], c["description"])
        for c in table["columns"]
        if not says_something_new(c["description"], c["name"], name)
    ]
    assert not poor
