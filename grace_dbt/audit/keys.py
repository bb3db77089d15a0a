"""The Ed25519 keys that sign anchors: made on demand only, and never shown."""

from __future__ import annotations

import os
import re
import stat
from contextlib import suppress
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from grace_dbt.errors import ExitCode, GraceError

PRIVATE_VARIABLE = "GRACE_AUDIT_KEY"
PUBLIC_VARIABLE = "GRACE_AUDIT_PUBLIC_KEY"
MAKE_ONE = "grace-dbt audit keygen --out FILE"

_LARGEST = 65_536  # bytes; a key has about 120
_MARK = "-----BEGIN "


@dataclass(frozen=True)
class KeyPair:
    """A private key and its public half.

    Attributes:
        private_pem: PKCS8, not encrypted; never shown.
        public_pem: SubjectPublicKeyInfo.
        key_id: See `key_id`.
    """

    private_pem: bytes = field(repr=False)
    public_pem: bytes
    key_id: str


def generate() -> KeyPair:
    """A new pair; nothing is written."""
    key = Ed25519PrivateKey.generate()
    return KeyPair(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        ),
        key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        ),
        key_id(key.public_key()),
    )


def key_id(key: Ed25519PublicKey) -> str:
    """What a key is called by: the first 16 hex digits of the SHA-256 of its 32 raw bytes."""
    return sha256(key.public_bytes_raw()).hexdigest()[:16]


def public_file(private_path: Path) -> Path:
    """Where the public half of a private key file is written."""
    return private_path.with_name(f"{private_path.name}.pub")


def write_pair(private_path: Path) -> KeyPair:
    """Make a pair and write it: the private key for its owner alone, the public one beside it as `<path>.pub`.

    Raises:
        GraceError: One of the files exists already (exit code 2), or can't be written (3); then neither is left.
    """
    pair = generate()
    written: list[Path] = []
    try:
        for path, content, mode in (
            (private_path, pair.private_pem, 0o600),
            (public_file(private_path), pair.public_pem, 0o644),
        ):
            handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
            written.append(path)
            with os.fdopen(handle, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(handle)
    except OSError as error:
        for path in written:
            with suppress(OSError):
                path.unlink()
        if isinstance(error, FileExistsError):
            raise GraceError(
                f"{error.filename} exists, and a key is never overwritten.",
                "Name another file: what the old key has signed needs its public half.",
                ExitCode.USAGE,
            ) from error
        raise GraceError(
            f"The key can't be written to {private_path}: {error.strerror}.",
            "Name a file in a directory that exists and that you may write.",
        ) from error
    return pair


def load_private(path: Path | None = None) -> Ed25519PrivateKey:
    """The key that signs: from a file, else from GRACE_AUDIT_KEY, which holds a path or the PEM itself.

    Raises:
        GraceError: None is configured, it can't be read, or it is no Ed25519 private key that is not encrypted.
    """
    found = _configured("--key", path, PRIVATE_VARIABLE)
    if found is None:
        raise GraceError(
            "There is no private key to sign with.",
            f"Make one with: {MAKE_ONE}, then name it with --key or {PRIVATE_VARIABLE}.",
        )
    return _private(*found)


def load_public(path: Path | None = None) -> Ed25519PublicKey:
    """The key that checks signatures: from a file, else from GRACE_AUDIT_PUBLIC_KEY (a path or the PEM itself).

    Without either it is the public half of the private key, where GRACE_AUDIT_KEY names one.

    Raises:
        GraceError: None is configured, it can't be read, or it is no Ed25519 public key.
    """
    found = _configured("--public-key", path, PUBLIC_VARIABLE)
    if found is not None:
        return _public(*found)
    private = _configured("", None, PRIVATE_VARIABLE)
    if private is not None:
        return _private(*private).public_key()
    raise GraceError(
        "There is no public key to check the signature of an anchor with.",
        f"Name it with --public-key or {PUBLIC_VARIABLE}; {MAKE_ONE} writes FILE.pub beside a new private key.",
    )


def exposure(path: Path | None = None) -> str | None:
    """A note where others than its owner have rights to the file of the private key; None where all is well."""
    named = str(path) if path is not None else os.environ.get(PRIVATE_VARIABLE, "")
    if not named or _MARK in named:
        return None
    try:
        status = Path(named).expanduser().stat()
    except (OSError, ValueError, RuntimeError):
        return None
    if not stat.S_ISREG(status.st_mode) or not status.st_mode & 0o066:
        return None
    return f"Others than its owner can read or write the private key {named}: chmod 600 {named}"


def _configured(option: str, path: Path | None, variable: str) -> tuple[str, bytes] | None:
    """What a key is called in a message, and its bytes; None where neither option nor variable gives one."""
    text = str(path) if path is not None else os.environ.get(variable, "")
    if not text.strip():
        return None
    origin = option if path is not None else variable
    if _MARK in text:
        if path is not None:
            raise GraceError(
                f"{origin} was given a key itself.",
                "Other users can read command lines: name a file, and make a new key.",
                ExitCode.USAGE,
            )
        # Environment files have one line a variable, so line ends are often spelled \n there.
        return f"The key in {origin}", text.replace("\\n", "\n").encode()
    return _read(origin, text)


def _read(origin: str, name: str) -> tuple[str, bytes]:
    try:
        path = Path(name).expanduser()
        with path.open("rb") as file:
            content = file.read(_LARGEST + 1)
    except (OSError, ValueError, RuntimeError) as error:
        # A name that is no file may be a key in a spelling that is not understood: it is never quoted.
        reason = getattr(error, "strerror", None) or "no file has such a name"
        raise GraceError(
            f"The file that {origin} names can't be read: {reason}.",
            f"Name the PEM file of an Ed25519 key; {MAKE_ONE} writes one.",
        ) from None
    if len(content) > _LARGEST:
        raise GraceError(f"{path} is too large for a key.", f"Make a key with: {MAKE_ONE}")
    return str(path), content


def _private(name: str, pem: bytes) -> Ed25519PrivateKey:
    if _begins(pem, "PUBLIC KEY"):
        raise GraceError(
            f"{name} is a public key.",
            "Signing needs the private one, of the same name without .pub.",
        )
    try:
        key = serialization.load_pem_private_key(pem, password=None)
    except TypeError:
        raise GraceError(
            f"{name} is encrypted.",
            "grace-dbt signs unattended: decrypt it with openssl pkey, and guard the file by its rights.",
        ) from None
    except (ValueError, UnsupportedAlgorithm):
        raise _unreadable(name, "private") from None
    if not isinstance(key, Ed25519PrivateKey):
        raise _of_another_kind(name)
    return key


def _public(name: str, pem: bytes) -> Ed25519PublicKey:
    if _begins(pem, "(?:[A-Z]+ )*PRIVATE KEY"):
        raise GraceError(
            f"{name} is a private key.",
            "Checking needs the public one, FILE.pub: the private one belongs only where anchors are signed.",
        )
    try:
        key = serialization.load_pem_public_key(pem)
    except (ValueError, UnsupportedAlgorithm):
        raise _unreadable(name, "public") from None
    if not isinstance(key, Ed25519PublicKey):
        raise _of_another_kind(name)
    return key


def _begins(pem: bytes, kind: str) -> bool:
    return re.search(rf"{_MARK}{kind}-----".encode(), pem) is not None


def _unreadable(name: str, half: str) -> GraceError:
    return GraceError(
        f"{name} can't be read as a {half} key in PEM.",
        f"It is damaged or of another format; {MAKE_ONE} writes a pair that is understood.",
    )


def _of_another_kind(name: str) -> GraceError:
    return GraceError(
        f"{name} is no Ed25519 key.",
        f"Anchors are signed with Ed25519; make a key with: {MAKE_ONE}",
    )
