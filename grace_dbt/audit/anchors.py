"""Anchors: signed files that say what a chain held, to be kept where nobody can write who can write the chain.

A hash chain alone does not show that it was rewritten from some entry on, cut at its end, or replaced: whoever can
write the table can seal it anew. An anchor holds the checkpoints of a moment, so that it shows up to their positions.
"""

from __future__ import annotations

import base64
import errno
import json
import os
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from secrets import token_hex
from typing import TYPE_CHECKING, Any, cast

from cryptography.exceptions import InvalidSignature

from grace_dbt.audit.keys import key_id
from grace_dbt.audit.results import Checkpoint, Finding
from grace_dbt.errors import ExitCode, GraceError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import (
        Ed25519PrivateKey,
        Ed25519PublicKey,
    )

    from grace_dbt.settings import Settings

FORMAT = "grace-dbt audit anchor 1"
LARGEST = 32 * 2**20  # bytes; a checkpoint has about 700

_ANY_FORMAT = re.compile(r"grace-dbt audit anchor \d+")
_HASH = re.compile(r"[0-9a-f]{64}")
_KEY_ID = re.compile(r"[0-9a-f]{16}")
# Not every file system that an anchor is carried to knows hard links.
_NO_LINKS = {errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK}


@dataclass(frozen=True)
class Anchor:
    """An anchor whose signature was checked.

    Attributes:
        path: The file.
        created_at: When it was signed, ISO 8601 in UTC, by the clock of whoever signed.
        database: URL without its password.
        key_id: Of the key that signed it.
        checkpoints: One for each segment of each chain.
    """

    path: str
    created_at: str
    database: str
    key_id: str
    checkpoints: tuple[Checkpoint, ...]


def make_anchor(
    settings: Settings, chains: Sequence[str] | None, private_key: Ed25519PrivateKey
) -> dict[str, Any]:
    """Verify chains, and sign what they hold now.

    Args:
        settings: The installation.
        chains: By name: `immutable_log`, `audit_logs`, `own`; None for those of Grace that the database has.
        private_key: Signs.

    Raises:
        GraceError: A chain is tampered with, or all are empty (exit code 1); one can't be read (3).
    """
    from grace_dbt.audit.verify import take_checkpoints

    checkpoints = take_checkpoints(settings, chains)
    if not checkpoints:
        raise GraceError(
            "There is nothing to anchor: no chain has an entry.",
            "An anchor proves entries; make one when there are some.",
            ExitCode.BAD,
        )
    return sign(
        {
            "format": FORMAT,
            "created_at": datetime.now(UTC).isoformat(timespec="milliseconds"),
            "database": str(settings.operational),
            "key_id": key_id(private_key.public_key()),
            "checkpoints": [asdict(checkpoint) for checkpoint in checkpoints],
        },
        private_key,
    )


def sign(content: Mapping[str, Any], private_key: Ed25519PrivateKey) -> dict[str, Any]:
    """The content with its signature, as plain data."""
    signature = base64.b64encode(private_key.sign(signed_bytes(content))).decode()
    return {**json.loads(json.dumps(content)), "signature": signature}


def signed_bytes(content: Mapping[str, Any]) -> bytes:
    """What is signed: all but the signature, as JSON with sorted keys, without blanks, in ASCII."""
    rest = {name: value for name, value in content.items() if name != "signature"}
    return json.dumps(rest, sort_keys=True, separators=(",", ":"), ensure_ascii=True).encode()


def write_anchor(path: Path, anchor: Mapping[str, Any]) -> None:
    """Write an anchor, as a whole or not at all.

    Raises:
        GraceError: There is such a file already (exit code 2), or it can't be written (3).
    """
    text = json.dumps(anchor, indent=2, ensure_ascii=True) + "\n"
    if len(text) > LARGEST:
        raise GraceError(
            f"The anchor has {len(text):,} bytes, more than are read again ({LARGEST:,}).",
            "Anchor each chain in a file of its own, with --chain.",
        )
    write_whole(path, text.encode(), overwrite=False)


def require_place(path: Path, *, overwrite: bool = False) -> None:
    """Fail before long work for a file that could not be written.

    Raises:
        GraceError: There is such a file and it may not be overwritten, or it is no plain file (exit code 2); there is
            no such directory, or it may not be written (3).
    """
    try:
        if path.is_file() and not overwrite:
            raise _taken(path)
        if path.exists() and not path.is_file():
            raise GraceError(f"{path} is no plain file.", "Name a file with --out.", ExitCode.USAGE)
        usable = path.parent.is_dir() and os.access(path.parent, os.W_OK)
    except (OSError, ValueError):
        usable = False
    if not usable:
        raise _unwritable(path, "no directory that you may write holds it")


def write_whole(path: Path, content: bytes, *, overwrite: bool) -> None:
    """Write a file so that its name never stands for a part of it, not even after a power cut.

    Raises:
        GraceError: There is such a file and it may not be overwritten, or it is no plain file (exit code 2); it can't
            be written (3).
    """
    require_place(path, overwrite=overwrite)
    final = path.resolve() if overwrite else path
    draft = final.with_name(f".{final.name}.{token_hex(4)}.draft")
    try:
        with draft.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        _give_name(draft, final, overwrite=overwrite)
        with suppress(OSError):  # some file systems can't flush a directory
            _flush(final.parent)
    except FileExistsError as error:
        raise _taken(path) from error
    except OSError as error:
        raise _unwritable(path, error.strerror or type(error).__name__) from error
    finally:
        with suppress(OSError):
            draft.unlink(missing_ok=True)


def read_anchor(path: Path, public_key: Ed25519PublicKey) -> Anchor:
    """Read an anchor and check who signed it.

    Fields that are not known are allowed: the signature covers them.

    Raises:
        GraceError: It can't be read, is damaged, or was not signed by this key (exit code 3).
    """
    content = _content(path)
    _require_signature(path, content, public_key)
    try:
        return Anchor(
            path=str(path),
            created_at=_moment(content["created_at"]),
            database=_text(content["database"]),
            key_id=content["key_id"],
            checkpoints=tuple(_checkpoint(item) for item in _list(content["checkpoints"])),
        )
    except KeyError as error:
        raise _refused(path, f"it has no {error.args[0]}") from None
    except ValueError as error:
        raise _refused(path, str(error)) from None


def disagreements(anchors: Iterable[Anchor]) -> list[Finding]:
    """Where two anchors of the same entries say different things of them: one of them was signed over something else.

    The roots of different columns can't agree; such anchors are held against the chain only.
    """
    told: dict[tuple[str, str, int], list[tuple[Checkpoint, Anchor]]] = defaultdict(list)
    for anchor in sorted(anchors, key=lambda anchor: datetime.fromisoformat(anchor.created_at)):
        for point in anchor.checkpoints:
            told[point.chain, point.first_hash, point.position].append((point, anchor))
    findings = []
    for points in told.values():
        said: list[tuple[Checkpoint, Anchor]] = []
        for point, anchor in points:
            other = next((earlier for earlier in said if _differ(earlier[0], point)), None)
            if other is not None:
                findings.append(_disagreement(other, (point, anchor)))
            if not any(_same(earlier, point) for earlier, _ in said):
                said.append((point, anchor))
    return findings


def _taken(path: Path) -> GraceError:
    return GraceError(
        f"{path} exists, and is not overwritten.", "Name another file.", ExitCode.USAGE
    )


def _unwritable(path: Path, reason: str) -> GraceError:
    return GraceError(
        f"{path} can't be written: {reason}.",
        "Name a file in a directory that exists and that you may write.",
    )


def _give_name(draft: Path, final: Path, *, overwrite: bool) -> None:
    if overwrite:
        draft.replace(final)
        return
    try:
        final.hardlink_to(draft)  # a rename would replace what somebody else wrote meanwhile
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        draft.rename(final)


def _flush(directory: Path) -> None:
    handle = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _content(path: Path) -> dict[str, Any]:
    """What the file says, signed or not."""
    try:
        with path.open("rb") as file:
            raw = file.read(LARGEST + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "no file has such a name"
        raise GraceError(
            f"The anchor {path} can't be read: {reason}.", "Name a file of grace-dbt audit anchor."
        ) from error
    if len(raw) > LARGEST:
        raise _refused(path, f"it has more than {LARGEST:,} bytes")
    if not raw.strip():
        raise _refused(path, "it is empty")
    try:
        content = json.loads(
            raw.decode(), object_pairs_hook=_without_repetition, parse_constant=_no_constant
        )
    except _RepeatedError as error:
        raise _refused(path, str(error)) from None
    except (ValueError, RecursionError):
        raise _refused(path, "it is no JSON, or cut off") from None
    if not isinstance(content, dict) or not isinstance(content.get("format"), str):
        raise _refused(path, "it is JSON, but no anchor")
    if content["format"] != FORMAT:
        known = _ANY_FORMAT.fullmatch(content["format"])
        raise _refused(
            path, "it has a format that this version does not know" if known else "it is no anchor"
        )
    return content


class _RepeatedError(ValueError):
    """One reader of such JSON sees other values than another."""


def _without_repetition(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise _RepeatedError("a field stands in it twice")
    return found


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON")


def _require_signature(path: Path, content: dict[str, Any], key: Ed25519PublicKey) -> None:
    """Fail unless this key signed exactly this content."""
    try:
        given = content["signature"]
        signature = base64.b64decode(given, validate=True)
        # Other spellings of the same bytes are no signature that we wrote.
        if len(signature) != 64 or base64.b64encode(signature).decode() != given:
            raise ValueError
    except KeyError:
        raise _refused(path, "it is not signed") from None
    except (ValueError, TypeError):
        raise _refused(path, "its signature is damaged") from None
    try:
        # Lone surrogates and the like are spelled in ASCII, so nothing that was parsed fails here but its depth.
        signed = signed_bytes(content)
    except RecursionError:
        raise _refused(path, "it is nested too deep") from None
    signer = content.get("key_id")
    try:
        key.verify(signature, signed)
    except InvalidSignature:
        if isinstance(signer, str) and _KEY_ID.fullmatch(signer) and signer != key_id(key):
            raise GraceError(
                f"The anchor {path} says that key {signer} signed it; the key given is {key_id(key)}.",
                "Give the public key of whoever signed it, with --public-key.",
            ) from None
        raise _refused(path, "its signature does not fit what it says") from None
    if signer != key_id(key):
        raise _refused(path, "it names another key than the one that signed it")


def _checkpoint(item: object) -> Checkpoint:
    if not isinstance(item, dict):
        raise ValueError("a checkpoint of it is no object")
    return Checkpoint(
        chain=_text(item["chain"]),
        segment=_number(item["segment"], 1),
        first_hash=_hash(item["first_hash"]),
        position=_number(item["position"], 0),
        entries=_number(item["entries"], 1),
        head_hash=_hash(item["head_hash"]),
        merkle_root=_hash(item["merkle_root"]),
        columns=_columns(item["columns"]),
    )


def _text(value: object) -> str:
    if not isinstance(value, str) or not value:
        raise ValueError("what should be text in it is none")
    return value


def _number(value: object, lowest: int) -> int:
    if type(value) is not int or not lowest <= value < 2**63:
        raise ValueError("what should be a number in it is none, or out of range")
    return value


def _hash(value: object) -> str:
    if not isinstance(value, str) or not _HASH.fullmatch(value):
        raise ValueError("what should be a hash in it is none")
    return value


def _moment(value: object) -> str:
    text = _text(value)
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        found = None
    if found is None or found.tzinfo is None:
        raise ValueError("the time in it is none")
    return text


def _list(value: object) -> list[object]:
    if not isinstance(value, list) or not value:
        raise ValueError("what should be a list in it is none, or empty")
    return cast("list[object]", value)


def _columns(value: object) -> tuple[str, ...]:
    names = tuple(_text(name) for name in _list(value))
    if len(set(names)) != len(names):
        raise ValueError("a column stands in it twice")
    return names


def _refused(path: Path, reason: str) -> GraceError:
    return GraceError(
        f"The anchor {path} proves nothing: {reason}.",
        "Use the copy that is kept where nobody can change it.",
    )


def _differ(one: Checkpoint, other: Checkpoint) -> bool:
    """Whether both can't be true of the same entries."""
    return (one.entries, one.head_hash) != (other.entries, other.head_hash) or (
        one.columns == other.columns and one.merkle_root != other.merkle_root
    )


def _same(one: Checkpoint, other: Checkpoint) -> bool:
    return not _differ(one, other) and one.columns == other.columns


def _disagreement(one: tuple[Checkpoint, Anchor], other: tuple[Checkpoint, Anchor]) -> Finding:
    point = one[0]
    return Finding(
        chain=point.chain,
        segment=point.segment,
        position=point.position,
        entry_id=None,
        kind="anchors disagree",
        severity="broken",
        expected=_told(*one),
        found=_told(*other),
    )


def _told(point: Checkpoint, anchor: Anchor) -> str:
    return (
        f"{point.entries} entries, head {point.head_hash}, root {point.merkle_root}"
        f" ({anchor.path}, signed {anchor.created_at})"
    )
