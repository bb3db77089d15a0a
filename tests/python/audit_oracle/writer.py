"""Chains as Grace writes them, sealed by the two formulas with nothing but hashlib and json."""

from __future__ import annotations

import json
import random
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any

from raw_drivers import RawDatabase

LOG = "immutable_log"
AUDIT = "audit_logs"
ZEROS = "0" * 64
GENESIS = "genesis"

Row = dict[str, Any]

COLUMNS = {
    LOG: (
        "id",
        "sequence",
        "actor",
        "action",
        "resource",
        "subsystem",
        "payload",
        "result",
        "entry_hash",
        "previous_hash",
        "timestamp",
    ),
    AUDIT: (
        "entry_id",
        "category",
        "data_json",
        "transparency_level",
        "timestamp",
        "hash",
        "previous_hash",
        "chain_hash",
        "chain_position",
        "verified",
    ),
}
KEY = {LOG: "id", AUDIT: "entry_id"}
POSITION = {LOG: "sequence", AUDIT: "chain_position"}
SEAL = {LOG: "entry_hash", AUDIT: "chain_hash"}
FIRST = {LOG: 1, AUDIT: 0}
ORIGIN = {LOG: ZEROS, AUDIT: GENESIS}

# What a field may hold and a careless query would change, cut or compare wrongly.
TEXTS = (
    "kernel_integrator",
    "user:alice",
    ":",
    "Zoë Ångström 😀 日本語",
    "Zoe\u0308 in other code points",
    'it\'s "quoted" `here` \\ and 50% of %s?',
    "  blanks around  ",
    "line\nbreak\r\nand\ttab",
    "None",
    "NULL",
    "x" * 5000,
    "{{ braces }} ${both} -- ; /* kinds */",
    "a\u2028b\u200b\x7f",
)

# JSON whose text as stored is not what Python writes when it says the same again.
JSON_TEXTS = {
    "key order": '{"b": 1, "a": {"z": null, "y": [true, false]}, "A": 2, "_": 3, "ä": 4}',
    "repeated key": '{"a": 1, "b": {"x": 1, "x": 2}, "a": {"z": 1, "y": 2}}',
    "whole float": '{"seconds": 1.0, "more": 100.0, "much": 1e16, "less": 123456789012345680.0}',
    "too large": '{"a": 1e400, "b": -1e400}',
    "no number": '{"a": NaN, "b": -Infinity, "c": Infinity}',
    "minus zero": '{"a": -0, "b": -0.0, "c": 0E-7}',
    "exponent": '{"a": 1E5, "b": 1e-5, "c": 0.0001, "d": 1.5E+300, "e": 12345678.9e-3, "f": 1e22}',
    "large integer": '{"a": 123456789012345678901234567890, "b": 9007199254740993, "c": 1'
    + "0" * 400
    + "}",
    "17 digits": '{"a": 0.12345678901234567, "b": 0.30000000000000004, "c": 5e-324}',
    "escapes": '{"a": "\\u00e9\\/\\ud83d\\ude00\\b\\f\\n\\r\\t\\"\\\\", "\\u0062": "\\u0000"}',
    "lone surrogate": '{"a": "\\ud800", "b": "\\udc00\\ud800"}',
    "raw unicode": '{"ключ": "é😀", "a": "\u2028\x7f", "é": "e\u0301"}',
    "whitespace": '  {\n\t"b" : [ 1,2 ] ,\r\n "a":{ } , "c":[ ]}  ',
    "no object": '[[[[["deep"]]]], "text", null, true, 1]',
    "bare text": '"it\'s a \\"text\\""',
    "bare null": "null",
    "empty": "{}",
    "usual": '{"action_type": "kernel_shutdown", "action_data": {"reason": "a:b", "at": "2025"},'
    ' "logged_by": "governance_engine"}',
}
# What a column of type JSON does not take in.
REFUSED = {
    "duckdb": ("lone surrogate",),
    "postgres": ("no number",),
}
_START = datetime(2025, 11, 2, 14, 50, 2, 357176)


def seal_log(row: Row, previous: str) -> str:
    """Give an entry of the immutable log the hash before it and its own, which is returned."""
    row["previous_hash"] = previous
    row["entry_hash"] = log_hash(row)
    return str(row["entry_hash"])


def log_hash(row: Row) -> str:
    """What an entry of the immutable log must be sealed with."""
    names = ("sequence", "actor", "action", "resource", "payload", "result", "previous_hash")
    return _sha256(":".join(str(row[name]) for name in names))


def seal_audit(row: Row, previous: str) -> str:
    """Give an entry of the audit log its three hashes; the one that seals it is returned."""
    row["hash"] = content_hash(row)
    row["previous_hash"] = previous
    row["chain_hash"] = audit_hash(row)
    return str(row["chain_hash"])


def content_hash(row: Row) -> str:
    """What the content of an entry of the audit log must be hashed to; raises ValueError without JSON."""
    said = {
        "entry_id": row["entry_id"],
        "category": row["category"],
        "timestamp": row["timestamp"],
        "data": json.loads(row["data_json"]),
        "transparency_level": row["transparency_level"],
    }
    return _sha256(json.dumps(said, sort_keys=True))


def audit_hash(row: Row) -> str:
    """What an entry of the audit log must be sealed with, given the hash of its content."""
    return _sha256(f"{row['hash']}:{row['previous_hash']}:{row['chain_position']}")


def seal(table: str, row: Row, previous: str) -> str:
    """Seal an entry of either table."""
    return seal_log(row, previous) if table == LOG else seal_audit(row, previous)


def reseal(table: str, rows: Sequence[Row]) -> None:
    """Seal all of these anew, each after the one before; the first one keeps its predecessor."""
    previous = str(rows[0]["previous_hash"])
    for row in rows:
        previous = seal(table, row, previous)


def immutable_log(entries: int, *, seed: int = 0) -> list[Row]:
    """A whole chain in its order."""
    rows, previous = [], ZEROS
    for sequence in range(1, entries + 1):
        turn = sequence + seed
        row = {
            "id": 1000 + sequence * 3,
            "sequence": sequence,
            "actor": TEXTS[turn % len(TEXTS)],
            "action": TEXTS[(turn * 5 + 1) % len(TEXTS)],
            "resource": _or_null(TEXTS[(turn * 7 + 2) % len(TEXTS)], turn % 4 == 0),
            "subsystem": _or_null("ingestion", turn % 5 == 0),
            "payload": _or_null(
                list(JSON_TEXTS.values())[turn % len(JSON_TEXTS)], turn % 6 in (0, 3)
            ),
            "result": _or_null(("published", "", "a:b:c")[turn % 3], turn % 7 in (0, 3)),
            # Three entries at a time share a second.
            "timestamp": f"{_START + timedelta(minutes=sequence // 3):%Y-%m-%d %H:%M:%S}",
        }
        previous = seal_log(row, previous)
        rows.append(row)
    return rows


def audit_logs(*segments: int, dialect: str, seed: int = 0) -> list[Row]:
    """Segments of so many entries, in the order in which they were written.

    Args:
        segments: How many entries each has; the writer was restarted between them.
        dialect: What its JSON column refuses is left out.
        seed: Another one gives another content.
    """
    texts = json_texts(dialect)
    rows: list[Row] = []
    for number, entries in enumerate(segments):
        previous = GENESIS
        for position in range(entries):
            turn = position + seed + 3 * number
            at = _START + timedelta(days=number, minutes=position // 2)
            category = ("governance_action", 'zoë\'s: "kind"', "MLDL")[turn % 3]
            row = {
                "entry_id": f"{category}_{at:%Y%m%d_%H%M%S}_{seed}_{position:06d}",
                "category": category,
                "data_json": texts[turn % len(texts)],
                "transparency_level": ("democratic_oversight", "öffentlich 😀")[turn % 2],
                "timestamp": at.isoformat(),
                "chain_position": position,
                "verified": True,
            }
            previous = seal_audit(row, previous)
            rows.append(row)
    return rows


def json_texts(dialect: str) -> list[str]:
    """The JSON that a database of a dialect can hold."""
    return [text for name, text in JSON_TEXTS.items() if name not in REFUSED.get(dialect, ())]


def generated(table: str, entries: int, *, dialect: str, seed: int) -> list[Row]:
    """A chain with content that nobody chose."""
    source = random.Random(f"{seed}")
    rows = (
        immutable_log(entries)
        if table == LOG
        else audit_logs(entries - entries // 3, entries // 3, dialect=dialect)
    )
    for row in rows:
        if table == LOG:
            row["actor"] = random_text(source)
            row["action"] = random_text(source)
            row["resource"] = _or_null(random_text(source), source.random() < 0.2)
            row["payload"] = _or_null(random_json(source), source.random() < 0.2)
            row["result"] = _or_null(random_text(source), source.random() < 0.2)
        else:
            row["category"] = random_text(source)[:40]
            row["data_json"] = random_json(source)
            row["transparency_level"] = random_text(source)
    starts = [at for at, row in enumerate(rows) if row[POSITION[table]] == FIRST[table]]
    for start, end in zip(starts, [*starts[1:], len(rows)], strict=True):
        reseal(table, rows[start:end])
    return rows


def random_text(source: random.Random) -> str:
    """Up to 30 characters of all kinds that every engine can hold."""
    letters = "ab:\"'\\ \n\t%?{}[],é\u0301ß😀日\u00a0\u2028\ufeff\x01\x7f0"
    return "".join(source.choices(letters, k=source.randrange(31)))


def random_json(source: random.Random, depth: int = 0) -> str:
    """JSON text with numbers, escapes and whitespace that Python itself would write otherwise."""
    kind = source.randrange(7 if depth < 3 else 5)
    blank = source.choice(("", " ", "\n", "\t ", ""))
    if kind == 0:
        return source.choice(("null", "true", "false", "-0", "0.0", "1E5", "1e400", "-0.0"))
    if kind == 1:
        return str(source.randrange(-(10 ** source.randrange(1, 40)), 10**6))
    if kind == 2:
        digits = source.randrange(1, 20)
        return f"{source.uniform(-1, 1) * 10 ** source.randrange(-20, 20):.{digits}e}"
    if kind in (3, 4):
        return json.dumps(random_text(source), ensure_ascii=source.random() < 0.5)
    inner = [random_json(source, depth + 1) for _ in range(source.randrange(5))]
    if kind == 5:
        return f"[{blank}{f'{blank},'.join(inner)}{blank}]"
    names = [json.dumps(random_text(source)[:3]) for _ in inner]
    pairs = (f"{name}{blank}:{blank}{value}" for name, value in zip(names, inner, strict=True))
    return f"{{{blank}{', '.join(pairs)}{blank}}}"


def recreate(database: RawDatabase, plan: Iterable[Mapping[str, str]]) -> None:
    """Make both tables anew, empty and guarded, as a plan has them."""
    for table in (LOG, AUDIT):
        database.execute(f'drop table if exists "{table}__never_truncated"')
        database.execute(f'drop table if exists "{table}"')
    for step in plan:
        if step["table"] in (LOG, AUDIT):
            database.execute(step["sql"])


def write(database: RawDatabase, table: str, rows: Iterable[Row]) -> None:
    """Insert rows into a table that is there."""
    columns = COLUMNS[table]
    for row in rows:
        database.execute(
            f'insert into "{table}" ({", ".join(map(_quoted, columns))})'
            f" values ({', '.join('?' * len(columns))})",
            [row[name] for name in columns],
        )


def read(database: RawDatabase, table: str) -> list[Row]:
    """All rows as they are stored, in no order."""
    cells = [
        # The driver of PostgreSQL would parse JSON.
        f"cast({_quoted(name)} as text)"
        if (database.dialect, name) == ("postgres", "data_json")
        else _quoted(name)
        for name in COLUMNS[table]
    ]
    found = database.execute(f'select {", ".join(cells)} from "{table}"')
    return [dict(zip(COLUMNS[table], row, strict=True)) for row in found]


def _quoted(name: str) -> str:
    return f'"{name}"'


def _or_null(text: str, null: bool) -> str | None:
    return None if null else text


def _sha256(text: str) -> str:
    return sha256(text.encode()).hexdigest()
