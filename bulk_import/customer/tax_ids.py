"""Tax-ID types: those Stripe is known to accept, and which one a country's VAT number is."""

from __future__ import annotations

import re

from bulk_import.customer.countries import EU_COUNTRIES
from bulk_import.wording import names

TAX_ID_TYPES = names(
    """
    ad_nrt ae_trn al_tin am_tin ao_tin ar_cuit au_abn au_acn au_arn au_wpn aw_tin az_tin ba_tin bb_tin bd_bin
    bf_ifu bg_uic bh_vat bj_ifu bo_tin br_cnpj br_cpf bs_tin bw_vat by_tin ca_bn ca_gst_hst ca_pst_bc ca_pst_mb
    ca_pst_sk ca_qst cd_nif ch_uid ch_vat ci_vat cl_tin cm_niu cn_tin co_nit cr_tin cv_nif cz_dic de_stn do_rcn
    ec_ruc eg_tin es_cif et_tin eu_oss_vat eu_vat fo_vat fr_siren fr_siret fr_spi gb_vat ge_vat gh_tin gi_tin
    gn_nif hk_br hr_oib hu_tin ic_nif id_npwp il_vat in_gst is_kt is_vat it_cf jp_cn jp_rn jp_trn ke_pin kg_tin
    kh_tin kr_brn kz_bin la_tin li_uid li_vat lk_vat ma_vat md_cf md_vat me_pib mk_vat mr_nif mu_vat mx_rfc my_frp
    my_itn my_sst mz_nuit ng_tin no_vat no_voec np_pan nz_bn nz_gst om_vat pe_ruc ph_tin pl_nip pt_nif py_ruc
    ro_tin rs_pib ru_inn ru_kpp sa_vat sg_gst sg_uen si_tin sm_coe sn_ninea sr_fin sv_nit th_vat tj_tin tr_tin
    tt_bir tt_vat tw_vat tz_vat ua_vat ug_tin us_ein uy_ruc uz_tin uz_vat ve_rif vn_tin za_vat zm_tin zw_tin
    """
)
"""What stripe 16.1.0 lists. The server may accept more, so an unknown type is a warning and no refusal."""

# Only where one type is what people call the VAT (or sales-tax) number; a country with several has to be asked.
_VAT_TYPES = dict.fromkeys(EU_COUNTRIES, "eu_vat") | {
    "AE": "ae_trn",
    "AU": "au_abn",
    "BH": "bh_vat",
    "CH": "ch_vat",
    "CL": "cl_tin",
    "GB": "gb_vat",
    "GE": "ge_vat",
    "IL": "il_vat",
    "IN": "in_gst",
    "IS": "is_vat",
    "KE": "ke_pin",
    "KR": "kr_brn",
    "LI": "li_vat",
    "MX": "mx_rfc",
    "NO": "no_vat",
    "NZ": "nz_gst",
    "OM": "om_vat",
    "SA": "sa_vat",
    "SG": "sg_gst",
    "TH": "th_vat",
    "TR": "tr_tin",
    "TW": "tw_vat",
    "UA": "ua_vat",
    "ZA": "za_vat",
}

# Greece writes EL and Northern Ireland XI in front of a number of the EU's system; nearly all have seven digits or more.
_EU_PREFIXES = "|".join(sorted(EU_COUNTRIES | {"EL", "XI"}))
_EU_NUMBER = re.compile(rf"(?:{_EU_PREFIXES})(?=(?:[^0-9]*[0-9]){{7}})[0-9A-Z+*. -]{{7,18}}")

_PREFIXED = (
    ("gb_vat", re.compile(r"GB(?=(?:[^0-9]*[0-9]){9})[0-9 .-]{9,18}")),
    ("ch_vat", re.compile(r"CHE(?=(?:[^0-9]*[0-9]){9})[0-9 .-]{9,15} ?(?:MWST|TVA|IVA)?")),
)


def vat_type(number: str, country: str | None) -> str | None:
    """The type of the VAT *number* of a customer in *country*, None where it has to be asked.

    A number that carries the prefix of an EU member is an `eu_vat`, even without a country or from
    elsewhere: companies register for VAT abroad. Without a country, Britain's and Switzerland's tell theirs, too.
    """
    if country is None and (known := _of_prefix(number.upper())) is not None:
        return known
    if country is None or country == "GB":
        return "eu_vat" if _EU_NUMBER.fullmatch(number.upper()) else _VAT_TYPES.get(country or "")
    return _VAT_TYPES.get(country)


def _of_prefix(number: str) -> str | None:
    return next((kind for kind, pattern in _PREFIXED if pattern.fullmatch(number)), None)
