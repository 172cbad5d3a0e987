from __future__ import annotations

import errno
import signal
import socket
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
import pytest

from bulk_import import early
from bulk_import.cli import asking
from bulk_import.cli.connecting import api_base, confirming, find_key, guard, is_loopback, question, settle_connecting
from bulk_import.cli.invocation import Invocation
from bulk_import.errors import Interrupted, UsageError
from bulk_import.options import STRIPE, Start

TEST_KEY, LIVE_KEY = "sk_test_abcdefghijklmnop", "rk_live_abcdefghijklmnop"
START = Start(
    "people.csv", "l.db", "acct_1", "Exa\x1bmple", True, False, 1200, 200, 20.0, 20.0, "all requests", "auto", False
)


def settle(environ: dict[str, str], **given: Any) -> Any:
    kind = {name: given.pop(name) for name in ("dry_run", "simulate") if name in given}
    base: dict[str, Any] = {"live": False, "yes": False, "api_base": None, "stripe_account": None, "api_key_file": None}
    return settle_connecting({**base, **given}, environ, **kind)


@pytest.mark.parametrize(
    ("environ", "key"),
    [
        ({"STRIPE_API_KEY": TEST_KEY, "STRIPE_SECRET_KEY": LIVE_KEY}, TEST_KEY),
        ({"STRIPE_SECRET_KEY": TEST_KEY}, TEST_KEY),
        ({"STRIPE_API_KEY": "", "STRIPE_SECRET_KEY": TEST_KEY}, TEST_KEY),
    ],
)
def test_the_first_variable_that_is_set_gives_the_key(environ: dict[str, str], key: str) -> None:
    assert find_key(None, environ, may_ask=False).reveal() == key


def test_a_key_file_comes_before_the_environment(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.touch(0o600)
    file.write_text(LIVE_KEY + "\n")
    assert find_key(file, {"STRIPE_API_KEY": TEST_KEY}, may_ask=False).reveal() == LIVE_KEY


def test_a_bad_key_names_its_variable_and_not_itself() -> None:
    with pytest.raises(UsageError, match="STRIPE_API_KEY") as caught:
        find_key(None, {"STRIPE_API_KEY": "pk_test_very_secret"}, may_ask=False)
    assert "very_secret" not in str(caught.value)


def test_without_a_key_the_ways_to_give_one_are_named() -> None:
    with pytest.raises(UsageError, match=r"STRIPE_API_KEY.*--api-key-file.*--simulate"):
        find_key(None, {}, may_ask=False)


def test_a_person_may_type_the_key_unseen(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []

    def prompt(text: str, **how: Any) -> str:
        asked.append(how)
        return TEST_KEY

    monkeypatch.setattr(click, "prompt", prompt)
    assert find_key(None, {}, may_ask=True).reveal() == TEST_KEY
    assert asked == [{"hide_input": True, "err": True}]


@pytest.mark.parametrize(
    ("livemode", "live", "dry_run", "base", "refusal"),
    [
        (True, True, False, STRIPE, None),
        (False, False, False, STRIPE, None),
        (False, False, True, STRIPE, None),
        (False, False, False, "http://127.0.0.1:1", None),
        (True, False, False, STRIPE, "add --live"),
        (False, True, False, STRIPE, "test key"),
        (True, False, True, STRIPE, "test keys only"),
        (True, True, False, "http://127.0.0.1:1", "not to http://127.0.0.1:1"),
        (True, True, False, "http://api.stripe.com", "not to http://api.stripe.com"),
        (True, True, False, "https://api.stripe.com.example", "not to"),
    ],
)
def test_live_keys_are_guarded_by_this_table(
    livemode: bool, live: bool, dry_run: bool, base: str, refusal: str | None
) -> None:
    if refusal is None:
        guard(livemode, live=live, dry_run=dry_run, base=base)
        return
    with pytest.raises(UsageError, match=refusal):
        guard(livemode, live=live, dry_run=dry_run, base=base)


def test_a_live_run_without_a_terminal_needs_yes() -> None:
    with pytest.raises(UsageError, match="add --yes"):
        settle({"STRIPE_API_KEY": LIVE_KEY}, live=True)
    assert settle({"STRIPE_API_KEY": LIVE_KEY}, live=True, yes=True).live


def test_a_simulation_needs_no_key_and_looks_for_none() -> None:
    found = settle({"STRIPE_API_KEY": "pk_test_unusable"}, simulate=True)
    assert (found.key, found.simulate, found.api_base) == (None, True, STRIPE)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"live": True, "simulate": True}, "--live and --simulate"),
        ({"live": True, "dry_run": True}, "--live and --dry-run"),
        ({"simulate": True, "dry_run": True}, "two rehearsals"),
        ({"simulate": True, "api_base": "http://127.0.0.1:1"}, "--api-base"),
    ],
)
def test_contradictions_are_refused(given: dict[str, Any], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        settle({"STRIPE_API_KEY": TEST_KEY}, **given)


@pytest.mark.parametrize(
    ("given", "settled"),
    [
        ("https://api.stripe.com/", "https://api.stripe.com"),
        ("HTTPS://API.Stripe.com:443", "https://api.stripe.com"),
        ("http://127.0.0.1:12111", "http://127.0.0.1:12111"),
        ("http://[::1]:80/base/", "http://[::1]/base"),
    ],
)
def test_a_base_url_has_one_spelling(given: str, settled: str) -> None:
    assert api_base(given) == settled


@pytest.mark.parametrize(
    "given",
    ["127.0.0.1:12111", "ftp://x.example", "http://", "http://u:p@x.example", "http://x.example?q=1", "http://x:99999", "http://[::1"],
)  # fmt: skip
def test_what_is_no_base_url_is_refused(given: str) -> None:
    with pytest.raises(UsageError, match="--api-base"):
        api_base(given)


@pytest.mark.parametrize(
    ("base", "loopback"),
    [
        ("http://127.0.0.1:1", True),
        ("http://127.9.9.9", True),
        ("http://[::1]:1", True),
        ("http://localhost:1", True),
        ("http://localhost.example", False),
        ("http://127.0.0.1.example", False),
        ("http://192.168.0.1", False),
        (STRIPE, False),
    ],
)
def test_only_this_machine_is_loopback(base: str, loopback: bool) -> None:
    assert is_loopback(base) is loopback


def test_the_question_names_account_mode_rows_requests_and_time() -> None:
    asked = "\n".join(question(replace(START, seconds=50.0)))
    for part in ("acct_1", "LIVE", "up to 1,000 of 1,200", "people.csv", "at least one for each", "in 50 s or more"):
        assert part in asked
    assert "\x1b" not in asked
    assert any("up to 900 of 1,200" in line for line in question(replace(START, most=900)))


@pytest.mark.parametrize(
    ("yes", "livemode", "answer"), [(True, True, True), (False, False, True), (False, True, False)]
)
def test_without_a_terminal_only_yes_confirms_a_live_run(yes: bool, livemode: bool, answer: bool) -> None:
    paused: list[int] = []
    start = replace(START, livemode=livemode)
    assert confirming(Invocation(()), yes, lambda: paused.append(1))(start) is answer
    assert len(paused) == (not yes and livemode)


@pytest.mark.parametrize(
    ("typed", "goes_ahead"),
    [
        ("acct_1", True),
        (" ACCT_1 ", True),
        ("exa\x1bmple", True),
        ("y", False),
        ("yes", False),
        ("", False),
        ("acct_2", False),
    ],
)
def test_a_live_run_goes_ahead_when_the_accounts_name_or_id_is_typed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], typed: str, goes_ahead: bool
) -> None:
    monkeypatch.setattr(asking, "can_ask", lambda: True)
    monkeypatch.setattr(click, "prompt", lambda text, **_: typed)
    assert confirming(Invocation(()), False, lambda: None)(START) is goes_ahead
    assert "LIVE" in capsys.readouterr().err


def test_leaving_the_question_is_a_no(monkeypatch: pytest.MonkeyPatch) -> None:
    def leave(text: str, **_: Any) -> str:
        raise click.Abort

    monkeypatch.setattr(asking, "can_ask", lambda: True)
    monkeypatch.setattr(click, "prompt", leave)
    assert confirming(Invocation(()), False, lambda: None)(START) is False


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_the_question_also_where_a_loop_that_stands_still_has_taken_it_over(
    monkeypatch: pytest.MonkeyPatch, number: signal.Signals
) -> None:
    def wait(text: str, **_: Any) -> str:
        signal.raise_signal(number)
        return "acct_1"  # nothing has ended it

    def unheard(number: int, frame: object) -> None: ...

    monkeypatch.setattr(asking, "can_ask", lambda: True)
    monkeypatch.setattr(click, "prompt", wait)
    monkeypatch.setattr(early, "caught", [])
    before = signal.signal(number, unheard)
    try:
        with pytest.raises(Interrupted, match=f"{number.name} before the question") as ended:
            confirming(Invocation(()), False, lambda: None)(START)
        assert (ended.value.exit_code, signal.getsignal(number)) == (128 + number, unheard)
    finally:
        signal.signal(number, before)


def test_the_loop_never_hears_of_a_ctrl_c_that_was_an_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    def press(text: str, **_: Any) -> str:
        signal.raise_signal(signal.SIGINT)
        return "acct_1"

    monkeypatch.setattr(asking, "can_ask", lambda: True)
    monkeypatch.setattr(click, "prompt", press)
    heard, loop = socket.socketpair()
    with heard, loop:
        heard.setblocking(False)
        loop.setblocking(False)
        before = signal.set_wakeup_fd(loop.fileno())
        try:
            assert confirming(Invocation(()), False, lambda: None)(START) is False
            with pytest.raises(BlockingIOError):
                heard.recv(1)
        finally:
            assert signal.set_wakeup_fd(before) == loop.fileno()


@pytest.mark.parametrize(
    "trouble",
    [OSError(errno.EIO, "Input/output error"), UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid start byte")],
)
def test_a_terminal_that_is_gone_or_sends_no_text_has_not_agreed(
    monkeypatch: pytest.MonkeyPatch, trouble: Exception
) -> None:
    def fail(text: str, **_: Any) -> str:
        raise trouble

    monkeypatch.setattr(asking, "can_ask", lambda: True)
    monkeypatch.setattr(click, "prompt", fail)
    assert confirming(Invocation(()), False, lambda: None)(START) is False
    with pytest.raises(UsageError, match="API key"):
        find_key(None, {}, may_ask=True)


def test_an_input_that_ends_before_the_key_is_no_interrupt_and_a_signal_is(monkeypatch: pytest.MonkeyPatch) -> None:
    def leave(text: str, **_: Any) -> str:
        raise click.Abort

    monkeypatch.setattr(click, "prompt", leave)
    monkeypatch.setattr(early, "caught", [])
    with pytest.raises(UsageError, match="no API key is given"):
        find_key(None, {}, may_ask=True)
    early.caught.append(signal.SIGHUP)
    with pytest.raises(KeyboardInterrupt):
        find_key(None, {}, may_ask=True)


def test_an_account_whose_name_is_unknown_is_not_confirmed_by_an_empty_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking, "can_ask", lambda: True)
    monkeypatch.setattr(click, "prompt", lambda text, **_: "")
    assert confirming(Invocation(()), False, lambda: None)(replace(START, account_name=None)) is False


@pytest.mark.parametrize(
    ("base", "refused"),
    [
        ("http://example.com", True),
        ("http://1.1.1.1:8080", True),
        ("http://api.stripe.com", True),
        ("http://[2606:4700::1]", True),
        ("https://example.com", False),
        ("http://127.0.0.1:1", False),
        ("http://192.168.0.7:12111", False),
        ("http://[fd00::1]", False),
        ("http://stripe-mock:12111", False),
        ("http://host.docker.internal:1", False),
        (STRIPE, False),
    ],
)
def test_no_key_goes_unencrypted_over_the_internet(base: str, refused: bool) -> None:
    if refused:
        with pytest.raises(UsageError, match="unencrypted"):
            settle({"STRIPE_API_KEY": TEST_KEY}, api_base=base)
    else:
        assert settle({"STRIPE_API_KEY": TEST_KEY}, api_base=base).api_base == base
