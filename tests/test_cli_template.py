from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from bulk_import.cli.program import COMMANDS
from tests.cli_calls import Program, calling


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Program:
    return calling(capsys, monkeypatch)


def test_the_template_is_a_file_and_a_mapping_without_a_problem(call: Program, tmp_path: Path) -> None:
    said = call("template", tmp_path / "new")
    assert said.code == 0
    source, mapping = tmp_path / "new" / "customers.csv", tmp_path / "new" / "mapping.toml"
    assert f"next: bulk-import check {source} --mapping {mapping}" in said.err
    checked = call("check", source, "--mapping", mapping)
    assert checked.code == 0, checked.err


def test_the_template_replaces_nothing(call: Program, tmp_path: Path) -> None:
    (tmp_path / "mapping.toml").write_text("mine")
    said = call("template", tmp_path)
    assert (said.code, "is there already" in said.err) == (2, True)
    assert [path.name for path in tmp_path.iterdir()] == ["mapping.toml"]
    assert (tmp_path / "mapping.toml").read_text() == "mine"


@pytest.mark.parametrize("name", COMMANDS)
def test_help_opens_with_an_example_and_ends_with_what_every_command_has(call: Program, name: str) -> None:
    help_ = call(name, "--help").out
    sections = [line for line in help_.splitlines() if line.endswith(":") and not line.startswith("   ")]
    assert sections[0] == "  Examples:"
    assert sections[-1] in ("What is said:", "Columns to fields:", "Rows:", "How SOURCE is read:", "Key and server:")
    assert "What is said:" in sections
    assert "Pace and patience:" in sections or name not in ("run", "plan", "retry", "verify", "undo")


def test_bash_completes_commands_options_and_values(tmp_path: Path) -> None:
    bash = shutil.which("bash")
    assert bash is not None
    program = tmp_path / "bulk-import"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m bulk_import "$@"\n')
    program.chmod(0o755)
    script = """
        PATH="$1:$PATH"; eval "$(bulk-import completion bash)"
        try() { COMPREPLY=(); COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _bulk_import_completion bulk-import; echo "${COMPREPLY[*]}"; }
        try bulk-import repo; try bulk-import run --cle; try bulk-import export --what st
    """
    done = subprocess.run([bash, "-c", script, "bash", tmp_path], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["report", "--cleanup", "stripe-map"]
