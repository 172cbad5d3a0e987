from __future__ import annotations

import http.server
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli_calls import Program, calling, small_ledger

LIVE_KEY = "sk_live_abcdefghijklmnop"


class Counting(http.server.BaseHTTPRequestHandler):
    """Counts every request, a proxy's CONNECT included, and answers none of them well."""

    count = 0

    def answer(self) -> None:
        type(self).count += 1
        self.send_error(500)

    do_GET = do_POST = do_DELETE = do_CONNECT = answer  # noqa: N815 - the names that the base class looks for

    def log_message(self, *_: object) -> None:
        """Stay quiet."""


@pytest.fixture
def url() -> Iterator[str]:
    Counting.count = 0
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Counting)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, url: str) -> Program:
    """The program with a live key in the environment; every way to Stripe leads to the server that counts."""
    program = calling(capsys, monkeypatch)
    monkeypatch.setenv("STRIPE_API_KEY", LIVE_KEY)
    for name in ("HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy"):
        monkeypatch.setenv(name, url)
    monkeypatch.setattr("bulk_import.cli.connecting.can_ask", lambda: False)
    return program


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ([], "add --live"),
        (["--live"], "add --yes"),
        (["--dry-run"], "test keys only"),
        (["--live", "--dry-run"], "exclude each other"),
        (["--api-base", "URL"], "is sent to https://api.stripe.com only"),
        (["--live", "--yes", "--api-base", "URL"], "is sent to https://api.stripe.com only"),
        (["--live", "--yes", "--api-base", "http://api.stripe.com"], "is sent to https://api.stripe.com only"),
    ],
)
def test_a_live_key_that_was_not_asked_for_twice_sends_nothing(
    call: Program, url: str, tmp_path: Path, words: list[str], sentence: str
) -> None:
    source = tmp_path / "people.csv"
    source.write_text("email\nann@example.com\n")
    said = call("run", source, *(url if word == "URL" else word for word in words))
    assert (said.code, Counting.count) == (2, 0)
    assert sentence in said.err
    assert LIVE_KEY not in said.err
    assert [path.name for path in tmp_path.iterdir()] == ["people.csv"]


@pytest.mark.parametrize("verb", ["retry", "verify", "undo"])
def test_a_ledger_of_test_mode_is_closed_to_a_live_key(call: Program, tmp_path: Path, verb: str) -> None:
    ledger = small_ledger(tmp_path / "l.db")
    plain = call(verb, ledger)
    assert (plain.code, "add --live" in plain.err, Counting.count) == (2, True, 0)
    asked = call(verb, ledger, "--live", "--yes")
    assert (asked.code, "begun with test, this run has live" in asked.err, Counting.count) == (5, True, 0)


@pytest.mark.parametrize("verb", ["retry", "verify", "undo"])
def test_a_ledger_of_a_dry_run_is_closed_to_a_live_key(call: Program, tmp_path: Path, verb: str) -> None:
    said = call(verb, small_ledger(tmp_path / "l.db", dry_run=True), "--live", "--yes")
    assert (said.code, Counting.count) == (2, 0)


def test_the_server_that_counts_does_count(call: Program, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = tmp_path / "people.csv"
    source.write_text("email\nann@example.com\n")
    monkeypatch.setenv("STRIPE_API_KEY", "sk_test_abcdefghijklmnop")
    said = call("run", source, "--max-attempts", "1", "--give-up-after", "100ms", "--timeout", "2s")
    assert said.code in (3, 4)
    assert Counting.count > 0
