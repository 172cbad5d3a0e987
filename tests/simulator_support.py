"""What the simulator's tests share: bare HTTP against a started server, and bare calls against the pure account."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import aiohttp

from bulk_import.simulator import Account, Answer, Call, Limits
from bulk_import.simulator.limits import UNLIMITED
from bulk_import.simulator.options import Options
from bulk_import.simulator.server import running

TEST_KEY = "sk_test_4eC39HqLyjWDarjtT1zdp7dc"
LIVE_KEY = "sk_live_4eC39HqLyjWDarjtT1zdp7dc"
NOON = 1_750_000_000.0


@dataclass(frozen=True)
class Reply:
    status: int
    text: str
    headers: Mapping[str, str]

    @property
    def body(self) -> Any:
        return json.loads(self.text)

    @property
    def error(self) -> dict[str, Any]:
        error: dict[str, Any] = self.body["error"]
        return error


class Wire:
    """Nothing but HTTP: a method, a path, a form, headers."""

    def __init__(self, session: aiohttp.ClientSession, url: str) -> None:
        self._session = session
        self.url = url

    async def send(
        self,
        method: str,
        path: str,
        form: Mapping[str, str] | str = "",
        *,
        key: str | None = TEST_KEY,
        idempotency_key: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Reply:
        sent = dict(headers or {})
        if key is not None:
            sent["Authorization"] = f"Bearer {key}"
        if idempotency_key is not None:
            sent["Idempotency-Key"] = idempotency_key
        text = form if isinstance(form, str) else urlencode(form)
        data = None
        if method == "POST":
            data = text
            sent.setdefault("Content-Type", "application/x-www-form-urlencoded")
        elif text:
            path += "?" + text
        async with self._session.request(
            method, self.url + path, data=data, headers=sent, allow_redirects=False
        ) as response:
            return Reply(response.status, await response.text(), response.headers)

    async def post(self, path: str, form: Mapping[str, str] | str = "", **more: Any) -> Reply:
        return await self.send("POST", path, form, **more)

    async def get(self, path: str, form: Mapping[str, str] | str = "", **more: Any) -> Reply:
        return await self.send("GET", path, form, **more)

    async def create(self, idempotency_key: str | None = None, **form: str) -> Reply:
        return await self.post("/v1/customers", form, idempotency_key=idempotency_key)

    async def customers(self) -> list[dict[str, Any]]:
        """Who is really there, asked behind the account's back."""
        found: list[dict[str, Any]] = (await self.get("/_simulator/customers", key=None)).body
        return found

    async def log(self) -> list[dict[str, Any]]:
        entries: list[dict[str, Any]] = (await self.get("/_simulator/log", key=None)).body
        return entries


@asynccontextmanager
async def connected(url: str) -> AsyncIterator[Wire]:
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=10)) as session:
        yield Wire(session, url)


@asynccontextmanager
async def simulated(limits: Limits = UNLIMITED, **options: Any) -> AsyncIterator[Wire]:
    async with running(Options(limits=limits, **options)) as server, connected(server.url) as wire:
        yield wire


def call(
    method: str,
    path: str,
    params: Mapping[str, Any] | None = None,
    *,
    key: str = TEST_KEY,
    idempotency_key: str | None = None,
) -> Call:
    headers = {"authorization": f"Bearer {key}"}
    if idempotency_key is not None:
        headers["idempotency-key"] = idempotency_key
    return Call(method, path, params or {}, headers)


def create(account: Account, now: float = NOON, idempotency_key: str | None = None, **params: Any) -> Answer:
    return account.handle(call("POST", "/v1/customers", params, idempotency_key=idempotency_key), now)


def ids(answer: Answer) -> list[str]:
    return [customer["id"] for customer in answer.body["data"]]
