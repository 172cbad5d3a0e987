"""How one complete HTTP answer reads as a reply."""

from __future__ import annotations

import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bulk_import.model import Reply
from bulk_import.stripe_api.answer import Answer, read_answer, read_date, read_retry_after
from tests.misbehaving_server import DATE, DATE_SECONDS


def read(body: bytes = b"{}", status: int = 200, **headers: str) -> Reply:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return read_answer(Answer(status, named, body), now=1000.0, seconds=0.25)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        (None, None),
        ("", None),
        ("0", 0.0),
        ("5", 5.0),
        (" 1.5 ", 1.5),
        ("-5", None),
        ("soon", None),
        ("nan", None),
        ("inf", None),
        ("1e9", None),
        ("٣", None),
        ("5, 6", None),
        ("9" * 30, None),
        ("Mon, 23 Nov 2026 10:00:07 GMT", 7.0),
        ("Mon, 23 Nov 2026 09:00:00 GMT", 0.0),
        ("86400", 600.0),
        ("Tue, 24 Nov 2026 10:00:00 GMT", 600.0),
        ("Mon, 99 Nov 2026 10:00:07 GMT", None),
    ],
)
def test_retry_after_is_seconds_or_a_date_or_nothing(text: str | None, seconds: float | None) -> None:
    assert read_retry_after(text, DATE_SECONDS) == seconds


def test_a_retry_after_date_is_measured_on_stripes_clock_and_else_on_ours() -> None:
    later = "Mon, 23 Nov 2026 10:00:07 GMT"
    assert read(date=DATE, retry_after=later).retry_after == 7.0
    assert read(retry_after="Thu, 01 Jan 1970 00:16:47 GMT").retry_after == 7.0


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        (None, None),
        ("", None),
        (DATE, DATE_SECONDS),
        ("Mon, 23 Nov 2026 10:00:00 +0100", DATE_SECONDS - 3600),
        ("yesterday", None),
        ("Mon, 23 Nov 99999999999 10:00:00 GMT", None),
        ("0", None),
    ],
)
def test_a_date_header_is_seconds_since_the_epoch(text: str | None, seconds: float | None) -> None:
    assert read_date(text) == seconds


@given(st.text(max_size=40))
@example("0\x1f")
def test_no_header_text_makes_reading_fail(text: str) -> None:
    reply = read(
        status=302, date=text, retry_after=text, request_id=text, stripe_should_retry=text,
        idempotent_replayed=text, stripe_rate_limited_reason=text, location=text, content_type=text,
    )  # fmt: skip
    assert reply.retry_after is None or reply.retry_after >= 0
    assert reply.request_id is None or reply.request_id.isascii()


@given(st.binary(max_size=60))
def test_no_body_makes_reading_fail_and_none_is_half_read(body: bytes) -> None:
    reply = read(body)
    assert (reply.fault, reply.body) == ("not-json", None) if reply.fault else reply.body == json.loads(body)


@pytest.mark.parametrize(
    ("body", "value"),
    [
        (b'{"a": 1}', {"a": 1}),
        (b" null ", None),
        (b'"\\ud83d\\ude00"', "😀"),
        ("é".join('""').encode(), "é"),
    ],
)
def test_strict_json_is_read(body: bytes, value: object) -> None:
    assert (read(body).fault, read(body).body) == (None, value)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\xef\xbb\xbf{}",
        b"{} {}",
        b'{"a": Infinity}',
        b'"\\ud83d"',
        b'{"\\uDC00": 1}',
        b'"\xe9"',
        b"[" * 99_999,
        b"9" * 5000,
    ],
    ids=lambda body: repr(body[:12]),
)
def test_anything_but_strict_json_is_not_json(body: bytes) -> None:
    assert (read(body).fault, read(body).body) == ("not-json", None)


@pytest.mark.parametrize(
    ("reply", "detail"),
    [
        (read(b"", 204), "The answer (HTTP 204) is empty"),
        (read(b"<p>", content_type="text/html; x"), "The answer (HTTP 200, 3 bytes) is not JSON but calls itself text/html"),
        (read(b"{", content_type="application/json"), "The answer (HTTP 200, 1 bytes) is not JSON, though it calls itself JSON"),
        (read(b"{", content_type="ann@example.com"), "The answer (HTTP 200, 1 bytes) is not JSON"),
        (read(b"{}"), None),
    ],
)  # fmt: skip
def test_what_is_not_json_is_described_without_its_contents(reply: Reply, detail: str | None) -> None:
    assert reply.detail == detail


@pytest.mark.parametrize(
    ("location", "shown"),
    [
        ("https://elsewhere.example.com/v1/customers?email=a%40b.example#x", "https://elsewhere.example.com/v1/customers"),
        ("https://ann:secret@elsewhere.example.com:8443/", "https://elsewhere.example.com:8443/"),
        ("/login?next=a@example.com", "/login"),
        ("https://[broken", "(not a URL)"),
        ("https://elsewhere.example.com:port/", "(not a URL)"),
        ("https://e.example.com/\x1b[31m", "https://e.example.com/?[31m"),
        ("", None),
    ],
)  # fmt: skip
def test_a_location_is_shown_without_its_private_parts(location: str, shown: str | None) -> None:
    assert read(status=307, location=location).location == shown


def test_only_a_redirect_has_a_location() -> None:
    assert read(status=201, location="https://example.com/").location is None


@pytest.mark.parametrize(
    ("text", "verdict"), [("true", True), ("False", False), ("", None), ("maybe", None)]
)  # fmt: skip
def test_should_retry_is_yes_no_or_unknown(text: str, verdict: bool | None) -> None:
    assert read(stripe_should_retry=text).should_retry is verdict


@pytest.mark.parametrize("text", ["req_\udcff", "req_é", "r" * 201, "", "req\x1b[31m"])
def test_a_request_id_that_cannot_be_written_down_is_dropped(text: str) -> None:
    assert read(request_id=text, stripe_rate_limited_reason=text) == read()
