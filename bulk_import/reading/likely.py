"""Which encodings bytes that are not UTF-8 probably have: a suggestion for a person, never used unasked.

Each candidate reads the words that are not ASCII; where they come out as words of a language that is written in it, it
scores. A sign of money inside a word, a capital behind a small letter or two scripts in one word speak against it.
"""

from __future__ import annotations

import codecs
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import zip_longest

_SAMPLE = 1 << 14
_WORDS = 400
_MOST = 3
_CLOSE = 0.15  # of the score between -2 and 1 that an average character has
_WORD = re.compile("[A-Za-z\x80-\x9f\xa1-\U0010ffff]*[\x80-\x9f\xa1-\U0010ffff][A-Za-z\x80-\x9f\xa1-\U0010ffff]*")
_BYTES = re.compile(rb"[A-Za-z\x80-\xff]+")
_LETTERS = re.compile(r"[^\W\d_]+")
_QUIET = "‘’“”„‚«»–—…€£¥°®™©"
"""What stands beside words or alone in any language."""

_WESTERN = (
    "éèàçêîôûëïùâœ",  # French
    "äöüß",  # German
    "åäöøæé",  # the North
    "áéíóúñü",  # Spanish
    "áéíóúãõçâêôà",  # Portuguese
    "àèéìòù",  # Italian
    "áéíóúöðæ",  # Icelandic, without what Turkish has more of
)
_CENTRAL = ("ąćęłńóśźż", "áčďéěíňóřšťúůýž", "áäčéíľňóôšťúýž", "áéíóöőúüű", "ăâîşţ", "čćđšž")
_LANGUAGES = {
    "cp1252": _WESTERN,
    "iso8859-15": _WESTERN,
    "cp1250": _CENTRAL,
    "iso8859-2": _CENTRAL,
    "cp1254": ("çğıöşüİ",),
    "mac_roman": _WESTERN,
    "cp850": _WESTERN,
    "cp437": _WESTERN,
    "cp1251": ("оеаинтсрвлкмдпуяы",),
    "koi8-r": ("оеаинтсрвлкмдпуяы",),
    "cp1253": ("αοιετσνηυρπκμλςάέίόή",),
    "cp1255": ("יוהלאמרתבשנ",),
    "cp1256": ("ابةتدرسعفقلمنهوي",),
    "cp874": ("านรอกงมวลสเ่้ี",),
    "shift_jis": ("田山本中村小藤佐木川井子美一郎高橋伊渡辺林加吉松大太京都東阪市区県町花",),
    "cp932": ("田山本中村小藤佐木川井子美一郎高橋伊渡辺林加吉松大太京都東阪市区県町花",),
    "euc_jp": ("田山本中村小藤佐木川井子美一郎高橋伊渡辺林加吉松大太京都東阪市区県町花",),
    "gb18030": ("王李张刘陈杨赵黄周吴徐孙胡朱高林何郭马罗伟芳娜北京上海广州深圳市区路号",),
    "big5": ("王李張劉陳楊趙黃周吳徐孫胡朱高林何郭馬羅志明美台北上海新竹市區路號",),
    "euc_kr": ("김이박최정강조윤장임한민수지영서울시구동로",),
    "cp949": ("김이박최정강조윤장임한민수지영서울시구동로",),
}
_ORIGINS = {
    "cp1252": "Excel or Windows in Western Europe or America",
    "iso8859-15": "Linux or the web in Western Europe",
    "cp1250": "Windows in Central Europe",
    "iso8859-2": "Linux or the web in Central Europe",
    "cp1254": "Turkish Windows",
    "mac_roman": "an old Mac program",
    "cp850": "DOS in Western Europe",
    "cp437": "DOS in America",
    "cp1251": "Windows with Cyrillic text",
    "koi8-r": "an old Russian system",
    "cp1253": "Greek Windows",
    "cp1255": "Hebrew Windows",
    "cp1256": "Arabic Windows",
    "cp874": "Thai Windows",
    "shift_jis": "Japanese Windows",
    "cp932": "Japanese Windows",
    "euc_jp": "a Japanese Unix system",
    "gb18030": "Chinese Windows",
    "big5": "Windows in Taiwan or Hong Kong",
    "euc_kr": "a Korean system",
    "cp949": "Korean Windows",
}
# The first of the two bytes of the characters in use every day, and what each adds: kana, Hangul, the first of two levels.
_COMMON = {
    "shift_jis": {**dict.fromkeys(range(0x82, 0x84), 1.0), **dict.fromkeys(range(0x88, 0x98), 0.7)},
    "cp932": {**dict.fromkeys(range(0x82, 0x84), 1.0), **dict.fromkeys(range(0x88, 0x98), 0.7)},
    "euc_jp": {**dict.fromkeys(range(0xA4, 0xA6), 1.0), **dict.fromkeys(range(0xB0, 0xD0), 0.7)},
    "gb18030": dict.fromkeys(range(0xB0, 0xD8), 0.7),
    "big5": dict.fromkeys(range(0xA4, 0xC7), 0.7),
    "euc_kr": dict.fromkeys(range(0xB0, 0xC9), 1.0),
    "cp949": dict.fromkeys(range(0xB0, 0xC9), 1.0),
}


@dataclass(frozen=True, slots=True)
class Likely:
    """An encoding, where text in it usually comes from, and the first words that tell it from its rivals."""

    name: str
    origin: str
    word: str


def likely_encodings(data: bytes) -> tuple[Likely, ...]:
    """The most likely encoding of *data*, and the next ones that come close; their words tell each from all others."""
    sample = _odd_lines(data)
    read = {name: _words(sample, name) for name in _LANGUAGES}
    scores = {name: _score(words, name) for name, words in read.items()}
    best, *others = sorted(_LANGUAGES, key=lambda name: -scores[name])
    close = [best]
    for other in others:
        if scores[other] < scores[best] - _CLOSE or len(close) == _MOST:
            break
        lost = "\ufffd" in "".join(read[other])
        if not lost and all(read[other] != read[name] for name in close):
            close.append(other)
    if len(close) == 1:
        next_best = next(name for name in others if read[name] != read[best]) if read[best] else best
        return (_likely(best, _telling([read[best], read[next_best]])[0] if read[best] else ""),)
    return tuple(map(_likely, close, _telling([read[name] for name in close])))


def _telling(readings: Sequence[Sequence[str]]) -> list[str]:
    """The fewest words, the first ones that do, by which every reading differs from all others."""
    told: list[tuple[str, ...]] = []
    for words in zip_longest(*readings, fillvalue=""):
        if len(set(zip(*told, words, strict=True))) > (len(set(zip(*told, strict=True))) or 1):
            told.append(words)
    for words in told:
        if len(set(words)) == len(words):
            return list(words)
    return [" ".join(words) for words in zip(*told, strict=True)]


def encoding_advice(data: bytes) -> str:
    """What a person may do about bytes that are not UTF-8, as the end of a sentence; words show a choice at a glance."""
    best, *others = likely_encodings(data)
    if not others:
        seen = f" (it then says {best.word})" if best.word else ""
        return f"if it comes from {best.origin}, pass --encoding {best.name}{seen}"
    rest = "".join(f", or --encoding {other.name} if {other.word}" for other in others)
    return f"pass --encoding {best.name} if the file says {best.word}{rest}"


def likely_letters(line: bytes, place: int) -> str:
    """What the byte at *place* of a line may have been meant for, as ` (probably 'é')`; empty where no letter fits."""
    word = next(found.group() for found in _BYTES.finditer(line) if found.start() <= place < found.end())
    read = [bytes([line[place]]).decode(likely.name, "replace") for likely in likely_encodings(word)]
    letters = [repr(letter) for letter in dict.fromkeys(read) if letter.isalpha()]
    return f" (probably {' or '.join(letters)})" if letters else ""


def _likely(name: str, word: str) -> Likely:
    return Likely(name, _ORIGINS[name], word[:40] if word.isprintable() else ascii(word[:40]))


def _odd_lines(data: bytes) -> bytes:
    """The lines that are neither ASCII nor UTF-8, up to a bound."""
    odd: list[bytes] = []
    size = 0
    for line in data.splitlines(keepends=True):
        if size < _SAMPLE and not line.isascii() and "\ufffd" in line.decode("utf-8", "replace"):
            odd.append(line[:_SAMPLE])
            size += len(line)
    return b"".join(odd)


def _words(sample: bytes, name: str) -> Sequence[str]:
    text = codecs.getincrementaldecoder(name)("replace").decode(sample)
    return _WORD.findall(text)[:_WORDS]


def _score(words: Sequence[str], name: str) -> float:
    """What an average character outside ASCII speaks for the encoding, by the language that fits best."""
    count = sum(1 for word in words for character in word if not character.isascii())
    return max(sum(_worth(word, name, known) for word in words) for known in _LANGUAGES[name]) / max(1, count)


def _worth(word: str, name: str, known: str) -> float:
    odd = [character for character in word if not character.isascii()]
    mixed = known[0] > "ɏ" and len(odd) < len(word)
    if mixed or not all(map(_is_cased_alike, _LETTERS.findall(word))):
        return -1.0 * len(odd)
    if len(word) == 1 and len(word.encode(name, "replace")) == 1:
        return 0.5 if word in _QUIET else 0.0 if word.isalpha() else -0.5
    return sum(_letter(character, name, known, word) for character in odd) * _as_written(word, known)


def _as_written(word: str, known: str) -> float:
    """How usual the word's capitals are for a name; of Latin letters too few are odd to tell."""
    if known[0] <= "ɏ" or word[0].lower() == word[0].upper():
        return 1.0
    return 1.0 if word.istitle() else 0.9 if word.islower() else 0.8


def _is_cased_alike(letters: str) -> bool:
    """Whether a word is written small, with a first capital or in capitals."""
    return letters[1:].lower() == letters[1:] or letters.upper() == letters


def _letter(character: str, name: str, known: str, word: str) -> float:
    if character == "\ufffd":
        return -2.0
    if character in known or character.lower() in known:
        return 1.0
    if name in _COMMON:
        return _COMMON[name].get(character.encode(name, "replace")[0], 0.1) if character.isalpha() else 0.0
    if character.isalpha() or unicodedata.category(character).startswith("M"):
        return 0.5 if known[0] > "ɏ" and character > "ɏ" else 0.0
    return 0.9 if character in "‘’“”„«»…" else -1.5 if any(map(str.isalpha, word)) else 0.0
