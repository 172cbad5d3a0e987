"""The machine around the tool fails it: signals, pipes, disks, locks; the oracle is the simulated account."""

from __future__ import annotations

import json
import os
import re
import resource
import signal
import subprocess
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.rig import KEY, Begun, Simulated, begun, check_promises, command, environment, exported, simulated, tool
from tests.test_end_to_end import UNLIMITED, wait_for, write_users

SLOW = ("--rate", "50", "--endpoint-rate", "create=50")


def ledger_of(source: Path) -> Path:
    """The default ledger."""
    return source.with_name(source.name + ".ledger.db")


@contextmanager
def sending(server: Simulated, source: Path, *options: str) -> Iterator[Begun]:
    """An import that has created a few customers and is still going."""
    with begun("run", source, "--api-base", server.url, *SLOW, *options) as running:
        wait_for(lambda: len(server.customers()) > 8)
        yield running


def test_a_second_signal_gives_up_on_flights_and_nobody_is_lost_or_doubled(tmp_path: Path) -> None:
    source = write_users(tmp_path / "users.csv", 60)
    with simulated(*UNLIMITED, "--latency", "600ms") as server:
        with sending(server, source, "--timeout", "2s") as running:
            running.send(signal.SIGINT)
            wait_for(lambda: "Ctrl-C again gives up" in running.said)  # two at once may be heard as one
            running.send(signal.SIGINT)
            assert running.ends() == 130, running.said
            told = re.search(r"requests +(\d+) ", running.said)
            assert told is not None
            assert int(told[1]) >= len(server.arrivals()), "a request that is given up was sent all the same"
        assert tool("run", source, "--api-base", server.url, *SLOW).returncode == 0
        assert check_promises(server, ledger_of(source), 60) == Counter(created=60)


def test_a_signal_ignored_at_the_start_stays_ignored_and_a_stop_is_survived(tmp_path: Path) -> None:
    source = write_users(tmp_path / "users.csv", 80)
    with simulated(*UNLIMITED) as server:
        words = ["nohup", *command("run", source, "--api-base", server.url, *SLOW)]
        running = subprocess.Popen(
            words, env=environment(), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
        )
        wait_for(lambda: len(server.customers()) > 8)
        running.send_signal(signal.SIGHUP)
        running.send_signal(signal.SIGSTOP)
        seen = len(server.customers())
        running.send_signal(signal.SIGCONT)
        _, said = running.communicate(timeout=60)
        assert running.returncode == 0, said
        assert len(server.customers()) == 80 >= seen
        assert check_promises(server, ledger_of(source), 80) == Counter(created=80)


def test_a_closed_pipe_on_standard_output_does_not_end_the_import(tmp_path: Path) -> None:
    source = write_users(tmp_path / "users.csv", 60)
    with simulated(*UNLIMITED) as server:
        words = command("run", source, "--api-base", server.url, "--rate", "none", "--json-rows")
        with subprocess.Popen(
            words, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        ) as running:
            assert running.stdout is not None
            assert running.stderr is not None
            running.stdout.readline()
            running.stdout.close()
            said = running.stderr.read()
        assert "Traceback" not in said
        assert check_promises(server, ledger_of(source), 60) == Counter(created=60)


def test_a_run_that_waits_for_its_standard_input_ends_at_once_when_told_and_leaves_nothing(tmp_path: Path) -> None:
    words = command("run", "-", "--ledger", tmp_path / "l.db", "--simulate")
    with subprocess.Popen(
        words, env=environment(), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as waiting:
        assert waiting.stdin is not None
        waiting.stdin.write(b"email\n" + b"person@example.com\n" * 200_000)
        waiting.stdin.flush()
        wait_for(lambda: any(tmp_path.glob("*.part")))
        waiting.send_signal(signal.SIGTERM)
        assert waiting.wait(timeout=60) == 143
    assert not [path.name for path in tmp_path.iterdir() if path.suffix in (".part", ".source")]


def test_a_closed_standard_input_is_one_sentence(tmp_path: Path) -> None:
    words = command("run", "-", "--ledger", tmp_path / "l.db", "--simulate")
    done = subprocess.run(
        ["/bin/sh", "-c", 'exec "$@" <&-', "sh", *words], env=environment(), capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert "standard input" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_second_process_on_one_ledger_is_told_who_holds_it(tmp_path: Path) -> None:
    source = write_users(tmp_path / "users.csv", 120)
    with simulated(*UNLIMITED, "--latency", "50ms") as server:
        with sending(server, source, "--rate", "20") as running:
            running.send(signal.SIGSTOP)  # still there however slowly the second one starts
            other = tool("run", source, "--api-base", server.url)
            running.send(signal.SIGCONT)
            assert other.returncode == 5
            assert f"pid {running.process.pid}" in other.stderr
            running.send(signal.SIGTERM)
            assert running.ends() == 143, running.said
        assert tool("run", source, "--api-base", server.url, "--rate", "none").returncode == 0
        assert check_promises(server, ledger_of(source), 120) == Counter(created=120)


def test_another_ledger_on_the_same_file_creates_nobody_again(tmp_path: Path) -> None:
    source = write_users(tmp_path / "users.csv", 40)
    with simulated(*UNLIMITED) as server:
        run = ("run", source, "--api-base", server.url, "--rate", "none")
        assert tool(*run).returncode == 0
        again = tmp_path / "again.db"
        assert tool(*run, "--ledger", again).returncode == 0
        assert len(server.customers()) == 40
        assert Counter(line["status"] for line in exported(again)) == Counter(existing=40)


ROOMS = [20_000, 120_000, 240_000]
MORE_ROOMS = [0, 1, 60, 4_096, 8_192, *range(12_288, 420_000, 12_288)]


@pytest.mark.parametrize("room", [*ROOMS, *(pytest.param(room, marks=pytest.mark.soak) for room in MORE_ROOMS)])
def test_a_disk_that_fills_up_stops_the_run_and_the_same_command_goes_on(tmp_path: Path, room: int) -> None:
    source = write_users(tmp_path / "users.csv", 400)

    def fill_up() -> None:
        # Every file the process writes may grow to so many bytes: like a full disk, to whoever writes.
        resource.setrlimit(resource.RLIMIT_FSIZE, (room, room))

    with simulated(*UNLIMITED) as server:
        run = command("run", source, "--api-base", server.url, "--rate", "none", "--json")
        # Python itself keeps half a compiled module on a full disk, and cannot load it ever after.
        env = environment(PYTHONDONTWRITEBYTECODE="1")
        full = subprocess.run(run, env=env, capture_output=True, text=True, check=False, preexec_fn=fill_up, timeout=60)
        assert full.returncode == 3, full.stderr
        assert "cannot be written" in full.stderr
        assert "Traceback" not in full.stderr
        told = json.loads(full.stdout.splitlines()[-1])["unwritten"]
        on_disk = {line["customer_id"] for line in exported(ledger_of(source))} if told else set()
        assert {pair[1] for pair in told} <= {c["id"] for c in server.customers()} - on_disk
        assert tool("run", source, "--api-base", server.url, "--rate", "none").returncode == 0
        assert check_promises(server, ledger_of(source), 400) == Counter(created=400)


def test_ledgers_that_are_none_or_damaged_are_refused_in_one_sentence(tmp_path: Path) -> None:
    source = write_users(tmp_path / "users.csv", 3)
    good = ledger_of(source)
    with simulated(*UNLIMITED) as server:
        run = ("run", source, "--api-base", server.url, "--rate", "none", "--ledger")
        assert tool(*run, good).returncode == 0
        whole = good.read_bytes()
        asked = len(server.arrivals())
        cases = {
            "garbage": b"this is no database at all" * 100,
            "truncated": whole[: len(whole) // 3],
            "scrambled": whole[:5000] + os.urandom(len(whole) - 5000),
        }
        for name, content in cases.items():
            ledger = tmp_path / f"{name}.db"
            ledger.write_bytes(content)
            done = tool(*run, ledger)
            assert done.returncode == 5, (name, done.stderr)
            assert "Traceback" not in done.stderr
        link = tmp_path / "link.db"
        link.symlink_to(good)
        assert tool(*run, link).returncode == 5
        assert tool(*run, tmp_path / "nowhere" / "l.db").returncode == 3
        assert len(server.arrivals()) == asked


def test_neither_key_nor_addresses_leak_and_the_ledger_is_private(tmp_path: Path) -> None:
    source = tmp_path / "users.csv"
    source.write_text("email,name\nleaky.person@example.com,Ann\nleaky.declined@example.com,Bob\n")
    os.umask(0o022)
    secret = KEY + "_very_secret_part"
    with simulated(*UNLIMITED) as server:
        server.set_faults([{"name": "truncate", "endpoint": "create", "from": 1, "to": 2}])
        env = environment(STRIPE_API_KEY=secret, STRIPE_LOG="debug")
        hashing = ("--hash-emails", "--key", "email")
        done = tool("run", source, "--api-base", server.url, "--rate", "none", "-vv", *hashing, env=env)
        assert done.returncode == 0, done.stderr
        assert secret not in done.stderr + done.stdout
        assert "leaky" not in done.stderr + done.stdout
    for path in tmp_path.glob("users.csv.*"):
        content = path.read_bytes()
        assert secret.encode() not in content, path
        assert b"leaky" not in content, path
        assert path.stat().st_mode & 0o077 == 0, path
