"""Bring a database to the declared schema: create what is missing, change nothing, report."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from grace_dbt.declaration import Column, Table, load_declaration
from grace_dbt.errors import GraceError, listed
from grace_dbt.operational.backend import (
    Backend,
    holds_nothing,
    open_database,
    require_directory,
)
from grace_dbt.operational.catalogue import (
    Catalogue,
    ColumnFacts,
    ForeignKeyFacts,
    IndexFacts,
    TableFacts,
)
from grace_dbt.operational.plan import Plan, Step, planned_schema
from grace_dbt.operational.url import FileUrl, OperationalUrl
from grace_dbt.settings import Settings

# What else than the declared type a writer may have chosen: staging reads all of these.
_READABLE = {
    "boolean": {"boolean", "integer"},
    "timestamp": {"timestamp", "text"},
    "json": {"json", "text"},
}
ABSENT = "absent"
_GUARDS = ("trigger", "function", "guard")
_OTHERS = ("column", "foreign_key", "unique", "check", "default", "comment", "function", "guard")


@dataclass(frozen=True)
class Drift:
    """One way in which a database differs from the declaration.

    Attributes:
        table: Where.
        kind: table, column, type, not_null, default, primary_key, unique, foreign_key, check,
            index, trigger, function or guard.
        object: What it is about by name, or the columns of a key.
        expected: What the declaration says.
        found: What the database has.
        mend: The statement of the plan that would mend it; None where only its owner can.
    """

    table: str
    kind: str
    object: str
    expected: str
    found: str
    mend: str | None = None


@dataclass(frozen=True)
class SchemaChange:
    """What is to be done to a database, and what can't or mustn't be.

    Attributes:
        statements: Missing tables, and whatever is missing of tables that our plan made.
        mends: What else could be added: to tables of another writer, and constraints that rows may
            break; run only when asked for.
        adopted: Names of the tables of another writer.
        extra: Names of tables that nobody declared.
        unseen: Kinds of things that this user is not shown; nothing is said of them.
        drift: Every difference that running the statements leaves.
    """

    statements: tuple[Step, ...] = ()
    mends: tuple[Step, ...] = ()
    adopted: tuple[str, ...] = ()
    extra: tuple[str, ...] = ()
    unseen: tuple[str, ...] = ()
    drift: tuple[Drift, ...] = ()


@dataclass(frozen=True)
class InitReport:
    """What `init` did, or would do.

    Attributes:
        url: The database.
        dialect: Its engine.
        steps: The statements that were run, or would be.
        applied: Whether they were.
        mends: What `enforce` would run besides.
        adopted: Tables that another writer made.
        extra: Tables that nobody declared.
        unseen: Kinds of things that this user is not shown; nothing is said of them.
        drift: Differences that remain.
    """

    url: str
    dialect: str
    steps: tuple[Step, ...] = ()
    applied: bool = False
    mends: tuple[Step, ...] = ()
    adopted: tuple[str, ...] = ()
    extra: tuple[str, ...] = ()
    unseen: tuple[str, ...] = ()
    drift: tuple[Drift, ...] = ()

    def as_data(self) -> dict[str, Any]:
        """Plain data: `created` counts what was run, `planned` lists what would be."""
        made = Counter(step.kind for step in self.steps if self.applied)
        return {
            "url": self.url,
            "created": {
                kind: made[kind]
                for kind in ("table", "index", "trigger", *_OTHERS)
                if made[kind] or kind not in _OTHERS
            },
            "planned": [] if self.applied else [step.sql for step in self.steps],
            "adopted": list(self.adopted),
            "extra": list(self.extra),
            "unseen": list(self.unseen),
            "drift": [asdict(drift) for drift in self.drift],
        }


def initialise(settings: Settings, *, dry_run: bool = False, enforce: bool = False) -> InitReport:
    """Create what a database lacks of the operational schema, in one transaction where there is one.

    Safe to run again, at the same time as another run, and after one that was killed. A database
    that lacks nothing is only read.

    Args:
        settings: Names the database.
        dry_run: Find out what would be run, and run nothing.
        enforce: Also run the mends: what tables of another writer lack, and constraints that rows may break.

    Raises:
        GraceError: The database can't be reached, read or written; it is then as it was, but for
            MySQL, where what a run made stays and the next run goes on from there.
    """
    url = settings.operational
    nothing = holds_nothing(url)
    in_home = isinstance(url, FileUrl) and url.path.parent == settings.home
    if isinstance(url, FileUrl) and nothing and not in_home:
        require_directory(url)

    def examine(database: Backend) -> SchemaChange:
        plan = planned_schema(database.dialect, settings)
        found = database.reflect(_names(plan.steps))
        declaration = load_declaration()
        made = database.expected(plan.steps, declaration)
        change = prepare(plan, found, made, declaration, database)
        change = _hold_back(change, found, made, declaration, database)
        return enforced(change) if enforce else change

    if nothing:
        dialect = url.dialect
        change = SchemaChange(statements=planned_schema(dialect, settings).steps)
    else:
        with open_database(url, write=False) as database:
            dialect, change = database.dialect, examine(database)
    if not dry_run and change.statements:
        if in_home:
            settings.ensure_home()
        with open_database(url, write=True) as database, database.transaction():
            # Another process may have been faster: what is run is decided under the lock.
            change = examine(database)
            for step in change.statements:
                database.execute(step.sql)
    drift = tuple(sorted(change.drift, key=lambda drift: drift.table))
    return InitReport(
        str(url),
        dialect,
        change.statements,
        not dry_run,
        change.mends,
        change.adopted,
        change.extra,
        change.unseen,
        drift,
    )


def require_tables(url: OperationalUrl, *, readable: Collection[str] = ()) -> None:
    """Fail where there is nothing of Grace to read; one missing table among others is no matter.

    Args:
        url: The database.
        readable: Tables that this user has to be able to read, if they are there: a server shows
            one without columns to who may not, as if it were missing.

    Raises:
        GraceError: The database is missing, damaged, locked or out of reach, has not one declared
            table, or a right is missing.
    """
    with open_database(url, write=False) as database:
        found = database.reflect(load_declaration().keys()).tables
        refused = database.rights(readable).unreadable if readable else ()
    if not found:
        raise GraceError(
            f"{url} has none of Grace's tables.", f"Create them with: grace-dbt init --db {url}"
        )
    if refused:
        raise GraceError(
            f"The user of {url} may not read {listed(refused)}.",
            "Grant SELECT; docs/servers.md says what each command needs.",
        )


def prepare(
    plan: Plan,
    found: Catalogue,
    made: Catalogue,
    declaration: Mapping[str, Table],
    engine: Backend,
) -> SchemaChange:
    """Compare a database with the plan and the declaration. Touches nothing.

    A table counts as ours when the engine keeps the very definition that the plan makes, or on a
    server the comment; it is then completed, since a run may have been interrupted or the
    declaration may have grown. Any other table belongs to whoever made it, and is only reported on.

    Args:
        plan: All steps, parents first, and the statements that mend.
        found: What the database holds.
        made: What the plan makes on an empty database.
        declaration: The tables by name.
        engine: Says what this engine can do.
    """
    mends = {(step.table, step.kind, step.name): step for step in plan.mends}
    work = _Comparison(found, made, declaration, engine, mends)
    for step in plan.steps:
        if step.kind == "table":
            work.table(step)
        elif step.kind == "comment":
            work.comment(step)
        elif step.kind not in engine.unseen:
            work.part(step)
    extra = sorted(
        name for name, kind in found.names.items() if kind == "table" and name not in made.tables
    )
    return SchemaChange(
        tuple(work.statements),
        tuple(work.mends),
        tuple(work.adopted),
        tuple(extra),
        tuple(engine.unseen),
        tuple(work.drift),
    )


def enforced(change: SchemaChange) -> SchemaChange:
    """The same change with its mends among the statements, and no longer among the drift."""
    mended = {step.sql for step in change.mends}
    return replace(
        change,
        statements=change.statements + change.mends,
        mends=(),
        drift=tuple(drift for drift in change.drift if drift.mend not in mended),
    )


@dataclass
class _Comparison:
    """Collects a change, step by step."""

    found: Catalogue
    made: Catalogue
    declaration: Mapping[str, Table]
    engine: Backend
    known_mends: Mapping[tuple[str, str, str], Step]
    statements: list[Step] = field(default_factory=list)
    mends: list[Step] = field(default_factory=list)
    adopted: list[str] = field(default_factory=list)
    drift: list[Drift] = field(default_factory=list)
    new: set[str] = field(default_factory=set)
    addable: set[tuple[str, str]] = field(default_factory=set)
    blocked: set[str] = field(default_factory=set)

    def table(self, step: Step) -> None:
        facts = self.found.tables.get(step.name.lower())
        if facts is not None:
            self.existing(step, facts)
            return
        holder = self.found.names.get(step.name.lower())
        unfit = {} if holder else self.unfit_parents(step.name)
        obstacle = f"{holder} of this name" if holder else None
        for column, why in unfit.items():
            if column in step.references:
                # The table is made without this reference.
                line = f",\n    {step.references[column]}"
                step = replace(step, sql=step.sql.replace(line, ""))
                wanted = next(
                    str(key)
                    for key in self.made.tables[step.name.lower()].foreign_keys
                    if key.columns == (column,)
                )
                found = f"{ABSENT}: {why}"
                self.drift.append(Drift(step.name, "foreign_key", column, wanted, found))
            else:
                obstacle = f"{ABSENT}: {why}"
        if obstacle is None:
            self.statements.append(step)
            self.new.add(step.name)
            return
        self.blocked.add(step.name)
        mend = None if holder else step.sql
        self.drift.append(Drift(step.name, "table", step.name, "table", obstacle, mend))

    def existing(self, step: Step, facts: TableFacts) -> None:
        """A table that is there: what differs, and what could be added."""
        ours = self.is_ours(step.name)
        if not ours:
            self.adopted.append(step.name)
        expected = self.made.tables[step.name.lower()]
        unfit = self.unfit_parents(step.name)
        for drift in differences(self.declaration[step.name], facts, expected):
            if drift.kind in self.engine.unseen:
                continue
            mend = self.known_mends.get((drift.table, drift.kind, drift.object))
            if mend is not None and drift.kind == "column":
                self.addable.add((drift.table, drift.object))
            if drift.kind == "foreign_key" and drift.object in unfit:
                mend = None
            if mend is None or drift.found != ABSENT:
                self.drift.append(drift)
            elif ours and drift.kind == "column":
                self.statements.append(mend)
            else:
                self.drift.append(replace(drift, mend=mend.sql))
                self.mends.append(mend)

    def comment(self, step: Step) -> None:
        """The mark of a table that this run makes."""
        if step.table in self.new:
            self.statements.append(step)

    def part(self, step: Step) -> None:
        """An index or what guards rows: a trigger, its function, the table that forbids TRUNCATE."""
        if step.table in self.blocked:
            return
        name = step.name.lower()
        facts = self.found.tables.get(step.table.lower())
        expected = self.made.tables[step.table.lower()]
        if step.kind in _GUARDS:
            words, present = step.kind, facts.triggers.get(name) if facts else None
            same = present is not None and present == expected.triggers[name]
            if present is not None:
                present = step.kind
        else:
            index = expected.indexes[name]
            words, present = describe_index(index), self.index_present(facts, index)
            same = present == words
        if same:
            return
        if present is None and (step.table in self.new or self.is_ours(step.table)):
            self.statements.append(step)
            return
        mend = step.sql if present is None and self.can_mend(step) else None
        found = ABSENT if present is None else f"another {present}"
        self.drift.append(Drift(step.table, step.kind, step.name, words, found, mend))
        if mend:
            self.mends.append(step)

    def index_present(self, facts: TableFacts | None, wanted: IndexFacts) -> str | None:
        """What stands where an index should be: its own words, those of something else, or None."""
        for index in facts.indexes.values() if facts else ():
            if _serves(index, wanted):
                return describe_index(wanted)
        if facts and wanted.unique and _lower(wanted.columns) in map(_lower, facts.unique_keys):
            return describe_index(wanted)
        holder = self.found.names.get(wanted.name.lower())
        return f"{holder} of this name" if holder else None

    def can_mend(self, step: Step) -> bool:
        """Whether the table has fitting columns, or gets them in the same run.

        SQLite takes a trigger on columns that don't exist, and fails every insert from then on.
        """
        table = self.declaration[step.table]
        needed: set[str | None] = {name for key in table.unique_keys for name in key}
        expected = self.made.tables[step.table.lower()]
        facts = self.found.tables[step.table.lower()]
        if step.kind == "index":
            needed = set(expected.indexes[step.name.lower()].columns)
        if step.kind == "guard":
            own, key = (t.column(table.primary_key[0]) for t in (expected, facts))
            return own is not None and key is not None and self.engine.fits(own, key)
        present = {name: facts.column(name) for name in needed if name}
        if step.kind == "index" and not all(
            self.engine.can_index(c) for c in present.values() if c
        ):
            return False
        return all(
            name and (present[name] or (step.table, name) in self.addable) for name in needed
        )

    def is_ours(self, table: str) -> bool:
        facts = self.found.tables.get(table.lower())
        return facts is not None and facts.definition == self.made.tables[table.lower()].definition

    def unfit_parents(self, name: str) -> dict[str, str]:
        """By column, why the engine would refuse a reference of a table, which may be there already."""
        found: dict[str, str] = {}
        if not self.engine.checks_parents:
            return found
        child = self.made.tables[name.lower()]
        for key in sorted(child.foreign_keys, key=str):
            [column], [target_column] = key.columns, key.parent_columns
            if key.parent in self.blocked:
                found[column] = f"its parent {key.parent} is as well"
            parent = self.found.tables.get(key.parent.lower())
            if parent is None:
                continue
            own = self.found.tables.get(name.lower(), child).column(column)
            target = parent.column(target_column)
            keys = {_lower(columns) for columns in (parent.primary_key, *parent.unique_keys)}
            keys |= {
                _lower(index.columns)
                for index in parent.indexes.values()
                if index.unique and not index.partial
            }
            fits = own and target and self.engine.fits(own, target)
            if _lower(key.parent_columns) not in keys or not fits:
                found[column] = f"{key.parent}.{target_column} is no fitting key"
        return found


def differences(table: Table, facts: TableFacts, expected: TableFacts) -> list[Drift]:
    """How an existing table differs from its declaration in columns and constraints.

    Spellings of a type, a default or a condition that mean the same are the same.

    Args:
        table: The declaration.
        facts: What there is.
        expected: What the plan makes on this engine.
    """

    def drift(kind: str, name: str, expected: str, found: str) -> Drift:
        return Drift(table.name, kind, name, expected, found)

    result: list[Drift] = []
    for column in table.columns:
        existing = facts.column(column.name)
        if existing is None:
            result.append(drift("column", column.name, column.data_type, ABSENT))
        else:
            result += [drift(*words) for words in _column_differences(column, existing)]
    declared = {column.name.lower() for column in table.columns}
    for column_facts in facts.columns:
        if column_facts.name.lower() not in declared:
            result.append(drift("column", column_facts.name, ABSENT, column_facts.declared_type))

    if set(_lower(table.primary_key)) != set(_lower(facts.primary_key)):
        words = ", ".join(facts.primary_key) or ABSENT
        result.append(drift("primary_key", table.name, ", ".join(table.primary_key), words))

    result += [drift(*words) for words in _unique_differences(table, facts)]
    result += [drift(*words) for words in _reference_differences(facts, expected)]
    found_checks = {_condition(check) for check in facts.checks}
    for column in table.columns:
        # A missing column is added with its checks.
        for check in column.checks if facts.column(column.name) else ():
            words = check.replace("{column}", column.name)
            if _condition(words) not in found_checks:
                result.append(drift("check", column.name, words, ABSENT))
    return result


def _column_differences(column: Column, facts: ColumnFacts) -> Iterator[tuple[str, str, str, str]]:
    if facts.kind not in _READABLE.get(column.data_type, {column.data_type}):
        yield "type", column.name, column.data_type, facts.declared_type or "no type"
    if column.hash_input and not facts.keeps_bytes:
        yield "type", column.name, "text that keeps its bytes", facts.declared_type
    if column.not_null != facts.not_null:
        nullable = ("nullable", "not null")
        yield "not_null", column.name, nullable[column.not_null], nullable[facts.not_null]
    if plain_default(column.default, column.data_type) != plain_default(
        facts.default, column.data_type
    ):
        yield "default", column.name, column.default or ABSENT, facts.default or ABSENT


def _unique_differences(table: Table, facts: TableFacts) -> Iterator[tuple[str, str, str, str]]:
    unique: set[tuple[str, ...]] = {
        (column.name.lower(),) for column in table.columns if column.unique
    }
    indexed = {_lower(index.columns) for index in table.indexes if index.unique}
    found = {_lower(key) for key in facts.unique_keys}
    found |= {
        _lower(index.columns)
        for index in facts.indexes.values()
        if index.unique and not index.partial
    }
    for key in sorted(unique - found):
        yield "unique", ", ".join(key), "unique", ABSENT
    for extra in sorted(found - unique - indexed - {_lower(table.primary_key)}):
        yield "unique", ", ".join(extra), ABSENT, "unique"


def _reference_differences(
    facts: TableFacts, expected: TableFacts
) -> Iterator[tuple[str, str, str, str]]:
    def comparable(keys: Iterable[ForeignKeyFacts]) -> dict[tuple[Any, ...], ForeignKeyFacts]:
        return {
            (_lower(key.columns), key.parent.lower(), _lower(key.parent_columns), key.action): key
            for key in keys
        }

    wanted, found = comparable(expected.foreign_keys), comparable(facts.foreign_keys)
    for columns in sorted({key[0] for key in wanted.keys() ^ found.keys()}):
        yield (
            "foreign_key",
            ", ".join(columns),
            "; ".join(str(key) for words, key in wanted.items() if words[0] == columns) or ABSENT,
            "; ".join(str(key) for words, key in found.items() if words[0] == columns) or ABSENT,
        )


def plain_default(default: str | None, data_type: str) -> str | float | bool | None:
    """The value behind the SQL of a default: `'0'`, `0` and `FALSE` are one for a boolean."""
    if default is None or default.strip("() ").lower() == "null":
        return None
    text = re.sub(r"(?i)^cast\((.*) as \w+\)$", r"\1", default.strip())
    while text.startswith("(") and text.endswith(")"):
        text = text[1:-1].strip()
    lowered = text.lower()
    if re.fullmatch(r"(get_)?current_timestamp(\(\))?|now\(\)", lowered):
        return "current_timestamp"
    bare = lowered.strip("'")
    if data_type == "boolean" and bare in ("0", "1", "f", "t", "false", "true"):
        return bare in ("1", "t", "true")
    if data_type in ("integer", "real"):
        try:
            return float(bare)
        except ValueError:
            return lowered
    return text


def describe_index(index: IndexFacts) -> str:
    """The words for an index in a report."""
    columns = ", ".join(name or "an expression" for name in index.columns)
    return f"{'unique ' if index.unique else ''}index on ({columns})"


def _serves(index: IndexFacts, wanted: IndexFacts) -> bool:
    return (
        not index.partial
        and _lower(index.columns) == _lower(wanted.columns)
        and (index.unique or not wanted.unique)
    )


def _hold_back(
    change: SchemaChange,
    found: Catalogue,
    made: Catalogue,
    declaration: Mapping[str, Table],
    database: Backend,
) -> SchemaChange:
    """Take out the statements that rows forbid: one of them would undo everything else."""
    obstacles = {
        step: words
        for step in change.statements + change.mends
        if (words := _obstacle(step, found, made, declaration, database))
    }
    if not obstacles:
        return change
    held = {(step.table, step.kind, step.name) for step in obstacles}
    kept = [drift for drift in change.drift if (drift.table, drift.kind, drift.object) not in held]
    reasons = [
        Drift(
            step.table,
            step.kind,
            step.name,
            describe_index(made.tables[step.table.lower()].indexes[step.name.lower()])
            if step.kind == "index"
            else step.kind.replace("_", " "),
            f"{ABSENT}, and {words} stand in the way",
            step.sql,
        )
        for step, words in obstacles.items()
    ]
    return replace(
        change,
        statements=tuple(step for step in change.statements if step not in obstacles),
        mends=tuple(step for step in change.mends if step not in obstacles),
        drift=(*kept, *reasons),
    )


def _obstacle(
    step: Step,
    found: Catalogue,
    made: Catalogue,
    declaration: Mapping[str, Table],
    database: Backend,
) -> str | None:
    """Which rows forbid a statement. A column that the same run adds is NULL in every row."""
    facts, expected = found.tables.get(step.table.lower()), made.tables[step.table.lower()]
    if facts is None:
        return None
    if step.kind in ("index", "unique"):
        index = expected.indexes[step.name.lower()] if step.kind == "index" else None
        columns = index.columns if index else (step.name,)
        stored = [column.name for name in columns if name and (column := facts.column(name))]
        unique = index is None or index.unique
        if unique and len(stored) == len(columns) and database.has_duplicates(step.table, stored):
            return "rows that are equal in it"
    column = facts.column(step.name)
    if step.kind == "foreign_key" and column:
        [key] = [key for key in expected.foreign_keys if key.columns == (step.name,)]
        if key.parent.lower() not in found.tables:
            orphaned = database.has_breach(step.table, column.name, "{column} is null")
        else:
            [target] = key.parent_columns
            orphaned = database.has_orphans(step.table, column.name, key.parent, target)
        return "rows without a parent" if orphaned else None
    if step.kind == "check" and column:
        own = expected.column(step.name)
        if own is None or column.kind != own.kind:
            return "values of another type"
        checks = declaration[step.table].column(step.name).checks
        if any(database.has_breach(step.table, column.name, check) for check in checks):
            return "rows that break it"
    return None


def _condition(text: str) -> str:
    """A condition without what engines add or drop when they keep it."""
    return re.sub(r'[\s"`()\[\]]', "", text).lower()


def _lower(names: Iterable[str | None]) -> tuple[str, ...]:
    return tuple((name or "").lower() for name in names)


def _names(plan: Iterable[Step]) -> set[str]:
    return {step.table.lower() for step in plan}
