"""Text that came to harm is told from text that only looks unusual."""

from __future__ import annotations

import pytest

from bulk_import.customer.garbled import garbled_message, is_garbled

WORDS = (
    "Jürgen Müller", "MÜLLER", "Zoé", "Größe", "François", "Łódź", "Jiří Dvořák", "Gergő", "Σωκράτης", "Ольга", "محمد", "שלום", "O’Brien",
    "“hello”", "10 €", "Ünal", "señor", "Åsa", "Ísafjörður", "à la carte", "Œuvre", "naïve – ja…",
)  # fmt: skip


@pytest.mark.parametrize("word", WORDS)
def test_utf_8_that_was_read_as_windows_1252_is_garbled_and_the_word_itself_is_not(word: str) -> None:
    misread = "".join(
        chr(byte) if byte in b"\x81\x8d\x8f\x90\x9d" else bytes([byte]).decode("cp1252") for byte in word.encode()
    )
    assert not is_garbled(word)
    assert is_garbled(misread)
    assert is_garbled(f"x {misread} y")


@pytest.mark.parametrize("encoding", ["mac_roman", "cp850", "cp437"])
@pytest.mark.parametrize("word", ["Jürgen", "Zoé", "Größe", "señor"])
def test_so_is_what_an_old_program_misread(word: str, encoding: str) -> None:
    assert is_garbled(word.encode().decode(encoding))


@pytest.mark.parametrize(
    "text", ["J\ufffdrgen", "J&uuml;rgen", "A &amp; B", "Zo&#235;", "Zo&#xEB;", "&nbsp;", "&scaron;"]
)
def test_lost_letters_and_entities_are_said(text: str) -> None:
    assert is_garbled(text)


@pytest.mark.parametrize(
    "text", ["N\u200bZ", "\u202eevil", "\u202a+1555\u202c", "\ufeffBom", "Soft\u00adhyphen", "a\u2060b"]
)
def test_invisible_signs_are_named(text: str) -> None:
    assert is_garbled(text)
    assert "(U+" in str(garbled_message(text))


@pytest.mark.parametrize(
    "text",
    [
        "👩\u200d👩\u200d👧", "می\u200cخواهم", "محمد \u200fعلي", "क्\u200dष", "\u200eRight\u200e", "12\u00a0km", "CAFÉ”", "«À»", "IRMÃ”", "SÃO PAULO", "MAÇÃ", "Ärger…", "Å", "Ñandú", "ÂGE", "ÑUÑOA", "Ð", "AT&T; Co", "R&D", "a&b;c",
        "https://example.com/?a=1&b=2", "√2", "x & y; z", "Ãlvaro", "İstanbul", "太郎 & 花子", "Đặng Thị Ánh", "Ân", "Øre", "Île", "ÎLE", "3×4", "Ærø", "Ünal Ğ", "Âu Cơ",
    ],
)  # fmt: skip
def test_unusual_text_is_left_alone(text: str) -> None:
    assert garbled_message(text) is None
