"""Every command that the README and the samples' README show is run as it stands."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.rig import environment, simulated

ROOT = Path(__file__).parent.parent
FENCE = re.compile(r"^ *```sh\n(.*?)^ *```", re.MULTILINE | re.DOTALL)


def commands_of(page: Path) -> list[str]:
    """The lines of its shell fences that call the program, without their comments."""
    text = page.read_text()
    lines = [line.strip() for fence in FENCE.findall(text) for line in fence.splitlines()]
    lines += re.findall(r"^\|.*\| `(bulk-import [^`]+)` \|$", text, re.MULTILINE)
    return [line.split("  #")[0].strip() for line in lines if line.startswith("bulk-import ")]


README = commands_of(ROOT / "README.md")
SAMPLES = commands_of(ROOT / "samples" / "README.md")


def called(line: str, folder: Path, **extra: str) -> subprocess.CompletedProcess[str]:
    """Type *line* in *folder*."""
    words = [sys.executable, "-m", "bulk_import", *shlex.split(line)[1:]]
    return subprocess.run(
        words, cwd=folder, env=environment(**extra), capture_output=True, text=True, check=False,
        stdin=subprocess.DEVNULL, timeout=120,
    )  # fmt: skip


def test_the_walk_through_the_readme_works_as_it_stands(tmp_path: Path) -> None:
    shutil.copy(ROOT / "samples" / "customers.csv", tmp_path / "customers.csv")
    with simulated("--rate-limit", "none", "--endpoint-rate-limit", "none") as server:
        # Where Stripe is and how fast comes from the environment, so that the commands stay as they are.
        at = {f"BULK_IMPORT_{verb}_API_BASE": server.url for verb in ("RUN", "PLAN", "RETRY", "VERIFY", "UNDO")}
        at |= {"BULK_IMPORT_RUN_RATE": "none", "BULK_IMPORT_RETRY_RATE": "none"}
        first = called("bulk-import run customers.csv --key user_id", tmp_path, **at)
        assert first.returncode == 1, first.stderr
        for line in README:
            done = called(line, tmp_path, **at)
            assert "Traceback" not in done.stderr
            if "--live" in line:  # never with a test key, and there is no other here
                assert (done.returncode, "--live" in done.stderr) == (2, True), (line, done.stderr)
            else:
                assert done.returncode in (0, 1), (line, done.stderr)
    assert len(README) >= 8


@pytest.mark.parametrize("line", SAMPLES)
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
