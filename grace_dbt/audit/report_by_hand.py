"""The part of the report that says how a verification is repeated with a shell, and a client of the database."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Callable, Iterator
from hashlib import sha256
from typing import TYPE_CHECKING

from grace_dbt.audit.formats import GENESIS, ZEROS, chain_hash, content_hash, entry_hash
from grace_dbt.audit.report_markup import (
    Html,
    element,
)
from grace_dbt.errors import GraceError
from grace_dbt.operational.url import FileUrl, OperationalUrl, ServerUrl

if TYPE_CHECKING:
    from grace_dbt.audit.results import (
        ChainReport,
        Segment,
        VerificationReport,
    )

_HASH = re.compile(r"[0-9a-f]{64}")


def _command(command: str, prints: str) -> Html:
    return element(
        "pre", element("code", command, class_="command"), "\n", element("output", prints)
    )


def _hashed(text: str) -> str:
    return f"printf '%s' {shlex.quote(text)} | sha256sum"


def by_hand(report: VerificationReport) -> Iterator[Html]:
    """The section: the published vectors, the last entry of each intact chain, and the Merkle tree."""
    yield element("h2", "How to repeat it by hand")
    yield element(
        "p",
        "A shell with printf and sha256sum is enough. Below each command stands what it must print. The examples "
        "are not from this database.",
    )
    yield from _by_hand_immutable()
    yield from _by_hand_audit()
    yield from _by_hand_here(report)
    yield from _by_hand_merkle()


def _by_hand_immutable() -> Iterator[Html]:
    actor, action, resource = "testuser", "knowledge.ingested", "Test Knowledge"
    payload, result = '{"artifact_id": 1, "domain": "test", "type": "text"}', "published"
    yield element("h3", "immutable_log, own")
    yield element(
        "p",
        "The fields as they are stored, with colons between them, and the word None where a field is NULL: sequence, "
        "actor, action, resource, payload, result, previous_hash. The first sequence is 1, and its previous_hash is 64 "
        "zeros. The hash is entry_hash, and previous_hash of the next entry.",
    )
    yield _command(
        _hashed(f"1:{actor}:{action}:{resource}:{payload}:{result}:{ZEROS}"),
        entry_hash(
            1,
            actor=actor,
            action=action,
            resource=resource,
            payload=payload,
            result=result,
            previous=ZEROS,
        ),
    )


def _by_hand_audit() -> Iterator[Html]:
    entry, level = "governance_action_20250928_095538_000001", "democratic_oversight"
    category, timestamp = "governance_action", "2025-09-28T09:55:38.612416"
    data = {
        "action_type": "kernel_shutdown",
        "action_data": {
            "timestamp": "2025-09-28T09:55:38.610904",
            "snapshot_id": "govsnap_20250928_095538_5b433e1b",
            "reason": "graceful_shutdown",
        },
        "logged_by": "governance_engine",
    }
    previous = "5dbe9ab3883dad45c7ff2b5cd13861d10e11fe8c656de9a7212713c0ef991523"
    content = json.dumps(
        {
            "category": category,
            "data": data,
            "entry_id": entry,
            "timestamp": timestamp,
            "transparency_level": level,
        },
        sort_keys=True,
    )
    sealed = content_hash(entry, category=category, data=data, level=level, timestamp=timestamp)
    yield element("h3", "audit_logs")
    yield element(
        "p",
        "First the content, as JSON: keys sorted at every depth, a blank after each comma and colon, all but ASCII "
        "spelled \\uXXXX. In Python that is json.dumps(..., sort_keys=True); data is what data_json says. The "
        "result is the column hash.",
    )
    yield _command(_hashed(content), sealed)
    yield element(
        "p",
        "Then hash, previous_hash and chain_position, with colons. A segment begins at position 0 with the word "
        f"{GENESIS}. The result is chain_hash, and previous_hash of the next entry.",
    )
    yield _command(
        _hashed(f"{sealed}:{previous}:1"), chain_hash(sealed, previous=previous, position=1)
    )


def _by_hand_here(report: VerificationReport) -> Iterator[Html]:
    """The last entry of each chain that is intact, read by the client of its database."""
    commands = []
    for chain in report.chains:
        reader = _reader(report.url, chain.chain)
        part = _last_intact(chain)
        if reader and part and part.head_hash:
            commands.append(_command(reader(part), part.head_hash))
    if commands:
        yield element("h3", "The last entries of this database")
        yield element(
            "p",
            "The client of the database reads what is sealed, and head takes the line end off that the client adds.",
        )
        yield from commands


def _last_intact(chain: ChainReport) -> Segment | None:
    """The last segment, where its hash is one: what a tampered table holds never becomes part of a command."""
    parts = [part for part in chain.segments if part.verdict == "intact" and part.entries]
    last = max(parts, key=lambda part: part.segment, default=None)
    return last if last and _HASH.fullmatch(last.head_hash or "") else None


def _reader(url: str, chain: str) -> Callable[[Segment], str] | None:
    """What writes the command for a segment; None where the database is none that has a client."""
    client, dialect, schema = 'sqlite3 -readonly "$GRACE_HOME/audit.sqlite"', "sqlite", ""
    if chain != "own":
        try:
            database = OperationalUrl.parse(url)
        except (GraceError, ValueError):
            return None
        if not url.isprintable() or not isinstance(database, FileUrl | ServerUrl):
            return None
        dialect, client, schema = database.dialect, *_client(database)

    def command(part: Segment) -> str:
        sql = _sealed_sql(dialect, schema, chain, part)
        # Between double quotes it can be read; the value of a name might mean something there.
        word = f'"{sql}"' if not re.search(r'["$`\\!]', sql) else shlex.quote(sql)
        return f"{client} {word} | head -c -1 | sha256sum"

    return command


def _client(database: FileUrl | ServerUrl) -> tuple[str, str]:
    """A command that takes SQL as its last word and prints bare rows, and the schema of the tables."""
    if isinstance(database, FileUrl):
        path = shlex.quote(str(database.path))
        if database.dialect == "sqlite":
            return f"sqlite3 -readonly {path}", ""
        return f"duckdb -readonly -noheader -list {path} -c", ""
    host, port = shlex.quote(database.host), database.port
    user, name = shlex.quote(database.user), shlex.quote(database.database)
    if database.dialect == "postgres":
        schema = "" if database.namespace == "public" else f'"{database.namespace}".'
        return f"PGCLIENTENCODING=UTF8 psql -XAt -h {host} -p {port} -U {user} -d {name} -c", schema
    return (
        f"mariadb --default-character-set=utf8mb4 -N -r -h {host} -P {port} -u {user} -p {name} -e",
        "",
    )


def _sealed_sql(dialect: str, schema: str, chain: str, part: Segment) -> str:
    text = "char" if dialect == "mysql" else "text"

    def joined(*columns: str) -> str:
        if dialect == "mysql":
            return "concat({})".format(", ':', ".join(columns))
        return " || ':' || ".join(columns)

    if chain == "audit_logs":
        sealed = joined("hash", "previous_hash", "chain_position")
        return f"select {sealed} from {schema}audit_logs where chain_hash = '{part.head_hash}'"
    fields = ("actor", "action", "resource", "payload", "result")
    said = (f"coalesce(cast({field} as {text}), 'None')" for field in fields)
    sealed = joined("sequence", *said, "previous_hash")
    return f"select {sealed} from {schema}immutable_log where sequence = {part.last_position}"


def _by_hand_merkle() -> Iterator[Html]:
    rows = (
        "row:sequence=1:1;actor=4:Zo\u00eb;resource=-;",
        "row:sequence=1:2;actor=5:Alice;resource=3:a;b;",
    )
    yield element("h3", "The root that an anchor signs")
    yield element(
        "p",
        "Each row becomes text: for each column in the order that the anchor names, ",
        element("code", "<name>=<n>:<value>;"),
        " with n the number of bytes of the value in UTF-8, and ",
        element("code", "<name>=-;"),
        " for NULL. The hash of a row is that of ",
        element("code", "row:"),
        " and this text.",
    )
    hashes = [_sha256(row) for row in rows]
    for row, found in zip(rows, hashes, strict=True):
        yield _command(_hashed(row), found)
    yield element(
        "p",
        "Then up to 1,024 hashes in a row, in the order of the chain, become one: that of ",
        element("code", "node:"),
        " and the hashes, each with a line end. So on, level by level, until one is left: the root.",
    )
    yield _command(
        f"printf 'node:%s\\n%s\\n' {' '.join(hashes)} | sha256sum",
        _sha256("node:" + "".join(f"{found}\n" for found in hashes)),
    )
    yield element(
        "p",
        "The signature of an anchor is Ed25519, over the file as JSON with sorted keys, without blanks, in ASCII, and "
        "without its signature; grace-dbt audit verify --anchor FILE --public-key FILE checks it.",
    )


def _sha256(text: str) -> str:
    return sha256(text.encode()).hexdigest()
