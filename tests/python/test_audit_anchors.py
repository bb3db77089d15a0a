"""Keys and anchors: what was signed is read again, nothing else is; no key is made, replaced or shown in silence."""

from __future__ import annotations

import base64
import copy
import json
import stat
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from hashlib import sha256
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import typer
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from typer.testing import CliRunner

from grace_dbt.audit import anchors, keys, verify
from grace_dbt.audit.anchors import Anchor, disagreements, read_anchor, sign, write_anchor
from grace_dbt.audit.results import Checkpoint
from grace_dbt.cli.audit import anchor as anchor_command
from grace_dbt.cli.audit import keygen as keygen_command
from grace_dbt.errors import ExitCode, GraceError

# RFC 8032, section 7.1, test 1: secret, public key, and the signature of no bytes at all.
SECRET = bytes.fromhex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60")
PUBLIC = bytes.fromhex("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a")
SIGNATURE = bytes.fromhex(
    "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e06522490155"
    "5fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b"
)
SECRET_TEXT = base64.b64encode(bytes.fromhex("302e020100300506032b657004220420") + SECRET).decode()
PUBLIC_TEXT = base64.b64encode(bytes.fromhex("302a300506032b6570032100") + PUBLIC).decode()
PRIVATE_PEM = f"-----BEGIN PRIVATE KEY-----\n{SECRET_TEXT}\n-----END PRIVATE KEY-----\n"
PUBLIC_PEM = f"-----BEGIN PUBLIC KEY-----\n{PUBLIC_TEXT}\n-----END PUBLIC KEY-----\n"

KEY = Ed25519PrivateKey.from_private_bytes(SECRET)
OTHER = Ed25519PrivateKey.from_private_bytes(sha256(b"other").digest())
POINT = Checkpoint(
    "immutable_log", 1, "a" * 64, 120, 120, "b" * 64, "c" * 64, ("id", "sequence", "actor")
)


@pytest.fixture(autouse=True)
def no_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (keys.PRIVATE_VARIABLE, keys.PUBLIC_VARIABLE):
        monkeypatch.delenv(name, raising=False)


def failure(call: Callable[[], object], code: ExitCode = ExitCode.ENVIRONMENT) -> str:
    """What the error says; never a key."""
    with pytest.raises(GraceError) as caught:
        call()
    assert caught.value.exit_code == code
    said = f"{caught.value.message} {caught.value.hint}"
    assert "\n" not in said
    assert SECRET_TEXT[-20:] not in said
    return said


# --- keys


def test_keys_are_those_of_rfc_8032(tmp_path: Path) -> None:
    (tmp_path / "key").write_text(PRIVATE_PEM)
    (tmp_path / "key.pub").write_text(PUBLIC_PEM)
    private = keys.load_private(tmp_path / "key")
    public = keys.load_public(tmp_path / "key.pub")
    assert private.sign(b"") == SIGNATURE
    public.verify(SIGNATURE, b"")
    assert public.public_bytes_raw() == private.public_key().public_bytes_raw() == PUBLIC
    assert keys.key_id(public) == sha256(PUBLIC).hexdigest()[:16] == "21fe31dfa154a261"


def test_a_pair_is_written_for_its_owner_and_never_replaced(tmp_path: Path) -> None:
    path = tmp_path / "audit.key"
    pair = keys.write_pair(path)
    public = tmp_path / "audit.key.pub"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert keys.key_id(keys.load_private(path).public_key()) == pair.key_id
    assert keys.key_id(keys.load_public(public)) == pair.key_id
    assert "PRIVATE" not in repr(pair)
    before = path.read_bytes(), public.read_bytes()
    assert str(path) in failure(lambda: keys.write_pair(path), ExitCode.USAGE)
    assert (path.read_bytes(), public.read_bytes()) == before


def test_a_public_key_without_its_private_one_is_kept(tmp_path: Path) -> None:
    """What it checks may be signed long ago, and the private key lost."""
    (tmp_path / "k.pub").write_text(PUBLIC_PEM)
    assert "k.pub exists" in failure(lambda: keys.write_pair(tmp_path / "k"), ExitCode.USAGE)
    assert not (tmp_path / "k").exists()
    assert (tmp_path / "k.pub").read_text() == PUBLIC_PEM


def test_no_key_is_written_through_a_link_or_without_a_directory(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    failure(lambda: keys.write_pair(tmp_path / "link"), ExitCode.USAGE)
    assert not (tmp_path / "elsewhere").exists()
    assert "can't be written" in failure(lambda: keys.write_pair(tmp_path / "none" / "k"))


@pytest.mark.parametrize("spelled", [PRIVATE_PEM, PRIVATE_PEM.replace("\n", "\\n"), None])
def test_the_variable_holds_a_path_or_the_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, spelled: str | None
) -> None:
    (tmp_path / "k").write_text(PRIVATE_PEM)
    monkeypatch.setenv(keys.PRIVATE_VARIABLE, spelled or str(tmp_path / "k"))
    assert keys.load_private().private_bytes_raw() == SECRET
    assert keys.load_public().public_bytes_raw() == PUBLIC, "the public half of the private key"
    monkeypatch.setenv(keys.PUBLIC_VARIABLE, keys.generate().public_pem.decode())
    assert keys.load_public().public_bytes_raw() != PUBLIC, "a public key that is named wins"
    (tmp_path / "p").write_text(PUBLIC_PEM)
    assert keys.load_public(tmp_path / "p").public_bytes_raw() == PUBLIC, "and a file wins again"


def test_without_a_key_none_is_made() -> None:
    assert "grace-dbt audit keygen --out FILE" in failure(keys.load_private)
    assert "grace-dbt audit keygen --out FILE" in failure(keys.load_public)


def encrypted() -> bytes:
    return KEY.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(b"secret"),
    )


def of_another_kind() -> bytes:
    return ec.generate_private_key(ec.SECP256R1()).private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "can't be read as a private key"),
        (PRIVATE_PEM.encode()[:60], "can't be read as a private key"),
        (SECRET, "can't be read as a private key"),
        (b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", "can't be read"),
        (b"x" * 70_000, "too large"),
        (encrypted(), "is encrypted"),
        (of_another_kind(), "no Ed25519 key"),
        (PUBLIC_PEM.encode(), "is a public key"),
        (None, "can't be read: No such file"),
    ],
)
def test_a_private_key_that_is_none_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes | None, said: str
) -> None:
    path = tmp_path / "k"
    if content is not None:
        path.write_bytes(content)
    assert said in failure(lambda: keys.load_private(path))
    monkeypatch.setenv(keys.PRIVATE_VARIABLE, str(path))
    assert said in failure(keys.load_private)


def test_a_public_key_that_is_none_is_told(tmp_path: Path) -> None:
    path = tmp_path / "k"
    for content, said in (
        (PRIVATE_PEM, "is a private key"),
        (encrypted().decode(), "is a private key"),
        ("-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n", "can't be read"),
    ):
        path.write_text(content)
        assert said in failure(lambda: keys.load_public(path))


@pytest.mark.parametrize("value", [SECRET_TEXT, f"{PRIVATE_PEM[:50]}\n...", SECRET_TEXT * 99])
def test_a_key_in_the_wrong_place_is_not_quoted(
    monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    monkeypatch.setenv(keys.PRIVATE_VARIABLE, value)
    assert value[:20] not in failure(keys.load_private).replace("-----BEGIN PRIVATE", "")
    assert "was given a key itself" in failure(
        lambda: keys.load_private(Path(PRIVATE_PEM)), ExitCode.USAGE
    )


def test_rights_of_others_are_noted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "k"
    keys.write_pair(path)
    assert keys.exposure(path) is None
    path.chmod(0o640)
    assert "chmod 600" in (keys.exposure(path) or "")
    monkeypatch.setenv(keys.PRIVATE_VARIABLE, str(path))
    assert keys.exposure() == keys.exposure(path)
    monkeypatch.setenv(keys.PRIVATE_VARIABLE, PRIVATE_PEM)
    assert keys.exposure() is None


# --- anchors


def content(*points: Checkpoint, **changes: object) -> dict[str, Any]:
    return {
        "format": anchors.FORMAT,
        "created_at": "2025-11-30T12:00:00.000+00:00",
        "database": "sqlite:////var/lib/grace/grace.db",
        "key_id": keys.key_id(KEY.public_key()),
        "checkpoints": [asdict(point) for point in points or (POINT,)],
        **changes,
    }


def signed(*points: Checkpoint, **changes: object) -> dict[str, Any]:
    return sign(content(*points, **changes), KEY)


def read(path: Path, anchor: object) -> Anchor:
    path.write_text(anchor if isinstance(anchor, str) else json.dumps(anchor))
    return read_anchor(path, KEY.public_key())


def refused(path: Path, anchor: object) -> str:
    said = failure(lambda: read(path, anchor))
    assert str(path) in said
    return said


def test_what_was_signed_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    other = replace(POINT, chain="audit_logs", segment=2, position=0, entries=1)
    write_anchor(path, signed(POINT, other))
    assert read_anchor(path, KEY.public_key()) == Anchor(
        path=str(path),
        created_at="2025-11-30T12:00:00.000+00:00",
        database="sqlite:////var/lib/grace/grace.db",
        key_id="21fe31dfa154a261",
        checkpoints=(POINT, other),
    )
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.json"], "no draft stays behind"


def test_the_signed_bytes_are_as_documented() -> None:
    """Whoever checks a signature without us needs exactly these."""
    anchor = sign({"b": "\u00eb", "a": [1, {"y": None, "x": True}]}, KEY)
    text = rb'{"a":[1,{"x":true,"y":null}],"b":"\u00eb"}'
    KEY.public_key().verify(base64.b64decode(anchor["signature"]), text)


def places(value: object, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Where values stand in plain data."""
    if isinstance(value, dict | list):
        pairs = value.items() if isinstance(value, dict) else enumerate(value)
        for key, inner in pairs:
            yield from places(inner, (*path, key))
    else:
        yield path


SIGNED = signed(extra={"by": "auditor"})


@pytest.mark.parametrize("place", list(places(SIGNED)), ids=lambda p: ".".join(map(str, p)))
def test_each_value_is_signed(tmp_path: Path, place: tuple[str | int, ...]) -> None:
    forged = copy.deepcopy(SIGNED)
    holder: Any = forged
    for key in place[:-1]:
        holder = holder[key]
    value = holder[place[-1]]
    for change in (
        value + 1 if isinstance(value, int) else ("0" if value[0] != "0" else "1") + value[1:],
        None,
    ):
        holder[place[-1]] = change
        refused(tmp_path / "a", forged)
    del holder[place[-1]]
    refused(tmp_path / "a", forged)


def test_unknown_fields_are_allowed_where_they_are_signed(tmp_path: Path) -> None:
    assert read(tmp_path / "a", SIGNED).checkpoints == (POINT,)
    assert "does not fit" in refused(tmp_path / "a", {**SIGNED, "more": 1})
    added = copy.deepcopy(SIGNED)
    added["checkpoints"].append(added["checkpoints"][0])
    assert "does not fit" in refused(tmp_path / "a", added)


def test_another_key_is_named(tmp_path: Path) -> None:
    (tmp_path / "a").write_text(json.dumps(SIGNED))
    said = failure(lambda: read_anchor(tmp_path / "a", OTHER.public_key()))
    assert "21fe31dfa154a261" in said
    assert keys.key_id(OTHER.public_key()) in said
    impostor = sign(content(), OTHER)
    assert "does not fit" in refused(tmp_path / "a", impostor)
    misnamed = signed(key_id=keys.key_id(OTHER.public_key()))
    assert "names another key" in refused(tmp_path / "a", misnamed)


def test_what_is_cut_off_is_refused(tmp_path: Path) -> None:
    text = json.dumps(SIGNED)
    for length in range(0, len(text), 7):
        refused(tmp_path / "a", text[:length])


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "empty"),
        ("anchor", "no JSON"),
        ("[" * 200_000, "no JSON"),
        ('{"format": ' + "[" * 200_000, "no JSON"),
        ('{"a": NaN}', "no JSON"),
        ('{"a": ' + "9" * 5000 + "}", "no JSON"),
        ("[]", "no anchor"),
        ("{}", "no anchor"),
        ('{"format": 1}', "no anchor"),
        ('{"format": "pickle"}', "no anchor"),
        ('{"format": "grace-dbt audit anchor 2"}', "does not know"),
        (json.dumps(content()), "not signed"),
        (json.dumps({**SIGNED, "signature": 7}), "signature is damaged"),
        (json.dumps({**SIGNED, "signature": "\u00eb"}), "signature is damaged"),
        (json.dumps({**SIGNED, "signature": SIGNED["signature"] + "\n"}), "signature is damaged"),
        (json.dumps({**SIGNED, "signature": SIGNED["signature"][:40]}), "signature is damaged"),
        (json.dumps(SIGNED)[:-1] + ', "database": "sqlite:///other"}', "twice"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_what_is_no_anchor_is_refused(tmp_path: Path, text: str, reason: str) -> None:
    assert reason in refused(tmp_path / "a", text)


def test_only_one_spelling_of_a_signature_is_known(tmp_path: Path) -> None:
    """The last digit before the padding has four bits that say nothing."""
    signature = SIGNED["signature"]
    last = signature[-3]
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    other = f"{signature[:-3]}{alphabet[alphabet.index(last) + 1]}=="
    assert base64.b64decode(other) == base64.b64decode(signature)
    assert "damaged" in refused(tmp_path / "a", {**SIGNED, "signature": other})


@pytest.mark.parametrize(
    "changes",
    [
        {"created_at": "yesterday"},
        {"created_at": "2025-11-30T12:00:00"},
        {"created_at": 5},
        {"database": None},
        {"checkpoints": []},
        {"checkpoints": {}},
        {"checkpoints": [7]},
        *(
            {"checkpoints": [{**asdict(POINT), name: value}]}
            for name, value in (
                ("chain", 1),
                ("chain", ""),
                ("segment", 0),
                ("segment", "1"),
                ("first_hash", "a" * 63),
                ("first_hash", "A" * 64),
                ("position", -1),
                ("position", 2**63),
                ("position", 1.0),
                ("entries", True),
                ("head_hash", "b" * 64 + "\n"),
                ("merkle_root", None),
                ("columns", []),
                ("columns", "id"),
                ("columns", ["id", 1]),
                ("columns", ["id", "id"]),
            )
        ),
    ],
    ids=str,
)
def test_even_what_is_signed_has_the_right_types(tmp_path: Path, changes: dict[str, Any]) -> None:
    assert "proves nothing" in refused(tmp_path / "a", signed(**changes))


def test_a_huge_file_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    huge = tmp_path / "huge"
    with huge.open("wb") as file:
        file.truncate(50 * anchors.LARGEST)
    assert "more than" in failure(lambda: read_anchor(huge, KEY.public_key()))
    monkeypatch.setattr(anchors, "LARGEST", 100)
    assert "more than are read again" in failure(lambda: write_anchor(tmp_path / "a", SIGNED))
    assert not (tmp_path / "a").exists()


def test_files_that_are_none_are_told(tmp_path: Path) -> None:
    for path in (tmp_path / "none", tmp_path, tmp_path / "\0"):
        assert "can't be read" in failure(lambda path=path: read_anchor(path, KEY.public_key()))  # type: ignore[misc]


def test_no_anchor_is_overwritten(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.json"
    path.write_text("former")
    assert "exists" in failure(lambda: write_anchor(path, SIGNED), ExitCode.USAGE)
    # Another one may be written between the look and the name.
    monkeypatch.setattr(anchors, "require_place", lambda *_, **__: None)
    assert "exists" in failure(lambda: write_anchor(path, SIGNED), ExitCode.USAGE)
    assert path.read_text() == "former"
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.json"]


def test_places_that_hold_no_file_are_told(tmp_path: Path) -> None:
    assert "no plain file" in failure(lambda: write_anchor(tmp_path, SIGNED), ExitCode.USAGE)
    assert "can't be written" in failure(lambda: write_anchor(tmp_path / "x" / "a", SIGNED))
    (tmp_path / "file").touch()
    assert "can't be written" in failure(lambda: write_anchor(tmp_path / "file" / "a", SIGNED))


def test_a_file_system_without_hard_links_will_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(Path, "hardlink_to", refuse)
    write_anchor(tmp_path / "a", SIGNED)
    assert read_anchor(tmp_path / "a", KEY.public_key()).checkpoints == (POINT,)
    assert len(list(tmp_path.iterdir())) == 1


# --- disagreements


def anchor_of(name: str, *points: Checkpoint, hour: int = 12) -> Anchor:
    return Anchor(name, f"2025-11-30T{hour:02}:00:00+00:00", "sqlite:////g", "0" * 16, points)


def test_anchors_of_one_chain_agree() -> None:
    later = replace(POINT, position=130, entries=130, head_hash="d" * 64, merkle_root="e" * 64)
    elsewhere = replace(POINT, first_hash="f" * 64, head_hash="d" * 64)
    other_chain = replace(POINT, chain="own", head_hash="d" * 64)
    renumbered = replace(POINT, segment=3)
    held = [anchor_of("a", POINT, elsewhere), anchor_of("b", POINT, later, other_chain, renumbered)]
    assert disagreements(held) == []
    assert disagreements([]) == []


def test_a_column_that_was_added_is_no_disagreement() -> None:
    wider = replace(POINT, columns=(*POINT.columns, "shard"), merkle_root="d" * 64)
    assert disagreements([anchor_of("a", POINT), anchor_of("b", wider)]) == []


@pytest.mark.parametrize(
    "changes", [{"entries": 119}, {"head_hash": "d" * 64}, {"merkle_root": "d" * 64}]
)
def test_anchors_that_disagree_are_found(changes: dict[str, Any]) -> None:
    changed = replace(POINT, **changes)
    held = [anchor_of("late", changed, hour=13), anchor_of("early", POINT), anchor_of("b", POINT)]
    [finding] = disagreements(held)
    assert (finding.kind, finding.severity) == ("anchors disagree", "broken")
    assert (finding.chain, finding.segment, finding.position) == ("immutable_log", 1, 120)
    assert "(early, signed 2025-11-30T12" in (finding.expected or "")
    assert "(late, signed 2025-11-30T13" in (finding.found or "")


# --- commands


@pytest.fixture
def logged(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[tuple[object, ...]]:
    """What the commands log of themselves."""
    told: list[tuple[object, ...]] = []
    fake = SimpleNamespace(log_own=lambda _, *entry: told.append(entry))
    monkeypatch.setitem(sys.modules, "grace_dbt.audit.own_log", fake)
    monkeypatch.setenv("GRACE_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("GRACE_OPERATIONAL_URL", raising=False)
    return told


def run(*words: str | Path) -> Any:
    app = typer.Typer()
    keygen_command.register(app)
    anchor_command.register(app)
    return CliRunner().invoke(app, [str(word) for word in words])


def test_keygen_and_anchor(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, logged: list[tuple[object, ...]]
) -> None:
    key, out = tmp_path / "k", tmp_path / "a.json"
    done = run("keygen", "--out", key, "--json")
    assert done.exit_code == 0, done.exception
    made = json.loads(done.stdout)
    assert made == {"key_id": made["key_id"], "private": str(key), "public": f"{key}.pub"}

    asked: list[object] = []

    def take(_: object, chains: object) -> list[Checkpoint]:
        asked.append(chains)
        return [POINT]

    monkeypatch.setattr(verify, "take_checkpoints", take)
    key.chmod(0o644)
    done = run("anchor", "--out", out, "--key", key, "--json")
    assert done.exit_code == 0, done.exception
    assert asked == [None], "whatever chains of Grace the database has"
    assert json.loads(done.stdout) == {"file": str(out), **json.loads(out.read_text())}
    assert "chmod 600" in done.stderr
    anchor = read_anchor(out, keys.load_public(Path(f"{key}.pub")))
    assert anchor.checkpoints == (POINT,)
    assert anchor.database == f"sqlite:///{tmp_path}/home/operational.sqlite"
    assert [entry[0] for entry in logged] == ["audit.keygen", "audit.anchor"]
    secret = key.read_text().splitlines()[1]
    assert secret not in f"{logged} {done.output}"

    asked.clear()
    done = run("anchor", "--out", out, "--key", key, "--chain", "own")
    assert (done.exception.exit_code, asked) == (ExitCode.USAGE, []), "told before the long work"
    assert len(logged) == 2


def test_empty_chains_are_not_anchored(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, logged: list[tuple[object, ...]]
) -> None:
    monkeypatch.setattr(verify, "take_checkpoints", lambda *_: [])
    monkeypatch.setenv(keys.PRIVATE_VARIABLE, PRIVATE_PEM)
    done = run("anchor", "--out", tmp_path / "a", "--chain", "own")
    assert done.exception.exit_code == ExitCode.BAD
    assert "nothing to anchor" in str(done.exception)
    assert not (tmp_path / "a").exists()
    assert logged == []
