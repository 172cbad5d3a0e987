"""The search language and its index (Stripe facts, section 5)."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulk_import.simulator import Account, Answer
from bulk_import.simulator.exchange import Refused
from bulk_import.simulator.query import Clause, parse
from tests.simulator_support import NOON, call, create, ids, simulated

LATER = NOON + 100


@pytest.mark.parametrize(
    ("text", "clause"),
    [
        ('email:"a@example.com"', Clause("email", ":", "a@example.com")),
        ("email:'A@Example.com'", Clause("email", ":", "a@example.com")),
        ('email~"example"', Clause("email", "~", "example")),
        ('-name:"Bob"', Clause("name", ":", "bob", negated=True)),
        ("phone:null", Clause("phone", ":", None)),
        ("-phone:null", Clause("phone", ":", None, negated=True)),
        ("created>5", Clause("created", ">", 5)),
        ("created<=5", Clause("created", "<=", 5)),
        ("created:5", Clause("created", ":", 5)),
        ("metadata['plan']:'pro'", Clause("metadata", ":", "pro", key="plan")),
        ('metadata["plan"]:null', Clause("metadata", ":", None, key="plan")),
        (r"name:'it\'s'", Clause("name", ":", "it's")),
        (r'name:"a \"b\" \\ c"', Clause("name", ":", 'a "b" \\ c')),
        ('name:"null"', Clause("name", ":", "null")),
        ('name:"a AND b"', Clause("name", ":", "a and b")),
    ],
)
def test_one_clause_is_read(text: str, clause: Clause) -> None:
    assert parse(text).clauses == (clause,)


@pytest.mark.parametrize(
    ("text", "count", "any_of"),
    [
        ("created>1 AND created<9", 2, False),
        ("created>1 and created<9 AND phone:null", 3, False),
        ("created>1 created<9", 2, False),
        ("created:1 OR created:2 or created:3", 3, True),
        (" OR ".join(f"created:{n}" for n in range(10)), 10, True),
    ],
)
def test_clauses_are_joined(text: str, count: int, any_of: bool) -> None:
    query = parse(text)
    assert (len(query.clauses), query.any_of) == (count, any_of)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "email",
        "email:unquoted",
        "email:a@example.com",
        "email:'open",
        "colour:'red'",
        "created:'soon'",
        "created>" + "9" * 4900,
        "created~5",
        "email>'a'",
        "email~'ab'",
        "email~null",
        "created:1 OR created:2 AND created:3",
        "(created:1)",
        "created:1 OR",
        "created:1OR created:2",
        "metadata:'x'",
        "name['x']:'y'",
        " OR ".join(f"created:{n}" for n in range(11)),
    ],
)
def test_what_cannot_be_read_is_a_400_on_query(text: str) -> None:
    with pytest.raises(Refused) as caught:
        parse(text)
    assert (caught.value.status, caught.value.body["error"]["param"]) == (400, "query")


@given(st.text(min_size=1), st.sampled_from("'\""))
def test_any_text_survives_quoting(text: str, quote: str) -> None:
    escaped = text.replace("\\", "\\\\").replace(quote, "\\" + quote)
    assert parse(f"name:{quote}{escaped}{quote}").clauses[0].value == text.lower()


@given(st.text())
def test_no_query_breaks_the_search(text: str) -> None:
    assert _search(Account(now=NOON, existing=1), text).status in (200, 400)


def _people() -> tuple[Account, dict[str, str]]:
    account = Account(now=NOON)
    people: dict[str, dict[str, Any]] = {
        "anne": {"email": "Anne@Example.com", "name": "Anne", "metadata": {"plan": "Pro"}},
        "bob": {"email": "bob@example.com", "name": "Bob", "phone": "123"},
        "carl": {"email": "carl@example.org", "metadata": {"plan": "free"}},
        "nobody": {},
    }
    made = {}
    for at, (name, params) in enumerate(people.items()):
        made[create(account, NOON + at, **params).body["id"]] = name
    return account, made


def _search(account: Account, query: str, now: float = LATER, **more: Any) -> Answer:
    return account.handle(call("GET", "/v1/customers/search", {"query": query, **more}), now)


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("email:'anne@example.com'", ["anne"]),
        ("email:'ANNE@EXAMPLE.COM' OR email:'bob@example.com'", ["bob", "anne"]),
        ("email~'example.com'", ["bob", "anne"]),
        ("-email~'example.com'", ["nobody", "carl"]),
        ("email:null", ["nobody"]),
        ("-email:null", ["carl", "bob", "anne"]),
        ("metadata['plan']:'pro'", ["anne"]),
        ("metadata['plan']:null", ["nobody", "bob"]),
        ("metadata['plan']~'fre' OR phone:'123'", ["carl", "bob"]),
        (f"created>{int(NOON)} AND created<={int(NOON) + 2}", ["carl", "bob"]),
        (f"created:{int(NOON)}", ["anne"]),
        (f"-created:{int(NOON)} AND name:'bob'", ["bob"]),
        (f"created>={int(NOON) + 3} OR name:'anne'", ["nobody", "anne"]),
        ("email:'bob@example.com' AND name:'anne'", []),
        ("email:'bob@example.com' AND name:'bob'", ["bob"]),
        ("created>0", ["nobody", "carl", "bob", "anne"]),
    ],
)
def test_a_query_finds_whom_it_means_newest_first(query: str, expected: list[str]) -> None:
    account, names = _people()
    assert [names[one] for one in ids(_search(account, query))] == expected


def test_search_lags_behind_creates_updates_and_deletes() -> None:
    account = Account(now=NOON, search_lag=2.0)
    made = create(account, NOON, email="a@example.com").body["id"]
    assert ids(_search(account, "email:'a@example.com'", NOON + 1.9)) == []
    assert ids(_search(account, "email:'a@example.com'", NOON + 2)) == [made]
    account.handle(call("POST", f"/v1/customers/{made}", {"email": "b@example.com"}), NOON + 10)
    assert ids(_search(account, "email:'a@example.com'", NOON + 11)) == [made]
    assert ids(_search(account, "email:'b@example.com'", NOON + 12)) == [made]
    account.handle(call("DELETE", f"/v1/customers/{made}"), NOON + 20)
    assert ids(_search(account, "email:'b@example.com'", NOON + 21)) == [made]
    assert ids(_search(account, "email:'b@example.com'", NOON + 22)) == []


def test_pages_of_a_search_follow_each_other_through_their_cursor() -> None:
    account = Account(now=NOON, existing=25)
    seen: list[str] = []
    page: dict[str, Any] = {}
    while True:
        answer = _search(account, "email~'example'", limit="10", **page)
        seen += ids(answer)
        if not answer.body["has_more"]:
            break
        page = {"page": answer.body["next_page"]}
    assert answer.body["next_page"] is None
    assert len(seen) == len(set(seen)) == 25


@pytest.mark.parametrize("page", ["nonsense", "AAAA", "é"])
def test_a_cursor_of_another_query_is_refused(page: str) -> None:
    account = Account(now=NOON, existing=25)
    foreign = _search(account, "created>0").body["next_page"]
    for one in (page, foreign):
        answer = _search(account, "created>1", page=one)
        assert (answer.status, answer.body["error"]["param"]) == (400, "page")


@pytest.mark.parametrize(("existing", "total"), [(0, 0), (30, 30), (10_000, 10_000), (10_500, 10_000)])
def test_the_total_is_told_on_request_and_exact_to_ten_thousand(existing: int, total: int) -> None:
    account = Account(now=NOON, existing=existing)
    answer = _search(account, "created>0", expand=["total_count"], limit="1")
    assert answer.body["total_count"] == total
    assert "total_count" not in _search(account, "created>0").body


@pytest.mark.asyncio
async def test_search_over_http_finds_ten_addresses_in_one_query() -> None:
    async with simulated(search_lag=0.0) as wire:
        made = [(await wire.create(email=f"p{n}@example.com")).body["id"] for n in range(12)]
        query = " OR ".join(f"email:'P{n}@EXAMPLE.COM'" for n in range(10))
        found = (await wire.get("/v1/customers/search", {"query": query, "limit": "100"})).body
        assert found["object"] == "search_result"
        assert [one["id"] for one in found["data"]] == made[:10][::-1]
        assert (await wire.get("/v1/customers/search")).error["code"] == "parameter_missing"
        too_long = {"query": "name:'" + "x" * 5000 + "'"}
        assert (await wire.get("/v1/customers/search", too_long)).status == 400
