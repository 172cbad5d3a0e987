"""The closing table and its neighbours, as plain lines of text (pure)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from bulk_import.report.summary import Summary

STATUSES = ("created", "existing", "updated", "duplicate", "invalid", "failed", "in_doubt", "pending")
"""The statuses in the order in which every table and event shows them."""

_SHOWN_AT_ZERO = ("created", "failed")

Pair = tuple[str, str]


def closing_table(summary: Summary, cap: float | None = None) -> list[str]:
    """How a run ended: rows by status, requests, pace against the *cap* (requests a second), time and ledger."""
    tallies = {status: getattr(summary, status) for status in STATUSES}
    return aligned(
        [
            *tally_pairs(tallies, summary.rows),
            ("requests", _requests(summary)),
            *([("rate", _rate(summary, cap))] if summary.requests else []),
            ("time", duration(summary.seconds)),
            ("ledger", summary.ledger),
        ]
    )


def tally_pairs(tallies: Mapping[str, int], rows: int) -> list[Pair]:
    """A line for each status that has rows, and the number of all rows."""
    shown = [status for status in STATUSES if tallies.get(status, 0) or status in _SHOWN_AT_ZERO]
    return [*((status.replace("_", " "), f"{tallies.get(status, 0):,}") for status in shown), ("rows", f"{rows:,}")]


def aligned(pairs: Sequence[Pair], indent: str = "  ") -> list[str]:
    """Names in one column, values in the next; numbers stand under each other's last digit."""
    width = max((len(name) for name, _ in pairs), default=0)
    digits = max((len(value) for _, value in pairs if _is_count(value)), default=0)
    return [f"{indent}{name:<{width}}  {value:>{digits}}" if _is_count(value) else f"{indent}{name:<{width}}  {value}"
            for name, value in pairs]  # fmt: skip


def grid(header: Sequence[str], rows: Iterable[Sequence[str]], indent: str = "  ") -> list[str]:
    """Columns as wide as their widest cell, the last one open-ended; columns of counts stand right."""
    body = [tuple(row) for row in rows]
    widths = [max(len(row[index]) for row in (header, *body)) for index in range(len(header))]
    right = [bool(body) and all(_is_count(row[index]) for row in body) for index in range(len(header))]
    return [indent + _row(row, widths, right) for row in (header, *body)]


def duration(seconds: float) -> str:
    """A length of time as a person says it: `0.4 s`, `12 s`, `3 min 20 s`, `2 h 47 min`, `3 d 4 h`."""
    if seconds < 9.95:
        return f"{max(seconds, 0.0):.1f} s"
    whole = round(seconds)
    for unit, small, size, part in (("d", "h", 86400, 3600), ("h", "min", 3600, 60), ("min", "s", 60, 1)):
        if whole >= size:
            return f"{whole // size} {unit} {whole % size // part} {small}"
    return f"{whole} s"


def number(value: float) -> str:
    """A rate without digits that say nothing: `100`, `98.6`, `0.25`; a very low one keeps two that say something."""
    if 0 < value < 0.1:
        return f"{value:.2g}"
    text = f"{value:.2f}" if value < 10 else f"{value:,.1f}"
    return text.rstrip("0").rstrip(".")


def _requests(summary: Summary) -> str:
    parts = [f"{name} {count:,}" for name, count in summary.requests_by_endpoint.items() if count]
    if summary.rate_limited:
        parts.append(f"{summary.rate_limited:,} answered 429")
    return f"{summary.requests:,}" + (f" ({', '.join(parts)})" if parts else "")


def _rate(summary: Summary, cap: float | None) -> str:
    allowed = f" of {number(cap)}" if cap is not None else ""
    return f"{number(summary.requests_per_second)}{allowed} requests/s, {number(summary.rows_per_second)} rows/s"


def _is_count(text: str) -> bool:
    return text.replace(",", "").isdecimal()


def _row(cells: Sequence[str], widths: Sequence[int], right: Sequence[bool]) -> str:
    shown = [cell.rjust(width) if stands_right else cell.ljust(width)
             for cell, width, stands_right in zip(cells, widths, right, strict=True)]  # fmt: skip
    return "  ".join(shown).rstrip()
