"""A ledger is continued only for what it was begun for; whatever differs is named."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from bulk_import.errors import LedgerRefuses, UsageError
from bulk_import.job.clock import Boot, clock_jumped
from bulk_import.job.opening import check_key, check_purpose, check_reading
from bulk_import.keys import parse_key
from bulk_import.ledger import Command
from bulk_import.options import STRIPE, Connecting
from bulk_import.reading import Overrides, Reading
from tests.ledger_samples import purpose

SETTLED = Reading("csv", encoding="iso8859-1", delimiter=";", quote='"', skip_lines=2)
TEST, LIVE = parse_key("sk_test_abcdefgh"), parse_key("sk_live_abcdefgh")


@pytest.mark.parametrize(
    ("settled", "asked"),
    [
        (SETTLED, Overrides()),
        (SETTLED, Overrides("csv", "iso8859-1", ";", '"', 2, True)),
        (SETTLED, Overrides(format="CSV", encoding="latin1")),
        (SETTLED, Overrides(encoding="ISO-8859-1")),
        (replace(SETTLED, encoding="utf-8"), Overrides(encoding="UTF8")),
        (replace(SETTLED, encoding="utf-8"), Overrides(encoding="utf-8-sig")),
        (replace(SETTLED, encoding="utf-16-le"), Overrides(encoding="utf-16")),
        (replace(SETTLED, encoding="utf-16-be"), Overrides(encoding="UTF16")),
        (replace(SETTLED, quote=None), Overrides(quote="none")),
    ],
)
def test_the_same_options_continue_a_ledger_however_they_are_spelt(settled: Reading, asked: Overrides) -> None:
    check_reading(settled, asked)


@pytest.mark.parametrize(
    "asked",
    [
        Overrides(format="tsv"),
        Overrides(encoding="utf-8"),
        Overrides(encoding="no-such-encoding"),
        Overrides(delimiter=","),
        Overrides(quote="none"),
        Overrides(quote="'"),
        Overrides(skip_lines=0),
        Overrides(header=False),
    ],
)
def test_an_option_that_would_read_the_source_otherwise_is_refused_naming_both(asked: Overrides) -> None:
    with pytest.raises(LedgerRefuses, match="was asked for"):
        check_reading(SETTLED, asked)


@pytest.mark.parametrize(
    ("header", "said"), [(True, "with a header, but --no-header"), (False, "without a header, but --header")]
)
def test_a_header_is_spoken_of_as_it_is_typed(header: bool, said: str) -> None:
    with pytest.raises(LedgerRefuses, match=said):
        check_reading(replace(SETTLED, header=header), Overrides(header=not header))


def test_a_file_read_without_quotes_is_not_continued_with_them() -> None:
    with pytest.raises(LedgerRefuses):
        check_reading(replace(SETTLED, quote=None), Overrides(quote='"'))


@pytest.mark.parametrize(
    ("about", "connecting", "key", "base", "named"),
    [
        ({}, {}, LIVE, STRIPE, ["mode", "test", "live"]),
        ({"livemode": True}, {}, TEST, STRIPE, ["mode", "live", "test"]),
        ({}, {}, TEST, "http://127.0.0.1:9", ["API base", STRIPE, "http://127.0.0.1"]),
        ({}, {"stripe_account": "acct_2"}, TEST, STRIPE, ["connected account", "none", "acct_2"]),
        ({"stripe_account": "acct_2"}, {}, TEST, STRIPE, ["connected account", "acct_2", "none"]),
        ({"state_file": "x"}, {}, TEST, STRIPE, ["kind of account", "the simulator", "Stripe"]),
        ({}, {"simulate": True}, TEST, STRIPE, ["kind of account", "Stripe", "the simulator"]),
    ],
)
def test_another_mode_server_or_account_is_refused_naming_both(
    about: dict[str, Any], connecting: dict[str, Any], key: Any, base: str, named: list[str]
) -> None:
    with pytest.raises(LedgerRefuses) as caught:
        check_purpose(purpose(**about), Connecting(key=key, **connecting), key, base)
    assert all(word in str(caught.value) for word in named)


def test_the_server_may_come_back_on_another_port() -> None:
    about = purpose(api_base="http://127.0.0.1:12111")
    check_purpose(about, Connecting(key=TEST), TEST, "http://127.0.0.1:12112/")


@pytest.mark.parametrize(
    ("key", "options"),
    [
        (None, {}),
        (LIVE, {}),
        (LIVE, {"yes": True}),
        (LIVE, {"live": True, "dry_run": True}),
        (LIVE, {"live": True, "api_base": "http://127.0.0.1:9"}),
        (LIVE, {"live": True, "api_base": "https://api.stripe.com.example.com"}),
        (TEST, {"live": True}),
    ],
)
def test_a_key_that_could_surprise_a_live_account_is_refused(key: Any, options: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        check_key(Connecting(key=key, **options))


def command(boot: str | None, offset: float | None) -> Command:
    return Command("run", 0.0, None, 1, "host", boot, offset, None, None, {})


@pytest.mark.parametrize(
    ("earlier", "now", "jumped"),
    [
        ([], Boot("a", 0.0), False),
        ([command("a", 10.0)], Boot("a", 200.0), False),
        ([command("a", 10.0)], Boot("a", 400.0), True),
        ([command("a", 400.0), command("a", 10.0)], Boot("a", 10.0), True),
        ([command("b", 10.0)], Boot("a", 4000.0), False),
        ([command(None, None)], Boot(None, None), False),
        ([command("a", None)], Boot("a", 4000.0), False),
    ],
)
def test_the_clock_jumped_when_it_moved_against_any_earlier_command_of_this_boot(
    earlier: list[Command], now: Boot, jumped: bool
) -> None:
    assert clock_jumped(earlier, now) is jumped
