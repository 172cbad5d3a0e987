"""Whoever repeats a refused row follows it only as long as that row keeps its e-mail and may be sent: nobody is lost with it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import pytest

from bulk_import.ledger import MENDED
from bulk_import.mapping import MappingOptions
from tests.cli_calls import Program, calling
from tests.virtual_run import Kill, Moment, Run, World, check_promises
from tests.virtual_stripe import Arrival, Trouble, VirtualStripe, refused

HEADER = "email,alt,payment_method"
BY_ALT = MappingOptions(maps=(("alt", "email"), ("email", "ignore")), unmapped="ignore")
STRANGER = "stranger@example.com"


@dataclass(frozen=True)
class Way:
    """What becomes of row 1, by its *alt* or by what it is *mended* to; row 3, which repeated it, is sent as *sent*."""

    alt: str
    first: str
    settings: Mapping[str, Any] = field(default_factory=lambda: {"mapping": BY_ALT})
    mended: Mapping[str, str] | None = None
    sent: str = "d@example.com"


WAYS = {
    "a duplicate": Way("b@example.com", "duplicate"),
    "somebody else": Way("q@example.com", "created"),
    "invalid": Way("nobody", "invalid"),
    "there already": Way(STRANGER, "existing", {"mapping": BY_ALT, "dedupe": "snapshot"}),
    "refused here": Way(STRANGER, "failed", {"mapping": BY_ALT, "dedupe": "snapshot", "on_existing": "refuse"}),
    "refused for its method": Way(
        "q@example.com", "invalid", {}, {"email": "a@example.com", "alt": "", "payment_method": "pm_Bea000001"},
        "A@example.com",
    ),
}  # fmt: skip


def _refusing(arrival: Arrival) -> Trouble | None:
    is_ann = arrival.endpoint == "create" and arrival.email == "a@example.com"
    return refused(400, "email_invalid", "email") if is_ann else None


def _with_a_follower(folder: Path, way: Way, seed: int = 0) -> World:
    folder.mkdir()
    rows = [
        f"a@example.com,{way.alt},pm_Ann000001",
        "b@example.com,b@example.com,pm_Bea000001",
        "A@example.com,d@example.com,",
        "e@example.com,y@example.com,",
    ]
    world = World(folder, rows, VirtualStripe(seed=seed), header=HEADER)
    world.stripe.misbehave = _refusing
    assert world.run().exit_code == 1
    assert [line.status for line in world.lines()] == ["failed", "created", "duplicate", "created"]
    world.stripe.misbehave = None
    world.stranger(STRANGER)
    return world


def _retry(world: World, way: Way, kill: Kill | None = None) -> Run:
    mended = {1: way.mended} if way.mended and world.lines()[2].status == "duplicate" else {}
    return world.run(kill=kill, retry=True, mended=mended, batch_size=2, **way.settings)


def _is_whole(world: World, way: Way, run: Run) -> None:
    lines = world.lines()
    assert run.exit_code == (1 if lines[0].status in ("invalid", "failed") else 0)
    check_promises(world, run)
    # Where it was invalid, one more retry finds that row 3 has its e-mail by now.
    assert lines[0].status == way.first or (way.first == "invalid" and lines[0].duplicate_of == 3)
    assert [line.status for line in lines[1:]] == ["created", "created", "created"]
    customer = world.stripe.account.customers[lines[2].customer_id or ""]
    assert customer["email"] == way.sent
    assert len(world.stripe.account.customers) == len({line.customer_id for line in lines} - {None} | world.strangers)


@pytest.mark.parametrize("name", WAYS)
def test_a_row_that_repeated_one_that_goes_another_way_is_sent_by_the_same_retry(tmp_path: Path, name: str) -> None:
    way = WAYS[name]
    world = _with_a_follower(tmp_path / "w", way)
    _is_whole(world, way, _retry(world, way))


def test_a_row_that_was_let_go_and_not_sent_is_sent_by_the_next_retry(tmp_path: Path) -> None:
    way = WAYS["somebody else"]
    world = _with_a_follower(tmp_path / "w", way)
    world.stripe.misbehave = lambda a: refused(401, "api_key_expired") if a.email == "q@example.com" else None
    assert _retry(world, way).exit_code == 4
    assert (world.status(3), world.lines()[2].error_code) == ("failed", MENDED)
    world.stripe.misbehave = None
    world.wait(60.0)
    _is_whole(world, way, _retry(world, way))


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("what", ["commit", "send"])
def test_a_retry_killed_anywhere_loses_nobody_who_followed(
    tmp_path: Path, what: Literal["commit", "send"], moment: Moment
) -> None:
    ways = [WAYS["somebody else"], WAYS["refused for its method"]]
    ended = 0
    for nth in range(1, 40):
        for way in ways:
            world = _with_a_follower(tmp_path / f"{nth}-{way.alt}-{way.first}", way, seed=nth)
            run = _retry(world, way, Kill(what, moment, nth))
            ended += not run.killed
            for _ in range(2):
                run = run if run.exit_code is not None and world.status(3) == "created" else _retry(world, way)
            _is_whole(world, way, run)
        if ended:
            assert nth > 1, "the points of a whole retry were numbered"
        if ended >= len(ways):
            return
    pytest.fail("the retry never came to its end")


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Program:
    monkeypatch.chdir(tmp_path)
    return calling(capsys, monkeypatch)


def test_a_retry_that_lets_a_duplicate_go_sends_it_and_tells_of_its_row(call: Program) -> None:
    rows = ["a@example.com,,pm_bad1", "b@example.com,,pm_Bea000001", "A@example.com,,"]
    Path("s.csv").write_text("\n".join([HEADER, *rows]) + "\n")
    assert call("run", "s.csv", "--simulate", "--ledger", "l.db", "--rate", "500").code == 1
    failed = call("export", "l.db", "--what", "failed").out
    Path("fixed.csv").write_text("".join(failed.replace("pm_bad1", "pm_Bea000001").splitlines(keepends=True)[:2]))
    said = call("retry", "l.db", "--with", "fixed.csv", "--rate", "500", "--json-rows")
    events = [event for line in said.out.splitlines() if (event := json.loads(line))["event"] in ("row", "finish")]
    assert [(event["row"], event["status"]) for event in events[:-1]] == [(1, "invalid"), (3, "created")]
    assert [events[-1][name] for name in ("exit_code", "created", "invalid", "duplicate")] == [1, 2, 1, 0]
    assert [line.split(",")[4:6] for line in call("export", "l.db", "--what", "failed").out.splitlines()[1:]] == [
        ["1", "invalid"],
    ]  # fmt: skip
