"""Which keys are accepted, and that their value stays out of sight."""

from __future__ import annotations

import copy
import os
import pickle
import traceback
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulk_import.errors import UsageError
from bulk_import.keys import SecretKey, parse_key, read_key_file

BODY = "51Abcdefghijklmnopqrstuv"
SECRET = f"sk_test_{BODY}"


@pytest.mark.parametrize(
    ("text", "livemode", "restricted"),
    [
        (SECRET, False, False),
        (f"rk_test_{BODY}", False, True),
        (f"sk_live_{BODY}", True, False),
        (f"rk_live_{BODY}", True, True),
        (f"  {SECRET}\r\n", False, False),
        ("sk_test_live_1", False, False),
    ],
)
def test_a_usable_key_knows_its_mode_and_kind(text: str, livemode: bool, restricted: bool) -> None:
    key = parse_key(text)
    assert (key.reveal(), key.livemode, key.restricted) == (text.strip(), livemode, restricted)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "is empty"),
        (" \n", "is empty"),
        (f"pk_test_{BODY}", "publishable"),
        (f"pk_live_{BODY}", "publishable"),
        (f"whsec_{BODY}", "webhook"),
        (f"sk_org_{BODY}", "organisation"),
        (f"sk_org_live_{BODY}", "organisation"),
        (f"ek_test_{BODY}", "ephemeral"),
        (f"sk_test_{BODY[:8]} {BODY[8:]}", "white space"),
        (f"sk_test_{BODY}\n{SECRET}", "white space"),
        (f"STRIPE_API_KEY={SECRET}", "does not begin"),
        (f'"{SECRET}"', "does not begin"),
        (f"SK_TEST_{BODY}", "does not begin"),
        (f"sk_{BODY}", "does not begin"),
        ("sk_test_", "cut short"),
        ("sk_test_…wxyz", "masked"),
        ("sk_test_****1234", "masked"),
        (f"sk_test_{BODY}é", "masked"),
        (f"sk_test_{BODY}\x00", "masked"),
    ],
)
def test_anything_else_is_refused_with_the_reason_and_never_quoted(text: str, reason: str) -> None:
    with pytest.raises(UsageError, match=reason) as caught:
        parse_key(text)
    assert BODY not in str(caught.value)


@given(st.text(max_size=60))
def test_text_is_either_a_key_that_fits_a_header_or_refused(text: str) -> None:
    try:
        value = parse_key(text).reveal()
    except UsageError:
        return
    assert value.isascii()
    assert value.isprintable()
    assert " " not in value


def test_the_value_shows_in_no_representation() -> None:
    key = parse_key(SECRET)
    assert str(key) == f"{key}" == "sk_test_…stuv"
    assert repr(key) == "SecretKey(sk_test_…stuv)"
    shown = [repr([key]), f"{key!r:>40}", "%s" % key]  # noqa: UP031 - the old way, too
    shown += [repr(getattr(key, name)) for name in dir(key)]
    assert not [text for text in shown if BODY in text]
    with pytest.raises(TypeError):
        vars(key)


def test_a_short_key_shows_nothing_of_itself() -> None:
    assert str(parse_key("sk_test_abcd")) == "sk_test_…"


@pytest.mark.parametrize("take", [pickle.dumps, copy.copy, copy.deepcopy])
def test_a_key_is_never_pickled_or_copied(take: object) -> None:
    assert callable(take)
    with pytest.raises(TypeError, match="never pickled") as caught:
        take(parse_key(SECRET))
    report = traceback.TracebackException.from_exception(caught.value, capture_locals=True)
    # The frames of this library hold the key object only; this test's own line holds no text of it.
    assert BODY not in "".join(report.format())


def test_a_fingerprint_tells_keys_apart_only_under_one_salt() -> None:
    key, other = parse_key(SECRET), parse_key(f"{SECRET}x")
    assert key.fingerprint(b"salt") == parse_key(SECRET).fingerprint(b"salt")
    assert len({key.fingerprint(b"salt"), other.fingerprint(b"salt"), key.fingerprint(b"pepper")}) == 3
    assert len(bytes.fromhex(key.fingerprint(b"salt"))) == 16


def write(path: Path, content: bytes, mode: int = 0o600) -> Path:
    path.write_bytes(content)
    path.chmod(mode)
    return path


@pytest.mark.parametrize("content", [SECRET.encode(), f"{SECRET}\n".encode(), f"\ufeff{SECRET}\r\n".encode()])
@pytest.mark.parametrize("mode", [0o600, 0o400, 0o700])
def test_a_private_file_gives_its_key(tmp_path: Path, content: bytes, mode: int) -> None:
    key = read_key_file(write(tmp_path / "key", content, mode))
    assert isinstance(key, SecretKey)
    assert key.reveal() == SECRET


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644, 0o620, 0o602, 0o666])
def test_a_file_open_to_others_is_refused(tmp_path: Path, mode: int) -> None:
    path = write(tmp_path / "key", SECRET.encode(), mode)
    with pytest.raises(UsageError, match=f"chmod 600 {path}"):
        read_key_file(path)


def test_what_is_no_plain_file_is_refused(tmp_path: Path) -> None:
    real = write(tmp_path / "key-file", SECRET.encode())
    link, pipe = tmp_path / "link", tmp_path / "pipe"
    link.symlink_to(real)
    os.mkfifo(pipe, 0o600)
    cases = {link: "symbolic link", pipe: "not a regular file", tmp_path: "not a regular file"}
    cases[tmp_path / "missing"] = "No such file"
    for path, reason in cases.items():
        with pytest.raises(UsageError, match=reason):
            read_key_file(path)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "is empty"),
        (f"{SECRET}\n{SECRET}\n".encode(), "white space"),
        (b"sk_test_\xff\xfe", "is not text"),
        (b"sk_test_" + b"a" * 5000, "too large"),
    ],
)
def test_a_file_without_one_usable_key_is_refused_naming_the_file(tmp_path: Path, content: bytes, reason: str) -> None:
    path = write(tmp_path / "key", content)
    with pytest.raises(UsageError, match=reason) as caught:
        read_key_file(path)
    assert str(path) in str(caught.value)
    assert BODY not in str(caught.value)
