"""What a benchmark answers: named figures, some with a target, and how they are told."""

from __future__ import annotations

import json
import platform
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from importlib.metadata import version
from typing import Any

LIBRARIES = ("bulk-import", "stripe", "aiohttp", "anyio", "httpx")


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured number; with `at_least` or `at_most` it has a target."""

    name: str
    value: float
    unit: str = ""
    at_least: float | None = None
    at_most: float | None = None

    @property
    def is_met(self) -> bool | None:
        """Whether the target is met, None where there is none."""
        if self.at_least is not None:
            return self.value >= self.at_least
        return None if self.at_most is None else self.value <= self.at_most

    @property
    def target(self) -> str:
        """The target in words."""
        if self.at_least is not None:
            return f"at least {_number(self.at_least)}"
        return "" if self.at_most is None else f"at most {_number(self.at_most)}"

    @property
    def line(self) -> str:
        """The figure as a row of the table under `HEAD`."""
        words = {True: "met", False: "**missed**", None: ""}
        return f"| {self.name} | {_number(self.value)} {self.unit} | {self.target} | {words[self.is_met]} |"


HEAD = ("| {} | | target | |", "|---|---:|---|---|")
"""The head of a table of figures in Markdown, as the README shows them."""


def machine() -> dict[str, str]:
    """Where figures were measured: comparing them across machines means nothing, their ratios travel better."""
    cores = _cores()
    return {
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}, {cores} cores",
        **{name: version(name) for name in LIBRARIES},
    }


def as_json(name: str, figures: Iterable[Figure], **facts: Any) -> str:
    """Figures as one line of JSON."""
    return json.dumps({"benchmark": name, **facts, "figures": [asdict(f) for f in figures]})


def _number(value: float) -> str:
    if value == int(value) or abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def _cores() -> int:
    import os

    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
