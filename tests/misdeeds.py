"""What a server, a proxy or a network can do to one create: every line of the table is one misdeed of `RawStripe`.

Each says whether the customer is made (before, after or never), and what goes back over the wire.
"""

from __future__ import annotations

import asyncio
import gzip
import json
from collections.abc import Mapping

from tests.raw_stripe import Misdeed, Visit, answer, error

PAGE = b"<!DOCTYPE html><html><body>Bad day</body></html>"
PATIENCE = 30.0
"""Seconds after which a server that says nothing hangs up."""


def saying(status: int, body: object, *, kind: str = "application/json", acts: bool = False, **headers: str) -> Misdeed:
    """Give one whole answer, whether or not the customer is made."""

    async def misdeed(visit: Visit) -> None:
        if acts:
            await visit.act()
        await visit.say(status, body, kind=kind, **headers)

    return misdeed


def raw(data: bytes, *, acts: bool = False) -> Misdeed:
    """Say exactly these bytes and hang up."""

    async def misdeed(visit: Visit) -> None:
        if acts:
            await visit.act()
        await visit.write(data)
        await visit.hang_up()

    return misdeed


def changed(**changes: object) -> Misdeed:
    """Make the customer, and show it otherwise than it is."""

    async def misdeed(visit: Visit) -> None:
        _, made, _ = await visit.act()
        await visit.say(200, {**made, **changes})

    return misdeed


def stored(acts: bool) -> Misdeed:
    """A 500 that is kept under the key and replayed."""

    async def misdeed(visit: Visit) -> None:
        key = str(visit.request.key)
        replayed = {"Idempotent_Replayed": "true"} if key in visit.server.stored else {}
        if acts and not replayed:
            await visit.act()
        failure = error("api_error", "Something broke.")
        visit.server.stored[key] = (visit.request.body, (500, failure))
        await visit.say(500, failure, **replayed)

    return misdeed


async def silent(visit: Visit) -> None:
    await _until_gone(visit)
    await visit.hang_up()


async def silent_having_acted(visit: Visit) -> None:
    await visit.act()
    await silent(visit)


async def acting_late(visit: Visit) -> None:
    """The client has long given up when the customer is made; meanwhile its key is in use."""
    request = visit.request
    visit.server.stored[str(request.key)] = (request.body, None)
    await asyncio.sleep(4.0)
    del visit.server.stored[str(request.key)]
    await visit.act()
    await visit.hang_up()


async def closing(visit: Visit) -> None:
    await visit.hang_up()


async def closing_having_acted(visit: Visit) -> None:
    await visit.act()
    await visit.hang_up()


async def resetting(visit: Visit) -> None:
    await visit.reset()


async def resetting_having_acted(visit: Visit) -> None:
    await visit.act()
    await visit.reset()


async def headers_alone(visit: Visit) -> None:
    whole = await _whole(visit)
    await visit.write(whole[: whole.index(b"\r\n\r\n") + 4])
    await visit.hang_up()


async def cut_short(visit: Visit) -> None:
    await visit.write((await _whole(visit))[:-30])
    await visit.hang_up()


async def chunk_cut_short(visit: Visit) -> None:
    await visit.act()
    await visit.write(b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n40\r\n{"id": "cus_')
    await visit.hang_up()


async def body_byte_by_byte(visit: Visit) -> None:
    whole = await _whole(visit)
    start = whole.index(b"\r\n\r\n") + 4
    await visit.write(whole[:start])
    await _trickle(visit, whole[start:])


async def headers_byte_by_byte(visit: Visit) -> None:
    await _trickle(visit, await _whole(visit))


async def old_http(visit: Visit) -> None:
    """HTTP/1.0: no length, the end of the connection is the end of the answer. Nothing is wrong with it."""
    whole = await _whole(visit)
    await visit.write(b"HTTP/1.0 200 OK\r\nContent-Type: application/json\r\n\r\n" + whole.partition(b"\r\n\r\n")[2])
    await visit.hang_up()


async def packed(visit: Visit) -> None:
    """An answer under gzip. Nothing is wrong with it."""
    _, made, _ = await visit.act()
    await visit.write(answer(200, gzip.compress(json.dumps(made).encode()), Content_Encoding="gzip"))


async def wrongly_packed(visit: Visit) -> None:
    _, made, _ = await visit.act()
    await visit.write(answer(200, json.dumps(made).encode(), Content_Encoding="gzip"))


async def gzip_bomb(visit: Visit) -> None:
    await visit.act()
    await visit.write(answer(200, gzip.compress(b" " * 2**26), Content_Encoding="gzip"))


async def somebody_else(visit: Visit) -> None:
    """Carried out, but the customer shown is another row's."""
    await visit.act()
    others = [c for c in visit.server.customers.values() if c["email"] != visit.email]
    await visit.say(200, others[0] if others else {"id": "cus_Other", "object": "customer", "livemode": False})


async def _whole(visit: Visit) -> bytes:
    status, made, headers = await visit.act()
    return answer(status, made, **headers)


async def _until_gone(visit: Visit) -> None:
    try:
        await asyncio.wait_for(visit.reader.read(1), PATIENCE)
    except TimeoutError:
        return


async def _trickle(visit: Visit, data: bytes) -> None:
    for index in range(len(data)):
        await visit.write(data[index : index + 1])
        await asyncio.sleep(0.2)
    await visit.hang_up()


MISDEEDS: Mapping[str, Misdeed] = {
    "says nothing": silent,
    "acts and says nothing": silent_having_acted,
    "acts long after the client gave up": acting_late,
    "closes": closing,
    "acts and closes": closing_having_acted,
    "resets": resetting,
    "acts and resets": resetting_having_acted,
    "closes after the headers": headers_alone,
    "cuts the body short": cut_short,
    "cuts a chunk short": chunk_cut_short,
    "sends the body byte by byte": body_byte_by_byte,
    "sends the headers byte by byte": headers_byte_by_byte,
    "speaks HTTP/1.0": old_http,
    "packs the answer": packed,
    "says gzip and sends none": wrongly_packed,
    "sends a gzip bomb": gzip_bomb,
    "sends garbage": raw(b"\x00\x01 what is this \xff\r\n\r\n"),
    "acts and sends garbage": raw(b"\xff" * 64, acts=True),
    "500 stored, acted": stored(acts=True),
    "500 stored, not acted": stored(acts=False),
    "500, acted": saying(500, error("api_error"), acts=True),
    "500, not acted": saying(500, error("api_error")),
    "502 HTML": saying(502, PAGE, kind="text/html"),
    "502 HTML, acted": saying(502, PAGE, kind="text/html", acts=True),
    "503 empty": saying(503, b""),
    "504 HTML, acted": saying(504, PAGE, kind="text/html", acts=True),
    "200 HTML": saying(200, PAGE, kind="text/html"),
    "200 HTML, acted": saying(200, PAGE, kind="text/html", acts=True),
    "200 empty": saying(200, b"", acts=True),
    "200 half JSON": saying(200, b'{"id": "cus_Raw000001", "obj', acts=True),
    "200 null": saying(200, None, acts=True),
    "200 list": saying(200, [], acts=True),
    "200 without id": changed(id=None),
    "200 error": saying(200, error(), acts=True),
    "200 invalid UTF-8": saying(200, b'{"id": "cus_Raw1", "name": "\xff"}', acts=True),
    "200 of another row": somebody_else,
    "200 with another marker": changed(metadata={"bulk_import": "ffffffffffffffff:1:0"}),
    "200 without a mode": changed(livemode=None),
    "200 of the other mode": changed(livemode=True),
    "302": saying(302, b"", Location="http://127.0.0.1:9/elsewhere"),
    "401": saying(401, error(message="Expired API Key provided", code="api_key_expired")),
    "403": saying(403, error(message="The provided key lacks rak_customer_write")),
    "402 HTML": saying(402, PAGE, kind="text/html"),
    "404 HTML": saying(404, PAGE, kind="text/html"),
    "407 HTML": saying(407, PAGE, kind="text/html"),
    "409 in use": saying(409, error("idempotency_error", code="idempotency_key_in_use")),
    "409 HTML": saying(409, PAGE, kind="text/html"),
    "429": saying(429, error(code="rate_limit"), Stripe_Rate_Limited_Reason="endpoint-rate"),
    "429 lock": saying(429, error(code="lock_timeout")),
    "429 HTML": saying(429, PAGE, kind="text/html"),
    "400 rate_limit": saying(400, error(code="rate_limit")),
    "400 idempotency_error, acted": saying(400, error("idempotency_error"), acts=True),
}

HALTING = {"200 of the other mode", "302", "401", "403"}
"""Misdeeds that stop the run at once."""

IMPOSSIBLE = {name for name in MISDEEDS if name.startswith("200 ")} - HALTING
"""Successes that are none: three in a row stop the run."""
