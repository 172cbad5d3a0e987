"""Keys and addresses stay out of every log; each test of the tool is looked at for that, see `leaks`."""

from __future__ import annotations

import tempfile
import urllib.request
from collections import Counter
from pathlib import Path

import pytest

from bulk_import.wording import without_addresses
from tests import leaks
from tests.cli_calls import Program, calling
from tests.rig import Simulated, simulated

KEY = "sk_test_leaky1234567890"
PEOPLE = """\
user_id,email,name,payment_method
1,leaky.ann@example.com,Ann,
2,LEAKY.Ann@example.com,Twin,
3,leaky.bob@@example.com,Bob,
4,leaky.declined@example.com,Dan,pm_card_chargeDeclined
5,"leaky.eve@example.com
",Eve,
6,leaky.fay@example.com,Fay,pm_card_visa
7,leaky.gus@example.com,Gus,pm_nowhere
"""
BREAKAGE = ("truncate", "502html", "401", "error200")


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Program:
    return calling(capsys, monkeypatch)


def test_the_scan_sees_keys_anywhere_and_addresses_in_logs(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "l.db").write_bytes(b"x" * ((1 << 20) - 9) + KEY.encode() + b"x")
    (tmp_path / "page.html").write_text("ann@example.com")
    (tmp_path / "data.html").write_text("ann@example.com; this page holds personal data")
    assert Counter(line.partition(":")[0] for line in leaks.written(tmp_path)) == Counter(["deep/l.db", "page.html"])
    leaks.hear(("run", "a.csv"), "row 3 (ann@example.com) failed")
    leaks.hear(("status", "l.db"), f"the key {KEY} is wrong")
    leaks.hear(("check", "a.csv"), "ann@example.com is no address, sk_test_\u2026 no key")
    assert [line.split()[0] for line in leaks.spoken()] == ["run", "status"]
    leaks.heard.clear()
    for path in (tmp_path / "deep" / "l.db", tmp_path / "page.html"):
        path.unlink()


def test_no_log_of_any_command_names_a_person_or_a_key_whatever_goes_wrong(
    call: Program, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, ledger = tmp_path / "people.csv", tmp_path / "people.csv.ledger.db"
    source.write_text(PEOPLE)
    (spools := tmp_path / "tmp").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(spools))
    monkeypatch.setenv("STRIPE_API_KEY", KEY)
    monkeypatch.setenv("STRIPE_LOG", "debug")
    with simulated() as server:
        server.set_faults([{"name": n, "endpoint": "create", "from": i, "to": i} for i, n in enumerate(BREAKAGE, 1)])
        run = ("run", source, "--key", "user_id", "--api-base", server.url, "--rate", "none", "--timeout", "2s", "-vv")
        assert [call(*run).code, call(*run).code] == [4, 1]  # at first the key seems to be revoked
        failed = tmp_path / "failed.csv"
        assert call("export", ledger, "--what", "failed", "--output", failed, "-vv").code == 0
        assert call("retry", ledger, "--with", failed, "-vv").code == 1
        tampered_with(server)
        assert call("verify", ledger, "-vv").code == 1
        assert call("undo", ledger, "--yes", "-vv").code == 1
        for words in (("status",), ("report",), ("report", "--html", tmp_path / "page.html")):
            assert call(words[0], ledger, "-vv", *words[1:]).code == 0
    assert all(said for _, said in leaks.heard)
    assert "leaky." not in "".join(said for _, said in leaks.heard).lower()
    assert not list(spools.iterdir())


def tampered_with(server: Simulated) -> None:
    """Somebody else gave one customer another address."""
    customer = server.customers()[0]["id"]
    request = urllib.request.Request(f"{server.url}/v1/customers/{customer}", data=b"email=leaky.other@example.com")  # noqa: S310 - loopback
    request.add_header("Authorization", f"Bearer {KEY}")
    urllib.request.urlopen(request, timeout=30).close()  # noqa: S310 - loopback


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("ann@example.com,Ann\nbob@example.com,Bob\n", "looks like data"),
        ("by leaky.boss@example.com\n\nid,email\n1,ann@example.com\n2,bob@example.com\n", "above the table skipped"),
    ],
)
def test_what_is_said_of_a_file_quotes_no_address(call: Program, tmp_path: Path, text: str, shown: str) -> None:
    source = tmp_path / "people.csv"
    source.write_text(text)
    for words in (("check", source), ("run", source, "--simulate", "-vv")):
        said = call(*words)
        assert shown in said.err
        assert "leaky" not in said.err
    assert not list(leaks.spoken())


def test_a_mended_file_that_mixes_people_up_is_refused_without_naming_them(call: Program, tmp_path: Path) -> None:
    source, mended = tmp_path / "people.csv", tmp_path / "mended.csv"
    source.write_text("email,country\nann@example.com,Nowhere\n")
    assert call("run", source, "--simulate", "--key", "email").code == 1
    ledger = tmp_path / "people.csv.simulated.db"
    assert call("export", ledger, "--what", "failed", "--output", mended).code == 0
    mended.write_text(mended.read_text().replace("ann@", "leaky.eve@"))
    said = call("retry", ledger, "--with", mended)
    assert (said.code, "that row is" in said.err, "@example" in said.err) == (2, True, False)


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("'ann@example.com' is", "'…@…' is"),
        ("KeyError: ann+b@ex.com, then", "KeyError: …@…, then"),
        ("at 5 @ noon", "at 5 @ noon"),
        ("nobody", "nobody"),
    ],
)
def test_addresses_are_masked_and_nothing_else(text: str, masked: str) -> None:
    assert without_addresses(text) == masked
