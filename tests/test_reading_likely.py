"""The encoding that a person is advised to name: the right one, or two with a word that tells which."""

from __future__ import annotations

from pathlib import Path

import pytest

from bulk_import.errors import SourceError
from bulk_import.reading import Overrides, detect, read_records
from bulk_import.reading.likely import encoding_advice, likely_encodings

POLISH = "Łukasz Wójcik;Łódź\nMałgorzata Dąbrowska;Kraków\nŻaneta Ćwik;Gdańsk\n"
CZECH = "Jiří Dvořák;Plzeň\nŠárka Nováková;Brno\nZdeněk Růžička;Ústí\n"
GERMAN = "Jürgen Müller;Köln\nJörg Weiß;Düsseldorf\nÖzil;Größe\n"
FRENCH = "Hélène Lefèvre;Besançon\nFrançois Bâcle;Saint-Étienne\nGaël;Nîmes\n"
RUSSIAN = "Иван Петров;Москва\nОльга Смирнова;Казань\n"
JAPANESE = "山田 太郎;東京\n佐藤 はなこ;大阪\nスズキ;名古屋\n"


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        *((text, name) for text in (GERMAN, FRENCH) for name in ("cp1252", "mac_roman", "cp850")),
        *((text, name) for text in (POLISH, CZECH) for name in ("cp1250", "iso8859-2")),
        *((RUSSIAN, name) for name in ("cp1251", "koi8-r")),
        *((JAPANESE, name) for name in ("shift_jis", "euc_jp")),
        ("Gergő Kovács;Győr\nZsófia Szűcs;Pécs\n", "cp1250"),
        ("Ayşe Yılmaz;İstanbul\nGökhan Öztürk;Eskişehir\n", "cp1254"),
        ("Sigurður Þórsson;Reykjavík\nGuðrún;Ísafjörður\n", "cp1252"),
        ("Γιώργος Παπαδόπουλος;Αθήνα\nΕλένη Νικολάου;Πάτρα\n", "cp1253"),
        ("יוסי כהן;תל אביב\nרחל לוי;חיפה\n", "cp1255"),
        ("محمد علي;القاهرة\nفاطمة حسن;بيروت\n", "cp1256"),
        ("สมชาย ใจดี;กรุงเทพ\nสมหญิง รักไทย;เชียงใหม่\n", "cp874"),
        ("王伟;北京\n李娜;上海市\n张敏;广州\n", "gb18030"),
        ("王志明;台北市\n陳美玲;高雄\n", "big5"),
        ("김민수;서울\n이영희;부산\n", "euc_kr"),
        ("똠방각하\n", "cp949"),
        ("髙橋;①丁目\n山﨑;東京\n", "cp932"),
        ("it’s “fine” – O’Brien;10 €\n", "cp1252"),
        ("Œuvre de Hélène;10 €\n«Cœur»\n", "iso8859-15"),
        ("José\n", "cp1252"),
        ("Größe\n", "cp1252"),
    ],
)
def test_the_encoding_whose_words_are_words_is_named_first(text: str, encoding: str) -> None:
    assert likely_encodings(f"name;city\n{text}".encode(encoding))[0].name == encoding


def test_two_that_come_close_are_named_each_with_the_first_word_that_tells() -> None:
    close = likely_encodings("Søren\n".encode("cp1252"))
    assert [(likely.name, likely.word) for likely in close] == [("cp1252", "Søren"), ("cp1250", "Sřren")]


def test_every_word_that_is_shown_tells_its_encoding_from_all_others() -> None:
    close = likely_encodings("שלום;ירושלים\n".encode("cp1255"))
    assert close[0].name == "cp1255"
    assert len({likely.word for likely in close}) == len(close) == 3
    assert {likely.word.encode(likely.name) for likely in close} == {"שלום".encode("cp1255")}


def test_one_likely_encoding_is_named_with_a_word_as_it_reads_it() -> None:
    assert encoding_advice("Nîmes;Bœuf\n".encode("iso8859-15")).endswith(
        "pass --encoding iso8859-15 (it then says Bœuf)"
    )
    assert encoding_advice("Besançon\n".encode("iso8859-15")).endswith("pass --encoding cp1252 (it then says Besançon)")


def test_text_of_a_mainframe_is_named(tmp_path: Path) -> None:
    path = tmp_path / "customers.csv"
    path.write_bytes("email,name\na@example.com,Ann\n".encode("cp037"))
    with pytest.raises(SourceError, match=r"EBCDIC.*--encoding cp037"):
        read_records(path)
    assert [record.fields["name"] for record in read_records(path, encoding="cp037")] == ["Ann"]


def test_following_the_advice_gives_the_names(tmp_path: Path) -> None:
    path = tmp_path / "customers.csv"
    path.write_bytes("email,name\na@example.com,Małgorzata Dąbrowska\n".encode("cp1250"))
    with pytest.raises(SourceError, match="pass --encoding cp1250"):
        read_records(path)


@pytest.mark.parametrize("bad", [1, 3])
def test_a_file_that_is_utf_8_otherwise_is_to_be_mended_and_not_read_as_another(tmp_path: Path, bad: int) -> None:
    path = tmp_path / "customers.csv"
    good = "a@example.com,Łukasz\nb@example.com,太郎\nc@example.com,Jürgen\n".encode()
    path.write_bytes(b"email,name\n" + good + b"d@example.com,Bj\xf6rn\n" * bad)
    try:
        said = " ".join(notice.message for notice in detect(path, Overrides())[1])
    except SourceError as error:
        said = str(error)
    assert "byte 0xF6" in said
    assert "mend that byte (probably 'ö'" in said
    assert "--encoding" not in said


def test_a_column_name_with_a_bad_byte_is_refused_with_the_byte_and_the_advice(tmp_path: Path) -> None:
    path = tmp_path / "customers.csv"
    path.write_bytes(b"email,cit\xe9\n" + b"a@example.com,Rome\n" * 30)
    with pytest.raises(SourceError, match=r"'cit\?' with byte 0xE9 on line 1; .*pass --encoding cp1252"):
        read_records(path)


def test_a_line_that_names_the_one_column_is_no_title(tmp_path: Path) -> None:
    path = tmp_path / "customers.csv"
    path.write_text("email\n" + "".join(f'"Smith, J" <u{number}@example.com>\n' for number in range(6)))
    records = read_records(path)
    assert records.columns == ("email",)
    assert [record.line for record in records] == [2, 3, 4, 5, 6, 7]


def test_one_empty_column_is_a_column(tmp_path: Path) -> None:
    path = tmp_path / "customers.csv"
    path.write_text("email,,name\na@example.com,,Bob\nb@example.com,,Ann\n")
    records = read_records(path)
    assert records.columns == ("email", "column_2", "name")
    assert [record.fields["name"] for record in records] == ["Bob", "Ann"]


def test_text_behind_a_closing_quote_and_a_comma_behind_an_object_are_said(tmp_path: Path) -> None:
    table, lines = tmp_path / "customers.csv", tmp_path / "customers.jsonl"
    rows = "".join(f"u{number}@example.com,Ann\n" for number in range(5))
    table.write_text(f'email,name\na@example.com,"Big" Bob\n{rows}')
    lines.write_text('{"email": "a@example.com"},\n{"email": "b@example.com"}\n')
    assert "text stands behind the quote" in str(next(iter(read_records(table))).problem)
    assert [record.problem for record in read_records(lines)] == ["a comma ends the line; remove it", None]
