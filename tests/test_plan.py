"""`plan` says what `run` then does, to the request, and does nothing of it."""

from __future__ import annotations

import json
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from bulk_import.job.caps import seconds_at_caps
from bulk_import.job.plan import Plan, warnings_of
from bulk_import.model import Endpoint
from bulk_import.options import Pacing
from tests.by_hand import make
from tests.cli_calls import Program, calling
from tests.rig import KEY, command, environment, simulated, tool

FAST = ("--rate-limit", "none", "--endpoint-rate-limit", "none", "--existing", "290")
"""Full pages would make the choice of a strategy hang on whether search shows the newest customer already."""

HEADER = "email,name,metadata.plan,payment_method"


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Program:
    program = calling(capsys, monkeypatch)
    monkeypatch.setenv("STRIPE_API_KEY", KEY)
    return program


def people(folder: Path) -> Path:
    """Twelve who are new, six who are there in another letter case, two of each again, and three that cannot be sent."""
    rows = [f"new{n}@example.com,New {n},gold," for n in range(1, 13)]
    rows += [f"EXISTING.{n:06d}@example.com,Name {n},gold,pm_Card{n:06d}" for n in range(1, 6)]
    rows += ["same@example.com,Same,,", "NEW1@example.com,x,,", "existing.000002@example.com,x,,"]
    rows += ["nobody,x,,", ",x,,", f"long@example.com,{'x' * 300},,"]
    source = folder / "people.csv"
    source.write_text("\n".join([HEADER, *rows]) + "\n")
    return source


def planned(call: Program, *words: str | Path) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    said = call("plan", *words, "--json", "--rows", "--rate", "500")
    *rows, plan = [json.loads(line) for line in said.out.splitlines()]
    assert said.code == plan["exit_code"], said.err
    return plan, rows


def ran(call: Program, *words: str | Path) -> dict[str, Any]:
    said = call("run", *words, "--json", "--rate", "500")
    finish: dict[str, Any] = json.loads(said.out.splitlines()[-1])
    assert said.code == finish["exit_code"], said.err
    return finish


def check_the_run_does_it(call: Program, plan: dict[str, Any], *words: str | Path) -> None:
    done, verdicts = ran(call, *words), plan["verdicts"]
    assert plan["requests_by_endpoint"] == done["requests_by_endpoint"]
    assert plan["requests"] == done["requests"]
    names = {"create": "created", "update": "updated"}
    for verdict, count in verdicts.items():
        assert done[names.get(verdict, verdict)] == count, verdict
    assert done["exit_code"] == plan["exit_code"]


@pytest.mark.parametrize(("policy", "dedupe"), [("skip", "search"), ("update", "snapshot"), ("refuse", "auto")])
def test_a_plan_reads_only_and_the_run_then_does_what_it_said(
    call: Program, tmp_path: Path, policy: str, dedupe: str
) -> None:
    with simulated(*FAST) as server:
        make(server, email="Same@example.com", name="Other")
        source = people(tmp_path)
        words = (source, "--on-existing", policy, "--dedupe", dedupe, "--api-base", server.url)
        server.ask("/_simulator/reset-log", {})
        before = server.customers()
        plan, rows = planned(call, *words)
        assert {arrival["method"] for arrival in server.arrivals()} == {"GET"}
        assert server.customers() == before
        assert list(tmp_path.iterdir()) == [source], "a plan left something behind"
        there = {"skip": "existing", "update": "update", "refuse": "failed"}[policy]
        expected = {"create": 12, there: 6, "duplicate": 2, "invalid": 3}
        assert {name: count for name, count in plan["verdicts"].items() if count} == expected
        assert [row["row"] for row in rows] == list(range(1, 24))
        assert rows[18]["duplicate_of"] == 1
        assert plan["account"]["id"].startswith("acct_")
        assert plan["key"] == {"restricted": False, "may_read": True, "may_write": True}
        if policy == "update":
            check_fields(plan, rows[12], {c["id"] for c in server.customers()})
        check_the_run_does_it(call, plan, *words)


def check_fields(plan: dict[str, Any], row: dict[str, Any], there: set[str]) -> None:
    """A plan names what an update changes."""
    fields = {"name", "metadata[plan]", "payment_method", "invoice_settings[default_payment_method]"}
    assert (row["verdict"], set(row["fields"])) == ("update", fields)
    assert row["customer_id"] in there
    assert plan["update_fields"]["payment_method"] == 5
    assert plan["requests_by_endpoint"]["attach"] == 5


def test_a_simulated_plan_is_what_the_simulated_run_does_and_leaves_no_account(call: Program, tmp_path: Path) -> None:
    source = people(tmp_path)
    plan, _ = planned(call, source, "--simulate")
    assert list(tmp_path.iterdir()) == [source]
    check_the_run_does_it(call, plan, source, "--simulate")
    again, rows = planned(call, source, "--simulate")
    assert (again["requests"], again["exit_code"]) == (0, 1)
    assert again["settled_before"] == {"created": 18, "duplicate": 2, "invalid": 3}
    assert all(row["settled"] for row in rows)


def test_a_plan_respects_what_a_ledger_has_settled_and_writes_nothing_into_it(call: Program, tmp_path: Path) -> None:
    with simulated(*FAST) as server:
        source = people(tmp_path)
        words = (source, "--api-base", server.url, "--dedupe", "search")
        assert ran(call, *words, "--limit", "5")["created"] == 5
        ledger = source.with_name("people.csv.ledger.db")
        kept = ledger.read_bytes()
        plan, rows = planned(call, *words)
        assert ledger.read_bytes() == kept
        assert plan["settled_before"] == {"created": 5}
        assert (plan["verdicts"]["create"], plan["verdicts"]["existing"]) == (8, 5)
        assert [row["settled"] for row in rows].count(True) == 5
        done = ran(call, *words)
        assert done["created"] == 13
        assert done["requests_by_endpoint"] == plan["requests_by_endpoint"]
        assert planned(call, *words)[0]["next"] == f"bulk-import status {ledger}"


def test_a_restricted_key_is_told_what_cannot_be_seen(
    call: Program, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with simulated(*FAST) as server:
        monkeypatch.setenv("STRIPE_API_KEY", "rk_test_readonly_noaccount")
        source = people(tmp_path)
        plan, _ = planned(call, source, "--api-base", server.url)
        assert plan["key"] == {"restricted": True, "may_read": True, "may_write": None}
        assert "Customers: write" in plan["warnings"][0]
        said = call("plan", source, "--api-base", server.url)
        for words in ("create", "existing", "reads", "10,000", "requests/s", "warning: whether", "nothing was sent"):
            assert words in said.err
        assert "next: bulk-import run" in said.err
        assert {arrival["method"] for arrival in server.arrivals()} == {"GET"}


def test_the_time_is_that_of_the_cap_that_binds() -> None:
    pacing = Pacing(rate=100.0, rate_is_explicit=True)
    assert seconds_at_caps({Endpoint.CREATE: 1000}, pacing) == 10.0
    assert seconds_at_caps({Endpoint.CREATE: 1000, Endpoint.ATTACH: 1000}, pacing) == 40.0
    assert seconds_at_caps({Endpoint.CREATE: 1000}, Pacing(rate=None)) is None
    assert seconds_at_caps({}, Pacing()) == 0.0


def test_a_long_plan_and_too_many_reads_are_warned_of() -> None:
    plan = Plan(seconds=86_401.0)
    plan.requests.update(list=10_001)
    day, reads = warnings_of(plan)
    assert "24 h" in day
    assert "10,001 reads" in reads
    assert list(warnings_of(Plan(seconds=86_400.0))) == []


def test_a_plan_that_is_killed_leaves_nothing_of_anybody_behind(tmp_path: Path) -> None:
    with simulated(*FAST) as server:
        source = people(tmp_path)
        done = tool("run", source, "--api-base", server.url, "--rate", "none", "--limit", "5")
        assert done.returncode == 0, done.stderr
        server.ask("/_simulator/reset-log", {})
        server.set_faults([{"name": "hang", "endpoint": "list", "from": 10, "to": 10}])
        elsewhere = tmp_path / "elsewhere"
        elsewhere.mkdir()
        words = command("plan", source, "--dedupe", "lookup", "--api-base", server.url, "--rate", "none")
        process = subprocess.Popen(
            words, env=environment(TMPDIR=str(elsewhere)), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )  # fmt: skip
        until = time.monotonic() + 60
        while sum(arrival["endpoint"] == "list" for arrival in server.arrivals()) < 10:
            assert time.monotonic() < until, "the plan never came to ask for anybody"
            time.sleep(0.02)
        process.kill()
        assert process.wait(timeout=20) == -9
        left = {path.name: path.read_bytes() for path in elsewhere.rglob("*") if path.is_file()}
        assert not [name for name, held in left.items() if b"example.com" in held], "a killed plan left people behind"
