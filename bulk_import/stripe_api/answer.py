"""What came back over the wire, and how a complete answer reads as a `Reply`: status, headers and body. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from functools import lru_cache
from math import isfinite
from typing import Any, NamedTuple, NoReturn
from urllib.parse import urlsplit

from bulk_import.model import Reply

LONGEST_WAIT = 600.0
"""The longest `Retry-After` in seconds that is believed: a proxy's bad day must not outlive a key."""


class Answer(NamedTuple):
    """One complete answer as it came off the wire; `headers` are asked for by lower-case names."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Broken:
    """No complete answer came: the fault in one of `Reply.fault`'s words, and a sentence about it."""

    fault: str
    detail: str


def read_answer(answer: Answer, *, now: float, seconds: float) -> Reply:
    """What *answer* says, whatever it looks like; a header that makes no sense counts as absent.

    *now* is our own clock, used for a `Retry-After` date when the answer carries no `Date`.
    """
    headers = answer.headers
    body, readable = _read_json(answer.body)
    stripe_time = read_date(headers.get("date"))
    return Reply(
        status=answer.status,
        body=body,
        fault=None if readable else "not-json",
        detail=None if readable else _describe_unreadable(answer),
        request_id=_read_word(headers.get("request-id")),
        limited_reason=_read_word(headers.get("stripe-rate-limited-reason")),
        retry_after=read_retry_after(headers.get("retry-after"), now if stripe_time is None else stripe_time),
        should_retry={"true": True, "false": False}.get(headers.get("stripe-should-retry", "").lower()),
        replayed=headers.get("idempotent-replayed", "").lower() == "true",
        stripe_time=stripe_time,
        location=_shorten_location(headers.get("location")) if 300 <= answer.status < 400 else None,
        seconds=seconds,
    )


# A second's worth of answers carries one and the same date, and parsing it costs as much as parsing the body.
@lru_cache(maxsize=4)
def read_date(text: str | None) -> float | None:
    """A `Date` header as seconds since the epoch, None when there is none or it is no date."""
    if not text:
        return None
    try:
        return parsedate_to_datetime(text).timestamp()
    except (ValueError, TypeError, OverflowError, IndexError):
        return None


def read_retry_after(text: str | None, now: float) -> float | None:
    """How many seconds after *now* a `Retry-After` header asks for, as a number or as a date; None for junk."""
    if not text:
        return None
    if re.fullmatch(r"\s*[0-9]{1,9}(\.[0-9]{1,9})?\s*", text):
        return min(float(text.strip()), LONGEST_WAIT)
    date = read_date(text)
    return None if date is None or not isfinite(date) else min(max(0.0, date - now), LONGEST_WAIT)


def _read_word(text: str | None) -> str | None:
    """A header that is to be written down: short plain ASCII, or nothing."""
    return text if text and text.isascii() and text.isprintable() and len(text) <= 200 else None


def _read_json(body: bytes) -> tuple[Any, bool]:
    """The value and True, or None and False for anything that is not strict JSON in strict UTF-8."""
    try:
        text = body.decode("utf-8")
        value = _decode(text)
        if _SURROGATE.search(text):
            # A lone surrogate passes json.loads and then breaks whoever writes the text down.
            json.dumps(value, ensure_ascii=False).encode("utf-8")
    except (ValueError, RecursionError):
        return None, False
    return value, True


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not JSON")


_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")
_decode = json.JSONDecoder(parse_constant=_refuse).decode  # made once, where `loads` makes a decoder a call


def _describe_unreadable(answer: Answer) -> str:
    if not answer.body:
        return f"The answer (HTTP {answer.status}) is empty"
    kind = answer.headers.get("content-type", "").partition(";")[0].strip().lower()
    named = f" but calls itself {kind}" if re.fullmatch(r"[a-z]+/[a-z0-9.+-]{1,40}", kind) else ""
    if kind == "application/json":
        named = ", though it calls itself JSON"
    return f"The answer (HTTP {answer.status}, {len(answer.body)} bytes) is not JSON{named}"


def _shorten_location(location: str | None) -> str | None:
    """Where a redirect points, without the parts that may carry an e-mail or a password."""
    if not location:
        return None
    try:
        parts = urlsplit(location)
        origin = f"{parts.scheme}://{parts.hostname or ''}" + (f":{parts.port}" if parts.port else "")
    except ValueError:
        return "(not a URL)"
    shown = (origin if parts.netloc else "") + parts.path
    return "".join(character if character.isprintable() else "?" for character in shown[:200])
