"""What `StripeApi.send` makes of servers that behave, misbehave, or are not there."""

from __future__ import annotations

import asyncio
import inspect
import json
import logging
import os
import socket
import ssl
import subprocess
import sys
import time
import traceback
import tracemalloc
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from itertools import pairwise
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import aiohttp
import anyio
import pytest
import stripe

from bulk_import.errors import UsageError
from bulk_import.keys import SecretKey, parse_key
from bulk_import.model import Endpoint, Reply, Request
from bulk_import.stripe_api.composing import STRIPE_VERSION
from bulk_import.stripe_api.sending import StripeApi
from bulk_import.stripe_api.transport import MAX_BODY, describe_fault, trusted_certificates
from tests.misbehaving_server import (
    BEHAVIOURS,
    CUSTOMER,
    DATE_SECONDS,
    Answering,
    MisbehavingServer,
    Visit,
    close_at_once,
    refusal,
    response,
    say_nothing,
)

SECRET = "sk_test_51Abcdefghijklmnopqrstuv"
DEADLINE = 0.3
CREATE = Request(Endpoint.CREATE, "POST", "/v1/customers", {"email": "ann@example.com"}, "bi_key1")
LIST = Request(Endpoint.LIST, "GET", "/v1/customers", {"limit": 100})


@asynccontextmanager
async def opened(base: str, deadline: float = 5.0, connections: int = 4, **options: Any) -> AsyncIterator[StripeApi]:
    key = options.pop("key", parse_key(SECRET))
    api = StripeApi(key, base=base, deadline=deadline, connections=connections, **options)
    try:
        yield api
    finally:
        await api.aclose()


async def ask(server: MisbehavingServer, request: Request = CREATE, deadline: float = 5.0, **options: Any) -> Reply:
    async with server, opened(server.base, deadline, **options) as api:
        return await api.send(request)


ANSWERED: dict[str, dict[str, Any]] = {
    "HTML 200": {"status": 200, "body": None, "fault": "not-json"},
    "HTML 502": {"status": 502, "body": None, "fault": "not-json", "request_id": "req_502"},
    "empty 200": {"status": 200, "body": None, "fault": "not-json"},
    "half JSON": {"status": 200, "body": None, "fault": "not-json"},
    "invalid UTF-8": {"status": 200, "body": None, "fault": "not-json"},
    "NaN": {"status": 200, "body": None, "fault": "not-json"},
    "lone surrogate": {"status": 200, "body": None, "fault": "not-json"},
    "deep nesting": {"status": 200, "body": None, "fault": "not-json"},
    "null": {"status": 200, "body": None, "fault": None},
    "a list": {"status": 200, "body": [], "fault": None},
    "no id": {"status": 200, "body": {"object": "customer"}, "fault": None},
    "error with 200": {"status": 200, "body": refusal(), "fault": None},
    "error that is a list": {"status": 400, "body": {"error": []}, "fault": None},
    "error that is text": {"status": 400, "fault": None},
    "error that is null": {"status": 500, "body": {"error": None}, "fault": None},
    "429 with a reason": {"status": 429, "limited_reason": "endpoint-rate", "should_retry": True, "fault": None},
    "429 lock_timeout": {"status": 429, "limited_reason": None, "should_retry": True, "fault": None},
    "409": {"status": 409, "should_retry": None, "fault": None},
    "replayed 500": {"status": 500, "replayed": True, "should_retry": False, "fault": None},
    "a notice": {"status": 200, "body": CUSTOMER, "fault": None},
}
BROKEN = {
    "says nothing": "timeout",
    "trickles the body": "timeout",
    "trickles the headers": "timeout",
    "interim answers without end": "timeout",
    "body cut short": "truncated",
    "chunk cut short": "truncated",
    "closes": "reset",
    "resets": "reset",
    "resets within the body": "truncated or reset",  # a reset may overtake what was said before it
    "garbage": "protocol",
    "headers without end": "protocol",
    "wrong gzip": "truncated",
    "gzip bomb": "oversized",
    "huge body": "oversized",
    "huge body announced": "oversized",
}


def test_every_behaviour_of_the_server_has_an_expectation() -> None:
    assert ANSWERED.keys() | BROKEN.keys() == BEHAVIOURS.keys()


@pytest.mark.asyncio
@pytest.mark.parametrize("name", ANSWERED)
async def test_a_complete_answer_is_told_as_it_came(name: str) -> None:
    reply = await ask(MisbehavingServer(BEHAVIOURS[name]))
    assert {field: getattr(reply, field) for field in ANSWERED[name]} == ANSWERED[name]
    assert reply.stripe_time == DATE_SECONDS
    assert (reply.detail is None) == (reply.fault is None)


@pytest.mark.asyncio
@pytest.mark.parametrize("name", BROKEN)
@pytest.mark.parametrize("request_", [CREATE, LIST], ids=["create", "list"])
async def test_no_complete_answer_is_a_reply_with_a_fault(name: str, request_: Request) -> None:
    late = BROKEN[name] == "timeout"
    server = MisbehavingServer(BEHAVIOURS[name])
    reply = await ask(server, request_, deadline=DEADLINE if late else 5.0)
    assert (reply.status, reply.body) == (None, None)
    assert reply.fault in BROKEN[name].split(" or ")
    assert reply.detail
    assert reply.detail.count("127.0.0.1") == 1
    assert reply.seconds < DEADLINE + 0.5 if late else reply.seconds < 2
    assert len(server.requests) == 1


@pytest.mark.asyncio
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_is_reported_and_never_followed(status: int) -> None:
    async with MisbehavingServer(Answering()) as elsewhere:
        target = f"{elsewhere.base}/v1/customers?email=ann@example.com"
        reply = await ask(MisbehavingServer(Answering(b"", status, {"location": target})))
        assert (elsewhere.connections, elsewhere.requests) == (0, [])
    assert (reply.status, reply.location) == (status, f"{elsewhere.base}/v1/customers")


@pytest.mark.asyncio
async def test_a_refused_connection_says_so() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound but not listening
        async with opened(f"http://127.0.0.1:{taken.getsockname()[1]}") as api:
            reply = await api.send(CREATE)
    assert (reply.status, reply.fault) == (None, "connect")
    assert "connection refused" in (reply.detail or "")


@pytest.mark.asyncio
@pytest.mark.parametrize("proxy", ["", "http://proxy.invalid:3128"])
async def test_a_name_that_cannot_be_resolved_says_so(monkeypatch: pytest.MonkeyPatch, proxy: str) -> None:
    def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    monkeypatch.setenv("https_proxy", proxy)
    monkeypatch.delenv("no_proxy", raising=False)
    async with opened("https://nowhere.invalid") as api:
        reply = await api.send(CREATE)
    name = "proxy.invalid" if proxy else "nowhere.invalid"
    assert (reply.fault, reply.detail) == ("connect", f"The name {name} could not be resolved")


@pytest.mark.asyncio
async def test_tls_to_a_plain_port_says_so() -> None:
    async with (
        MisbehavingServer(Answering(refusal(), 400)) as server,
        opened(server.base.replace("http:", "https:")) as api,
    ):
        reply = await api.send(CREATE)
    assert (reply.status, reply.fault) == (None, "tls")


@pytest.mark.asyncio
async def test_a_gzip_bomb_neither_stops_the_loop_nor_fills_the_memory() -> None:
    beats: list[float] = []  # seconds of this thread's own work, whatever else the machine does

    async def beat() -> None:
        while True:
            beats.append(time.thread_time())
            await asyncio.sleep(0.005)

    beating = asyncio.create_task(beat())
    tracemalloc.start()
    try:
        reply = await ask(MisbehavingServer(BEHAVIOURS["gzip bomb"]))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
        beating.cancel()
    beats.append(time.thread_time())
    assert reply.fault == "oversized"
    assert max(later - earlier for earlier, later in pairwise(beats)) < 0.25
    assert peak < 4 * MAX_BODY


@pytest.mark.asyncio
async def test_connections_are_kept_and_used_again() -> None:
    async with MisbehavingServer(Answering()) as server, opened(server.base, connections=20) as api:
        for _ in range(200):
            assert (await api.send(CREATE)).status == 200
        assert server.connections == 1
        replies = await asyncio.gather(*(api.send(CREATE) for _ in range(20)))
        assert {reply.status for reply in replies} == {200}
        assert server.connections <= 20
        await asyncio.gather(*(api.send(CREATE) for _ in range(60)))
        assert server.connections <= 20


@pytest.mark.asyncio
@pytest.mark.parametrize("method", ["GET", "DELETE"])
async def test_a_kept_connection_that_breaks_is_not_silently_tried_again(method: str) -> None:
    request = Request(Endpoint.DELETE, method, "/v1/customers/cus_1")
    async with MisbehavingServer(Answering(), close_at_once, Answering()) as server, opened(server.base) as api:
        assert (await api.send(request)).status == 200
        assert (await api.send(request)).fault == "reset"
        assert len(server.requests) == 2


@pytest.mark.asyncio
async def test_a_stray_answer_on_a_kept_connection_is_not_taken_for_the_next_one() -> None:
    settled, strayed = asyncio.Event(), asyncio.Event()

    async def answer_twice(visit: Visit) -> None:
        await visit.write(response({"id": "cus_right"}, idempotency_key="bi_key1"))
        await settled.wait()
        await visit.write(response({"id": "cus_wrong"}, idempotency_key="bi_key1"))
        strayed.set()

    async with MisbehavingServer(answer_twice, Answering({"id": "cus_next"})) as server, opened(server.base) as api:
        first = await api.send(CREATE)
        settled.set()
        await strayed.wait()
        second = await api.send(Request(Endpoint.CREATE, "POST", "/v1/customers", {}, "bi_key2"))
    assert (first.status, first.body) == (200, {"id": "cus_right"})
    assert second.body in (None, {"id": "cus_next"})


@pytest.mark.asyncio
async def test_replies_to_concurrent_requests_are_not_mixed_up() -> None:
    async def echo(visit: Visit) -> None:
        email = dict(parse_qsl(visit.request.body.decode()))["email"]
        status = 200 if int(email.partition("@")[0]) % 2 else 402
        await visit.write(response({"email": email}, status, request_id=f"req_{email.partition('@')[0]}"))

    async with MisbehavingServer(echo) as server, opened(server.base, connections=10) as api:

        async def create(number: int) -> None:
            email = f"{number}@example.com"
            reply = await api.send(Request(Endpoint.CREATE, "POST", "/v1/customers", {"email": email}, f"bi_{number}"))
            assert (reply.body, reply.request_id) == ({"email": email}, f"req_{number}")

        await asyncio.gather(*(create(number) for number in range(100)))


@pytest.mark.asyncio
async def test_a_post_carries_key_version_account_and_the_exact_form() -> None:
    params = {
        "name": "Zoë [Q] & Söhne",
        "email": "a+b@example.com",
        "balance": -500,
        "tax_id_data": [{"type": "eu_vat", "value": "DE1"}, None, {"type": "gb_vat", "value": "GB1"}],
        "preferred_locales": ["fr", "en-US"],
        "flags": [True, None, False],
        "validate": True,
        "address": {"line1": None, "city": "Köln"},
        "empty": {},
    }
    server = MisbehavingServer(Answering())
    request = Request(Endpoint.CREATE, "POST", "/v1/customers", params, "bi_abc")
    await ask(server, request, stripe_account="acct_9", stripe_version="2030-01-01.test")
    received = server.requests[0]
    assert received.headers["authorization"] == f"Bearer {SECRET}"
    assert received.headers["idempotency-key"] == "bi_abc"
    assert received.headers["stripe-version"] == "2030-01-01.test"
    assert received.headers["stripe-account"] == "acct_9"
    assert received.headers["content-type"] == "application/x-www-form-urlencoded"
    assert not [name for name in received.headers if "telemetry" in name or name == "cookie"]
    assert parse_qsl(received.body.decode(), strict_parsing=True) == [
        ("address[city]", "Köln"),
        ("balance", "-500"),
        ("email", "a+b@example.com"),
        ("flags[0]", "true"),
        ("flags[1]", "false"),
        ("name", "Zoë [Q] & Söhne"),
        ("preferred_locales[0]", "fr"),
        ("preferred_locales[1]", "en-US"),
        ("tax_id_data[0][type]", "eu_vat"),
        ("tax_id_data[0][value]", "DE1"),
        ("tax_id_data[1][type]", "gb_vat"),
        ("tax_id_data[1][value]", "GB1"),
        ("validate", "true"),
    ]


@pytest.mark.asyncio
async def test_equal_parameters_make_the_same_bytes_whatever_their_order() -> None:
    params = {"email": "a@example.com", "metadata": {"b": "1", "a": "2"}}
    turned = {"metadata": {"a": "2", "b": "1"}, "email": "a@example.com"}
    async with MisbehavingServer(Answering()) as server, opened(server.base) as api:
        for given in (params, params, turned):
            await api.send(Request(Endpoint.CREATE, "POST", "/v1/customers", given, "bi_1"))
    assert len({received.body for received in server.requests}) == 1


@pytest.mark.asyncio
async def test_a_get_carries_its_parameters_in_the_query_and_no_idempotency_key() -> None:
    params = {"created": {"gte": 1, "lt": 2}, "email": "a+b%40ä@example.com", "expand": ["data.tax", "data.x"]}
    server = MisbehavingServer(Answering())
    await ask(server, Request(Endpoint.LIST, "GET", "/v1/customers", params))
    received = server.requests[0]
    path, query = urlsplit(received.target)[2:4]
    assert (received.method, path, received.body) == ("GET", "/v1/customers", b"")
    assert "idempotency-key" not in received.headers
    assert received.headers["stripe-version"] == STRIPE_VERSION
    assert dict(parse_qsl(query)) == {
        "created[gte]": "1",
        "created[lt]": "2",
        "email": "a+b%40ä@example.com",
        "expand[0]": "data.tax",
        "expand[1]": "data.x",
    }


@pytest.mark.asyncio
@pytest.mark.parametrize("name", ["headers", "base", "api_key", "idempotency_key", "stripe_account", "url_", "self"])
async def test_a_parameter_named_like_an_option_of_the_sdk_is_never_taken_for_one(name: str) -> None:
    server = MisbehavingServer(Answering())
    async with server, opened(server.base) as api:
        for value in ({"x": "1"}, "1"):
            request = Request(Endpoint.CREATE, "POST", "/v1/customers", {name: value}, "bi_1")
            assert (await api.send(request)).status == 200
    assert [received.body for received in server.requests] == [f"{name}[x]=1".encode(), f"{name}=1".encode()]
    assert {received.headers["idempotency-key"] for received in server.requests} == {"bi_1"}


@pytest.mark.asyncio
@pytest.mark.parametrize(
    "request_",
    [
        Request(Endpoint.CREATE, "POST", "/v1/customers", {"email": "a@example.com"}),
        Request(Endpoint.CREATE, "POST", "//evil.example/v1", {}, "bi_1"),
        Request(Endpoint.CREATE, "PATCH", "/v1/customers", {}, "bi_1"),
        Request(Endpoint.CREATE, "POST", "/v1/customers", {"name": "\ud800"}, "bi_1"),
        Request(Endpoint.CREATE, "POST", "/v1/customers", {}, "bi_1\nx-evil: 1"),
    ],
    ids=["no key", "another host", "unknown method", "surrogate", "header injection"],
)
async def test_a_request_that_must_not_be_sent_is_a_reply_and_not_sent(request_: Request) -> None:
    server = MisbehavingServer(Answering())
    reply = await ask(server, request_)
    assert (reply.status, reply.fault, server.requests) == (None, "protocol", [])


@pytest.mark.asyncio
async def test_cancelling_a_send_is_the_one_thing_that_raises() -> None:
    arrived = asyncio.Event()

    async def notice_and_say_nothing(visit: Visit) -> None:
        arrived.set()
        await say_nothing(visit)

    async with MisbehavingServer(notice_and_say_nothing) as server, opened(server.base) as api:
        task = asyncio.create_task(api.send(CREATE))
        await arrived.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError) as caught:
            await task
        report = traceback.TracebackException.from_exception(caught.value, capture_locals=True)
    assert SECRET not in "".join(report.format())


@pytest.mark.asyncio
async def test_waiting_for_a_free_connection_counts_toward_the_deadline() -> None:
    async with MisbehavingServer(say_nothing) as server, opened(server.base, DEADLINE, connections=1) as api:
        replies = await asyncio.gather(api.send(CREATE), api.send(CREATE))
    assert [reply.fault for reply in replies] == ["timeout", "timeout"]
    assert all(reply.seconds < DEADLINE + 0.5 for reply in replies)


@pytest.mark.asyncio
async def test_a_connection_that_timed_out_is_never_used_again() -> None:
    server = MisbehavingServer(say_nothing, Answering({"id": "cus_next"}))
    async with server, opened(server.base, DEADLINE, connections=1) as api:
        assert (await api.send(CREATE)).fault == "timeout"
        assert (await api.send(CREATE)).body == {"id": "cus_next"}
        assert server.connections == 2


@pytest.mark.asyncio
async def test_a_cancelled_scope_of_anyio_ends_a_send_at_once_and_frees_its_connection() -> None:
    reached = anyio.Event()

    async def hears_it_and_says_nothing(visit: Visit) -> None:
        reached.set()
        await say_nothing(visit)

    server = MisbehavingServer(hears_it_and_says_nothing, Answering())
    async with server, opened(server.base, connections=1) as api:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(api.send, CREATE)
            await reached.wait()
            tasks.cancel_scope.cancel()
        assert (await api.send(CREATE)).status == 200


@pytest.mark.asyncio
async def test_cookies_are_not_kept_and_a_slash_after_the_base_does_no_harm() -> None:
    async with (
        MisbehavingServer(Answering(headers={"set_cookie": "a=b"})) as server,
        opened(server.base.replace("127.0.0.1", "localhost") + "/") as api,
    ):
        assert [(await api.send(CREATE)).status for _ in range(2)] == [200, 200]
    assert [received.target for received in server.requests] == ["/v1/customers"] * 2
    assert not [received for received in server.requests if "cookie" in received.headers]


def test_a_machine_without_certificates_still_trusts_those_of_the_sdk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", "/nonexistent")
    monkeypatch.setenv("SSL_CERT_DIR", "/nonexistent")
    context = trusted_certificates()
    with open(stripe.ca_bundle_path) as bundle:
        assert len(context.get_ca_certs()) == bundle.read().count("BEGIN CERTIFICATE") > 0
    assert (context.verify_mode, context.check_hostname) == (ssl.CERT_REQUIRED, True)


@pytest.mark.asyncio
async def test_sending_on_a_closed_api_is_a_reply() -> None:
    async with MisbehavingServer(Answering()) as server:
        async with opened(server.base) as api:
            pass
        assert (await api.send(CREATE)).fault == "protocol"


@pytest.mark.asyncio
async def test_two_keys_in_one_process_do_not_mix() -> None:
    other = "rk_test_51Zyxwvutsrqponmlkjihgfe"
    server = MisbehavingServer(Answering())
    async with server, opened(server.base) as one, opened(server.base, key=parse_key(other)) as two:
        await asyncio.gather(*(api.send(CREATE) for api in (one, two) * 10))
    keys = [received.headers["authorization"] for received in server.requests]
    assert sorted(keys) == sorted([f"Bearer {SECRET}", f"Bearer {other}"] * 10)


def reachable(value: object, depth: int = 12) -> Iterator[object]:
    """Everything that hangs from *value* by attributes, slots and containers."""
    seen: set[int] = set()
    queue: list[tuple[object, int]] = [(value, depth)]
    while queue:
        item, left = queue.pop()
        if id(item) in seen or left == 0 or inspect.ismodule(item) or inspect.isclass(item):
            continue
        seen.add(id(item))
        yield item
        children: list[object] = list(getattr(item, "__dict__", {}).values())
        children += [
            getattr(item, slot, None) for kind in type(item).__mro__ for slot in getattr(kind, "__slots__", ())
        ]
        if isinstance(item, dict):
            children += [*item.keys(), *item.values()]
        elif isinstance(item, list | tuple | set | frozenset):
            children += item
        queue += [(child, left - 1) for child in children]


@pytest.mark.asyncio
async def test_no_object_of_a_running_api_shows_the_key() -> None:
    async with MisbehavingServer(Answering(), say_nothing) as server, opened(server.base) as api:
        await api.send(CREATE)
        items = list(reachable(api))
        assert any(isinstance(item, SecretKey) for item in items)
        assert any(isinstance(item, aiohttp.ClientSession) for item in items)
        assert len(items) > 100
        for item in items:
            assert SECRET not in repr(item)
            assert not (isinstance(item, bytes) and SECRET.encode() in item)


@pytest.mark.asyncio
async def test_loggers_stay_quiet_at_debug(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    for name in ("stripe", "aiohttp", "asyncio"):
        caplog.set_level(logging.DEBUG, logger=name)
    await ask(MisbehavingServer(Answering(refusal(), 402)))
    assert caplog.text == ""


def test_neither_stripe_log_nor_the_import_prints_anything(tmp_path: object) -> None:
    program = (
        "import asyncio, bulk_import.stripe_api.sending as s; from bulk_import.keys import parse_key\n"
        "from bulk_import.model import Request, Endpoint\n"
        "async def main():\n"
        f"    api = s.StripeApi(parse_key('{SECRET}'), base='http://127.0.0.1:9', connections=1)\n"
        "    r = await api.send(Request(Endpoint.CREATE, 'POST', '/v1/customers', {'email': 'ann@example.com'}, 'k'))\n"
        "    await api.aclose(); print(r.fault)\n"
        "asyncio.run(main()); import os; print(os.environ['STRIPE_LOG'])\n"
    )
    environment = {**os.environ, "STRIPE_LOG": "debug", "CLAUDECODE": "1", "HOME": str(tmp_path)}
    environment |= {"XDG_CONFIG_HOME": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program], env=environment, capture_output=True, text=True, check=False
    )
    assert (done.stdout.split(), done.stderr, done.returncode) == (["connect", "debug"], "", 0)
    assert os.listdir(str(tmp_path)) == []


@pytest.mark.asyncio
async def test_a_proxy_of_the_environment_is_used_where_it_cannot_read_the_key_and_a_netrc_is_not(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("default login ann password secret\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    async with MisbehavingServer(Answering()) as proxy:
        for name in ("http_proxy", "https_proxy"):
            monkeypatch.setenv(name, f"http://ann:p%40ss@{urlsplit(proxy.base).netloc}")
        monkeypatch.delenv("no_proxy", raising=False)
        monkeypatch.delenv("NO_PROXY", raising=False)
        async with opened("https://stripe.example.com", DEADLINE) as api:
            await api.send(CREATE)
        asked, *greeting = proxy.requests
        async with MisbehavingServer(Answering()) as local, opened(local.base) as api:
            assert (await api.send(CREATE)).status == 200
            assert len(local.requests) == 1
        async with opened("http://stripe.invalid", DEADLINE) as api:
            await api.send(CREATE)
        monkeypatch.setenv("no_proxy", "stripe.invalid")
        async with opened("https://stripe.invalid", DEADLINE) as api:
            await api.send(CREATE)
        assert proxy.requests == [asked, *greeting]
    assert (asked.method, asked.target) == ("CONNECT", "stripe.example.com:443")
    assert asked.headers["proxy-authorization"] == "Basic YW5uOnBAc3M="
    assert SECRET not in str(proxy.requests)


@pytest.mark.asyncio
@pytest.mark.parametrize("proxy", ["socks5://127.0.0.1:1080", "://", "http://"])
async def test_a_proxy_that_cannot_be_used_is_refused_before_anything_is_sent(
    monkeypatch: pytest.MonkeyPatch, proxy: str
) -> None:
    monkeypatch.setenv("https_proxy", proxy)
    monkeypatch.setenv("no_proxy", "other.example.com")
    with pytest.raises(UsageError, match=r"a proxy for stripe\.invalid .* HTTPS_PROXY .* NO_PROXY"):
        StripeApi(parse_key(SECRET), base="https://stripe.invalid", connections=1)
    async with opened("https://other.example.com"):
        pass


# Which of the SDK's exceptions can follow which answers; the reply must be the answer all the same.
SDK_ON_ANSWERS: dict[str, list[tuple[int, object]]] = {
    "APIError": [(409, refusal()), (424, refusal()), (500, refusal("api_error")), (503, {"no": "error"})],
    "AuthenticationError": [(401, refusal())],
    "CardError": [(402, refusal("card_error", code="card_declined"))],
    "IdempotencyError": [(400, refusal("idempotency_error"))],
    "InvalidRequestError": [(400, refusal()), (404, refusal(code="resource_missing"))],
    "PermissionError": [(403, refusal())],
    "RateLimitError": [(429, refusal()), (400, refusal(code="rate_limit"))],
    "InvalidClientError": [(400, {"error": "invalid_client"})],
    "InvalidGrantError": [(400, {"error": "invalid_grant"})],
    "InvalidScopeError": [(400, {"error": "invalid_scope"})],
    "UnsupportedGrantTypeError": [(400, {"error": "unsupported_grant_type"})],
    "UnsupportedResponseTypeError": [(400, {"error": "unsupported_response_type"})],
}
SDK_ON_FAULTS = {"APIConnectionError"}
# Bases, webhooks, and the errors of Stripe's v2 endpoints: nothing that /v1/ can answer raises them.
SDK_NEVER = {
    "StripeError",
    "StripeErrorWithParamCode",
    "OAuthError",
    "SignatureVerificationError",
    "AlreadyCanceledError",
    "BlockedByStripeError",
    "CannotProceedError",
    "CapabilityNotEnabledError",
    "ControlledByAlternateResourceError",
    "FeatureNotEnabledError",
    "FinancialAccountNotOpenError",
    "FxQuoteNeedsRefreshError",
    "InsufficientFundsError",
    "InvalidPaymentMethodError",
    "InvalidPayoutMethodError",
    "InvalidVaultedCredentialError",
    "NotCancelableError",
    "QuotaExceededError",
    "RecipientNotNotifiableError",
    "TemporarySessionExpiredError",
    "VerificationAttemptFailedError",
    "VerificationExpiredError",
    "VerificationNotInitiatedError",
}


def family(root: type[Exception]) -> set[type[Exception]]:
    return {root}.union(*(family(child) for child in root.__subclasses__()))


def test_every_exception_class_of_the_sdk_is_accounted_for() -> None:
    known = SDK_ON_ANSWERS.keys() | SDK_ON_FAULTS | SDK_NEVER
    assert {kind.__name__ for kind in family(stripe.StripeError)} == known


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("status", "body"),
    [pytest.param(*answer, id=f"{n}-{answer[0]}") for n, a in SDK_ON_ANSWERS.items() for answer in a],
)
async def test_an_answer_that_the_sdk_raises_on_is_a_reply_with_its_headers(status: int, body: object) -> None:
    reply = await ask(MisbehavingServer(Answering(body, status, {"request_id": "req_7", "retry_after": "2"})))
    assert (reply.status, reply.body, reply.fault) == (status, body, None)
    assert (reply.request_id, reply.retry_after, reply.stripe_time) == ("req_7", 2.0, DATE_SECONDS)


@pytest.mark.parametrize("kind", sorted(family(aiohttp.ClientError), key=str))
def test_every_exception_class_of_aiohttp_has_a_fault_of_its_own(kind: type[Exception]) -> None:
    described = describe_fault(kind.__new__(kind), "host.example.com")
    assert described.fault in {"timeout", "tls", "certificate", "connect", "truncated", "reset", "protocol"}
    assert kind.__name__ not in described.detail


@pytest.mark.asyncio
async def test_the_reply_of_a_success_is_complete() -> None:
    headers = {"request_id": "req_1", "idempotent_replayed": "true", "stripe_should_retry": "false"}
    reply = await ask(MisbehavingServer(Answering(headers=headers)))
    assert reply == Reply(
        status=200,
        body=json.loads(json.dumps(CUSTOMER)),
        request_id="req_1",
        replayed=True,
        should_retry=False,
        stripe_time=DATE_SECONDS,
        seconds=reply.seconds,
    )
    assert 0 < reply.seconds < 1


@pytest.mark.asyncio
@pytest.mark.parametrize("place", ["body", "header"])
async def test_a_server_that_repeats_the_key_gives_it_to_nobody(place: str) -> None:
    said = f"Invalid API Key provided: {SECRET}"
    saying = {
        "body": Answering(refusal(message=said), 401),
        "header": Answering(refusal(), 401, {"request_id": SECRET}),
    }
    reply = await ask(MisbehavingServer(saying[place]))
    assert reply.status == 401
    assert SECRET not in repr(reply)
    assert reply.body["error"]["message"]
