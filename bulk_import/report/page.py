"""The report as one self-contained page: no script, no network, a policy that allows nothing but its own style sheet."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

from jinja2 import DictLoader, Environment, StrictUndefined

from bulk_import import __version__
from bulk_import.ledger import Trouble
from bulk_import.report.advice import advice_for
from bulk_import.report.described import first_rows, latency, rate, short, shown
from bulk_import.report.export import moment
from bulk_import.report.plots import Plot, latencies, throughput
from bulk_import.report.review import Review, mode, name_of, place, sentence, settings
from bulk_import.report.table import STATUSES, duration
from bulk_import.wording import counted

WIDTHS = {"narrow": 340.0, "wide": 920.0}
"""Each plot is drawn twice, for phones and for desks, so that its letters keep their size."""

ROWS = 10
"""Row numbers named for each problem."""


@dataclass(frozen=True, slots=True)
class Share:
    """One part of the bar of all rows: status, rows, and from where to where it goes, in percent."""

    status: str
    count: int
    start: float
    length: float


def page(found: Review, *, include_data: bool, now: float) -> str:
    """The whole page as HTML; personal data only with *include_data*. *now* is when it is made."""
    style = _resource("page.css")
    facts: dict[str, Any] = {
        "style": style,
        "style_hash": base64.b64encode(hashlib.sha256(style.encode()).digest()).decode(),
        "found": found,
        "sentence": sentence(found),
        "shares": shares(found.counts, found.tally.rows),
        "tiles": tiles(found),
        "cards": _cards(found),
        "worked": _worked(found),
        "over_cap": found.cap is not None and found.peak > found.cap,
        "plots": {name: _plots(found, width) for name, width in WIDTHS.items()} if found.intervals else {},
        "settings": _settings(found, include_data=include_data),
        "commands": [
            {"verb": c.verb, "began": time_of_day(c.started_at), "ended": time_of_day(c.ended_at), "code": c.exit_code,
             "reason": shown(c.reason, include_data=include_data), "line": shown(c.facts.get("line"), include_data=include_data)}
            for c in found.commands
        ],
        "include_data": include_data,
        "made_at": time_of_day(now),
        "version": __version__,
        "rows_shown": ROWS,
    }  # fmt: skip
    return _environment().get_template("page").render(facts)


def shares(counts: Mapping[str, int], rows: int) -> list[Share]:
    """The bar of all rows, its parts in the order of the statuses."""
    found: list[Share] = []
    start = 0.0
    for status in STATUSES:
        if counts[status]:
            length = 100.0 * counts[status] / max(rows, 1)
            found.append(Share(status, counts[status], round(start, 3), round(length, 3)))
            start += length
    return found


def _plots(found: Review, width: float) -> list[Plot]:
    height = 200.0 if width < 400 else 240.0
    return [throughput(found.intervals, width, height), latencies(found.intervals, width, height)]


@dataclass(frozen=True, slots=True)
class Tile:
    """One figure that is seen first: what it counts, how many, and what is to be added in small letters."""

    label: str
    value: str
    aside: str
    alarming: bool = False


def tiles(found: Review) -> list[Tile]:
    """The figures that are seen first."""
    rows, homes = found.tally.rows, found.homes
    return [
        Tile("rows", f"{rows:,}", "in the source"),
        Tile("with a customer", f"{homes:,}", share(homes, rows)),
        Tile("without one", f"{rows - homes:,}", share(rows - homes, rows), alarming=rows > homes),
        Tile("time at work", duration(found.seconds), counted(len(found.commands), "command")),
    ]


def share(part: int, whole: int) -> str:
    """A part of all rows in percent; what is not all or nothing is never rounded to that."""
    if part in (0, whole):
        return "all of them" if part else "none"
    return f"{min(max(100 * part / whole, 0.1), 99.9):.1f} %"


def _cards(found: Review) -> list[tuple[str, str]]:
    if not found.requests:
        return []
    return [
        ("requests", f"{found.requests:,}"),
        ("requests a second", rate(found, "")),
        ("answered 429", f"{found.rate_limited:,}, too many requests for Stripe" if found.rate_limited else "0"),
        ("answers came", latency(found)),
    ]


def _worked(found: Review) -> str:
    """From when to when commands worked on the ledger."""
    if found.worked is None:
        return ""
    began, ended = (time_of_day(at)[:-3] for at in found.worked)
    if began == ended:
        return f"{began} UTC"
    return f"{began} to {ended[11:] if began[:10] == ended[:10] else ended} UTC"


def time_of_day(seconds: float | None) -> str:
    """A moment as a person reads it, in UTC: `2026-11-26 09:05:12`; empty for none."""
    return (moment(seconds) or "")[:19].replace("T", " ")


def _settings(found: Review, *, include_data: bool) -> dict[str, str]:
    purpose = found.purpose
    if purpose is None:
        return {}
    facts = {
        "source": purpose.source if include_data else name_of(purpose),
        "SHA-256 of the source": purpose.sha256,
        "account": place(purpose),
        "mode": mode(purpose),
        "server": "simulated on this machine" if purpose.simulated else purpose.api_base,
        "Stripe API version": purpose.stripe_version,
        "ledger": found.ledger,
        "begun": f"{time_of_day(purpose.created_at)} UTC",
        **settings(purpose),
    }
    return {name: shown(value, include_data=include_data) or "" for name, value in facts.items()}


def _advice(trouble: Trouble) -> str:
    return advice_for(trouble.status, trouble.code)


@cache
def _environment() -> Environment:
    made = Environment(
        loader=DictLoader({"page": _resource("page.html")}), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    made.filters |= {
        "count": lambda value: f"{value:,}",
        "status": lambda value: str(value).replace("_", " "),
        "first_rows": first_rows,
        "advice": _advice,
        "short": short,
    }
    return made


@cache
def _resource(name: str) -> str:
    return resources.files("bulk_import.report").joinpath(name).read_text(encoding="utf-8")
