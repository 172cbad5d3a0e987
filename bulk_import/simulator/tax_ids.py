"""Tax IDs: which numbers are refused at once; whether a number exists is not asked."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from bulk_import.simulator.exchange import invalid

_LOOSE = re.compile(r"[\s./-]")
_EU_LENGTHS = {
    **dict.fromkeys(("DK", "FI", "HU", "LU", "MT", "SI"), (8, 8)),
    **dict.fromkeys(("AT", "CY", "DE", "EE", "EL", "ES", "GR", "PT"), (9, 9)),
    **dict.fromkeys(("BE", "BG"), (9, 10)), **dict.fromkeys(("PL", "SK"), (10, 10)),
    **dict.fromkeys(("FR", "HR", "IT", "LV"), (11, 11)), **dict.fromkeys(("NL", "SE"), (12, 12)),
    "CZ": (8, 10), "IE": (8, 9), "LT": (9, 12), "RO": (2, 10), "XI": (5, 12),
}  # fmt: skip
"""How many signs follow the country in a VAT number of the Union."""

_DIGITS = {
    "ae_trn": (15, 15), "au_abn": (11, 11), "br_cpf": (11, 11), "ch_vat": (9, 9), "ch_uid": (9, 9),
    "fr_siren": (9, 9), "fr_siret": (14, 14), "gb_vat": (3, 12), "jp_cn": (13, 13), "no_vat": (9, 9),
    "us_ein": (9, 9), "za_vat": (10, 10),
}  # fmt: skip
"""How many digits a number of each type has."""


def fit_tax_id(given: Mapping[str, Any], param: str) -> None:
    """Refuse a number that has too few or too many signs for its type."""
    kind, bare = str(given["type"]), _LOOSE.sub("", str(given["value"])).upper()
    if kind == "eu_vat":
        count, bounds = len(bare) - 2, _EU_LENGTHS.get(bare[:2], (1, 0))
    else:
        count, bounds = sum(letter.isdigit() for letter in bare), _DIGITS.get(kind, (0, 99))
    if not bounds[0] <= count <= bounds[1]:
        raise invalid(f"Invalid value for {kind}.", f"{param}[value]" if param else "value", "tax_id_invalid")


class TaxIdValue:
    """A tax ID's number: its form is checked at once, whether it exists is not."""

    def clean(self, value: Any, param: str) -> str:
        """Refuse what can be no tax number anywhere."""
        bare = _LOOSE.sub("", value) if isinstance(value, str) else ""
        if len(bare) < 4 or not bare.isalnum() or not any(letter.isdigit() for letter in bare):
            raise invalid(f"Invalid value for tax ID: {value}", param, "tax_id_invalid")
        return str(value)
