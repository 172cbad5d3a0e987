"""Every command that the README and the samples' README show is run as it stands."""

from __future__ import annotations

import csv
import re
import shlex
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from tests.rig import environment, simulated, tool

ROOT = Path(__file__).parent.parent
FENCE = re.compile(r"^ *```sh\n(.*?)^ *```", re.MULTILINE | re.DOTALL)


def fenced(page: Path) -> list[str]:
    """The lines of its shell fences that call the program, without their comments."""
    lines = [line.strip() for fence in FENCE.findall(page.read_text()) for line in fence.splitlines()]
    return [line.split("  #")[0].strip() for line in lines if line.startswith("bulk-import ")]


def commands_of(page: Path) -> list[str]:
    """Every command of its fences and of its tables."""
    return fenced(page) + re.findall(r"^\|.*\| `(bulk-import [^`]+)` \|$", page.read_text(), re.MULTILINE)


README = commands_of(ROOT / "README.md")
SAMPLES = commands_of(ROOT / "samples" / "README.md")


def typed(line: str, folder: Path, **extra: str) -> subprocess.CompletedProcess[str]:
    """Type *line* in *folder*, so that its command starts from nothing."""
    words = [sys.executable, "-m", "bulk_import", *shlex.split(line)[1:]]
    return subprocess.run(
        words, cwd=folder, env=environment(**extra), capture_output=True, text=True, check=False,
        stdin=subprocess.DEVNULL, timeout=120,
    )  # fmt: skip


def called(line: str, folder: Path, **extra: str) -> subprocess.CompletedProcess[str]:
    """Carry out *line* in *folder*."""
    return tool(*shlex.split(line)[1:], env=environment(**extra), folder=folder)


def test_the_walk_through_the_readme_works_as_it_stands(tmp_path: Path) -> None:
    shutil.copy(ROOT / "samples" / "customers.csv", tmp_path / "customers.csv")
    with simulated("--rate-limit", "none", "--endpoint-rate-limit", "none") as server:
        # Where Stripe is and how fast comes from the environment, so that the commands stay as they are.
        at = {f"BULK_IMPORT_{verb}_API_BASE": server.url for verb in ("RUN", "PLAN", "RETRY", "VERIFY", "UNDO")}
        fast = {"BULK_IMPORT_RUN_RATE": "none", "BULK_IMPORT_RETRY_RATE": "none"}
        at |= fast
        first = typed("bulk-import run customers.csv --key user_id", tmp_path, **at)
        assert first.returncode == 1, first.stderr
        begun = {"run"}
        for line in dict.fromkeys(README):
            verb = line.split()[1]
            carry_out = called if verb in begun else typed  # each command starts from nothing once
            begun.add(verb)
            done = carry_out(line, tmp_path, **(fast if "--simulate" in line else at))
            assert "Traceback" not in done.stderr
            if "--live" in line:  # never with a test key, and there is no other here
                assert (done.returncode, "--live" in done.stderr) == (2, True), (line, done.stderr)
            else:
                assert done.returncode in (0, 1), (line, done.stderr)
    assert len(README) >= 15


def test_the_walk_through_the_samples_ends_where_it_began(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "samples", tmp_path / "samples")
    for line in fenced(ROOT / "samples" / "README.md"):
        done = called(line, tmp_path, BULK_IMPORT_RUN_RATE="none", BULK_IMPORT_UNDO_RATE="none")
        assert done.returncode in (0, 1), (line, done.stderr)
        assert "Traceback" not in done.stderr
    assert joined(tmp_path) == (193, ["u_10094", "u_10233"])
    assert "deleted    185" in done.stderr


def joined(folder: Path) -> tuple[int, list[str]]:
    """What `join.sql` makes of the exported map: users with a customer, and the first of those without."""
    users = sqlite3.connect(":memory:")
    with (
        (folder / "samples" / "customers.csv").open(newline="") as source,
        (folder / "map.csv").open(newline="") as mapped,
    ):
        users.execute("CREATE TABLE users (user_id text)")
        users.executemany("INSERT INTO users VALUES (:user_id)", csv.DictReader(source))
        users.execute("CREATE TABLE stripe_map (row integer, source_id text, email text, customer_id text)")
        users.executemany(
            "INSERT INTO stripe_map VALUES (:row, :source_id, :email, :customer_id)", csv.DictReader(mapped)
        )
    *changes, question = (folder / "samples" / "join.sql").read_text().rstrip().removesuffix(";").split(";")
    users.executescript(";".join(changes))
    without = [user for (user,) in users.execute(question)]
    (count,) = users.execute("SELECT count(*) FROM users WHERE stripe_customer_id LIKE 'cus%'").fetchone()
    users.close()
    return count, without[:2]


@pytest.mark.parametrize("line", [line for line in SAMPLES if line not in fenced(ROOT / "samples" / "README.md")])
def test_each_sample_runs_with_the_command_beside_it(line: str, tmp_path: Path) -> None:
    shutil.copytree(ROOT / "samples", tmp_path / "samples")
    done = called(line, tmp_path, BULK_IMPORT_RUN_RATE="none")
    assert done.returncode in (0, 1), done.stderr
    assert "Traceback" not in done.stderr


def test_the_two_commands_that_set_everything_up_are_marked() -> None:
    page = (ROOT / "README.md").read_text()
    for name, part in (
        ("main command", "bulk-import run samples/customers.csv --simulate"),
        ("test command", "pytest"),
    ):
        marked = page.split(f"<!-- {name} -->")[1].split(f"<!-- /{name} -->")[0]
        assert part in marked
