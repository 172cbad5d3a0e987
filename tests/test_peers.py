"""Other programs' word on ours: an emulator of Stripe that somebody else wrote, and a real browser.

By hand: `pytest -m peers -n 0`. localstripe (`pip install localstripe`, perhaps into an environment of its own that
LOCALSTRIPE_PYTHON names) runs in a process of its own and is never imported here; it knows few fields and ignores
idempotency keys, so nothing here breaks a connection. The browser is Debian's `chromium`.
"""

from __future__ import annotations

import base64
import json
import os
import re
import subprocess
import sys
import urllib.request
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.closer_to_stripe import closer_to_stripe
from tests.rig import environment, exported, tool

pytestmark = pytest.mark.peers

# Its own launcher listens on every interface and keeps its store in a file that all of its processes share.
LAUNCHER = """
import socket
from aiohttp import web
from localstripe.resources import store
from localstripe.server import app
type(store).dump_to_disk = lambda self: None
listening = socket.create_server(("127.0.0.1", 0))
print(listening.getsockname()[1], flush=True)
web.run_app(app, sock=listening, print=None, access_log=None)
"""
KEY = "sk_test_peers12345"


@contextmanager
def localstripe() -> Iterator[str]:
    """Start localstripe on loopback; it ends with the block."""
    python = os.environ.get("LOCALSTRIPE_PYTHON", sys.executable)
    process = subprocess.Popen([python, "-c", LAUNCHER], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    port = process.stdout.readline().strip()
    assert port, "localstripe did not start: pip install localstripe, or name its interpreter in LOCALSTRIPE_PYTHON"
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(timeout=20)
        process.stdout.close()


def customers(url: str) -> list[dict[str, Any]]:
    """Everybody in localstripe's account, page by page."""
    found: list[dict[str, Any]] = []
    while True:
        after = f"&starting_after={found[-1]['id']}" if found else ""
        request = urllib.request.Request(f"{url}/v1/customers?limit=100{after}")  # noqa: S310 - loopback
        request.add_header("Authorization", "Basic " + base64.b64encode(f"{KEY}:".encode()).decode())
        with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310 - loopback
            page = json.load(answer)
        found += page["data"]
        if not page["has_more"]:
            return found


def change(url: str, customer: str, form: bytes) -> None:
    """What somebody else does to a customer."""
    request = urllib.request.Request(f"{url}/v1/customers/{customer}", data=form)  # noqa: S310 - loopback
    request.add_header("Authorization", "Basic " + base64.b64encode(f"{KEY}:".encode()).decode())
    urllib.request.urlopen(request, timeout=30).close()  # noqa: S310 - loopback


def run(verb: str, *words: str | Path) -> subprocess.CompletedProcess[str]:
    return tool(verb, *words, "--rate", "none", env=environment(STRIPE_API_KEY=KEY))


def write(path: Path, first: int, count: int) -> Path:
    lines = [
        f"u{n},person{n}@example.com,Person {n},+1555{n:04},1 Street,Paris,FR,{'pm_card_visa' if n % 50 == 0 else ''}\n"
        for n in range(first, first + count)
    ]
    path.write_text(
        "user_id,email,name,phone,address.line1,address.city,address.country,payment_method\n" + "".join(lines)
    )
    return path


def test_an_emulator_by_somebody_else_agrees(tmp_path: Path) -> None:
    with localstripe() as url:
        first = write(tmp_path / "first.csv", 0, 260)
        done = run("run", first, "--key", "user_id", "--api-base", url)
        assert done.returncode == 0, done.stderr
        there = {c["email"]: c for c in customers(url)}
        assert len(there) == len(customers(url)) == 260
        lines = exported(tmp_path / "first.csv.ledger.db")
        assert all(there[line["email"]]["id"] == line["customer_id"] for line in lines)
        assert all(c["metadata"]["source_id"] in {line["source_id"] for line in lines} for c in there.values())
        attached = [c for c in there.values() if c["invoice_settings"]["default_payment_method"]]
        assert len(attached) == 6
        again = run("run", first, "--key", "user_id", "--api-base", url)
        assert (again.returncode, len(customers(url))) == (0, 260)

        # Another file, another ledger: 255 of these people are there already. localstripe refuses a list by `created`,
        # so they are asked for one by one.
        second = write(tmp_path / "second.csv", 5, 265)
        done = run("run", second, "--key", "user_id", "--dedupe", "lookup", "--api-base", url)
        assert done.returncode == 0, done.stderr
        tally = Counter(line["status"] for line in exported(tmp_path / "second.csv.ledger.db"))
        assert tally == Counter(existing=255, created=10)
        assert len(customers(url)) == 270
        refused = run("run", write(tmp_path / "third.csv", 7, 3), "--api-base", url)
        assert (refused.returncode, "choose --dedupe off" in refused.stderr, len(customers(url))) == (4, True, 270)


@pytest.mark.parametrize("dedupe", ["snapshot", "search"])
def test_a_large_account_of_somebody_else_s_making_is_listed_proven_and_undone(tmp_path: Path, dedupe: str) -> None:
    with localstripe() as behind, closer_to_stripe(behind) as (url, passed):
        first = write(tmp_path / "first.csv", 0, 270)
        ledger = tmp_path / "first.csv.ledger.db"
        done = run("run", first, "--key", "user_id", "--dedupe", "snapshot", "--api-base", url)
        assert (done.returncode, len(customers(behind))) == (0, 270), done.stderr
        passed.pages.clear()
        proven = run("verify", ledger, "--json")
        assert json.loads(proven.stdout)["proven"] == 270, proven.stderr
        assert len([page for page in passed.pages if "starting_after" in page]) >= 2  # more than two pages of a hundred

        # Another file, another ledger: 255 of these people are there already, and are found on localstripe's pages.
        second = write(tmp_path / "second.csv", 15, 265)
        passed.pages.clear()
        done = run("run", second, "--key", "user_id", "--dedupe", dedupe, "--api-base", url)
        assert done.returncode == 0, done.stderr
        others = tmp_path / "second.csv.ledger.db"
        assert Counter(line["status"] for line in exported(others)) == Counter(existing=255, created=10)
        assert len([page for page in passed.pages if "starting_after" in page]) >= 2

        # Whoever was touched stays; everybody else of this ledger goes, and nobody of the other one.
        touched = next(line["customer_id"] for line in exported(ledger) if line["email"] == "person7@example.com")
        change(behind, touched, b"description=a+friend+of+the+house")
        undone = run("undo", ledger, "--yes")
        assert (undone.returncode, "somebody has touched it: description" in undone.stderr) == (1, True), undone.stderr
        kept = {line["customer_id"] for line in exported(others) if line["status"] == "created"}
        assert {c["id"] for c in customers(behind)} == {touched} | kept


def test_an_undo_leaves_what_the_emulator_has_touched(tmp_path: Path) -> None:
    # localstripe gives every new customer a currency, as Stripe does only once somebody was charged: hands off.
    with localstripe() as url:
        source = write(tmp_path / "people.csv", 1, 3)
        assert run("run", source, "--api-base", url).returncode == 0
        done = run("undo", tmp_path / "people.csv.ledger.db", "--yes")
        assert (done.returncode, len(customers(url))) == (1, 3)
        assert done.stderr.count("somebody has touched it: currency") == 3


@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_browser_renders_the_report_without_a_word(tmp_path: Path, width: int, scheme: str) -> None:
    source = write(tmp_path / "people.csv", 1, 40)
    assert run("run", source, "--simulate").returncode == 0
    page = tmp_path / "report.html"
    assert tool("report", tmp_path / "people.csv.simulated.db", "--html", page).returncode == 0
    shot = tmp_path / "shot.png"
    command = [
        "chromium", "--headless=new", "--no-sandbox", "--disable-gpu", f"--window-size={width},2400",
        f"--screenshot={shot}", "--enable-logging=stderr", f"--user-data-dir={tmp_path / 'profile'}",
        *(["--blink-settings=preferredColorScheme=0"] if scheme == "dark" else []), page.as_uri(),
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    assert not re.findall(r".*CONSOLE.*", done.stderr)
    header = shot.read_bytes()[:24]
    assert header[:8] == b"\x89PNG\r\n\x1a\n"
    assert int.from_bytes(header[16:20], "big") == width
