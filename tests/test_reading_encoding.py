"""The encoding is told by the bytes or by the user, and never guessed."""

from __future__ import annotations

from pathlib import Path

import pytest

from bulk_import.errors import SourceError
from bulk_import.reading import read_records
from bulk_import.reading.encoding import settle_encoding

NAMES = {
    "cp1252": "Zoë Müller, François “Fran” Lefèvre – José Núñez, Søren Ångström",
    "cp1251": "Иван Петров, Мария Сидорова, Алексей Смирнов, улица Ленина",
    "shift_jis": "山田太郎、東京都千代田区、鈴木花子、大阪府大阪市北区",
    "gb18030": "王小明,北京市朝阳区,李雷,上海市浦东新区,张伟",
}


@pytest.mark.parametrize("encoding", sorted(NAMES))
def test_bytes_that_are_not_utf_8_stop_with_place_and_suggestion(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "customers.csv"
    path.write_bytes(f"email,note\na@example.com,{NAMES[encoding]!r}\n".encode(encoding))
    with pytest.raises(SourceError) as refused:
        read_records(path)
    assert f"--encoding {encoding}" in str(refused.value)
    assert "on line 2" in str(refused.value)


def test_the_suggestion_is_followed_only_when_told(tmp_path: Path) -> None:
    path = tmp_path / "customers.csv"
    path.write_bytes("email,name\na@example.com,José\n".encode("cp1252"))
    with pytest.raises(SourceError, match="0xE9"):
        read_records(path)
    assert [record.fields["name"] for record in read_records(path, encoding="cp1252")] == ["José"]


@pytest.mark.parametrize(
    ("asked", "data", "name"),
    [
        ("utf-16", "a,b\n".encode("utf-16"), "utf-16-le"),
        ("utf-16", "a,b\n".encode("utf-16-be"), "utf-16-be"),
        ("UTF8", "a,b\n".encode("utf-8-sig"), "utf-8"),
        ("latin1", b"a,b\n", "iso8859-1"),
        (None, "имя,город\nИван,Москва\nМария,Тула\n".encode("utf-16-le"), "utf-16-le"),
        (None, "имя,город\n".encode("utf-32-le") * 3, "utf-32-le"),
    ],
)
def test_the_settled_name_is_exact(asked: str | None, data: bytes, name: str) -> None:
    assert settle_encoding(data, asked, Path("x"), whole=True).name == name


def test_a_mark_that_contradicts_the_option_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "customers.csv"
    path.write_bytes(b"\xef\xbb\xbfemail\na@example.com\n")
    with pytest.raises(SourceError, match="leave --encoding out"):
        read_records(path, encoding="cp1252")


@pytest.mark.parametrize("bad", [b"\xc0\x80", b"\xed\xa0\x80", b"\xf5\x80\x80\x80", b"\xe2\x82", b"\xff"])
def test_overlong_forms_surrogates_and_stray_bytes_damage_their_row(tmp_path: Path, bad: bytes) -> None:
    path = tmp_path / "customers.csv"
    path.write_bytes("email,name\na@example.com,José\n".encode() + b"b@example.com,x" + bad + b"\nc@example.com,y\n")
    assert [record.trouble is None for record in read_records(path)] == [True, False, True]


@pytest.mark.parametrize(("mark", "order"), [(b"", "le"), (b"\xff\xfe", "le"), (b"\xfe\xff", "be")])
def test_utf_16_that_was_added_to_other_text_is_told_with_the_byte_where_it_begins(
    tmp_path: Path, mark: bytes, order: str
) -> None:
    path = tmp_path / "customers.csv"
    first = b"email,name\na@example.com,Ann\nb@example.com,Bob\n"
    path.write_bytes(first + mark + "".join(f"u{n}@example.com,U\r\n" for n in range(40)).encode(f"utf-16-{order}"))
    with pytest.raises(SourceError, match=f"two encodings.* UTF-16 from about byte {len(first)} on"):
        list(read_records(path))


def test_utf_16_without_a_mark_is_read_whatever_its_letters(tmp_path: Path) -> None:
    path = tmp_path / "customers.csv"
    rows = ["瑡湥瑡湥瑡湥瑡湥瑡湥", "email,name", *(f"u{n}@example.com,瑡湥" for n in range(9))]
    path.write_bytes("\n".join(rows).encode("utf-16-le"))
    assert [record.fields["email"] for record in read_records(path)] == [f"u{n}@example.com" for n in range(9)]


@pytest.mark.parametrize("rows", [50, 20_000])
def test_plain_text_that_was_added_to_utf_16_is_not_read_as_one_long_line(tmp_path: Path, rows: int) -> None:
    path = tmp_path / "customers.csv"
    first = ("\ufeffemail,name\n" + "".join(f"u{n}@example.com,山田\n" for n in range(rows))).encode("utf-16-le")
    path.write_bytes(first + b"".join(b"v%d@example.com,V\n" % n for n in range(9)))
    with pytest.raises(SourceError, match=f"two encodings.* plain text from about byte {len(first)} on"):
        list(read_records(path))
    path.write_bytes(first)
    assert sum(1 for record in read_records(path) if record.problem is None) == rows
