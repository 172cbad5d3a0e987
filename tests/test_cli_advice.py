"""What is said to a person who is to type something next: that it can be typed, and that it helps."""

from __future__ import annotations

import json
import os
import shlex
import signal
import socket
import subprocess
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from bulk_import.cli.connecting import find_key
from bulk_import.cli.events import Events
from bulk_import.cli.following import seen_from_here, unhindered
from bulk_import.cli.terminal import Output
from bulk_import.cli.undo import opening
from bulk_import.errors import UsageError
from bulk_import.job.closing import next_command, stopped_by, stopping
from bulk_import.job.session import Session
from bulk_import.job.undone import Listing
from bulk_import.ledger import Pairings, open_for_writing
from bulk_import.model import Created, Settled
from bulk_import.options import Connecting, Pacing, Progress
from bulk_import.wording import counted, pastable
from tests.cli_calls import DECLINED, Program, calling, claim_of, purpose, row, small_ledger, summary, written
from tests.rig import KEY, command


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
        events = Events(Output(file), lambda line: None)
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
    Path(f"{source}.ledger.db").rename(f"{source}.simulated.db")
    assert f"the ledger of {source} is {source}.simulated.db, so give that one" in call("status", source).err
    Path(f"{source}.simulated.db").unlink()
    assert "move it away" not in call("status", source).err


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


@pytest.mark.parametrize(
    ("line", "here", "seen"),
    [
        ("bulk-import run k.csv --key id", "a", "bulk-import run k.csv --key id"),
        ("bulk-import run k.csv --key id -q", "a", "bulk-import run k.csv --key id"),
        ("bulk-import run ./k.csv --rate 5 --json", "b", "bulk-import run {a}/k.csv --rate 5"),
        ("bulk-import run a/k.csv --ledger=l.db --mapping m.toml", "a", "bulk-import run k.csv --ledger={top}/l.db --mapping {top}/m.toml"),
        ("bulk-import run --api-key-file key k.csv", "top", "bulk-import run --api-key-file a/key a/k.csv"),
        ("bulk-import run {a}/k.csv -v", "b", "bulk-import run {a}/k.csv"),
        ("bulk-import run ../a/k.csv", "b", "bulk-import run ../a/k.csv"),
        ("bulk-import run ../a/k.csv", "top", None),
    ],
)  # fmt: skip
def test_an_import_is_advised_with_the_paths_of_the_folder_one_is_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, line: str, here: str, seen: str | None
) -> None:
    places = {"top": tmp_path, "a": tmp_path / "a", "b": tmp_path / "b"}
    for place in ("a", "b"):
        places[place].mkdir()
    monkeypatch.chdir(places[here])
    facts = purpose(3, source=str(tmp_path / "a" / "k.csv"))
    found = seen_from_here(line.format(**places), tmp_path / "l.db", facts)
    assert found == (seen.format(**places) if seen is not None else None)


def test_what_a_pipe_held_goes_on_from_the_folder_of_its_ledger_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    facts, line = purpose(3, spooled=True, source="-"), "bulk-import run - --ledger l.db --rate 5"
    monkeypatch.chdir(tmp_path)
    assert seen_from_here(line, Path("l.db"), facts) == line
    assert seen_from_here(line, Path("elsewhere/l.db"), facts) is None


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("BULK_IMPORT_RUN_RATE", "xx", "'xx' is no rate above 0; write 20, 0.5 or none. (read from BULK_IMPORT_RUN_RATE)"),
        ("BULK_IMPORT_RUN_DEDUPE", "some", "(read from BULK_IMPORT_RUN_DEDUPE)"),
    ],
)  # fmt: skip
def test_a_wrong_value_from_the_environment_is_said_to_be_from_there(
    call: Program, monkeypatch: pytest.MonkeyPatch, name: str, value: str, words: str
) -> None:
    monkeypatch.setenv(name, value)
    said = call("run", "k.csv", "--simulate")
    assert (said.code, words in said.err) == (2, True)
    assert "read from" not in call("run", "k.csv", "--simulate", "--rate", "yy").err.partition(name)[0]


@pytest.mark.parametrize("words", [("--help",), ("run", "--help"), ("--version",)])
def test_help_onto_a_full_disk_is_no_error_that_nobody_knows(words: tuple[str, ...]) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(command(*words), stdout=full, stderr=subprocess.PIPE, text=True, check=False, timeout=60)
    assert done.returncode == 3
    assert done.stderr.startswith("Error: standard output cannot be written (No space left on device)")


@pytest.mark.parametrize(
    ("count", "words"), [(0, "0 rows are"), (1, "1 row is"), (2, "2 rows are"), (1234, "1,234 rows are")]
)
def test_things_are_counted_as_a_person_says_it(count: int, words: str) -> None:
    assert counted(count, "row is", "rows are") == words
    assert counted(count, "row") == words.rpartition(" ")[0]


def test_an_undo_of_updates_warns_of_detaching_only_where_something_was_attached() -> None:
    listing = Listing(
        "l.db", "acct_1", None, livemode=False, simulated=False, customers=0, first=(), unfinished=0, in_doubt=0,
        updated=1, updated_first=((1, "cus_1"),),
    )  # fmt: skip
    assert "detached" not in "".join(opening(listing))
    assert "1 update attached a payment method: that is detached" in "".join(opening(replace(listing, attaching=1)))


def test_an_undo_says_that_mended_rows_begin_anew_as_the_source_has_them(
    call: Program, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger = tmp_path / "l.db"
    monkeypatch.setenv("STRIPE_API_KEY", KEY)
    with written(ledger, purpose(2)) as writer:
        writer.write([claim_of(row(n, {"email": f"p{n}@example.com"})) for n in (1, 2)], [])
        writer.write([], [Settled(1, Created("cus_1", "req_1"), None, 1), Settled(2, DECLINED, None, 1)])
        assert "begin anew" not in call("undo", ledger).err
        writer.mend([row(2, {"email": "m2@example.com"})], writer.begin_command("retry", None, None), None)
    assert "undone, they begin anew as the source has them" in call("undo", ledger).err


def test_a_live_ledger_is_advised_with_live_and_an_unfinished_undo_comes_first(call: Program, tmp_path: Path) -> None:
    ledger = tmp_path / "l.db"
    with written(ledger, purpose(1, livemode=True)) as writer:
        one = row(1, {})
        writer.write([claim_of(one)], [])
        writer.write([], [Settled(1, Created("cus_1", "req_1"), None, 1)])
    db = open_for_writing(ledger)
    Pairings(db, ledger, lambda: 1_700_000_100.0).begin_undo([(1, "cus_1")])
    db.close()
    said = call("status", ledger)
    assert said.err.splitlines()[-2] == f"next: bulk-import undo {ledger} --live"
    assert json.loads(call("status", ledger, "--json").out)["next"] == f"bulk-import undo {ledger} --live"


@pytest.mark.parametrize(
    ("line", "variables", "first"),
    [
        ("bulk-import run p.csv", {"LIMIT": "5", "RATE": "9"}, "env -u BULK_IMPORT_RUN_LIMIT "),
        ("bulk-import run p.csv --limit=5", {"LIMIT": "5"}, ""),
        ("bulk-import run p.csv --limit 5", {"LIMIT": "5", "SAMPLE": ""}, ""),
        ("bulk-import run p.csv --dry-run --ledger x.db", {"DRY_RUN": "1", "LEDGER": "x.db"}, ""),
        ("bulk-import run p.csv", {"API_BASE": "http://127.0.0.1:1"}, ""),
        (
            "bulk-import run p.csv --live",
            {"LEDGER": "x.db", "SAMPLE": "9"},
            "env -u BULK_IMPORT_RUN_SAMPLE -u BULK_IMPORT_RUN_LEDGER ",
        ),
        ("bulk-import export p.db --what map", {"LIMIT": "5"}, ""),
        (None, {"LIMIT": "5"}, None),
    ],
)
def test_what_the_next_command_leaves_out_on_purpose_does_not_come_back_from_the_environment(
    line: str | None, variables: dict[str, str], first: str | None
) -> None:
    environ = {f"BULK_IMPORT_RUN_{name}": value for name, value in variables.items()}
    assert unhindered(line, environ) == (None if line is None or first is None else first + line)
