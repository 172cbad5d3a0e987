"""Bracket notation -> nested parameters, for form bodies and query strings alike."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any
from urllib.parse import unquote_plus

_NAME = re.compile(r"([^\[\]]+)((?:\[[^\[\]]*\]){0,8})")
_PART = re.compile(r"\[([^\[\]]*)\]")


def decode(text: str) -> dict[str, Any]:
    """Read `a[b][0]=c` pairs; a name that is not well-formed stays whole, so that it shows as unknown.

    Numbered children become lists (0, 1, 2 … without a gap), except in `metadata`, whose keys are free.
    """
    params: dict[str, Any] = {}
    for pair in text.split("&"):
        if pair:
            name, _, value = pair.partition("=")
            parts = _parts(name)
            here = params
            for part in parts[:-1]:
                here = _child(here, part)
            here[parts[-1] or str(len(here))] = unquote_plus(value) if "%" in value or "+" in value else value
    return {name: value if name == "metadata" else _listed(value) for name, value in params.items()}


@lru_cache(maxsize=4096)
def _parts(raw: str) -> tuple[str, ...]:
    name = unquote_plus(raw)
    match = _NAME.fullmatch(name)
    return (name,) if match is None else (match[1], *_PART.findall(match[2]))


def _child(here: dict[str, Any], part: str) -> dict[str, Any]:
    name = part or str(len(here))
    child = here.get(name)
    if not isinstance(child, dict):
        child = here[name] = {}
    return child


def _listed(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    children = {name: _listed(child) for name, child in value.items()}
    if "0" in children:
        numbers = [str(number) for number in range(len(children))]
        if all(number in children for number in numbers):
            return [children[number] for number in numbers]
    return children
