"""Imports look down only, each third-party library has one owner, and only the command line talks to the outside."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

import bulk_import

ROOT = Path(bulk_import.__file__).parent
FILES = sorted(ROOT.rglob("*.py"))

# From the top down: a module or package may import from lines below its own, a package from itself as well. The root's
# `__init__` is the public face; only its `__version__` may be asked for from below.
LAYERS = """
__main__
cli
__init__
face
signup
job
restore
undo verify
engine reconcile survey
tally
dedupe
existing options report
ledger
settle
replies
steps
change digest image prepare series
customer_parts
mapping stripe_api
budget customer keys pace reading
temporary
column_names errors respelt
age early formulas model simulator wording
"""
DEPTH = {name: depth for depth, line in enumerate(LAYERS.split("\n")) for name in line.split()}

# Which files may import what else; a folder's name stands for all of it. `simulator` is an island with a server of its
# own, and whoever has an entry point of the library starts the loop with `anyio.run` (an undo also shields its last
# write, so that what was deleted is on record).
OWNERS = {
    "stripe": {"stripe_api/composing.py"},
    "aiohttp": {"stripe_api/transport.py", "simulator/server.py"},
    "aiolimiter": {"pace/level.py"},
    "anyio": {"engine", "job/importing.py", "job/planning.py", "job/retrying.py", "job/undoing.py", "job/verifying.py"},
    "click": {"cli"},
    "tqdm": {"cli"},
    "email_validator": {"customer/emails.py"},
    "idna": {"customer/emails.py"},
    "sqlite3": {"ledger"},
    "jinja2": {"report/page.py"},
}
STARTS_A_LOOP = {
    "job/importing.py": {"run"},
    "job/planning.py": {"run"},
    "job/retrying.py": {"run"},
    "job/undoing.py": {"run", "CancelScope"},
    "job/verifying.py": {"run"},
}


def name_of(file: Path) -> str:
    return file.relative_to(ROOT).as_posix()


def unit_of(file: Path) -> str:
    """The module of the root, or the package below it, that a file belongs to."""
    return file.relative_to(ROOT).parts[0].removesuffix(".py")


@cache
def tree_of(file: Path) -> ast.Module:
    return ast.parse(file.read_text(encoding="utf-8"))


@cache
def imported(file: Path) -> tuple[str, ...]:
    """Every module that a file imports, anywhere in it; names taken from the root count as its modules."""
    return tuple(_imported(file))


def _imported(file: Path) -> Iterator[str]:
    for node in ast.walk(tree_of(file)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{name_of(file)} imports relatively"
            module = node.module or ""
            if module == "bulk_import":
                yield from (f"bulk_import.{alias.name}" for alias in node.names)
            else:
                yield module


def ours(file: Path) -> set[str]:
    """The units of ours that a file imports."""
    found = {module.split(".")[1] for module in imported(file) if module.startswith("bulk_import.")}
    return found - {"__version__", unit_of(file)}


def others(file: Path) -> set[str]:
    return {module.split(".")[0] for module in imported(file)} - {"bulk_import"}


@pytest.mark.parametrize("file", FILES, ids=name_of)
def test_imports_look_down_only(file: Path) -> None:
    unit = unit_of(file)
    assert unit in DEPTH, f"{unit} has no place in LAYERS yet"
    upwards = {name for name in ours(file) if DEPTH.get(name, -1) <= DEPTH[unit]}
    assert not upwards, f"{name_of(file)} imports {upwards}, which are not below it"


def test_every_name_has_one_place() -> None:
    assert len(DEPTH) == len(LAYERS.split())
    assert set(DEPTH) == {unit_of(file) for file in FILES}


@pytest.mark.parametrize("library", OWNERS)
def test_a_library_has_its_owners_alone(library: str) -> None:
    users = {file for file in FILES if library in others(file)}
    strangers = {name_of(f) for f in users if name_of(f) not in OWNERS[library] and unit_of(f) not in OWNERS[library]}
    assert not strangers
    assert users, f"nobody imports {library} any more"


def test_every_third_party_library_has_an_owner() -> None:
    used = {module for file in FILES for module in others(file) if module not in sys.stdlib_module_names}
    assert used <= set(OWNERS)


@pytest.mark.parametrize("name", sorted(STARTS_A_LOOP))
def test_outside_the_engine_anyio_only_starts_the_loop(name: str) -> None:
    uses = {
        node.attr
        for node in ast.walk(tree_of(ROOT / name))
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "anyio"
    }
    assert uses <= STARTS_A_LOOP[name]
    assert [m for m in imported(ROOT / name) if m.startswith("anyio")] in ([], ["anyio"])


def talks(file: Path) -> set[str]:
    """How a file prints, exits, or reads the environment."""
    found: set[str] = set()
    for node in ast.walk(tree_of(file)):
        match node:
            case ast.Call(func=ast.Name(id="print" | "input" | "exit" | "quit" as name)):
                found.add(name)
            case ast.Attribute(value=ast.Name(id="sys"), attr="exit"):
                found.add("sys.exit")
            case ast.Attribute(value=ast.Name(id="os"), attr="environ" | "getenv" | "_exit" as name):
                found.add(f"os.{name}")
            case ast.ImportFrom(module="os" | "sys") if {"environ", "getenv", "exit"} & {a.name for a in node.names}:
                found.add("from os or sys")
            case ast.Name(id="SystemExit"):
                found.add("SystemExit")
    return found


def test_only_the_command_line_prints_exits_or_reads_the_environment() -> None:
    # stripe-python prints parameters where STRIPE_LOG is set, so the variable is hidden while it is imported; the
    # simulator is a program of its own.
    excused = {
        "stripe_api/composing.py": {"os.environ"},
        "__main__.py": {"sys.exit", "os._exit"},
        "simulator/__main__.py": {"sys.exit", "print"},
    }
    loud = {name_of(f): talks(f) for f in FILES if unit_of(f) != "cli"}
    assert {
        name: found - excused.get(name, set()) for name, found in loud.items() if found - excused.get(name, set())
    } == {}


def test_the_simulator_is_an_island() -> None:
    assert {name_of(f): ours(f) for f in FILES if unit_of(f) == "simulator" and ours(f)} == {}
