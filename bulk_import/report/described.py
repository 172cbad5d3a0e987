"""A review as a table for a person and as values for a program (pure)."""

from __future__ import annotations

from typing import Any

from bulk_import.ledger import Trouble
from bulk_import.report.advice import advice_for
from bulk_import.report.export import moment
from bulk_import.report.review import Review, mode, name_of, place, redacted, sentence, settings
from bulk_import.report.table import aligned, duration, grid, number, tally_pairs
from bulk_import.series import Interval
from bulk_import.wording import counted

SHOWN = 10
"""Row numbers and slow rows that the table names."""


def tabled(found: Review, *, include_data: bool) -> list[str]:
    """The report as a person reads it in a terminal; e-mails and messages only with *include_data*."""
    pairs = tally_pairs(found.counts, found.tally.rows)
    if found.requests:
        pairs += [("requests", _requests(found)), ("rate", rate(found)), ("latency", latency(found))]
    pairs += [
        ("time", f"{duration(found.seconds)} in {_counted(len(found.commands))}"),
        ("ledger", found.ledger),
    ]
    return [
        sentence(found),
        *aligned(pairs),
        *_troubles(found),
        *(_people(found) if include_data else ()),
        *_slow(found),
    ]


def described(found: Review, *, include_data: bool) -> dict[str, Any]:
    """Everything the report tells; personal data only with *include_data*."""
    purpose = found.purpose
    return {
        "ledger": found.ledger,
        "sentence": sentence(found),
        "source": name_of(purpose) if purpose else None,
        "account": place(purpose) if purpose else None,
        "mode": mode(purpose) if purpose else None,
        "rows": found.tally.rows,
        **found.counts,
        "orphans": found.tally.orphans,
        "requests": found.requests,
        "requests_by_endpoint": {name: dict(counts) for name, counts in found.answers.items()},
        "rate_limited": found.rate_limited,
        "seconds": round(found.seconds, 3),
        "cap": found.cap,
        "peak_requests_per_second": round(found.peak, 2),
        "latency": {f"p{share * 100:g}": seconds for share, seconds in found.latencies.items()},
        "settings": settings(purpose) if purpose else {},
        "problems": [_problem(trouble, include_data=include_data) for trouble in found.troubles],
        "slowest": [{"row": s.row, "seconds": round(s.seconds, 3), "attempts": s.attempts} for s in found.slowest],
        "commands": [
            {
                "verb": command.verb,
                "started_at": moment(command.started_at),
                "ended_at": moment(command.ended_at),
                "exit_code": command.exit_code,
                "reason": shown(command.reason, include_data=include_data),
                "line": shown(command.facts.get("line"), include_data=include_data),
            }
            for command in found.commands
        ],
        "series": [_interval(interval) for interval in found.intervals],
    }


def shown(text: str | None, *, include_data: bool) -> str | None:
    """Free text, without what is personal unless it is asked for."""
    return text if include_data or text is None else redacted(text)


def latency(found: Review) -> str:
    """The latencies in words."""
    parts = [f"{part(share)} within {short(s)}" for share, s in found.latencies.items() if s is not None]
    return ", ".join(parts) if parts else "not measured"


def part(share: float) -> str:
    """A share of all requests in words."""
    return "half" if share == 0.5 else f"{share * 100:g} %"


def first_rows(trouble: Trouble, most: int) -> str:
    """The first row numbers of a trouble."""
    rows = ", ".join(str(place.row) for place in trouble.places[:most])
    return f"{rows}, …" if trouble.count > min(most, len(trouble.places)) else rows


def _problem(trouble: Trouble, *, include_data: bool) -> dict[str, Any]:
    places = [{"row": p.row, "line": p.line} for p in trouble.places]
    if include_data:
        places = [{"row": p.row, "line": p.line, "email": p.email, "message": p.message} for p in trouble.places]  # type: ignore[dict-item]
    return {
        "status": trouble.status,
        "code": trouble.code or trouble.type,
        "param": trouble.param,
        "rows": trouble.count,
        "advice": advice_for(trouble.status, trouble.code),
        "first": places,
    }


def _interval(interval: Interval) -> dict[str, Any]:
    return {
        "began_at": moment(float(interval.began)),
        "seconds": interval.width,
        "settled": interval.settled,
        "requests": interval.answers.total(),
        "answers": dict(interval.answers),
        "cap": interval.cap,
    }


def _troubles(found: Review) -> list[str]:
    if not found.troubles:
        return []
    cells = [
        (t.status.replace("_", " "), t.code or t.type or "", t.param or "", f"{t.count:,}", first_rows(t, SHOWN),
         advice_for(t.status, t.code))
        for t in found.troubles
    ]  # fmt: skip
    return ["problems:", *grid(("status", "code", "field", "rows", "first rows", "what to do"), cells)]


def _people(found: Review) -> list[str]:
    places = [(t, place) for t in found.troubles for place in t.places]
    if not places:
        return []
    cells = [(f"{p.row}", t.code or t.status, p.email or "", p.message or "") for t, p in places]
    return ["rows of the problems:", *grid(("row", "code", "e-mail", "message"), cells)]


def _slow(found: Review) -> list[str]:
    if not found.slowest:
        return []
    cells = [(f"{slow.row}", short(slow.seconds), f"{slow.attempts}") for slow in found.slowest[:SHOWN]]
    return ["slowest rows:", *grid(("row", "took", "attempts"), cells)]


def _requests(found: Review) -> str:
    parts = [f"{name} {counts.total():,}" for name, counts in found.answers.items()]
    if found.rate_limited:
        parts.append(f"{found.rate_limited:,} answered 429")
    return f"{found.requests:,} ({', '.join(parts)})"


def rate(found: Review, unit: str = " requests/s") -> str:
    """How fast requests went on average, against the cap."""
    if found.pace is None:
        return f"too short to tell{allowed(found)}"
    return f"{number(found.pace)}{unit} on average{allowed(found)}"


def allowed(found: Review) -> str:
    """The cap, or the lowest and the highest where commands had different ones."""
    match found.caps:
        case None:
            return ""
        case (least, most) if least == most:
            return f", at most {number(most)} allowed"
        case (least, most):
            return f", at caps from {number(least)} to {number(most)}"


def _counted(count: int) -> str:
    return counted(count, "command")


def short(seconds: float) -> str:
    """A length of time that may be far below a second."""
    return f"{seconds * 1000:.0f} ms" if seconds < 1 else duration(seconds)
