"""In front of localstripe: what it lacks and Stripe has, so that listing, proving and undoing can be tried against it.

Two things are made up for, everything else passes as it is. localstripe refuses a list bounded by `created`: such a list
goes on to it without the bound where the bound holds for everybody, page by page, and is otherwise made out of all of its
pages. And it gives every customer a currency, which Stripe does once somebody was charged: a customer is shown without.
"""

from __future__ import annotations

import http.client
import http.server
import json
import threading
import urllib.parse
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

CUSTOMERS = "/v1/customers"
FILTERS = {"gte": int.__ge__, "gt": int.__gt__, "lte": int.__le__, "lt": int.__lt__}

Fields = Mapping[str, str]


@dataclass(slots=True)
class Passed:
    """The pages of customers that localstripe itself was asked for on the tool's behalf, by their queries."""

    pages: list[Fields] = field(default_factory=list)


@contextmanager
def closer_to_stripe(localstripe: str) -> Iterator[tuple[str, Passed]]:
    """Serve on a free port until the block is left; answers its address and what went through."""
    passed = Passed()
    host = urllib.parse.urlsplit(localstripe).netloc

    class Handler(_Handler):
        behind, seen = host, passed

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", passed
    finally:
        server.shutdown()
        server.server_close()
        thread.join(timeout=20)


class _Handler(http.server.BaseHTTPRequestHandler):
    """Hands one request on, changed where localstripe would not understand it."""

    protocol_version = "HTTP/1.1"
    behind: str
    seen: Passed

    def do_GET(self) -> None:
        path, _, query = self.path.partition("?")
        fields = dict(urllib.parse.parse_qsl(query))
        bound = {name: fields.pop(f"created[{name}]") for name in FILTERS if f"created[{name}]" in fields}
        if path == CUSTOMERS and "email" not in fields:
            self._answer(200, self._page(fields, bound))
        else:
            self._answer(*self._asked("GET", self.path))

    def do_POST(self) -> None:
        self._answer(*self._asked("POST", self.path, self.rfile.read(int(self.headers.get("Content-Length", 0)))))

    def do_DELETE(self) -> None:
        self._answer(*self._asked("DELETE", self.path))

    def log_message(self, *_: object) -> None:
        """Stay quiet."""

    def _page(self, fields: Fields, bound: Fields) -> Any:
        everybody = self._everybody()
        inside = [c for c in everybody if all(FILTERS[n](c["created"], int(v)) for n, v in bound.items())]
        if len(inside) == len(everybody):
            self.seen.pages.append(fields)
            return self._list(fields)
        after = fields.get("starting_after")
        begin = next((n + 1 for n, c in enumerate(inside) if c["id"] == after), 0)
        limit = int(fields.get("limit", 10))
        return {
            "object": "list", "url": CUSTOMERS, "data": inside[begin : begin + limit],
            "has_more": len(inside) > begin + limit,
        }  # fmt: skip

    def _everybody(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        while True:
            page = self._list({"limit": "100", **({"starting_after": found[-1]["id"]} if found else {})})
            found += page["data"]
            if not page["has_more"]:
                return found

    def _list(self, fields: Fields) -> Any:
        return self._asked("GET", f"{CUSTOMERS}?{urllib.parse.urlencode(fields)}")[1]

    def _asked(self, method: str, path: str, body: bytes | None = None) -> tuple[int, Any]:
        connection = http.client.HTTPConnection(self.behind, timeout=30)
        kept = {name: self.headers[name] for name in ("Authorization", "Content-Type") if name in self.headers}
        connection.request(method, path, body, kept)
        answer = connection.getresponse()
        try:
            body = answer.read()
            is_json = "json" in answer.headers.get(
                "Content-Type", ""
            )  # it answers in words where it knows no such path
            return answer.status, _uncharged(json.loads(body)) if is_json else body
        finally:
            connection.close()

    def _answer(self, status: int, value: Any) -> None:
        body = value if isinstance(value, bytes) else json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "text/plain" if isinstance(value, bytes) else "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def _uncharged(value: Any) -> Any:
    """An answer in which no customer has a currency."""
    if isinstance(value, list):
        return [_uncharged(each) for each in value]
    if not isinstance(value, dict):
        return value
    shown = {name: _uncharged(each) for name, each in value.items()}
    return {**shown, "currency": None} if shown.get("object") == "customer" and "currency" in shown else shown
