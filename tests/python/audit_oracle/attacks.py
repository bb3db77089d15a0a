"""What somebody with all rights on the database may do to a chain, behind the back of everybody."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from typing import Any

from raw_drivers import RawDatabase

from audit_oracle.writer import (
    AUDIT,
    KEY,
    LOG,
    ORIGIN,
    POSITION,
    SEAL,
    Row,
    read,
    reseal,
    seal,
    write,
)

FAR = 1000
WRONG_HASH = "f" * 64


class Attacker:
    """Holds a table and knows the rows that were written into it.

    Attributes:
        table: immutable_log or audit_logs.
        rows: What was written, in its order; indexes count from 0.
        segment: How many of them, from the first, are one segment.
    """

    def __init__(self, database: RawDatabase, table: str, rows: Sequence[Row]) -> None:
        """Take away what keeps the table from being changed."""
        self._database = database
        self.table = table
        self.rows = [dict(row) for row in rows]
        starts = [at for at, row in enumerate(rows) if row["previous_hash"] == ORIGIN[table]]
        self.segment = starts[1] if len(starts) > 1 else len(rows)
        self._disarm()

    @property
    def middle(self) -> int:
        """Where attacks go that are neither on the first nor on the last entry."""
        return self.segment // 2

    def update(self, index: int, **values: Any) -> None:
        """Change columns of an entry."""
        key = KEY[self.table]
        names = ", ".join(f'"{name}" = ?' for name in values)
        self._database.execute(
            f'update "{self.table}" set {names} where "{key}" = ?',
            [*values.values(), self.rows[index][key]],
        )

    def edit(self, index: int, column: str) -> None:
        """Change one column of an entry to something else of its kind."""
        self.update(index, **{column: _other(column, self.rows[index][column])})

    def delete(self, *indexes: int) -> None:
        """Take entries away."""
        key = KEY[self.table]
        for index in indexes:
            self._database.execute(
                f'delete from "{self.table}" where "{key}" = ?', [self.rows[index][key]]
            )

    def insert(self, row: Row) -> None:
        """Add an entry."""
        write(self._database, self.table, [row])

    def copy(self, index: int, **changes: Any) -> Row:
        """A row like this one, under a key of its own."""
        key = KEY[self.table]
        other = self.rows[index][key]
        return {**self.rows[index], key: other + 1 if self.table == LOG else f"{other}x", **changes}

    def put(self, rows: Sequence[Row], index: int = 0) -> None:
        """Write these rows in place of all from an index on."""
        self.delete(*range(index, index + len(rows)))
        write(self._database, self.table, rows)

    def loosen(self) -> None:
        """Take all keys, unique indexes and checks of JSON away."""
        engine, table = self._database.dialect, self.table
        execute = self._database.execute
        if engine == "sqlite":
            # Under the declared types, by which readers may go.
            [(sql,)] = execute("select sql from sqlite_master where name = ?", [table])
            loose = re.sub(
                r",\s*(primary key|unique)\s*\([^)]*\)| not null| unique", "", sql, flags=re.I
            )
            loose = loose.replace(f'"{table}"', "loose", 1).replace(
                f"TABLE {table}", "TABLE loose", 1
            )
            execute(loose)
            execute(f'insert into loose select * from "{table}"')
        else:
            json = {"duckdb": "varchar", "postgres": "text"}.get(engine)
            names = ", ".join(
                f'cast("{name}" as {json}) as "{name}"'
                if name == "data_json" and json
                else f'"{name}"'
                for name in self.rows[0]
            )
            execute(f'create table "loose" as select {names} from "{table}"')
        execute(f'drop table "{table}"')
        execute(f'alter table "loose" rename to "{table}"')

    def stored(self) -> list[Row]:
        """The rows as they are now."""
        return read(self._database, self.table)

    def _disarm(self) -> None:
        engine, table = self._database.dialect, self.table
        execute = self._database.execute
        if engine == "sqlite":
            sql = "select name from sqlite_master where type = 'trigger' and tbl_name = ?"
        elif engine == "postgres":
            sql = "select tgname from pg_trigger where tgrelid = ?::regclass and not tgisinternal"
        elif engine == "mariadb":
            sql = (
                "select trigger_name from information_schema.triggers"
                " where trigger_schema = database() and event_object_table = ?"
            )
            execute(f'drop table if exists "{table}__never_truncated"')
        else:
            return
        for (name,) in execute(sql, [table]):
            on = f' on "{table}"' if engine == "postgres" else ""
            execute(f'drop trigger "{name}"{on}')


Attack = Callable[[Attacker], None]


def _other(column: str, value: Any) -> Any:
    if column == "data_json":
        return value.replace("{", '{"more": 1, ', 1) if value.startswith('{"') else '{"other": 1}'
    if column in ("hash", "entry_hash", "chain_hash", "previous_hash"):
        return ("1" if value[0] == "0" else "0") + value[1:]
    if column in ("sequence", "chain_position"):
        return FAR
    if column == "verified":
        return not value
    if column == "timestamp":
        return value[:-1] + ("1" if value[-1] == "0" else "0")
    return "changed" if value is None else f"{value}!"


def _edit(column: str) -> Attack:
    return lambda chain: chain.edit(chain.middle, column)


def _edit_blank(column: str) -> Attack:
    return lambda chain: chain.update(
        chain.middle, **{column: f"{chain.rows[chain.middle][column]} "}
    )


def _edit_null(column: str) -> Attack:
    return lambda chain: chain.update(chain.middle, **{column: None})


def _edit_case(chain: Attacker) -> None:
    seal_column = SEAL[chain.table]
    chain.update(chain.middle, **{seal_column: chain.rows[chain.middle][seal_column].upper()})


def _edit_first(chain: Attacker) -> None:
    chain.edit(0, "actor" if chain.table == LOG else "category")


def _edit_last(chain: Attacker) -> None:
    chain.edit(chain.segment - 1, "action" if chain.table == LOG else "data_json")


def _edit_genesis(chain: Attacker) -> None:
    chain.edit(0, "previous_hash")


def _edit_two(chain: Attacker) -> None:
    for index in (chain.middle, chain.segment - 2):
        chain.edit(index, "action" if chain.table == LOG else "data_json")


def _delete_head(chain: Attacker) -> None:
    chain.delete(0)


def _delete_middle(chain: Attacker) -> None:
    chain.delete(chain.middle)


def _delete_two(chain: Attacker) -> None:
    chain.delete(chain.middle, chain.middle + 1)


def _delete_tail(chain: Attacker) -> None:
    chain.delete(len(chain.rows) - 2, len(chain.rows) - 1)


def _delete_segment(chain: Attacker) -> None:
    chain.delete(*range(chain.segment, len(chain.rows)))


def _delete_all(chain: Attacker) -> None:
    chain.delete(*range(len(chain.rows)))


def _next(chain: Attacker, further: int = 1) -> Row:
    """An entry to stand behind the last one of the first segment."""
    last = chain.segment - 1
    position = chain.rows[last][POSITION[chain.table]] + further
    row = chain.copy(last, **{POSITION[chain.table]: position})
    seal(chain.table, row, chain.rows[last][SEAL[chain.table]])
    return row


def _forge_tail(chain: Attacker) -> None:
    chain.insert({**_next(chain), SEAL[chain.table]: WRONG_HASH})


def _forge_unlinked(chain: Attacker) -> None:
    row = _next(chain)
    seal(chain.table, row, WRONG_HASH)
    chain.insert(row)


def _forge_further(chain: Attacker) -> None:
    chain.insert(_next(chain, further=3))


def _swap(chain: Attacker, one: int, other: int) -> None:
    name = POSITION[chain.table]
    chain.update(one, **{name: FAR})
    chain.update(other, **{name: chain.rows[one][name]})
    chain.update(one, **{name: chain.rows[other][name]})


def _swap_far(chain: Attacker) -> None:
    _swap(chain, chain.middle, chain.middle + 2)


def _swap_near(chain: Attacker) -> None:
    _swap(chain, chain.middle, chain.middle + 1)


def _duplicate(chain: Attacker) -> None:
    chain.loosen()
    chain.insert(chain.copy(chain.middle))


def _fork(chain: Attacker) -> None:
    chain.loosen()
    row = chain.copy(chain.middle)
    row["action" if chain.table == LOG else "category"] = "another"
    seal(chain.table, row, chain.rows[chain.middle]["previous_hash"])
    chain.insert(row)


def _changed(chain: Attacker, index: int) -> Row:
    name = "action" if chain.table == LOG else "transparency_level"
    return {**chain.rows[index], name: "changed"}


def _rewrite(chain: Attacker) -> None:
    rows = [_changed(chain, chain.middle), *map(dict, chain.rows[chain.middle + 1 : chain.segment])]
    reseal(chain.table, rows)
    chain.put(rows, chain.middle)


def _reseal_one(chain: Attacker) -> None:
    row = _changed(chain, chain.middle)
    reseal(chain.table, [row])
    chain.put([row], chain.middle)


def _reseal_last(chain: Attacker) -> None:
    row = _changed(chain, len(chain.rows) - 1)
    reseal(chain.table, [row])
    chain.put([row], len(chain.rows) - 1)


def _replace(chain: Attacker) -> None:
    """Another chain of the same shape, each segment valid from its first entry."""
    rows = [_changed(chain, index) for index in range(len(chain.rows))]
    for start, end in ((0, chain.segment), (chain.segment, len(rows))):
        if start < end:
            reseal(chain.table, rows[start:end])
    chain.put(rows)


def _wrong_origin(chain: Attacker) -> None:
    """The first segment sealed anew from a first entry that names a predecessor."""
    rows = [dict(row) for row in chain.rows[: chain.segment]]
    rows[0]["previous_hash"] = WRONG_HASH
    reseal(chain.table, rows)
    chain.put(rows)


def _move_border(chain: Attacker) -> None:
    """The entry reads otherwise and is sealed the same: a colon ends a field, or is in one."""
    for index, row in enumerate(chain.rows):
        actor, colon, action = row["actor"].rpartition(":")
        if colon:
            chain.update(index, actor=actor, action=f"{action}:{row['action']}")
            return
    row = chain.rows[0]
    name, _, rest = row["payload"].partition(":")
    chain.update(0, resource=f"{row['resource']}:{name}", payload=rest)


def _say_none(chain: Attacker) -> None:
    """NULL becomes the word that it is sealed as."""
    index = next(at for at, row in enumerate(chain.rows) if row["payload"] is None)
    chain.update(index, payload="None")


def _reformat(chain: Attacker) -> None:
    """The same JSON with other blanks, in another order and with other escapes."""
    for index, row in enumerate(chain.rows):
        text = json.dumps(json.loads(row["data_json"]), indent=1, sort_keys=True)
        # Not every JSON column takes the word that Python has for a number that is too large.
        chain.update(index, data_json=text.replace("Infinity", "1e999"))


def _no_json(chain: Attacker) -> None:
    chain.loosen()
    chain.update(chain.middle, data_json='{"action_type": ')


def _forge_segment(chain: Attacker) -> None:
    """A segment that nobody wrote, sealed as a restarted writer would."""
    row = chain.copy(len(chain.rows) - 1, chain_position=0, timestamp="2026-01-01T00:00:00")
    seal(chain.table, row, ORIGIN[chain.table])
    chain.insert(row)


_BOTH: dict[str, Attack] = {
    "edit previous_hash": _edit("previous_hash"),
    "edit timestamp": _edit("timestamp"),
    "edit the first entry": _edit_first,
    "edit the last entry": _edit_last,
    "edit two entries": _edit_two,
    "edit the origin": _edit_genesis,
    "edit the case of a seal": _edit_case,
    "delete the head": _delete_head,
    "delete in the middle": _delete_middle,
    "delete two in the middle": _delete_two,
    "delete the tail": _delete_tail,
    "delete everything": _delete_all,
    "forge a tail": _forge_tail,
    "forge an unlinked tail": _forge_unlinked,
    "forge an entry further on": _forge_further,
    "swap two": _swap_far,
    "swap neighbours": _swap_near,
    "duplicate": _duplicate,
    "fork": _fork,
    "rewrite from the middle": _rewrite,
    "reseal one entry": _reseal_one,
    "reseal the last entry": _reseal_last,
    "replace the chain": _replace,
    "seal from another origin": _wrong_origin,
}

ATTACKS: dict[str, dict[str, Attack]] = {
    LOG: {
        **{
            f"edit {name}": _edit(name)
            for name in ("sequence", "actor", "action", "resource", "payload", "result")
        },
        "edit entry_hash": _edit("entry_hash"),
        "edit subsystem": _edit("subsystem"),
        "append a blank": _edit_blank("actor"),
        "empty the resource": _edit_null("resource"),
        **_BOTH,
        "move a border": _move_border,
        "say None for NULL": _say_none,
    },
    AUDIT: {
        **{
            f"edit {name}": _edit(name)
            for name in ("entry_id", "category", "data_json", "transparency_level")
        },
        **{f"edit {name}": _edit(name) for name in ("hash", "chain_hash", "chain_position")},
        "edit verified": _edit("verified"),
        "append a blank": _edit_blank("category"),
        "empty the position": _edit_null("chain_position"),
        **_BOTH,
        "reformat the JSON": _reformat,
        "break the JSON": _no_json,
        "delete a segment": _delete_segment,
        "forge a segment": _forge_segment,
    },
}
