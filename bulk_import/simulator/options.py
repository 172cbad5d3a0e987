"""How a simulator is to be started, and how that is read from a command line."""

from __future__ import annotations

import argparse
import ipaddress
import json
import re
import tomllib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bulk_import.simulator.account import DEFAULT_ACCOUNT
from bulk_import.simulator.faults import FaultRule
from bulk_import.simulator.limits import STRIPE_ENDPOINT_RATE, STRIPE_SEARCH_RATE, Limits, Shape
from bulk_import.simulator.oracle import read_rules

ENDPOINTS = (
    "create",
    "list",
    "search",
    "update",
    "retrieve",
    "delete",
    "attach",
    "account",
    "tax_ids",
    "balance",
    "list_tax_ids",
    "delete_tax_id",
    "detach",
    "retrieve_method",
    "list_methods",
)
_DURATION = re.compile(r"([0-9]+(?:\.[0-9]+)?)\s*(ms|s|m|h|)")
_UNITS = {"ms": 0.001, "s": 1.0, "": 1.0, "m": 60.0, "h": 3600.0}


@dataclass(frozen=True, slots=True)
class Options:
    """Everything a simulator can be told; times are seconds."""

    port: int = 0
    host: str = "127.0.0.1"
    limits: Limits = field(default_factory=Limits)
    latency: float = 0.0
    jitter: float = 0.0
    existing: int = 0
    faults: tuple[FaultRule, ...] = ()
    seed: int = 0
    state: Path | None = None
    account: str | None = None
    exit_with_stdin: bool = False
    key_lifetime: float = 86400.0
    search_lag: float = 2.0


def duration(text: str) -> float:
    """Read `250ms`, `1.5s`, `2m`, `1h` or plain seconds; raises ValueError."""
    match = _DURATION.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"{text!r} is no duration; write 250ms, 1.5s or 2m.")
    return float(match[1]) * _UNITS[match[2]]


def rate(text: str) -> float | None:
    """Read requests a second, or `none`; raises ValueError."""
    if text == "none":
        return None
    number = float(text)
    if not 0 < number < float("inf"):
        raise ValueError(f"{text!r} is no rate; write a number above 0, or none.")
    return number


def limits_from(overall: str, endpoints: Iterable[str], shape: Shape) -> Limits:
    """Read the limits: each of *endpoints* is `NAME=N`, or a bare `N` or `none` for all; raises ValueError."""
    default: float | None = STRIPE_ENDPOINT_RATE
    rates: dict[str, float | None] = {"search": STRIPE_SEARCH_RATE}
    for text in endpoints:
        name, separator, value = text.rpartition("=")
        if not separator:
            default, rates = rate(text), {}
        elif name not in ENDPOINTS:
            raise ValueError(f"There is no endpoint named {name!r}; there are {', '.join(ENDPOINTS)}.")
        else:
            rates[name] = rate(value)
    return Limits(rate(overall), default, rates, shape)


def faults_from(text: str) -> tuple[FaultRule, ...]:
    """Read fault rules out of a JSON or TOML file, or `name=probability,…`; raises ValueError or OSError."""
    path = Path(text)
    if not text or not path.is_file():
        return tuple(read_rules(text))
    content = path.read_text(encoding="utf-8")
    if path.suffix == ".toml":
        content = json.dumps(tomllib.loads(content))
    return tuple(read_rules(content))


def check_host(host: str) -> str:
    """Refuse any address that another machine could reach; raises ValueError."""
    try:
        loopback = ipaddress.ip_address(host).is_loopback
    except ValueError:
        loopback = host == "localhost"
    if not loopback:
        raise ValueError(f"The simulator listens on loopback only, not on {host}.")
    return host


def parse(arguments: Sequence[str] | None = None) -> Options:
    """Read a command line; wrong usage ends the process with code 2."""
    parser = _parser()
    given = parser.parse_args(arguments)
    try:
        return _options(given)
    except (ValueError, OSError) as error:
        parser.error(str(error))


def _options(given: argparse.Namespace) -> Options:
    values: dict[str, Any] = vars(given)
    overall, endpoints, shape = (values.pop(name) for name in ("rate_limit", "endpoint_rate_limit", "limiter"))
    values["limits"] = limits_from(overall, endpoints, shape)
    values["faults"] = faults_from(values["faults"])
    for name in ("latency", "jitter", "key_lifetime", "search_lag"):
        values[name] = duration(values[name])
    check_host(values["host"])
    return Options(**values)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bulk_import.simulator", description=__doc__)
    add = parser.add_argument
    add("--port", type=int, default=0, help="0 takes a free one (default)")
    add("--host", default="127.0.0.1", help="a loopback address")
    add("--rate-limit", default="100", metavar="N", help="requests a second, all together; none for no limit")
    add("--endpoint-rate-limit", action="append", default=[], metavar="NAME=N", help="also a bare N or none, for all")
    add("--limiter", choices=("sliding", "bucket", "calendar"), default="sliding")
    add("--latency", default="0", metavar="TIME", help="for example 250ms")
    add("--jitter", default="0", metavar="TIME", help="standard deviation of the latency")
    add("--existing", type=int, default=0, metavar="N", help="customers that are there from the start")
    add("--faults", default="", metavar="FILE|NAME=P,…", help="what goes wrong, and how often")
    add("--seed", type=int, default=0)
    add("--state", type=Path, metavar="FILE", help="keep the account in this file")
    add("--account", metavar="ID", help=f"default {DEFAULT_ACCOUNT}")
    add("--exit-with-stdin", action="store_true", help="end when standard input ends")
    add("--key-lifetime", default="86400", metavar="TIME", help="how long idempotency keys are remembered")
    add("--search-lag", default="2", metavar="TIME", help="how far search is behind")
    return parser
