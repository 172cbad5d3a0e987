"""What somebody does to customers behind the tool's back: plain requests with a key of their own."""

from __future__ import annotations

import json
import urllib.parse
import urllib.request
from pathlib import Path
from typing import Any

from bulk_import.ledger import Line, Reader, open_for_reading
from tests.rig import KEY, Simulated, tool


def touch(server: Simulated, customer: str, method: str = "POST", **fields: str) -> Any:
    """Change a customer, or delete it."""
    return _call(server, f"/v1/customers/{customer}", method, fields)


def make(server: Simulated, **fields: str) -> str:
    """Make a customer and give its id."""
    return str(_call(server, "/v1/customers", "POST", fields)["id"])


def _call(server: Simulated, path: str, method: str, fields: dict[str, str]) -> Any:
    data = urllib.parse.urlencode(fields).encode() if method == "POST" else None
    headers = {"Authorization": f"Bearer {KEY}"}
    request = urllib.request.Request(server.url + path, data, headers, method=method)  # noqa: S310 - loopback
    with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310 - loopback
        return json.loads(answer.read())


def people(path: Path, rows: int) -> Path:
    """A file of *rows* people with a name, a city and a plan."""
    lines = [f"p{n}@example.com,Person {n},Bern,gold" for n in range(1, rows + 1)]
    path.write_text("\n".join(["email,name,address.city,metadata.plan", *lines]) + "\n")
    return path


def imported(server: Simulated, source: Path, *options: str) -> Path:
    """Import *source* and give its ledger."""
    done = tool("run", source, "--api-base", server.url, "--rate", "none", *options)
    assert done.returncode == 0, done.stderr
    return source.with_name(source.name + ".ledger.db")


def lines(ledger: Path) -> list[Line]:
    """The ledger's own word on every row."""
    reader = Reader(open_for_reading(ledger), ledger)
    try:
        return list(reader.lines())
    finally:
        reader.close()


def customer_of(ledger: Path, row: int) -> str:
    """The customer that the ledger says a row has."""
    return str(lines(ledger)[row - 1].customer_id)
