"""What is said to a person who is to type something next: that it can be typed, and that it helps."""

from __future__ import annotations

import json
import os
import shlex
import signal
import socket
import subprocess
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from bulk_import.cli.connecting import find_key
from bulk_import.cli.events import Events
from bulk_import.cli.terminal import Output
from bulk_import.cli.undo import opening
from bulk_import.errors import UsageError
from bulk_import.job.closing import next_command, stopped_by, stopping
from bulk_import.job.session import Session
from bulk_import.job.undoing import Listing
from bulk_import.options import Connecting, Pacing, Progress
from bulk_import.wording import pastable
from tests.cli_calls import Program, calling, small_ledger, summary


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Program:
    return calling(capsys, monkeypatch)


def test_a_command_on_a_ledger_without_a_key_asks_for_that_account_and_for_no_rehearsal() -> None:
    with pytest.raises(UsageError, match="the key of account acct_7") as caught:
        find_key(None, {}, may_ask=False, account="acct_7")
    assert "--simulate" not in str(caught.value)


def test_what_is_under_way_is_counted_when_a_run_stops() -> None:
    assert stopping(20) == "stopping: 20 requests are under way; Ctrl-C again gives up on them"
    assert stopping(1) == "stopping: 1 request is under way; Ctrl-C again gives up on it"
    assert stopping(0) == "stopping"


def test_a_signal_is_called_by_its_name() -> None:
    assert stopped_by(signal.SIGINT) == "stopped by Ctrl-C (SIGINT)"
    assert stopped_by(signal.SIGTERM) == "stopped by SIGTERM"


@pytest.mark.parametrize("name", [b"m\xfcller.csv", b"two\nlines.csv", b"it's \\ \n.csv", "grün.csv".encode()])
def test_an_odd_name_in_a_command_is_pasted_as_it_is(name: bytes) -> None:
    line = pastable(shlex.join(["printf", "%s", os.fsdecode(name)]))
    assert line.isprintable()
    echoed = subprocess.run(["/bin/bash", "-c", line], capture_output=True, check=True, timeout=20)
    assert echoed.stdout == name


def test_a_ledger_named_like_an_option_is_named_as_a_path() -> None:
    line = next_command(summary(ledger="-dash.csv.ledger.db"), "")
    assert line == "bulk-import export ./-dash.csv.ledger.db --what map"


def test_a_missing_choice_is_told_in_one_line(call: Program) -> None:
    said = call("completion")
    assert said.code == 2
    assert "\\n" not in said.err
    assert "Choose from: bash, zsh, fish" in said.err


def test_updated_customers_that_are_not_listed_are_counted() -> None:
    listing = Listing(
        "l.db", "acct_1", None, livemode=False, simulated=False, customers=0, first=(), unfinished=0, in_doubt=0,
        updated=14, updated_first=tuple((n, f"cus_{n}") for n in range(5)),
    )  # fmt: skip
    assert "  and 9 more" in opening(listing)


def test_progress_for_programs_is_rounded(tmp_path: Path) -> None:
    with (tmp_path / "out").open("w") as file:
        events = Events(Output(file))
        events._started = True
        events.progress(Progress(3, 1, {}, 1, 0, 0, 0, 1 / 3, 2 / 3, None))
    event = json.loads((tmp_path / "out").read_text())
    assert [value for value in event.values() if isinstance(value, float)] == [0.333, 0.667]


@pytest.mark.parametrize("verb", ["status", "report", "retry", "verify"])
def test_a_source_given_for_its_ledger_is_told_the_ledgers_name(call: Program, tmp_path: Path, verb: str) -> None:
    source = tmp_path / "k.csv"
    source.write_text("email\nann@example.com\n" * 200)
    small_ledger(tmp_path / "k.csv.ledger.db")
    said = call(verb, source)
    assert said.code == 5
    assert f"{source} is no ledger; the ledger of {source} is {source}.ledger.db" in said.err


def test_a_check_that_found_invalid_rows_leads_to_mending_them(call: Program, tmp_path: Path) -> None:
    source = tmp_path / "k.csv"
    source.write_text("email\nann@example.com\nno address\n")
    last = call("check", source).err.splitlines()[-2:]
    assert last[0] == "1 row is invalid, and a run sends only the others: mend them, then check again"
    assert last[1] == f"next: bulk-import check {source}"


def test_a_port_in_use_is_told_with_what_to_type(call: Program) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        said = call("simulate", "--port", str(port))
    assert said.code == 2
    assert f"port {port} is in use; give another --port, or 0 for a free one" in said.err


def test_a_run_that_a_signal_stops_says_once_what_is_under_way() -> None:
    said: list[tuple[str, str]] = []
    observer = SimpleNamespace(notice=lambda *words: said.append(words), progress=lambda now: None)
    session: Any = Session(Connecting(), Pacing(), cast(Any, observer), "bulk-import run k.csv")
    session.engine = SimpleNamespace(ended=SimpleNamespace(signal=None))
    session.gate = SimpleNamespace(in_flight=20)
    session.watch, session.series = SimpleNamespace(progress=lambda: None), SimpleNamespace(is_due=lambda: False)
    session.tell_progress()
    assert said == []
    session.engine.ended.signal = signal.SIGINT
    session.tell_progress()
    session.tell_progress()
    assert said == [("stopping", stopping(20))]
