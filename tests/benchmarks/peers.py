"""What people would write instead: a bare loop over the rows, 64 requests in flight, nothing kept and nothing checked.

`python -m tests.benchmarks.peers KIND URL SOURCE`, KIND being `httpx` or `aiohttp` (stripe-python over either client),
`bare` (aiohttp alone) or `recipe` (look up, then create, twenty at a time). Prints one JSON object: rows a second between the first and the last answer, and CPU seconds.
"""

from __future__ import annotations

import asyncio
import csv
import json
import sys
import time
import warnings
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import urlencode

IN_FLIGHT = 64
KEY = "sk_test_benchmark"

Row = dict[str, str]
Create = Callable[[Row], Awaitable[Any]]


def params_of(row: Row) -> dict[str, Any]:
    """A customer as the importer would make it of this row, but for the marker."""
    return {
        "email": row["email"], "name": row["name"], "phone": row["phone"],
        "address": {"city": row["city"], "country": row["country"]},
        "metadata": {"plan": row["plan"], "source_id": row["user_id"]},
    }  # fmt: skip


async def gathered(rows: list[Row], create: Create) -> dict[str, float]:
    """`asyncio.gather` over all rows behind a semaphore."""
    slots = asyncio.Semaphore(IN_FLIGHT)
    done: list[float] = []

    async def one(row: Row) -> None:
        async with slots:
            await create(row)
        done.append(time.perf_counter())

    cpu = time.process_time()
    await asyncio.gather(*map(one, rows))
    return {"rows_per_second": (len(done) - 1) / (done[-1] - done[0]), "cpu": time.process_time() - cpu}


async def over_sdk(kind: str, url: str, rows: list[Row]) -> dict[str, float]:
    """stripe-python, with its default client or with its aiohttp one."""
    import aiohttp
    import stripe

    stripe.enable_telemetry = False
    connector = aiohttp.TCPConnector(limit=IN_FLIGHT)
    http = stripe.AIOHTTPClient(connector=connector) if kind == "aiohttp" else stripe.HTTPXClient()
    client = stripe.StripeClient(KEY, base_addresses={"api": url}, http_client=http)

    async def create(row: Row) -> Any:
        options: Any = {"idempotency_key": f"row-{row['user_id']}"}
        params: Any = params_of(row)
        return (await client.v1.customers.create_async(params, options)).id

    try:
        return await gathered(rows, create)
    finally:
        await http.close_async()  # type: ignore[no-untyped-call]  # the SDK's gap


async def find_or_create(url: str, rows: list[Row]) -> dict[str, float]:
    """The recipe in twenties: look each e-mail up, create who is not there, wait for the slowest, go on."""
    import aiohttp
    import stripe

    stripe.enable_telemetry = False
    http = stripe.AIOHTTPClient(connector=aiohttp.TCPConnector(limit=20))
    client = stripe.StripeClient(KEY, base_addresses={"api": url}, http_client=http)

    async def one(row: Row) -> None:
        if not (await client.v1.customers.list_async({"email": row["email"], "limit": 1})).data:
            params: Any = params_of(row)
            await client.v1.customers.create_async(params)

    began = time.perf_counter()
    for first in range(0, len(rows), 20):
        await asyncio.gather(*map(one, rows[first : first + 20]))
    seconds = time.perf_counter() - began
    await http.close_async()  # type: ignore[no-untyped-call]  # the SDK's gap
    return {"rows_per_second": len(rows) / seconds, "cpu": time.process_time()}


async def bare(url: str, rows: list[Row]) -> dict[str, float]:
    """aiohttp alone: no SDK, one form, one answer read as JSON."""
    import aiohttp

    headers = {"Authorization": f"Bearer {KEY}", "Content-Type": "application/x-www-form-urlencoded"}
    connector = aiohttp.TCPConnector(limit=IN_FLIGHT)
    async with aiohttp.ClientSession(connector=connector, headers=headers) as session:

        async def create(row: Row) -> Any:
            form = {
                "email": row["email"], "name": row["name"], "phone": row["phone"], "address[city]": row["city"],
                "address[country]": row["country"], "metadata[plan]": row["plan"], "metadata[source_id]": row["user_id"],
            }  # fmt: skip
            own = {"Idempotency-Key": f"row-{row['user_id']}"}
            async with session.post(f"{url}/v1/customers", data=urlencode(form).encode(), headers=own) as answer:
                return (await answer.json())["id"]

        return await gathered(rows, create)


def main(kind: str, url: str, source: str) -> None:
    """Read the rows, create them, print what it took."""
    with open(source, newline="") as file:
        rows = list(csv.DictReader(file))
    if kind == "httpx":
        warnings.simplefilter("ignore", DeprecationWarning)  # httpx has one for each request of the SDK's
    others = {"bare": bare, "recipe": find_or_create}
    print(json.dumps(asyncio.run(others[kind](url, rows) if kind in others else over_sdk(kind, url, rows))))


if __name__ == "__main__":
    main(*sys.argv[1:])
