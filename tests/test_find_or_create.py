"""`find_or_create`: one customer for each e-mail, however many ask at once, against a simulated Stripe in its own process."""

from __future__ import annotations

import asyncio
import json
import socket
import subprocess
import sys
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import pytest

from bulk_import import (
    Client,
    CustomerInvalid,
    CustomerRefused,
    FoundOrCreated,
    OutOfReach,
    StripeRefuses,
    UsageError,
    find_or_create,
)
from bulk_import.signup.day import SECONDS, day_of
from bulk_import.signup.person import key_of, person_of
from tests.rig import KEY, Simulated, environment, simulated

SAMPLE = Path(__file__).parent.parent / "samples" / "sign_up.py"
UNLIMITED = ("--rate-limit", "none", "--endpoint-rate-limit", "none")


@pytest.fixture(scope="module")
def stripe() -> Iterator[Simulated]:
    with simulated(*UNLIMITED, "--latency", "20ms", "--jitter", "5ms", "--existing", "50") as server:
        yield server


@asynccontextmanager
async def client_of(server: Simulated, **options: Any) -> AsyncIterator[Client]:
    async with Client(KEY, api_base=server.url, **{"rate": 1000.0, **options}) as client:
        yield client


def ask(server: Simulated, *emails: str, at_once: int = 1, clients: int = 1, **fields: Any) -> list[FoundOrCreated]:
    """Call for each e-mail, so many times at once over so many clients."""

    async def main() -> list[FoundOrCreated]:
        found: list[FoundOrCreated] = []
        async with asyncio.TaskGroup() as group:
            for number in range(clients):
                share = [
                    email for n, email in enumerate(e for e in emails for _ in range(at_once)) if n % clients == number
                ]
                group.create_task(one_client(share, found))
        return found

    async def one_client(share: list[str], found: list[FoundOrCreated]) -> None:
        async with client_of(server) as client:
            found += await asyncio.gather(*(find_or_create(client, email, **fields) for email in share))

    return asyncio.run(main())


def holders(server: Simulated, email: str) -> list[str]:
    return [c["id"] for c in server.customers() if c["email"] and c["email"].lower() == email.lower()]


def call(server: Simulated, method: str, path: str, **params: Any) -> Any:
    """Somebody else works on the account."""
    data = urllib.parse.urlencode(params).encode() if params else None
    request = urllib.request.Request(server.url + path, data, {"Authorization": f"Bearer {KEY}"}, method=method)  # noqa: S310 - loopback
    with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310 - loopback
        return json.loads(answer.read())


def test_twenty_calls_at_once_with_one_email_make_one_customer(stripe: Simulated) -> None:
    found = ask(stripe, "twenty@example.com", at_once=20, clients=4, name="Twenty")
    assert len(found) == 20
    assert {f.customer_id for f in found} == set(holders(stripe, "twenty@example.com"))
    assert len({f.customer_id for f in found}) == 1
    assert sum(f.is_new for f in found) == 1


def test_calls_at_once_in_other_letter_case_make_one_customer(stripe: Simulated) -> None:
    found = ask(stripe, "Case@Example.com", "case@example.com", "CASE@example.com", at_once=3)
    assert len({f.customer_id for f in found}) == 1
    assert len(holders(stripe, "case@example.com")) == 1


def test_one_who_was_there_is_found_in_any_letter_case_and_stays_as_it_was(stripe: Simulated) -> None:
    before = {c["id"]: c for c in stripe.customers()}
    there = next(c for c in before.values() if c["email"] and c["email"].startswith("Existing"))
    [found] = ask(stripe, there["email"].lower(), name="Other", metadata={"a": "b"})
    assert found == FoundOrCreated(there["id"], is_new=False)
    [again] = ask(stripe, there["email"].upper())
    assert again.customer_id == there["id"]
    assert {c["id"]: c for c in stripe.customers()} == before


def test_a_new_one_carries_what_was_given(stripe: Simulated) -> None:
    [found] = ask(stripe, "given@example.com", name="Given", metadata={"plan": "pro"}, payment_method="pm_card_visa")
    assert found.is_new
    customer = call(stripe, "GET", f"/v1/customers/{found.customer_id}")
    assert (customer["email"], customer["name"], customer["metadata"]) == (
        "given@example.com",
        "Given",
        {"plan": "pro"},
    )
    assert customer["invoice_settings"]["default_payment_method"]


def test_a_stored_answer_is_not_believed_once_its_customer_is_deleted(stripe: Simulated) -> None:
    [first] = ask(stripe, "deleted@example.com")
    call(stripe, "DELETE", f"/v1/customers/{first.customer_id}")
    [second] = ask(stripe, "deleted@example.com")
    [third] = ask(stripe, "deleted@example.com")
    assert second.is_new
    assert first.customer_id != second.customer_id == third.customer_id
    assert holders(stripe, "deleted@example.com") == [second.customer_id]


def test_a_declined_card_is_told_and_the_next_card_is_taken_at_once(stripe: Simulated) -> None:
    async def main() -> FoundOrCreated:
        async with client_of(stripe) as client:
            for _ in range(2):
                with pytest.raises(CustomerRefused) as caught:
                    await find_or_create(client, "card@example.com", payment_method="pm_card_chargeDeclined")
                assert caught.value.refusal.code == "card_declined"
            assert holders(stripe, "card@example.com") == []
            return await find_or_create(client, "card@example.com", payment_method="pm_card_visa")

    assert asyncio.run(main()).is_new
    assert len(holders(stripe, "card@example.com")) == 1


def ask_one(server: Simulated, email: str, key: str = KEY, patience: float = 10.0, **fields: Any) -> FoundOrCreated:
    async def main() -> FoundOrCreated:
        async with Client(key, api_base=server.url, rate=1000.0, timeout=1.0, patience=patience) as client:
            return await find_or_create(client, email, **fields)

    return asyncio.run(main())


@pytest.mark.parametrize(
    ("fault", "email"),
    [("act-then-drop", "drop@example.com"), ("429", "busy@example.com"), ("reset", "reset@example.com")],
)
def test_a_lost_answer_makes_no_second_customer(stripe: Simulated, fault: str, email: str) -> None:
    stripe.set_faults([{"name": fault, "endpoint": "create", "from": 1, "to": 1}])
    try:
        found = ask_one(stripe, email)
    finally:
        stripe.set_faults([])
    assert holders(stripe, email) == [found.customer_id]


def test_a_failure_of_the_servers_that_acted_is_found_and_one_that_did_not_is_said(stripe: Simulated) -> None:
    stripe.set_faults([{"name": "500", "endpoint": "create", "probability": 1.0, "acted": 1.0}])
    try:
        found = ask_one(stripe, "acted@example.com")
        assert holders(stripe, "acted@example.com") == [found.customer_id]
        stripe.set_faults([{"name": "500", "endpoint": "create", "probability": 1.0, "acted": 0.0}])
        with pytest.raises(OutOfReach, match="calling again is safe"):
            ask_one(stripe, "idle@example.com", patience=0.6)
    finally:
        stripe.set_faults([])
    assert holders(stripe, "idle@example.com") == []
    found = ask_one(stripe, "idle@example.com")  # a process that knows nothing of the first one
    assert holders(stripe, "idle@example.com") == [found.customer_id]


def test_no_answer_at_all_ends_with_our_patience(stripe: Simulated) -> None:
    stripe.set_faults([{"name": "hang", "probability": 1.0}])
    try:
        with pytest.raises(OutOfReach):
            ask_one(stripe, "hang@example.com", patience=0.4)
    finally:
        stripe.set_faults([])


def test_a_key_that_stripe_refuses_is_said(stripe: Simulated) -> None:
    stripe.set_faults([{"name": "401", "probability": 1.0}])
    try:
        with pytest.raises(StripeRefuses):
            ask_one(stripe, "key@example.com")
    finally:
        stripe.set_faults([])


@pytest.mark.parametrize(
    ("email", "fields", "said"),
    [
        ("", {}, "no e-mail address"),
        ("   ", {}, "no e-mail address"),
        ("nobody", {}, "this is no e-mail address"),
        ("a@example.com", {"name": "x" * 257}, "257 characters"),
        ("a@example.com", {"metadata": {"k" * 41: "v"}}, "at most 40 characters"),
        ("a@example.com", {"metadata": {"k": "v" * 501}}, "at most 500 characters"),
        ("a@example.com", {"metadata": {f"k{n}": "v" for n in range(51)}}, "51 keys"),
        ("a@example.com", {"name": "4242 4242 4242 4242"}, "card number"),
    ],
)
def test_what_cannot_be_a_customer_is_refused_before_anything_is_sent(
    email: str, fields: dict[str, Any], said: str
) -> None:
    with pytest.raises(CustomerInvalid, match=said):
        person_of(email, fields.get("name"), fields.get("metadata"), None)


@pytest.mark.parametrize(
    ("key", "options"),
    [
        ("sk_live_4eC39HqLyjWDarjt", {}),
        ("sk_live_4eC39HqLyjWDarjt", {"live": True, "api_base": "http://127.0.0.1:1"}),
        (KEY, {"live": True}),
        ("pk_test_1", {}),
        ("", {}),
    ],
)
def test_a_live_account_is_never_reached_by_surprise(key: str, options: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        Client(key, **options)


def test_a_key_is_the_same_for_everybody_until_the_day_ends() -> None:
    person = person_of("Ann@Example.com", None, None, None)
    other_case = person_of("ann@example.com", "Ann", None, None)
    day = day_of(person.email_key, 1_790_000_000.0)
    last_moment = day_of(person.email_key, day.starts_at + SECONDS - 0.001)
    key = key_of("sign-up::test", "acct_1", person, day, 0)
    assert key == key_of("sign-up::test", "acct_1", other_case, last_moment, 0)
    others = {
        key_of("sign-up::live", "acct_1", person, day, 0),
        key_of("sign-up::test", "acct_2", person, day, 0),
        key_of("sign-up::test", "acct_1", person, day_of(person.email_key, day.starts_at + SECONDS), 0),
        key_of("sign-up::test", "acct_1", person, day, 1),
    }
    assert len(others | {key}) == 5
    assert "ann" not in key


# The sample.


@contextmanager
def sample(*arguments: str) -> Iterator[str]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, str(SAMPLE), "--port", str(port), *arguments]
    process = subprocess.Popen(command, env=environment(PYTHONUNBUFFERED="1"), stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        assert "Running on" in process.stdout.readline()
        yield f"http://127.0.0.1:{port}/sign-up"
    finally:
        process.terminate()
        process.stdout.close()
        process.wait(timeout=10)


def post(url: str, body: bytes) -> tuple[int, dict[str, Any]]:
    try:
        with urllib.request.urlopen(url, body, timeout=20) as answer:  # noqa: S310 - loopback
            return answer.status, json.loads(answer.read())
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.loads(error.read())


def test_the_sample_signs_people_up_and_answers_clearly_when_it_cannot(stripe: Simulated) -> None:
    with sample("--api-base", stripe.url, "--patience", "1") as url:
        status, first = post(url, b'{"email": "Web@Example.com", "name": "Web"}')
        assert (status, first["new"]) == (201, True)
        status, second = post(url, b'{"email": "web@example.com"}')
        assert (status, second) == (200, {"customer": first["customer"], "new": False})
        for body in (b"{}", b'{"email": "  "}', b'{"email": 7}', b"[]", b"nonsense", b'{"email": "nobody"}'):
            status, answer = post(url, body)
            assert (status, bool(answer["error"])) == (400, True), body
        status, answer = post(url, b'{"email": "card2@example.com", "payment_method": "pm_card_chargeDeclined"}')
        assert (status, answer["code"]) == (502, "card_declined")
        for fault, code in (("hang", 503), ("403", 502), ("500", 503)):
            stripe.set_faults([{"name": fault, "probability": 1.0}])
            try:
                status, answer = post(url, b'{"email": "fault@example.com"}')
            finally:
                stripe.set_faults([])
            assert (status, bool(answer["error"])) == (code, True), fault
    assert holders(stripe, "web@example.com") == [first["customer"]]
