"""From the rates that were asked for to the cap of every endpoint."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulk_import.job.caps import binding, endpoint_caps
from bulk_import.model import Endpoint
from bulk_import.options import Pacing

E = Endpoint
LIFTED = {E.CREATE, E.UPDATE, E.LIST}


@pytest.mark.parametrize(
    ("rate", "explicit", "create", "search", "retrieve"),
    [
        (20.0, False, 20, 20, 20),
        (5.0, True, 5, 5, 5),
        (25.0, True, 25, 20, 25),
        (100.0, True, 100, 20, 25),
        (100.0, False, 25, 20, 25),
        (0.5, True, 0.5, 0.5, 0.5),
    ],
)
def test_an_explicit_rate_above_stripes_default_lifts_create_update_and_list_alone(
    rate: float, explicit: bool, create: float, search: float, retrieve: float
) -> None:
    caps = endpoint_caps(Pacing(rate=rate, rate_is_explicit=explicit))
    assert set(caps) == set(Endpoint)
    assert {caps[e] for e in LIFTED} == {create}
    assert caps[E.SEARCH] == search
    assert {caps[e] for e in set(Endpoint) - LIFTED - {E.SEARCH}} == {retrieve}


def test_what_was_asked_for_an_endpoint_wins_over_the_default_and_the_lift() -> None:
    caps = endpoint_caps(Pacing(rate=100.0, rate_is_explicit=True, endpoint_rates={E.CREATE: 40.0, E.SEARCH: 60.0}))
    assert (caps[E.CREATE], caps[E.SEARCH], caps[E.LIST]) == (40.0, 60.0, 100.0)


@given(
    st.floats(0.01, 500),
    st.booleans(),
    st.dictionaries(st.sampled_from(list(Endpoint)), st.floats(0.01, 500), max_size=4),
)
def test_no_endpoint_is_ever_above_the_rate(rate: float, explicit: bool, asked: dict[Endpoint, float]) -> None:
    pacing = Pacing(rate=rate, rate_is_explicit=explicit, endpoint_rates=asked)
    caps = endpoint_caps(pacing)
    assert all(0 < cap <= rate for cap in caps.values())
    assert all(caps[endpoint] <= cap for endpoint, cap in asked.items())
    assert binding(pacing)[0] == caps[E.CREATE]


def test_without_a_gate_there_are_no_caps() -> None:
    assert endpoint_caps(Pacing(rate=None, endpoint_rates={E.CREATE: 3.0})) == {}
    assert binding(Pacing(rate=None)) == (None, "no cap")


@pytest.mark.parametrize(
    ("pacing", "expected"),
    [
        (Pacing(), (20.0, "all requests")),
        (Pacing(rate=50.0), (25.0, "creates")),
        (Pacing(rate=50.0, rate_is_explicit=True), (50.0, "all requests")),
        (Pacing(endpoint_rates={E.CREATE: 3.0}), (3.0, "creates")),
    ],
)
def test_the_start_line_names_the_cap_that_binds(pacing: Pacing, expected: tuple[float, str]) -> None:
    assert binding(pacing) == expected
