from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Any

import pytest

from bulk_import.cli.following import continuing, next_command
from bulk_import.cli.headline import End, Facts, headline
from bulk_import.ledger import Lock, Pairings, open_for_writing
from bulk_import.model import Created, Duplicate, Settled
from bulk_import.report.table import STATUSES
from tests.cli_calls import Program, calling, claim_of, purpose, row, settled, small_ledger, written


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Program:
    return calling(capsys, monkeypatch)


def counts(**some: int) -> dict[str, int]:
    return {**dict.fromkeys(STATUSES, 0), **some}


def test_it_says_tallies_mode_and_what_to_type_next(call: Program, tmp_path: Path) -> None:
    ledger = small_ledger(tmp_path / "l.db")
    said = call("status", ledger)
    assert (said.code, said.out) == (0, "")
    lines = said.err.splitlines()
    assert lines[0] == f"{ledger}: stopped before its end"
    assert lines[1] == "/data/people.csv -> acct_1 (Example), test mode"
    for line in (
        "  created    1",
        "  duplicate  2",
        "  failed     1",
        "  invalid    1",
        "  pending    1",
        "  rows       6",
    ):
        assert line in lines
    assert lines[-1] == f"next: bulk-import run /data/people.csv --ledger {ledger}"


def test_json_has_the_same_as_values(call: Program, tmp_path: Path) -> None:
    found = json.loads(call("status", small_ledger(tmp_path / "l.db"), "--json").out)
    assert {name: found[name] for name in STATUSES} == counts(created=1, duplicate=2, invalid=1, failed=1, pending=1)
    assert (found["rows"], found["orphans"], found["running"], found["livemode"]) == (6, 1, False, False)
    assert (found["source"], found["account"], found["reason"]) == ("/data/people.csv", "acct_1", None)


def test_it_names_who_works_on_the_ledger_and_offers_nothing_to_type(call: Program, tmp_path: Path) -> None:
    ledger = small_ledger(tmp_path / "l.db")
    lock = Lock(ledger)
    said = call("status", ledger)
    lock.release()
    assert said.code == 0
    assert f"{ledger}: running (pid " in said.err
    assert "next:" not in said.err


def test_rate_time_left_and_reason_are_those_of_the_last_command(call: Program, tmp_path: Path) -> None:
    clock = iter([100.0, *[110.0] * 4, 110.0])
    ledger = tmp_path / "l.db"
    with written(ledger, purpose(12), lambda: next(clock)) as writer:
        command = writer.begin_command("run", None, None)
        writer.write([], [settled(row(n, {}), Duplicate(1), 0) for n in range(2, 6)])
        writer.end_command(command, 3, "the disk was full", {})
    said = call("status", ledger, "--json")
    found = json.loads(said.out)
    assert (found["rows_per_second"], found["seconds_left"], found["pending"]) == (0.4, 20.0, 8)
    assert (found["reason"], found["exit_code"], found["last_command"]) == ("the disk was full", 3, "run")
    assert (found["started_at"], found["ended_at"]) == ("1970-01-01T00:01:40.000Z", "1970-01-01T00:01:50.000Z")
    assert "why it stopped: the disk was full" in call("status", ledger).err


def test_a_command_that_never_said_goodbye_was_cut_off(call: Program, tmp_path: Path) -> None:
    ledger = tmp_path / "l.db"
    with written(ledger, purpose(2)) as writer:
        writer.begin_command("run", None, None)
    found = json.loads(call("status", ledger, "--json").out)
    assert "cut off" in found["reason"]
    assert found["rows_per_second"] is None


@pytest.mark.parametrize(
    ("some", "orphans", "words"),
    [
        ({"created": 3}, 0, "export l.db --what map"),
        ({"failed": 1}, 0, "export l.db --what failed --output failed.csv"),
        ({"invalid": 1}, 0, "export l.db --what failed --output failed.csv"),
        ({"duplicate": 1}, 1, "export l.db --what failed --output failed.csv"),
        ({"in_doubt": 1, "failed": 1}, 0, "retry l.db"),
        ({"pending": 1, "in_doubt": 1}, 0, "run /data/people.csv --ledger l.db"),
    ],
)
def test_the_next_command_follows_from_the_tallies(some: dict[str, int], orphans: int, words: str) -> None:
    assert next_command(Path("l.db"), purpose(3), counts(**some), orphans) == f"bulk-import {words}"


@pytest.mark.parametrize(
    ("ledger", "changes", "words"),
    [
        ("/data/people.csv.ledger.db", {}, "run /data/people.csv"),
        ("/data/people.csv.ledger.db", {"livemode": True}, "run /data/people.csv --live"),
        ("/data/people.csv.simulated.db", {"state_file": "s"}, "run /data/people.csv --simulate"),
        ("/data/people.csv.dry-run.db", {"dry_run": True}, "run /data/people.csv --dry-run"),
        ("a b.db", {"state_file": "s"}, "run /data/people.csv --ledger 'a b.db' --simulate"),
        ("l.db", {"spooled": True, "source": "-"}, "run - --ledger l.db"),
        ("-l.db", {}, "run /data/people.csv --ledger ./-l.db"),
    ],
)
def test_the_continuing_command_names_what_the_first_one_did(ledger: str, changes: dict[str, Any], words: str) -> None:
    assert continuing(Path(ledger), purpose(3, **changes)) == f"bulk-import {words}"


def test_the_continuing_command_repeats_the_options_that_the_ledger_remembers() -> None:
    mapping = {
        "maps": [["Post code", "address.postal_code"]],
        "sets": [["metadata.a", "b c"]],
        "unmapped": "ignore",
        "key": "id",
    }
    options = {
        "mapping": mapping, "allow_no_email": True, "email_check": "off", "default_payment_method": False,
        "dedupe": "lookup", "on_existing": "refuse", "marker": False,
    }  # fmt: skip
    facts = purpose(3, options=options, hash_emails=True, api_base="http://127.0.0.1:5", stripe_account="acct_c")
    assert shlex.split(continuing(Path("/data/people.csv.ledger.db"), facts)) == [
        "bulk-import", "run", "/data/people.csv", "--allow-no-email", "--no-default-payment-method", "--no-marker",
        "--hash-emails", "--map", "Post code=address.postal_code", "--set", "metadata.a=b c", "--unmapped", "ignore",
        "--key", "id", "--email-check", "off", "--dedupe", "lookup", "--on-existing", "refuse",
        "--api-base", "http://127.0.0.1:5", "--stripe-account", "acct_c",
    ]  # fmt: skip


def test_a_ledger_that_knows_no_source_yet_says_so(call: Program, tmp_path: Path) -> None:
    from bulk_import.ledger import open_for_writing

    open_for_writing(tmp_path / "l.db").close()
    said = call("status", tmp_path / "l.db")
    assert said.code == 0
    assert "no run has got so far" in said.err


@pytest.mark.parametrize("content", [None, b"not a ledger, only some text that is long enough"])
def test_what_is_no_ledger_is_code_5(call: Program, tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "l.db"
    if content is not None:
        path.write_bytes(content)
    said = call("status", path)
    assert (said.code, said.out) == (5, "")
    assert said.err.startswith("Error: ")
    assert len(said.err.splitlines()) == 1


def test_a_run_that_came_to_the_end_of_its_limit_is_finished_and_goes_on_with_all_rows(
    call: Program, tmp_path: Path
) -> None:
    ledger = small_ledger(tmp_path / "l.db")
    with written(ledger, purpose(6)) as writer:
        command = writer.begin_command("run", None, None)
        writer.end_command(command, 1, None, {"line": "bulk-import run people.csv --limit 5 --live"})
    said = call("status", ledger)
    assert f"{ledger}: finished with the rows that were chosen" in said.err
    assert said.err.splitlines()[-1] == "next: bulk-import run /data/people.csv --live"
    taken_back(ledger)
    with written(ledger, purpose(6)) as writer:
        writer.end_command(writer.begin_command("undo", None, None), 0, None, {"line": "bulk-import undo l.db"})
    found = json.loads(call("status", ledger, "--json").out)
    assert (found["last_command"], found["exit_code"]) == ("undo", 0)
    assert f"{ledger}: undone" in call("status", ledger).err


def taken_back(ledger: Path) -> None:
    """What an undo writes of the one customer that a small ledger created."""
    db = open_for_writing(ledger)
    pairings = Pairings(db, ledger, lambda: 5.0)
    pairings.begin_undo([(1, "cus_1")])
    pairings.settle_undo([(1, "cus_1")], [])
    db.close()


CUT, DONE = End.CUT_OFF, End.FINISHED


@pytest.mark.parametrize(
    ("deciding", "last", "rows", "said"),
    [
        (None, None, {"rows": 0}, "no run has got so far as to know its rows"),
        (("run", DONE), None, {}, "finished"),
        (("run", DONE), None, {"pending": 3}, "finished with the rows that were chosen; the others were never sent"),
        (("run", DONE), None, {"in_doubt": 3}, "finished, with rows in doubt"),
        (("run", CUT), None, {"pending": 3}, "stopped before its end"),
        (("run", CUT), None, {"in_doubt": 3}, "stopped before its end"),
        (("run", CUT), None, {}, "finished"),
        (("run", CUT), ("retry", DONE), {"in_doubt": 3}, "finished, with rows in doubt"),
        (("run", CUT), ("retry", DONE), {"pending": 3}, "stopped before its end"),
        (("run", DONE), ("retry", CUT), {"failed": 3}, "stopped before its end"),
        (("run", DONE), ("retry", CUT), {}, "finished"),
        (("undo", CUT), None, {"pending": 13, "undone": 13, "kept": 262}, "undo stopped before its end: 13 of 275 undone"),
        (("undo", CUT), ("retry", DONE), {"pending": 13, "undone": 13, "kept": 262}, "undo stopped before its end: 13 of 275 undone"),
        (("undo", CUT), None, {"kept": 150, "begun": 100}, "undo stopped before its end: 0 to 100 of 150 undone"),
        (("undo", CUT), None, {"kept": 1_275}, "undo stopped before its end: 0 of 1,275 undone"),
        (("undo", DONE), None, {"pending": 96, "undone": 96, "kept": 4}, "undo finished: 96 of 100 undone, 4 left"),
        (("undo", DONE), None, {"undone": 0, "kept": 4}, "undo finished: 0 of 4 undone, 4 left"),
        (("undo", DONE), None, {"pending": 96, "undone": 96, "in_doubt": 1}, "undone, but for 1 row in doubt"),
        (("undo", DONE), None, {"pending": 100, "undone": 100}, "undone; a new run does it all again"),
    ],
)  # fmt: skip
def test_the_headline_is_true_of_each_state(
    deciding: tuple[str, End] | None, last: tuple[str, End] | None, rows: dict[str, int], said: str
) -> None:
    none = {"rows": 300, "pending": 0, "in_doubt": 0, "failed": 0, "undone": 0, "kept": 0, "begun": 0}
    assert headline(Facts(**{**none, **rows}, deciding=deciding, last=last or deciding)) == said


@pytest.mark.parametrize("code", [130, 3, None])
def test_an_undo_that_was_cut_short_never_reads_as_finished(call: Program, tmp_path: Path, code: int | None) -> None:
    ledger = small_ledger(tmp_path / "l.db")
    commanded(ledger, ("run", 1, None, "run people.csv"))
    taken_back(ledger)
    with written(ledger, purpose(6)) as writer:
        writer.write([claim_of(row(6, {}))], [])
        writer.write([], [Settled(6, Created("cus_6"), None, 1)])
    commanded(ledger, ("undo", code, "stopped by SIGINT", "undo l.db"))
    assert call("status", ledger).err.splitlines()[0] == f"{ledger}: undo stopped before its end: 1 of 2 undone"


def test_a_run_that_could_not_write_its_end_is_stopped_and_goes_on_as_it_was_typed(
    call: Program, tmp_path: Path
) -> None:
    ledger = small_ledger(tmp_path / "l.db")
    with written(ledger, purpose(6)) as writer:
        writer.write([claim_of(row(6, {}))], [])
    commanded(ledger, ("run", None, None, "run people.csv --rate 7"))
    said = call("status", ledger).err.splitlines()
    assert said[0] == f"{ledger}: stopped before its end"
    assert said[-1] == "next: bulk-import run /data/people.csv --rate 7"


def commanded(ledger: Path, *commands: tuple[str, int | None, str | None, str]) -> None:
    with written(ledger, purpose(6)) as writer:
        for verb, code, reason, line in commands:
            begun = writer.begin_command(verb, None, None, f"bulk-import {line}")
            if code is not None:
                writer.end_command(begun, code, reason, {})


def test_what_only_looked_or_was_refused_changes_neither_the_verdict_nor_what_comes_next(
    call: Program, tmp_path: Path
) -> None:
    ledger = small_ledger(tmp_path / "l.db")
    commanded(
        ledger,
        ("run", 1, None, "run people.csv --rate 7 --limit 5 --live"),
        ("run", 5, "the ledger belongs to another account", "run other.csv --live"),
        ("run", 2, "not confirmed, so nothing was sent", "run people.csv --live --dedupe off"),
        ("verify", 0, None, "verify l.db"),
    )
    said = call("status", ledger)
    assert f"{ledger}: finished with the rows that were chosen" in said.err
    assert "why it stopped" not in said.err
    assert said.err.splitlines()[-1] == "next: bulk-import run /data/people.csv --rate 7 --live"
    assert call("report", ledger).err.splitlines()[-1] == said.err.splitlines()[-1]
    against = call("report", ledger, "--against", small_ledger(tmp_path / "r.db"))
    assert against.err.splitlines()[-1] == said.err.splitlines()[-1]


def test_a_reason_to_stop_outlives_a_look(call: Program, tmp_path: Path) -> None:
    ledger = small_ledger(tmp_path / "l.db")
    commanded(ledger, ("run", 3, "the disk was full", "run people.csv"), ("verify", 0, None, "verify l.db"))
    said = call("status", ledger)
    assert (f"{ledger}: stopped before its end" in said.err, "the disk was full" in said.err) == (True, True)


@pytest.mark.parametrize(
    ("verb", "code", "cut"), [("run", 3, True), ("run", None, True), ("run", 6, False), ("retry", 6, False)]
)
def test_rows_in_doubt_are_an_end_only_where_the_run_came_to_it(
    call: Program, tmp_path: Path, verb: str, code: int | None, cut: bool
) -> None:
    ledger = small_ledger(tmp_path / "l.db")
    with written(ledger, purpose(6)) as writer:
        writer.write([claim_of(row(6, {}))], [])
        command = writer.begin_command(verb, None, None, "bulk-import run /data/people.csv")
        if code is not None:
            writer.end_command(command, code, None, {})
    lines = call("status", ledger).err.splitlines()
    assert lines[0] == f"{ledger}: " + ("stopped before its end" if cut else "finished, with rows in doubt")
    assert lines[-1].startswith("next: bulk-import run " if cut else "next: bulk-import retry ")


def test_rows_being_sent_this_moment_are_called_under_way(call: Program, tmp_path: Path) -> None:
    ledger = small_ledger(tmp_path / "l.db")
    with written(ledger, purpose(6)) as writer:
        writer.write([claim_of(row(6, {}))], [])
    lock = Lock(ledger)
    running = call("status", ledger).err
    lock.release()
    assert ("under way" in running, "in doubt" in running) == (True, False)
    assert "in doubt" in call("status", ledger).err


def test_a_program_is_told_why_nothing_came_of_a_command(call: Program, tmp_path: Path) -> None:
    for words, code in ((("status", tmp_path / "none.db"), 5), (("check", tmp_path / "none.csv"), 2), (("plan",), 2)):
        said = call(*words, "--json")
        told = json.loads(said.out)
        assert (said.code, told["exit_code"], list(told)) == (code, code, ["error", "exit_code"])
        assert told["error"] in said.err
    assert call("status", tmp_path / "none.db").out == ""


def test_an_import_of_some_rows_that_was_undone_is_done_again_for_those_rows(call: Program, tmp_path: Path) -> None:
    ledger = small_ledger(tmp_path / "l.db", source="-", spooled=True)
    with written(ledger, purpose(6, source="-", spooled=True)) as writer:
        line = f"bulk-import run - --ledger {ledger} --dry-run --sample 2"
        writer.end_command(writer.begin_command("run", None, None, line), 1, None, {})
        assert call("status", ledger).err.splitlines()[-1] == f"next: bulk-import run - --ledger {ledger} --dry-run"
        writer.end_command(writer.begin_command("undo", None, None, "bulk-import undo l.db"), 0, None, {})
    said = call("status", ledger).err.splitlines()
    assert said[1].startswith("standard input -> acct_1")
    assert said[-1] == f"next: {line}"
