"""A real process that is gone before or after any commit and any await: the same command makes the ledger whole."""

from __future__ import annotations

import json
import os
from collections import Counter
from pathlib import Path

import pytest

from bulk_import.ledger import Reader, open_for_reading
from tests.dying import GONE
from tests.promises import Seen, check
from tests.raw_stripe import Misdeed, RawStripe, Visit, error
from tests.rig import environment
from tests.warm import start

OPTIONS = ("--rate", "none", "--concurrency", "4", "--batch-size", "5", "--dedupe", "snapshot", "--hash-emails")
NOWHERE = ("commit", "before", 0)
MOST = {"commit": 1000, "step": 80}
"""Points of a kind that are tried; of more, so many spread evenly."""


def died(server: RawStripe, source: Path, die: tuple[str, str, int] = NOWHERE) -> int:
    """Import *source* in a process that is gone at a point, and give its exit code."""
    return typed(server, source, die, "run", source, *OPTIONS)


def typed(server: RawStripe, source: Path, die: tuple[str, str, int], *command: str | Path) -> int:
    """Type a command about *source* whose process is gone at a point, and give its exit code."""
    kind, moment, nth = die
    counts, said = source.with_suffix(".counts"), source.with_suffix(".said")
    words = [kind, moment, str(nth), str(counts), *map(str, command), "--api-base", server.url]
    with said.open("w") as out, open(os.devnull) as nothing:
        return start("tests.dying:main", words, environment(), (nothing.fileno(), out.fileno(), out.fileno())).wait(
            timeout=60
        )


def _source(folder: Path) -> Path:
    """Twenty rows: sixteen people, two of them twice, one who is there, and one without an address."""
    folder.mkdir()
    source = folder / "people.csv"
    rows = [f"p{n}@example.com,Person {n}" for n in range(1, 17)]
    rows += ["P1@example.com,Twice", "There@example.com,There", "nobody,Invalid", "p9@Example.com,Twice"]
    source.write_text("\n".join(["email,name", *rows]) + "\n")
    return source


def _somebody_is_there(server: RawStripe) -> None:
    server.customers["cus_There"] = {
        "id": "cus_There", "object": "customer", "email": "there@example.com", "created": 1_700_000_000,
        "livemode": False, "metadata": {},
    }  # fmt: skip


def _points(folder: Path, kind: str) -> list[int]:
    with RawStripe(latency=0.005) as server:
        source = _source(folder)
        assert died(server, source) == 1
        total = int(json.loads((folder / "people.counts").read_text())[kind])
    step = max(1, total // MOST[kind])
    return list(range(1, total + 1, step))


def _dies_and_goes_on(folder: Path, die: tuple[str, str, int]) -> bool:
    """Whether the process met its point; either way the ledger and the account must be whole in the end."""
    with RawStripe(latency=0.005) as server:
        _somebody_is_there(server)
        source = _source(folder)
        code = died(server, source, die)
        assert code in (GONE, 1), source.with_suffix(".said").read_text()
        again = died(server, source)
        assert again == 1, source.with_suffix(".said").read_text()
        seen = Seen.of(server, source)
        check(seen, again)
        assert Counter(line.status for line in seen.lines) == Counter(created=16, duplicate=2, existing=1, invalid=1)
        assert len(server.customers) == 17
        return code == GONE


@pytest.mark.soak
@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("kind", ["commit", "step"])
def test_a_process_gone_at_any_point_loses_nobody_and_doubles_nobody(tmp_path: Path, kind: str, moment: str) -> None:
    points = _points(tmp_path / "whole", kind)
    met = [_dies_and_goes_on(tmp_path / str(nth), (kind, moment, nth)) for nth in points]
    assert sum(met) > 12, "the points of a whole run were numbered"


def test_a_process_gone_within_its_commits_is_continued_by_the_same_command(tmp_path: Path) -> None:
    assert _dies_and_goes_on(tmp_path / "claimed", ("commit", "after", 6))


# A retry with a mended file: three rows were refused, one of them for each of what a person may do about a duplicate.

REFUSED = ("p1@example.com", "p2@example.com", "p3@example.com")
TABLE = (
    "email,name",
    *(f"{email},{email[:2]}" for email in REFUSED),
    "P1@example.com,d1",
    "P2@example.com,d2",
    "nobody,n",
)
MENDED = """email,name,_row
p1@example.com,p1 mended
away@example.com,p2 mended
p3@example.com,p3 mended
apart@example.com,d1 mended
n@example.com,n mended
"""
ROWS = (1, 2, 3, 4, 6)
IN_THE_END = {
    "p1@example.com": "p1 mended", "away@example.com": "p2 mended", "p3@example.com": "p3 mended",
    "apart@example.com": "d1 mended", "P2@example.com": "d2", "n@example.com": "n mended",
}  # fmt: skip
RETRY = ("--rate", "none", "--concurrency", "2", "--batch-size", "2")


def _refused(visit: Visit) -> Misdeed | None:
    async def refuse(visit: Visit) -> None:
        await visit.say(400, error(code="email_invalid", param="email"))

    return refuse if visit.email in REFUSED else None


def _to_be_mended(folder: Path, server: RawStripe) -> tuple[Path, tuple[str | Path, ...]]:
    """A ledger of rows that failed, and the retry with what a person has made of them."""
    folder.mkdir()
    source, fixed = folder / "people.csv", folder / "fixed.csv"
    source.write_text("\n".join(TABLE) + "\n")
    server.misbehave = _refused
    assert died(server, source) == 1
    server.misbehave = lambda _: None
    head, *lines = MENDED.splitlines()
    fixed.write_text("\n".join([head, *(f"{line},{n}" for line, n in zip(lines, ROWS, strict=True))]) + "\n")
    return source, ("retry", source.with_name("people.csv.ledger.db"), "--with", fixed, *RETRY)


def _retry_dies_and_goes_on(folder: Path, die: tuple[str, str, int], *, same: bool) -> bool:
    """Whether the retry met its point; the same command, or one without the file, makes of all rows what was mended."""
    with RawStripe(latency=0.005) as server:
        source, retry = _to_be_mended(folder, server)
        code = typed(server, source, die, *retry)
        assert code in (GONE, 0), source.with_suffix(".said").read_text()
        reader = Reader(open_for_reading(Path(retry[1])), Path(retry[1]))
        taken_over = any("with" in command.facts for command in reader.commands())
        reader.close()
        again = retry if same or not taken_over else (*retry[:2], *RETRY)
        if taken_over:
            assert died(server, source) in (0, 1)
        assert typed(server, source, NOWHERE, *again) == 0, source.with_suffix(".said").read_text()
        check(Seen.of(server, source), 0)
        assert {c["email"]: c["name"] for c in server.customers.values()} == IN_THE_END
        return code == GONE


@pytest.mark.soak
@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("kind", ["commit", "step"])
def test_a_retry_gone_at_any_point_goes_on_with_what_was_mended(tmp_path: Path, kind: str, moment: str) -> None:
    with RawStripe(latency=0.005) as server:
        source, retry = _to_be_mended(tmp_path / "whole", server)
        assert typed(server, source, NOWHERE, *retry) == 0
        total = int(json.loads(source.with_suffix(".counts").read_text())[kind])
    points = range(1, total + 1, max(1, 2 * total // MOST[kind]))  # each takes four processes
    met = [_retry_dies_and_goes_on(tmp_path / str(n), (kind, moment, n), same=bool(n % 2)) for n in points]
    assert sum(met) > 8, "the points of a whole retry were numbered"
