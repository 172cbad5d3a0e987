"""Countries as ISO 3166-1 knows them, and the names people write instead of a code."""

from __future__ import annotations

import re
from collections.abc import Iterator

from bulk_import.wording import fold, names

_TABLE = """
AD AND Andorra; AE ARE United Arab Emirates; AF AFG Afghanistan; AG ATG Antigua and Barbuda; AI AIA Anguilla;
AL ALB Albania; AM ARM Armenia; AO AGO Angola; AQ ATA Antarctica; AR ARG Argentina; AS ASM American Samoa;
AT AUT Austria; AU AUS Australia; AW ABW Aruba; AX ALA Åland Islands; AZ AZE Azerbaijan;
BA BIH Bosnia and Herzegovina; BB BRB Barbados; BD BGD Bangladesh; BE BEL Belgium; BF BFA Burkina Faso;
BG BGR Bulgaria; BH BHR Bahrain; BI BDI Burundi; BJ BEN Benin; BL BLM Saint Barthélemy; BM BMU Bermuda;
BN BRN Brunei Darussalam; BO BOL Bolivia; BQ BES Bonaire, Sint Eustatius and Saba; BR BRA Brazil; BS BHS Bahamas;
BT BTN Bhutan; BV BVT Bouvet Island; BW BWA Botswana; BY BLR Belarus; BZ BLZ Belize; CA CAN Canada;
CC CCK Cocos (Keeling) Islands; CD COD Democratic Republic of the Congo; CF CAF Central African Republic;
CG COG Congo; CH CHE Switzerland; CI CIV Côte d'Ivoire; CK COK Cook Islands; CL CHL Chile; CM CMR Cameroon;
CN CHN China; CO COL Colombia; CR CRI Costa Rica; CU CUB Cuba; CV CPV Cabo Verde; CW CUW Curaçao;
CX CXR Christmas Island; CY CYP Cyprus; CZ CZE Czechia; DE DEU Germany; DJ DJI Djibouti; DK DNK Denmark;
DM DMA Dominica; DO DOM Dominican Republic; DZ DZA Algeria; EC ECU Ecuador; EE EST Estonia; EG EGY Egypt;
EH ESH Western Sahara; ER ERI Eritrea; ES ESP Spain; ET ETH Ethiopia; FI FIN Finland; FJ FJI Fiji;
FK FLK Falkland Islands; FM FSM Micronesia; FO FRO Faroe Islands; FR FRA France; GA GAB Gabon;
GB GBR United Kingdom; GD GRD Grenada; GE GEO Georgia; GF GUF French Guiana; GG GGY Guernsey; GH GHA Ghana;
GI GIB Gibraltar; GL GRL Greenland; GM GMB Gambia; GN GIN Guinea; GP GLP Guadeloupe; GQ GNQ Equatorial Guinea;
GR GRC Greece; GS SGS South Georgia and the South Sandwich Islands; GT GTM Guatemala; GU GUM Guam;
GW GNB Guinea-Bissau; GY GUY Guyana; HK HKG Hong Kong; HM HMD Heard Island and McDonald Islands; HN HND Honduras;
HR HRV Croatia; HT HTI Haiti; HU HUN Hungary; ID IDN Indonesia; IE IRL Ireland; IL ISR Israel; IM IMN Isle of Man;
IN IND India; IO IOT British Indian Ocean Territory; IQ IRQ Iraq; IR IRN Iran; IS ISL Iceland; IT ITA Italy;
JE JEY Jersey; JM JAM Jamaica; JO JOR Jordan; JP JPN Japan; KE KEN Kenya; KG KGZ Kyrgyzstan; KH KHM Cambodia;
KI KIR Kiribati; KM COM Comoros; KN KNA Saint Kitts and Nevis; KP PRK North Korea; KR KOR South Korea;
KW KWT Kuwait; KY CYM Cayman Islands; KZ KAZ Kazakhstan; LA LAO Laos; LB LBN Lebanon; LC LCA Saint Lucia;
LI LIE Liechtenstein; LK LKA Sri Lanka; LR LBR Liberia; LS LSO Lesotho; LT LTU Lithuania; LU LUX Luxembourg;
LV LVA Latvia; LY LBY Libya; MA MAR Morocco; MC MCO Monaco; MD MDA Moldova; ME MNE Montenegro;
MF MAF Saint Martin; MG MDG Madagascar; MH MHL Marshall Islands; MK MKD North Macedonia; ML MLI Mali;
MM MMR Myanmar; MN MNG Mongolia; MO MAC Macao; MP MNP Northern Mariana Islands; MQ MTQ Martinique;
MR MRT Mauritania; MS MSR Montserrat; MT MLT Malta; MU MUS Mauritius; MV MDV Maldives; MW MWI Malawi; MX MEX Mexico;
MY MYS Malaysia; MZ MOZ Mozambique; NA NAM Namibia; NC NCL New Caledonia; NE NER Niger; NF NFK Norfolk Island;
NG NGA Nigeria; NI NIC Nicaragua; NL NLD Netherlands; NO NOR Norway; NP NPL Nepal; NR NRU Nauru; NU NIU Niue;
NZ NZL New Zealand; OM OMN Oman; PA PAN Panama; PE PER Peru; PF PYF French Polynesia; PG PNG Papua New Guinea;
PH PHL Philippines; PK PAK Pakistan; PL POL Poland; PM SPM Saint Pierre and Miquelon; PN PCN Pitcairn;
PR PRI Puerto Rico; PS PSE Palestine; PT PRT Portugal; PW PLW Palau; PY PRY Paraguay; QA QAT Qatar; RE REU Réunion;
RO ROU Romania; RS SRB Serbia; RU RUS Russian Federation; RW RWA Rwanda; SA SAU Saudi Arabia; SB SLB Solomon Islands;
SC SYC Seychelles; SD SDN Sudan; SE SWE Sweden; SG SGP Singapore; SH SHN Saint Helena, Ascension and Tristan da Cunha;
SI SVN Slovenia; SJ SJM Svalbard and Jan Mayen; SK SVK Slovakia; SL SLE Sierra Leone; SM SMR San Marino;
SN SEN Senegal; SO SOM Somalia; SR SUR Suriname; SS SSD South Sudan; ST STP Sao Tome and Principe;
SV SLV El Salvador; SX SXM Sint Maarten; SY SYR Syria; SZ SWZ Eswatini; TC TCA Turks and Caicos Islands; TD TCD Chad;
TF ATF French Southern Territories; TG TGO Togo; TH THA Thailand; TJ TJK Tajikistan; TK TKL Tokelau;
TL TLS Timor-Leste; TM TKM Turkmenistan; TN TUN Tunisia; TO TON Tonga; TR TUR Türkiye; TT TTO Trinidad and Tobago;
TV TUV Tuvalu; TW TWN Taiwan; TZ TZA Tanzania; UA UKR Ukraine; UG UGA Uganda;
UM UMI United States Minor Outlying Islands; US USA United States; UY URY Uruguay; UZ UZB Uzbekistan;
VA VAT Holy See; VC VCT Saint Vincent and the Grenadines; VE VEN Venezuela; VG VGB British Virgin Islands;
VI VIR U.S. Virgin Islands; VN VNM Viet Nam; VU VUT Vanuatu; WF WLF Wallis and Futuna; WS WSM Samoa; YE YEM Yemen;
YT MYT Mayotte; ZA ZAF South Africa; ZM ZMB Zambia; ZW ZWE Zimbabwe
"""

_ALSO = """
US United States of America; US The United States; GB UK; GB Great Britain; GB England; GB Scotland; GB Wales;
GB Northern Ireland; GB United Kingdom of Great Britain and Northern Ireland; AE UAE; NL Holland;
NL The Netherlands; CZ Czech Republic; RU Russia; KR Korea, Republic of; KR Republic of Korea; VN Vietnam;
TR Turkey; BN Brunei; CI Ivory Coast; CV Cape Verde; SZ Swaziland; MK Macedonia; MM Burma; CD DR Congo;
CG Republic of the Congo; LA Lao People's Democratic Republic; MD Republic of Moldova; IR Islamic Republic of Iran;
SY Syrian Arab Republic; TZ United Republic of Tanzania; BO Plurinational State of Bolivia;
VE Bolivarian Republic of Venezuela; VA Vatican City; VA Vatican; MO Macau; TL East Timor; HK Hong Kong SAR China;
IE Republic of Ireland; BS The Bahamas; GM The Gambia; PH The Philippines; CN People's Republic of China;
TW Taiwan, Province of China; PS State of Palestine; DE Deutschland; AT Österreich; CH Schweiz; ES España; IT Italia;
BR Brasil; FR République française; XK Kosovo;
FR Frankreich; FR Francia; GR Griechenland; GR Hellas; IT Italien; IT Italie; ES Spanien; ES Espagne; NL Niederlande;
NL Nederland; NL Pays-Bas; NL Países Bajos; BE Belgien; BE België; BE Belgique; BE Bélgica; CH Suisse; CH Svizzera; CH Suiza;
AT Autriche; DE Allemagne; DE Alemania; DE Germania; DE Duitsland; DE Alemanha; PL Polen; PL Polska; PL Pologne;
DK Dänemark; DK Danmark; SE Schweden; SE Sverige; SE Suède; NO Norwegen; NO Norge; FI Finnland; FI Suomi; CZ Tschechien;
CZ Česko; HU Ungarn; HU Magyarország; HR Kroatien; HR Hrvatska; SI Slowenien; SI Slovenija; SK Slowakei; SK Slovensko;
RO Rumänien; RO România; BG Bulgarien; LU Luxemburg; IE Irland; GB Großbritannien; GB Vereinigtes Königreich;
GB Royaume-Uni; GB Reino Unido; US Vereinigte Staaten; US USA; US États-Unis; US Estados Unidos; US Stati Uniti; TR Türkei;
BR Brasilien; MX México; CA Kanada; JP Japon; EE Estland; LV Lettland; LT Litauen; CY Zypern; IS Island;
GR EL; GR Ελλάδα; JP 日本; JP 日本国; CN 中国; CN 中华人民共和国; TW 台灣; TW 台湾; HK 香港; KR 한국; KR 대한민국; RU Россия;
RU Российская Федерация; UA Україна; BY Беларусь; BG България; RS Србија; RS Srbija; KZ Қазақстан; KZ Казахстан;
MK Северна Македонија; GE საქართველო; AM Հայաստան; IL ישראל; SA السعودية; AE الإمارات; EG مصر; MA المغرب; MA Maroc;
TN تونس; DZ الجزائر; JO الأردن; LB لبنان; IQ العراق; IR ایران; IN भारत; TH ประเทศไทย; TH ไทย; VN Việt Nam;
LV Latvija; LT Lietuva; EE Eesti; IS Ísland; IE Éire; AL Shqipëria; LU Lëtzebuerg; CY Κύπρος; CY Kıbrıs;
US U.S.; US America; US EEUU; US Verenigde Staten; GB Regno Unito; GB Verenigd Koninkrijk; FR Frankrijk; ES Spanje;
AT Oesterreich; CZ Česká republika; CZ Tschechische Republik; SK Slovak Republic; RU Russland; NL Kingdom of the Netherlands;
BA Bosnia-Herzegovina; MK The Former Yugoslav Republic of Macedonia; VA Vatican City State; CN P.R. China; CN PRC;
HK Hong Kong SAR; MO Macao SAR; TW Republic of China Taiwan; TW Taiwan R.O.C.; KP Democratic People's Republic of Korea;
IN Bharat; PS Palestinian Territory; PS Palestinian Territories; PS Occupied Palestinian Territory; SA KSA;
SA Kingdom of Saudi Arabia; TN Tunisie; DZ Algérie; LY Libyan Arab Jamahiriya; CM Cameroun; TD Tchad; CD DRC;
CD The Democratic Republic of the Congo; CD Kinshasa Congo; CD Congo - Kinshasa; CG Brazzaville Congo; CG Congo - Brazzaville;
ZA RSA; DO República Dominicana; TT Trinidad; AG Antigua; BQ Caribbean Netherlands; SH Saint Helena; RE Réunion Island;
NZ Aotearoa; FM Federated States of Micronesia; FK Malvinas; SX Dutch part Sint Maarten; VC Saint Vincent and Grenadines; MF French part Saint Martin
"""

_ROWS = [entry.split(None, 2) for entry in _TABLE.replace("\n", " ").split(";")]

COUNTRY_CODES = frozenset(code for code, _, _ in _ROWS)
"""The 249 officially assigned alpha-2 codes of ISO 3166-1."""

# XK stands for Kosovo in practice (user-assigned); without it its people could not be imported at all.
_ACCEPTED = COUNTRY_CODES | {"XK"}

_BY_NAME = {fold(name): code for code, alpha3, full in _ROWS for name in (alpha3, full)}
_BY_NAME |= {fold(name): code for code, name in (entry.split(None, 1) for entry in _ALSO.replace("\n", " ").split(";"))}

_FLAG_A, _FLAG_Z = "\N{REGIONAL INDICATOR SYMBOL LETTER A}", "\N{REGIONAL INDICATOR SYMBOL LETTER Z}"

_SAINT = re.compile(r"\bSt\.?\s+", re.IGNORECASE)
_TURNED = re.compile(r"(?P<name>[^,()]+?)\s*(?:,\s*(?P<before>[^,()]+)|\((?P<inside>[^,()]+)\))")
_PARTS = re.compile(r"\s*\(\s*|\s+-\s+|\s*/\s*")

NUMBER_BEHIND = names(
    "AR AT BE BG BR BY CH CL CO CZ DE DK EE ES FI GR HR HU IS IT LI LT LV MX NL NO PE PL PT RO RS RU SE SI SK TR UA UY"
)
"""Where the number of a house is written behind its street, whatever language the columns speak."""

EU_COUNTRIES = names("AT BE BG CY CZ DE DK EE ES FI FR GR HR HU IE IT LT LU LV MT NL PL PT RO SE SI SK")
"""The member states of the European Union, where a VAT number is an `eu_vat`."""


def is_country(code: str) -> bool:
    """Whether *code* is a two-letter country code, in capitals."""
    return code in _ACCEPTED


def country_named(text: str) -> str | None:
    """The code of the country that *text* names: by a name in use, three letters, or its flag; None when it names none."""
    if len(text) == 2 and all(_FLAG_A <= letter <= _FLAG_Z for letter in text):
        code = "".join(chr(ord(letter) - ord(_FLAG_A) + ord("A")) for letter in text)
        return code if is_country(code) else None
    return (
        _BY_NAME.get(fold(text))
        or next(filter(None, map(_BY_NAME.get, map(fold, _spelt_out(text)))), None)
        or _agreed(text)
    )


def _spelt_out(text: str) -> Iterator[str]:
    """The name as most lists have it: `Saint` and `and` in full, what stands behind a comma or in brackets in front."""
    full = _SAINT.sub("Saint ", text.replace("&", " and "))
    yield full
    if (turned := _TURNED.fullmatch(full)) is not None:
        yield f"{turned['before'] or turned['inside']} {turned['name']}"


def _agreed(text: str) -> str | None:
    """The country that each part names, as in `United States (US)` and `USA - United States`."""
    codes = {part if is_country(part) else _BY_NAME.get(fold(part)) for part in _PARTS.split(text.rstrip(" )"))}
    return codes.pop() if len(codes) == 1 else None


def country_names() -> tuple[str, ...]:
    """The English names, for suggesting the nearest one."""
    return tuple(full for _, _, full in _ROWS)
