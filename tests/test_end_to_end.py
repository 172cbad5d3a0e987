"""The tool as a user runs it, against a simulated Stripe in another process; the oracle is the account itself."""

from __future__ import annotations

import json
import signal
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests.promises import worst_second
from tests.rig import AS_TYPED, Simulated, begun, check_promises, environment, exported, simulated, tool

FAST = ("--rate", "100", "--endpoint-rate", "create=100")
UNLIMITED = ("--rate-limit", "none", "--endpoint-rate-limit", "none")


def write_users(path: Path, count: int, *, duplicates: int = 0, invalid: int = 0) -> Path:
    """People with own ids; duplicates in another letter case, invalid ones without an @."""
    people = [(f"u{n}", f"Person{n}@example.com", f"Person {n}") for n in range(count - duplicates - invalid)]
    people += [(f"d{n}", f"PERSON{n}@EXAMPLE.COM", "Twin") for n in range(duplicates)]
    people += [(f"b{n}", f"person{n} at example.com", "Bad") for n in range(invalid)]
    path.write_text("user_id,E-mail,Name\n" + "".join(f"{i},{e},{n}\n" for i, e, n in people))
    return path


def finish(stdout: str) -> dict[str, Any]:
    """The last event of `--json`."""
    event: dict[str, Any] = json.loads(stdout.splitlines()[-1])
    assert event["event"] == "finish"
    return event


def test_every_row_gets_its_customer_at_the_cap_and_a_second_run_sends_nothing(tmp_path: Path) -> None:
    source = write_users(tmp_path / "users.csv", 400, duplicates=40, invalid=10)
    with simulated("--rate-limit", "105", "--endpoint-rate-limit", "create=105", "--latency", "100ms") as server:
        run = ("run", source, "--api-base", server.url, *FAST, "--key", "user_id", "--json")
        done = tool(*run)
        assert done.returncode == 1, done.stderr
        tally = check_promises(server, tmp_path / "users.csv.ledger.db", 400)
        assert tally == Counter(created=350, duplicate=40, invalid=10)
        arrivals = server.arrivals()
        assert worst_second([a["t"] for a in arrivals]) <= 105
        assert not [a for a in arrivals if a["status"] == 429]
        assert all(c["metadata"]["source_id"].startswith("u") for c in server.customers())
        again = tool(*run)
        assert (again.returncode, finish(again.stdout)["requests"]) == (1, 0)
        assert len(server.arrivals()) == len(arrivals)
        mapped = exported(tmp_path / "users.csv.ledger.db", "map")
        assert len(mapped) == 390
        assert {m["source_id"] for m in mapped} == {f"u{n}" for n in range(350)} | {f"d{n}" for n in range(40)}


def test_killed_at_random_moments_under_faults_it_still_ends_right(tmp_path: Path) -> None:
    source = write_users(tmp_path / "users.csv", 240, duplicates=24, invalid=6)
    # No 500s here: what they leave in doubt takes half a minute to prove (see the soak and the runs in virtual time).
    faults = "reset=0.02,act-then-drop=0.02,truncate=0.02,409=0.02,429=0.02"
    with simulated(*UNLIMITED, "--latency", "60ms", "--faults", faults, "--seed", "3") as server:
        run = ("run", source, "--api-base", server.url, *FAST)
        for wanted in (20, 60, 120):
            with begun(*run) as killed:
                wait_for(lambda wanted=wanted: len(server.customers()) >= wanted)
                killed.send(signal.SIGKILL)
                assert killed.ends() == -signal.SIGKILL
        done = tool(*run)
        assert done.returncode == 1, done.stderr
        tally = check_promises(server, tmp_path / "users.csv.ledger.db", 240)
        assert tally == Counter(created=210, duplicate=24, invalid=6)


def wait_for(holds: Any) -> None:
    """Look until it holds, for at most a minute."""
    until = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < until, "it never came true"
        time.sleep(0.01)  # whoever asks without a pause keeps the one who is to act from it


def pause(server: Simulated, before: int) -> float:
    """Seconds between the first so many requests and the rest: the caps hold from one process to the next."""
    times = [arrival["t"] for arrival in server.arrivals()]
    return float(times[before] - times[before - 1])


def test_people_who_are_there_already_are_found_in_any_letter_case(tmp_path: Path) -> None:
    with simulated(*UNLIMITED, "--existing", "300") as server:
        there = {c["email"].lower(): c["id"] for c in server.customers()}
        known = sorted(there)[:60]
        lines = [f"{e.upper()},Known\n" for e in known] + [f"new{n}@example.com,New\n" for n in range(40)]
        source = tmp_path / "users.csv"
        source.write_text("email,name\n" + "".join(lines))
        done = tool("run", source, "--api-base", server.url, "--rate", "none", "--dedupe", "snapshot")
        assert done.returncode == 0, done.stderr
        found = exported(tmp_path / "users.csv.ledger.db")
        assert [line["customer_id"] for line in found[:60]] == [there[e] for e in known]
        assert Counter(line["status"] for line in found) == Counter(existing=60, created=40)
        assert len(server.customers()) == 340


@pytest.mark.parametrize(
    ("content", "extra", "code", "said"),
    [
        (None, (), 2, "does not exist"),
        (b"", (), 2, "is empty"),
        (b"\x89PNG\r\n\x1a\n" + bytes(2000), (), 2, "PNG"),
        (b"name,city\nAnn,Oslo\nBob,Rome\n", (), 2, "email"),
        (b"email\na@example.com\n", ("--rate", "0"), 2, "--rate"),
    ],
    ids=["missing", "empty", "binary", "no e-mail column", "no rate"],
)
def test_what_cannot_be_imported_is_one_clear_sentence(
    tmp_path: Path, content: bytes | None, extra: tuple[str, ...], code: int, said: str
) -> None:
    source = tmp_path / "users.csv"
    if content is not None:
        source.write_bytes(content)
    with simulated() as server:
        done = tool("run", source, "--api-base", server.url, *extra)
        assert done.returncode == code
        assert said in done.stderr
        assert "Traceback" not in done.stderr
        assert server.arrivals() == []
    assert not list(tmp_path.glob("*.db*"))


def test_a_wrong_key_stops_at_once_and_leaves_no_ledger(tmp_path: Path) -> None:
    source = write_users(tmp_path / "users.csv", 5)
    with simulated() as server:
        done = tool("run", source, "--api-base", server.url, env=environment(STRIPE_API_KEY="sk_test_wrong"))
        assert done.returncode == 4
        assert "refused the API key" in done.stderr
        assert server.customers() == []
    assert not list(tmp_path.glob("*.db*"))


def test_a_key_revoked_midway_leaves_every_row_to_be_continued(tmp_path: Path) -> None:
    source = write_users(tmp_path / "users.csv", 60)
    with simulated(*UNLIMITED, "--latency", "20ms") as server:
        server.set_faults([{"name": "401", "endpoint": "create", "from": 20, "to": 10_000}])
        run = ("run", source, "--api-base", server.url, *FAST)
        done = tool(*run)
        assert done.returncode == 4, done.stderr
        statuses = Counter(line["status"] for line in exported(tmp_path / "users.csv.ledger.db"))
        assert statuses["failed"] == 0
        assert statuses["pending"] > 0
        server.set_faults([])
        before = len(server.arrivals())
        assert tool(*run, program=AS_TYPED).returncode == 0
        assert pause(server, before) >= 1.0
        assert check_promises(server, tmp_path / "users.csv.ledger.db", 60) == Counter(created=60)


def test_a_ledger_refuses_another_source(tmp_path: Path) -> None:
    ledger = tmp_path / "one.db"
    with simulated(*UNLIMITED) as server:
        options = ("--api-base", server.url, "--ledger", ledger, "--rate", "none")
        assert tool("run", write_users(tmp_path / "a.csv", 3), *options).returncode == 0
        done = tool("run", write_users(tmp_path / "b.csv", 4), *options)
        assert done.returncode == 5
        assert "another source" in done.stderr
        assert len(server.customers()) == 3


def test_a_declined_card_fails_with_its_code_and_retry_brings_mended_rows_home(tmp_path: Path) -> None:
    source = tmp_path / "users.csv"
    source.write_text(
        "email,payment_method\n"
        "a@example.com,pm_card_visa\nb@example.com,pm_card_chargeDeclined\nB@example.com,\nbad at example.com,\n"
    )
    ledger, fixed = tmp_path / "users.csv.ledger.db", tmp_path / "failed.csv"
    with simulated(*UNLIMITED) as server:
        assert tool("run", source, "--api-base", server.url, "--rate", "none").returncode == 1
        by_row = {line["row"]: line for line in exported(ledger)}
        assert (by_row[2]["status"], by_row[2]["error_code"], by_row[2]["http_status"]) == (
            "failed",
            "card_declined",
            402,
        )
        assert (by_row[3]["status"], by_row[3]["duplicate_of"]) == ("duplicate", 2)
        assert server.customers()[0]["invoice_settings"]["default_payment_method"].startswith("pm_")
        assert tool("export", ledger, "--what", "failed", "--output", fixed).returncode == 0
        mended = fixed.read_text().replace("pm_card_chargeDeclined", "pm_card_mastercard").replace("bad at ", "good@")
        kept = [line for line in mended.splitlines() if ",duplicate," not in line]
        fixed.write_text("\n".join(kept) + "\n")
        done = tool("retry", ledger, "--api-base", server.url, "--with", fixed, "--only", "failed,invalid")
        assert done.returncode == 0, done.stderr
        assert check_promises(server, ledger, 4) == Counter(created=3, duplicate=1)
        assert exported(ledger)[2]["customer_id"] == exported(ledger)[1]["customer_id"]


def test_plain_retry_brings_rows_home_once_the_fault_is_mended(tmp_path: Path) -> None:
    source = write_users(tmp_path / "users.csv", 12)
    ledger = tmp_path / "users.csv.ledger.db"
    with simulated(*UNLIMITED) as server:
        server.set_faults([{"name": "reset", "endpoint": "create", "from": 4, "to": 8}])
        run = ("run", source, "--api-base", server.url, "--rate", "none", "--max-attempts", "1")
        assert tool(*run).returncode == 6
        assert Counter(line["status"] for line in exported(ledger)) == Counter(created=7, in_doubt=5)
        server.set_faults([])
        before = len(server.arrivals())
        done = tool("retry", ledger, "--api-base", server.url, "--rate", "none", program=AS_TYPED)
        assert done.returncode == 0, done.stderr
        assert pause(server, before) >= 1.0
        assert check_promises(server, ledger, 12) == Counter(created=12)


def test_a_live_key_without_live_sends_nothing(tmp_path: Path) -> None:
    source = write_users(tmp_path / "users.csv", 3)
    with simulated() as server:
        env = environment(STRIPE_API_KEY="sk_live_rig")
        for options in ((), ("--live",), ("--live", "--yes"), ("--dry-run",)):
            done = tool("run", source, "--api-base", server.url, *options, env=env)
            assert done.returncode == 2, done.stderr
        assert tool("run", source, env=env).returncode == 2
        assert server.arrivals() == []


def test_the_first_signal_drains_and_the_same_command_goes_on(tmp_path: Path) -> None:
    source = write_users(tmp_path / "users.csv", 400)  # more than can be sent before a signal on a busy machine
    with simulated(*UNLIMITED, "--latency", "100ms") as server:
        run = ("run", source, "--api-base", server.url, "--rate", "50", "--endpoint-rate", "create=50")
        for number, code in ((signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)):
            before = len(server.customers())
            with begun(*run) as running:
                wait_for(lambda before=before: len(server.customers()) > before + 5)
                running.send(number)
                assert running.ends() == code, running.said
                assert "next: bulk-import run" in running.said
            lines = exported(tmp_path / "users.csv.ledger.db")
            assert {line["status"] for line in lines} <= {"created", "pending"}
            assert sum(line["status"] == "created" for line in lines) == len(server.customers())
        assert tool(*run[:4], "--rate", "400").returncode == 0
        assert check_promises(server, tmp_path / "users.csv.ledger.db", 400) == Counter(created=400)


def test_standard_input_is_kept_until_every_row_is_settled(tmp_path: Path) -> None:
    text = write_users(tmp_path / "users.csv", 30).read_text()
    ledger = tmp_path / "piped.db"
    with simulated(*UNLIMITED) as server:
        server.set_faults([{"name": "401", "endpoint": "create", "from": 10, "to": 1000}])
        run = ("run", "-", "--ledger", ledger, "--api-base", server.url, *FAST)
        first = tool(*run, piped=text)
        assert first.returncode == 4, first.stderr
        server.set_faults([])
        spooled = next(tmp_path.glob("piped.db.source*"))
        assert spooled.stat().st_mode & 0o777 == 0o600
        other = tool(*run, piped="email\nx@example.com\n")
        assert other.returncode == 5, other.stderr
        spooled.unlink()
        spooled.write_bytes(b"")  # an earlier version left an empty one behind
        piped = tool(*run, piped=text)
        assert piped.returncode == 0, piped.stderr
        assert check_promises(server, ledger, 30) == Counter(created=30)
        assert not spooled.exists()
        again = tool(*run, piped=text)
        assert again.returncode == 0, again.stderr
        assert tool(*run).returncode == 0
        assert not list(tmp_path.glob("piped.db.source*")), "the spool holds personal data"
        empty = ("run", "-", "--ledger", tmp_path / "new.db", "--api-base", server.url)
        assert tool(*empty).returncode == 2
        assert not list(tmp_path.glob("new.db*"))


def test_status_and_json_say_where_it_stands(tmp_path: Path) -> None:
    source = write_users(tmp_path / "users.csv", 20, duplicates=2)
    with simulated(*UNLIMITED) as server:
        done = tool("run", source, "--api-base", server.url, "--rate", "none", "--json-rows")
        events = [json.loads(line) for line in done.stdout.splitlines()]
        kinds = [event["event"] for event in events]
        assert kinds.index("start") < kinds.index("row")
        assert sorted(e["row"] for e in events if e["event"] == "row") == list(range(1, 21))
        last = finish(done.stdout)
        assert (last["exit_code"], last["rows"], last["created"], last["duplicate"]) == (0, 20, 18, 2)
        assert last["requests_by_endpoint"]["create"] == 18
        status = json.loads(tool("status", tmp_path / "users.csv.ledger.db", "--json").stdout)
        assert (status["created"], status["pending"]) == (18, 0)
