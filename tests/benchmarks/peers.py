"""What people would write instead: a bare loop over the rows, 64 requests in flight, nothing kept and nothing checked.

`python -m tests.benchmarks.peers KIND URL SOURCE`, KIND being `httpx` or `aiohttp` (stripe-python over either client) or
`bare` (aiohttp alone). Prints one JSON object: rows a second between the first and the last answer, and CPU seconds.
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
    print(json.dumps(asyncio.run(bare(url, rows) if kind == "bare" else over_sdk(kind, url, rows))))


if __name__ == "__main__":
    main(*sys.argv[1:])
