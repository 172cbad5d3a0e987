"""`retry` out of the ledger alone, with and without corrections; the oracle is the simulated account."""

from __future__ import annotations

import json
import os
import re
from collections import Counter
from pathlib import Path

import pytest

from bulk_import.model import Settled
from tests.cli_calls import DECLINED as CARD_DECLINED
from tests.cli_calls import calling, claim_of, purpose, row, written
from tests.dying import GONE
from tests.rig import KEY, check_promises, environment, exported, simulated, tool
from tests.test_end_to_end import UNLIMITED
from tests.warm import start

DECLINED = (
    "id,email,payment_method,phone,note\n"
    "u1,ann@example.com,pm_card_chargeDeclined,+4930123456,=1+1\n"
    "u2,ANN@example.com,pm_card_visa,+4930123457,'quoted\n"
    "u3,bob@example.com,pm_card_visa,,\n"
)


def failed_export(ledger: Path, target: Path) -> list[str]:
    """The failed export, as a person would open it."""
    assert tool("export", ledger, "--what", "failed", "--output", target).returncode == 0
    return target.read_text().splitlines()


def test_an_owner_whose_address_is_corrected_lets_its_duplicates_go(tmp_path: Path) -> None:
    source, fixed = tmp_path / "users.csv", tmp_path / "failed.csv"
    ledger = tmp_path / "users.csv.ledger.db"
    source.write_text(DECLINED)
    with simulated(*UNLIMITED) as server:
        run = ("run", source, "--api-base", server.url, "--rate", "none", "--key", "id")
        assert tool(*run).returncode == 1
        head, owner, _duplicate = failed_export(ledger, fixed)
        mended = owner.replace("ann@", "anna@").replace("pm_card_chargeDeclined", "pm_card_visa")
        fixed.write_text(f"{head}\n{mended}\n")
        done = tool("retry", ledger, "--api-base", server.url, "--with", fixed)
        assert done.returncode == 0, done.stderr
        assert check_promises(server, ledger, 3) == Counter(created=3)
        people = {c["metadata"]["source_id"]: c for c in server.customers()}
        assert {i: p["email"] for i, p in people.items()} == {
            "u1": "anna@example.com",
            "u2": "ANN@example.com",
            "u3": "bob@example.com",
        }
        assert (people["u1"]["phone"], people["u1"]["description"]) == ("+4930123456", "=1+1")
        assert people["u2"]["description"] == "'quoted"


def test_a_row_may_take_the_address_of_one_that_is_corrected_later(tmp_path: Path) -> None:
    source, fixed = tmp_path / "users.csv", tmp_path / "failed.csv"
    ledger = tmp_path / "users.csv.ledger.db"
    source.write_text("email,payment_method\na@example.com,pm_missing1\nb@example.com,pm_missing2\n")
    with simulated(*UNLIMITED) as server:
        assert tool("run", source, "--api-base", server.url, "--rate", "none").returncode == 1
        head, *lines = failed_export(ledger, fixed)
        swapped = [line.replace("pm_missing1", "").replace("pm_missing2", "") for line in lines]
        swapped = [swapped[0].replace("a@", "b@"), swapped[1].replace("b@", "c@")]
        fixed.write_text("\n".join([head, *swapped]) + "\n")
        options = ("--api-base", server.url, "--with", fixed, "--batch-size", "1")
        done = tool("retry", ledger, *options)
        assert done.returncode == 0, done.stderr
        assert check_promises(server, ledger, 2) == Counter(created=2)
        assert [line["email"] for line in exported(ledger)] == ["b@example.com", "c@example.com"]


def test_the_whole_failed_export_can_be_given_back_with_only_the_owner_mended(tmp_path: Path) -> None:
    source, fixed = tmp_path / "users.csv", tmp_path / "failed.csv"
    ledger = tmp_path / "users.csv.ledger.db"
    source.write_text(DECLINED.replace("note", "=odd column"))
    with simulated(*UNLIMITED) as server:
        tool("run", source, "--api-base", server.url, "--rate", "none", "--key", "id")
        lines = failed_export(ledger, fixed)
        assert len(lines) == 3
        fixed.write_text("\n".join(lines).replace("pm_card_chargeDeclined", "pm_card_visa") + "\n")
        done = tool("retry", ledger, "--api-base", server.url, "--with", fixed)
        assert done.returncode == 0, done.stderr
        assert check_promises(server, ledger, 3) == Counter(created=2, duplicate=1)
        people = {c["metadata"]["source_id"]: c["metadata"] for c in server.customers()}
        assert people["u1"]["=odd column"] == "=1+1"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda line: line.replace(",1,failed", ",3,failed"), "row 3"),
        (lambda line: line.replace("u1,", "u7,", 1), "u7"),
        (lambda line: line.replace(",1,failed", ",one,failed"), "row number"),
        (lambda line: line[: line.rindex(",1,failed") - 16] + "0123456789abcdef,1,failed,x,,", "another ledger"),
    ],
    ids=["a row that has its customer", "another person's key", "no row number", "another ledger's export"],
)
def test_corrections_that_do_not_belong_are_refused_whole(tmp_path: Path, change: object, said: str) -> None:
    source, fixed = tmp_path / "users.csv", tmp_path / "failed.csv"
    source.write_text(DECLINED)
    ledger = tmp_path / "users.csv.ledger.db"
    with simulated(*UNLIMITED) as server:
        tool("run", source, "--api-base", server.url, "--rate", "none", "--key", "id")
        head, owner, *_ = failed_export(ledger, fixed)
        assert callable(change)
        fixed.write_text(f"{head}\n{change(owner)}\n")
        before = exported(ledger)
        done = tool("retry", ledger, "--api-base", server.url, "--with", fixed)
        assert done.returncode == 2, done.stderr
        assert said in done.stderr
        assert exported(ledger) == before


def test_only_rows_with_a_code_are_tried_again(tmp_path: Path) -> None:
    source = tmp_path / "users.csv"
    source.write_text(
        "email,payment_method\na@example.com,pm_card_chargeDeclined\nb@example.com,pm_missing1\nc@example.com,\n"
    )
    ledger = tmp_path / "users.csv.ledger.db"
    with simulated(*UNLIMITED) as server:
        tool("run", source, "--api-base", server.url, "--rate", "none")
        before = len(server.creates())
        tool("retry", ledger, "--api-base", server.url, "--code", "resource_missing")
        assert len(server.creates()) == before + 1
        attempts = {line["row"]: (line["status"], line["error_code"]) for line in exported(ledger)}
        assert attempts == {1: ("failed", "card_declined"), 2: ("failed", "resource_missing"), 3: ("created", None)}
        keys = [arrival["idempotency_key"] for arrival in server.creates()]
        assert len(set(keys)) == len(keys), "a row that failed for good goes out under a new key"


def test_mended_rows_that_are_all_refused_alike_stay_failed_with_what_was_mended(tmp_path: Path) -> None:
    source, fixed = tmp_path / "users.csv", tmp_path / "failed.csv"
    ledger = tmp_path / "users.csv.ledger.db"
    refused = ("pm_card_chargeDeclined", "pm_missing")
    people = "".join(f"u{n},old{n}@example.com,{refused[n % 2]}{n if n % 2 else ''}\n" for n in range(1, 31))
    source.write_text(f"id,email,payment_method\n{people}")
    with simulated(*UNLIMITED) as server:
        options = ("--api-base", server.url, "--rate", "none", "--max-errors", "100%")
        assert tool("run", source, "--key", "id", *options).returncode == 1
        lines = failed_export(ledger, fixed)
        mended = [re.sub(r"pm_missing\d+", refused[0], line).replace("old", "mended") for line in lines]
        fixed.write_text("\n".join(mended) + "\n")
        stopped = tool("retry", ledger, "--with", fixed, *options)
        assert stopped.returncode == 3
        assert "refused alike" in stopped.stderr
        failed = [row for row in exported(ledger) if row["status"] == "failed"]
        assert len(failed) == 30
        assert sum(row["email"].startswith("mended") for row in failed) >= 20
        assert tool("retry", ledger, "--with", fixed, *options).returncode in (1, 3)  # what was advised is not refused


def test_a_row_number_that_no_file_reaches_is_a_mistake_of_the_mended_file(tmp_path: Path) -> None:
    source, fixed = tmp_path / "users.csv", tmp_path / "failed.csv"
    ledger = tmp_path / "users.csv.ledger.db"
    source.write_text(DECLINED)
    with simulated(*UNLIMITED) as server:
        assert tool("run", source, "--api-base", server.url, "--rate", "none", "--key", "id").returncode == 1
        head, owner, _duplicate = failed_export(ledger, fixed)
        cells = owner.split(",")
        cells[head.split(",").index("_row")] = "9" * 20
        fixed.write_text(f"{head}\n{','.join(cells)}\n")
        done = tool("retry", ledger, "--api-base", server.url, "--with", fixed)
    assert done.returncode == 2
    assert "9" * 20 in done.stderr


def test_a_mended_file_outlives_the_process_that_has_taken_it_over(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    source, fixed = tmp_path / "users.csv", tmp_path / "failed.csv"
    ledger = tmp_path / "users.csv.ledger.db"
    people = ["u1,ann", *(f"f{n},fill{n}" for n in range(1, 5)), "u2,ann"]
    declined = [f"{person}@example.com,pm_card_chargeDeclined" for person in people]
    source.write_text("\n".join(["id,email,payment_method", *declined, "u3,fill4@example.com,pm_card_visa"]))
    call = calling(capsys, monkeypatch)
    monkeypatch.setenv("STRIPE_API_KEY", KEY)
    with simulated(*UNLIMITED) as server:
        options = ("--api-base", server.url, "--rate", "none")
        run = ("run", source, *options, "--key", "id", "--max-errors", "100%")
        retry = ("retry", ledger, *options, "--with", fixed)
        assert call(*run).code == 1
        assert call("export", ledger, "--what", "failed", "--output", fixed).code == 0
        text = fixed.read_text().replace("pm_card_chargeDeclined", "pm_card_visa")
        mended = text.replace("u2,ann@", "u2,dana@").replace("f4,fill4@", "f4,moved@").splitlines()
        fixed.write_text("\n".join(line for line in mended if not line.startswith("u3,")))
        assert _dies(tmp_path, 5, *retry, "--batch-size", "1") == GONE
        left = f"next: bulk-import retry {ledger} --code mended"
        assert left in call("status", ledger).err
        again = call(*run)
        assert (again.code, left in again.err) == (1, True)
        assert "dana@example.com" not in {customer["email"] for customer in server.customers()}
        other = fixed.with_name("other.csv")
        other.write_text(text)
        refused = call(*retry[:-1], other)
        assert (refused.code, "names row 1" in refused.err, "mend a new export" in refused.err) == (2, True, True)
        again = call(*retry)
        assert (again.code, "taken over before" in again.err) == (0, True), again.err
        assert check_promises(server, ledger, 7) == Counter(created=7)
        people_there = {c["metadata"]["source_id"]: c["email"] for c in server.customers()}
        moved = {"u2": "dana@example.com", "f4": "moved@example.com", "u3": "fill4@example.com"}
        assert {own: people_there[own] for own in moved} == moved
        assert call(*retry).code == 0
        assert len(server.customers()) == 7


def test_a_retry_that_is_gone_before_it_has_taken_its_file_over_is_to_be_typed_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger, fixed = tmp_path / "l.db", tmp_path / "f 1.csv"
    call = calling(capsys, monkeypatch)
    with written(ledger, purpose(1)) as writer:
        writer.write([claim_of(row(1, {"email": "a@example.com"}))], [])
        writer.write([], [Settled(1, CARD_DECLINED, None, 1)])
        command = writer.begin_command("retry", None, None, f"bulk-import retry {ledger} --with '{fixed}'")
        line = f"next: bulk-import retry {ledger} --with '{fixed}'"
        assert line in call("status", ledger).err
        writer.mend([row(1, {"email": "b@example.com"})], command, None)
        assert f"next: bulk-import retry {ledger} --code mended" in call("status", ledger).err
        writer.end_command(writer.begin_command("undo", None, None), 0, None, {})
        assert "--code mended" not in call("status", ledger).err, "who takes customers back wants no more of them"


def _dies(folder: Path, commit: int, *words: str | Path) -> int:
    """Type a command whose process is gone right after one of its commits; its exit code."""
    with open(os.devnull) as nothing, open(folder / "said", "w") as out:
        line = ["commit", "after", str(commit), str(folder / "counts"), *map(str, words)]
        streams = (nothing.fileno(), out.fileno(), out.fileno())
        return start("tests.dying:main", line, environment(), streams).wait(timeout=60)


TORN = (
    "email,name,description\n"
    "a@example.com,A,4242 4242 4242 4242\n"
    "b@example.com,B,fine\n"
    "c@example.com,C,x,too many,cells\n"
    "d@example.com,D,$2b$12$KIXQ1q1q1q1q1q1q1q1q1uJ0v6K9jz8w7y6x5v4u3t2s1r0q9p8oW\n"
    "nobody,E,fine\n"
)


def test_what_the_ledger_holds_torn_or_masked_is_never_sent_unless_it_is_mended(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    source, fixed = tmp_path / "users.csv", tmp_path / "failed.csv"
    ledger = tmp_path / "users.csv.ledger.db"
    source.write_text(TORN)
    call = calling(capsys, monkeypatch)
    monkeypatch.setenv("STRIPE_API_KEY", KEY)
    with simulated(*UNLIMITED) as server:
        options = ("--api-base", server.url, "--rate", "none")
        assert call("run", source, *options).code == 1
        asked = call("retry", ledger, *options, "--only", "invalid")
        assert (asked.code, "3 rows are torn" in asked.err) == (1, True), asked.err
        assert check_promises(server, ledger, 5) == Counter(created=1, invalid=4)
        assert call("export", ledger, "--what", "failed", "--output", fixed).code == 0
        text = fixed.read_text()
        fixed.write_text(text.replace("nobody", "e@example.com").replace(",A,", ",Anna,"))
        given = call("retry", ledger, *options, "--with", fixed)
        assert (given.code, "mask" in given.err) == (1, True), given.err
        assert check_promises(server, ledger, 5) == Counter(created=2, invalid=3)
        kept = ledger.read_bytes()
        fixed.write_text(text.replace("nobody", "e@example.com").replace("***************4242", "4242 4242 4242 4242"))
        lines = [line for line in fixed.read_text().splitlines() if not line.startswith("e@")]
        fixed.write_text("\n".join(lines))
        events = call("retry", ledger, *options, "--with", fixed, "--json-rows").out
        assert [e["status"] for e in map(json.loads, events.splitlines()) if e["event"] == "row"] == ["invalid"]
        assert call("retry", ledger, *options, "--only", "invalid").code == 1
        assert check_promises(server, ledger, 5) == Counter(created=2, invalid=3)
        assert b"4242 4242 4242 4242" not in kept + ledger.read_bytes()
        fixed.write_text("\n".join(lines).replace("4242 4242 4242 4242", "no card"))
        assert call("retry", ledger, *options, "--with", fixed).code == 1
        assert check_promises(server, ledger, 5) == Counter(created=3, invalid=2)
