"""What tax numbers look like, as far as their form is public and stable.

Stripe refuses a number whose form does not fit its type (Stripe facts, section 1), by rules it does not publish. So only
what no reading of the type allows, a wrong number of letters and digits, is refused here; any other oddity is a warning.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from bulk_import.customer.verdicts import Fault, Noted

TAX_NUMBER = "tax-number"
"""The rule that a number has the form of its type."""

_LOOSE = re.compile(r"[\s./-]")


@dataclass(frozen=True, slots=True)
class Form:
    """How a number is written: `least` to `most` letters and digits that fit `pattern`, as in `example`."""

    pattern: re.Pattern[str]
    least: int
    most: int
    example: str


def _forms(table: str) -> dict[str, Form]:
    """A line for each form: its name, fewest and most signs, the pattern, and an example."""
    rows = [line.split(None, 4) for line in table.strip().splitlines()]
    return {
        name: Form(re.compile(pattern), int(least), int(most), example) for name, least, most, pattern, example in rows
    }


_EU = _forms(r"""
AT 11 11 ATU\d{8}                                ATU12345678
BE 11 12 BE\d{9,10}                              BE0123456789
BG 11 12 BG\d{9,10}                              BG0123456789
CY 11 11 CY\d{8}[A-Z]                            CY12345678Z
CZ 10 12 CZ\d{8,10}                              CZ1234567890
DE 11 11 DE\d{9}                                 DE123456789
DK 10 10 DK\d{8}                                 DK12345678
EE 11 11 EE\d{9}                                 EE123456789
EL 11 11 EL\d{9}                                 EL123456789
ES 11 11 ES[A-Z0-9]\d{7}[A-Z0-9]                 ESA1234567Z
FI 10 10 FI\d{8}                                 FI12345678
FR 13 13 FR[A-Z0-9]{2}\d{9}                      FRAB123456789
GR 11 11 GR\d{9}                                 EL123456789
HR 13 13 HR\d{11}                                HR12345678912
HU 10 10 HU\d{8}                                 HU12345678
IE 10 11 IE\d[A-Z0-9+*]\d{5}[A-Z]{1,2}           IE1234567AB
IT 13 13 IT\d{11}                                IT12345678912
LT 11 14 LT(?:\d{9}|\d{12})                      LT123456789123
LU 10 10 LU\d{8}                                 LU12345678
LV 13 13 LV\d{11}                                LV12345678912
MT 10 10 MT\d{8}                                 MT12345678
NL 14 14 NL[A-Z0-9+*]{10}\d{2}                   NL123456789B12
PL 12 12 PL\d{10}                                PL1234567890
PT 11 11 PT\d{9}                                 PT123456789
RO  4 12 RO\d{2,10}                              RO1234567891
SE 14 14 SE\d{12}                                SE123456789123
SI 10 10 SI\d{8}                                 SI12345678
SK 12 12 SK\d{10}                                SK1234567891
XI  7 14 XI(?:\d{9}|\d{12}|GD\d{3}|HA\d{3})      XI123456789
""")
_FORMS = _forms(r"""
ae_trn     15 15 \d{15}                                 123456789012345
au_abn     11 11 \d{11}                                 12345678912
au_arn     12 12 \d{12}                                 123456789123
br_cnpj    14 14 [A-Z0-9]{12}\d{2}                      01.234.456/5432-10
br_cpf     11 11 \d{11}                                 123.456.789-87
ca_bn       9 15 \d{9}                                  123456789
ca_gst_hst  9 15 \d{9}RT\d{4}                           123456789RT0002
ca_qst     10 16 \d{10}TQ\d{4}                          1234567890TQ1234
ch_uid      9 16 CHE\d{9}                               CHE-123.456.789
ch_vat      9 16 CHE\d{9}(?:MWST|TVA|IVA|HR)            CHE-123.456.789 MWST
es_cif      9  9 [A-Z0-9]\d{7}[A-Z0-9]                  A12345678
eu_oss_vat 11 11 EU\d{9}                                EU123456789
fr_siren    9  9 \d{9}                                  123456789
fr_siret   14 14 \d{14}                                 12345678901234
gb_vat      5 14 GB(?:\d{9}|\d{12}|GD\d{3}|HA\d{3})     GB123456789
in_gst     15 15 \d{2}[A-Z]{5}\d{4}[A-Z][A-Z0-9]{3}     12ABCDE3456FGZH
jp_cn      13 13 \d{13}                                 1234567891234
kr_brn     10 10 \d{10}                                 123-45-67890
mx_rfc     12 13 [A-Z&Ñ]{3,4}\d{6}[A-Z0-9]{3}           ABC010203AB9
no_vat      9 14 (?:NO)?\d{9}MVA                        123456789MVA
nz_gst      8 11 \d{8,9}                                123456789
pl_nip     10 12 \d{10}                                 1234567890
sa_vat     15 15 \d{15}                                 123456789012345
th_vat     13 13 \d{13}                                 1234567891234
tw_vat      8 10 \d{8}                                  12345678
us_ein      9  9 \d{9}                                  12-3456789
za_vat     10 10 4\d{9}                                 4123456789
""")


def judge_number(kind: str, number: str) -> Fault | Noted | None:
    """What is to be said of a tax *number* of one *kind*; None where nothing is known against it."""
    bare = _LOOSE.sub("", number).upper()
    form = _EU.get(bare[:2]) if kind == "eu_vat" else _FORMS.get(kind)
    if kind == "eu_vat" and form is None and not (4 <= len(bare) <= 14 and any(sign.isdigit() for sign in bare)):
        return Fault(TAX_NUMBER, "This is no eu_vat number, which looks like DE123456789; correct it or its type.")
    if kind == "eu_vat" and form is None:
        message = "An eu_vat number begins with its country, as in DE123456789; Stripe may refuse it without."
        return Noted(number, TAX_NUMBER, message)
    if form is None or form.pattern.fullmatch(bare):
        return None
    if form.least <= len(bare) <= form.most:
        message = f"A number of the type {kind} looks like {form.example}, and this does not; Stripe may refuse it."
        return Noted(number, TAX_NUMBER, message)
    signs = f"{form.least}" if form.least == form.most else f"{form.least} to {form.most}"
    return Fault(
        TAX_NUMBER,
        f"A number of the type {kind} has {signs} letters and digits, as in {form.example}, and this has {len(bare)}; "
        "correct the number or its type.",
    )
