"""A live run asks before it writes: the real program, on a terminal, with a live key, at Stripe's own address.

That address is answered on this machine (see `stand_in`); the oracle is what arrived at the simulator behind it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.person import at_terminal
from tests.rig import Simulated, command, environment, simulated, tool
from tests.stand_in import stripe_at_home

KEY = "sk_live_question1234567890"
ACCOUNT, NAME = "acct_1SimulatedAccount", "Simulated Business"
QUESTION = "Type the account's name or id to go ahead"


@dataclass(frozen=True, slots=True)
class Live:
    """An account in live mode, a file of three people for it, and the environment that leads there."""

    server: Simulated
    source: Path
    env: dict[str, str]

    def asked(self, *words: str) -> list[str]:
        return command("run", self.source, "--live", *words)

    def writes(self) -> list[str]:
        return [f"{a['method']} {a['path']}" for a in self.server.arrivals() if a["method"] != "GET"]


@pytest.fixture
def live(tmp_path: Path) -> Iterator[Live]:
    source = tmp_path / "people.csv"
    source.write_text("email,name\n" + "".join(f"p{n}@example.com,Person {n}\n" for n in range(3)))
    with simulated() as server, stripe_at_home(tmp_path, server.url) as leading:
        yield Live(server, source, environment(STRIPE_API_KEY=KEY, **leading))


def test_whoever_types_the_account_gets_live_customers_and_a_no_deletes_none(live: Live) -> None:
    with at_terminal(live.asked(), live.env) as person:
        person.sees(QUESTION)
        for part in (ACCOUNT, NAME, "LIVE: real customers", str(live.source), "up to 3 of 3 are written"):
            assert part in person.screen
        assert live.writes() == []
        person.types(NAME.upper())
        assert person.leaves() == 0, person.screen
    assert KEY not in person.screen
    assert live.writes() == ["POST /v1/customers"] * 3
    assert [(c["livemode"], c["email"][:1]) for c in live.server.customers()] == [(True, "p")] * 3
    undo = command("undo", live.source.with_name("people.csv.ledger.db"), "--live")
    with at_terminal(undo, live.env) as person:
        person.sees("Delete these 3 customers for good?")
        person.types("n")
        assert person.leaves() == 2, person.screen
    assert len(live.server.customers()) == 3


def test_whoever_types_anything_else_or_leaves_the_question_gets_nothing_but_reads(live: Live) -> None:
    with at_terminal(live.asked(), live.env) as person:
        person.sees(QUESTION)
        person.types("yes")
        assert person.leaves() == 2, person.screen
    assert "not confirmed, so nothing was sent" in person.screen
    with at_terminal(live.asked(), live.env) as person:
        person.sees(QUESTION)
        assert person.interrupts() == 2, person.screen
    assert "Traceback" not in person.screen
    assert (live.writes(), len(live.server.arrivals()) > 0) == ([], True)


def test_without_a_terminal_nobody_is_asked_and_nothing_is_sent_unless_yes_is_said(live: Live) -> None:
    done = tool("run", live.source, "--live", env=live.env)
    assert (done.returncode, live.server.arrivals()) == (2, [])
    assert "there is no terminal to ask on; add --yes" in done.stderr
    done = tool("run", live.source, "--live", "--yes", env=live.env)
    assert (done.returncode, len(live.server.customers())) == (0, 3), done.stderr
