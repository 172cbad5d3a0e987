from __future__ import annotations

import json
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from bulk_import.cli.invocation import Invocation
from bulk_import.cli.simulate import announcing, simulator_options
from tests.cli_calls import Program, calling


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Program:
    return calling(capsys, monkeypatch)


def test_it_serves_until_it_is_stopped_and_says_where(tmp_path: Path) -> None:
    words = [
        "simulate",
        "--json",
        "--existing",
        "3",
        "--latency",
        "1ms",
        "--jitter",
        "0",
        "--state",
        str(tmp_path / "s"),
    ]
    with subprocess.Popen([sys.executable, "-m", "bulk_import", *words], stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        try:
            url = json.loads(server.stdout.readline())["url"]
            asked = urllib.request.Request(f"{url}/v1/customers", headers={"Authorization": "Bearer sk_test_x"})  # noqa: S310 - loopback
            with urllib.request.urlopen(asked, timeout=30) as answer:  # noqa: S310 - loopback
                assert len(json.load(answer)["data"]) == 3
        finally:
            server.send_signal(signal.SIGINT)
    assert server.returncode == 0


def test_options_become_the_simulators_own() -> None:
    given = {
        "port": 0, "rate_limit": "none", "endpoint_rate_limit": ("create=50", "list=none"), "limiter": "bucket",
        "latency": 0.25, "jitter": 0.08, "existing": 300, "faults": "", "seed": 7, "state": None, "account": "acct_x",
    }  # fmt: skip
    options = simulator_options(given)
    assert (options.latency, options.jitter, options.existing, options.seed) == (0.25, 0.08, 300, 7)
    assert (options.account, options.port, options.host) == ("acct_x", 0, "127.0.0.1")


@pytest.mark.parametrize(
    "words", [["--rate-limit", "fast"], ["--endpoint-rate-limit", "nothing=5"], ["--faults", "gremlins=2"]]
)
def test_what_the_simulator_cannot_play_is_code_2(call: Program, words: list[str]) -> None:
    said = call("simulate", *words)
    assert (said.code, said.out) == (2, "")
    assert said.err.startswith("Error: the simulator cannot be started: ")


def test_the_command_to_type_next_can_be_copied_key_and_all(capsys: pytest.CaptureFixture[str]) -> None:
    announcing(Invocation(()), as_json=False)(json.dumps({"url": "http://127.0.0.1:5", "account": "acct_1"}))
    last = capsys.readouterr().err.splitlines()[-1]
    assert last == "next: STRIPE_API_KEY=sk_test_x bulk-import run SOURCE --api-base http://127.0.0.1:5"
    announcing(Invocation((), quiet=True), as_json=False)(
        json.dumps({"url": "http://127.0.0.1:5", "account": "acct_1"})
    )
    assert capsys.readouterr().err == ""
