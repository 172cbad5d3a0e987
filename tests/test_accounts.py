"""A ledger stays with its account, also where Stripe names it to nobody: what it holds there proves it, and nothing else does."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from bulk_import.errors import LedgerRefuses
from bulk_import.job.identity import UNNAMED, same_account
from bulk_import.keys import parse_key
from bulk_import.ledger import Writer
from bulk_import.model import (
    Created,
    Customer,
    Doubt,
    Existing,
    Failed,
    InDoubt,
    Reply,
    Request,
    Settled,
    Slice,
    Updated,
)
from tests.cli_calls import Program, calling
from tests.ledger_samples import claim, ledger, purpose, refusal, row
from tests.raw_stripe import RawStripe, Visit, error
from tests.virtual_time import run_virtual

KEY = "rk_test_abcdefghijklmnop"
OTHER = "rk_test_qrstuvwxyzabcdef"


Fill = Callable[[Writer], None]


def _nothing(_: Writer) -> None:
    pass


def _failed(writer: Writer) -> None:
    writer.write([claim(1)], [])
    writer.write([], [Settled(1, Failed(refusal()))])


def _created(writer: Writer) -> None:
    writer.write([claim(1), claim(2)], [])
    writer.write([], [Settled(1, Created("cus_Held1")), Settled(2, Created("cus_Held2"))])


def _existing(writer: Writer) -> None:
    writer.write([], [Settled(n, Existing(f"cus_Held{n}"), row(n)) for n in (1, 2)])


def _updated(writer: Writer) -> None:
    writer.write([claim(1, target="cus_Held1")], [])
    writer.write([], [Settled(1, Updated("cus_Held1"))])


def _updating(writer: Writer) -> None:
    writer.write([claim(1), claim(2, target="cus_Held1")], [])


def _updated_in_part(writer: Writer) -> None:
    writer.write([claim(1, target="cus_Held1")], [])
    writer.write([], [Settled(1, Failed(refusal()))])


def _claimed(writer: Writer) -> None:
    writer.write([claim(1)], [])


def _in_doubt(writer: Writer) -> None:
    writer.write([claim(1)], [])
    writer.write([], [Settled(1, InDoubt(refusal(), Doubt.OPEN))])


ONE = (_updated, _updating, _updated_in_part)
HOLDS = [_created, _existing, *ONE]
AT_REST = [_claimed, _in_doubt]


class Answers:
    """A Stripe that names its account, or not, and knows these customers."""

    def __init__(self, account: str | None, *known: str) -> None:
        self.account = account
        self.known = known

    async def __call__(self, request: Request, *, accept: tuple[int, ...] = ()) -> Reply:
        if request.path == "/v1/account":
            return Reply(200, {"id": self.account}) if self.account else Reply(403, error(message="Not for this key."))
        asked = request.path.rpartition("/")[2]
        if asked in self.known:
            return Reply(200, {"id": asked, "object": "customer", "deleted": asked.endswith("2")})
        return Reply(404, error(code="resource_missing"))


def _is_accepted(path: Path, begun_on: str, filled: Fill, stripe: Answers) -> bool:
    about = purpose(account=begun_on)
    with ledger(path, about) as (writer, reader):
        filled(writer)

        async def main() -> str:
            try:
                return (await same_account(stripe, about, parse_key(KEY), about.api_base, reader)).id
            except LedgerRefuses as refused:
                return str(refused)

        said = run_virtual(main)
    assert said.startswith(("acct_", UNNAMED)) or begun_on in said
    return " " not in said


@pytest.mark.parametrize(("begun_on", "named"), [("acct_1", None), (f"{UNNAMED}1", None), (f"{UNNAMED}1", "acct_1")])
@pytest.mark.parametrize("filled", [*HOLDS, *AT_REST, _nothing, _failed])
def test_where_an_account_has_no_name_a_customer_that_the_ledger_holds_proves_it(
    tmp_path: Path, begun_on: str, named: str | None, filled: Fill
) -> None:
    for number, known in enumerate([(), ("cus_Held1",), ("cus_Held2",), ("cus_Other",)]):
        accepted = _is_accepted(tmp_path / f"{number}.db", begun_on, filled, Answers(named, *known))
        if filled in HOLDS:
            held = ("cus_Held1",) if filled in ONE else ("cus_Held1", "cus_Held2")
            assert accepted is bool(set(known) & set(held))
        else:
            assert accepted is (filled not in AT_REST)


@pytest.mark.parametrize("filled", [_created, _claimed, _nothing])
def test_a_named_account_is_itself_and_no_other(tmp_path: Path, filled: Fill) -> None:
    assert _is_accepted(tmp_path / "same.db", "acct_1", filled, Answers("acct_1"))
    assert not _is_accepted(tmp_path / "other.db", "acct_1", filled, Answers("acct_2", "cus_Held1"))


def test_a_ledger_that_moves_forgets_what_was_read_of_the_account(tmp_path: Path) -> None:
    with ledger(tmp_path / "a.db") as (writer, reader):
        writer.begin_snapshot()
        there = [Customer("cus_1", "a@example.com", 1, livemode=False)]
        writer.read_slice(there, ["a@example.com"], Slice(1), [Slice(1, high=1)])
        writer.move(purpose(account="acct_2"))
        assert (reader.snapshot(), reader.slices()[0], reader.customers(["a@example.com"])) == (None, [], {})
        found = reader.purpose()
        assert found is not None
        assert (found.account, found.chunks) == ("acct_2", purpose().chunks)


# From the command line, against two accounts that name themselves to nobody.


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Program:
    return calling(capsys, monkeypatch)


@pytest.fixture
def accounts() -> Iterator[tuple[RawStripe, RawStripe]]:
    right = RawStripe(latency=0.0, keys={KEY}, account=None, ids="cus_Right")
    wrong = RawStripe(latency=0.0, keys={OTHER}, account=None, ids="cus_Wrong")
    with right, wrong:
        yield right, wrong


async def no_more(visit: Visit) -> None:
    await visit.say(403, error(message="Not allowed."))


def _settle_in(server: RawStripe, emails: Sequence[str]) -> None:
    for n, email in enumerate(emails):
        found = f"{server.ids}There{n}"
        about = {"email": email, "created": int(time.time()) - 10_000_000 - 1000 * n, "livemode": False, "metadata": {}}
        server.customers[found] = {"id": found, "object": "customer", **about}


def _import(call: Program, source: Path, key: str, server: RawStripe, monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setenv("STRIPE_API_KEY", key)
    return call("run", source, "--api-base", server.url, "--rate", "none", "--dedupe", "snapshot").code


@pytest.mark.parametrize("half_read", [False, True])
def test_what_another_accounts_key_has_read_says_nothing_of_who_is_there(
    tmp_path: Path,
    call: Program,
    accounts: tuple[RawStripe, RawStripe],
    monkeypatch: pytest.MonkeyPatch,
    half_read: bool,
) -> None:
    right, wrong = accounts
    emails = [f"person{n}@example.com" for n in range(12)]
    _settle_in(right, emails)
    _settle_in(wrong, [f"other{n}@example.com" for n in range(150)])
    source = tmp_path / "people.csv"
    source.write_text("email\n" + "\n".join(emails) + "\n")
    wrong.misread = lambda v: no_more if half_read and "starting_after" in v.request.query else None
    wrong.misbehave = right.misbehave = lambda v: no_more  # nobody is to be made
    assert _import(call, source, OTHER, wrong, monkeypatch) == 4
    assert _import(call, source, KEY, right, monkeypatch) == 0
    assert (len(right.customers), right.creates, len(wrong.customers)) == (12, 0, 150)


def test_a_ledger_that_went_along_with_a_key_stays_there(
    tmp_path: Path, call: Program, accounts: tuple[RawStripe, RawStripe], monkeypatch: pytest.MonkeyPatch
) -> None:
    right, wrong = accounts
    source = tmp_path / "people.csv"
    source.write_text("email\n" + "".join(f"person{n}@example.com\n" for n in range(12)))

    wrong.misbehave = lambda v: no_more
    assert _import(call, source, OTHER, wrong, monkeypatch) == 4
    right.misbehave = lambda v: no_more if v.nth > 5 else None
    assert _import(call, source, KEY, right, monkeypatch) == 4
    right.misbehave = wrong.misbehave = lambda _: None
    assert _import(call, source, OTHER, wrong, monkeypatch) == 5
    assert _import(call, source, KEY, right, monkeypatch) == 0
    assert (len(right.customers), len(wrong.customers)) == (12, 0)
