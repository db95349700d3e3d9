"""Money is exact: a count of 1/100000 USD becomes that many, whatever its form, and garbage becomes no price."""

import json
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from novita_operator.cloud.fields import Fields

counts = st.integers(1, 10**12)


def usd(text: str) -> Decimal | None:
    parsed = Fields.parse(f'{{"price": {text}}}'.encode())
    assert parsed is not None
    return parsed.usd("price")


@given(counts)
def test_a_price_is_exact_as_number_and_as_string(count: int):
    for text in (str(count), f'"{count}"', f"{count}.0", f'" {count} "'):
        price = usd(text)
        assert price is not None
        assert price * 100_000 == count


@given(counts, st.integers(1, 8))
def test_a_machine_s_price_is_exact_for_any_number_of_gpus(count: int, gpus: int):
    price = usd(str(count))
    assert price is not None
    assert price * gpus * 100_000 == count * gpus


@given(st.integers(max_value=0) | st.integers(min_value=10**12 + 1))
def test_what_is_not_above_zero_or_absurd_is_no_price(count: int):
    assert usd(str(count)) is None
    assert usd(f'"{count}"') is None


@given(
    st.recursive(
        st.none() | st.booleans() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
        max_leaves=5,
    )
)
def test_any_json_is_a_finite_price_above_zero_or_none(value: object):
    price = usd(json.dumps(value))
    assert price is None or (price.is_finite() and price > 0)


def test_known_prices():
    assert usd('"35000"') == Decimal("0.35")
    assert usd("67000") == Decimal("0.67")
    for none in (
        '"0"',
        "0",
        '""',
        "null",
        "true",
        '"NaN"',
        '"Infinity"',
        '"-Infinity"',
        "NaN",
        '"1e999999999"',
        '"1e-9999999"',
    ):
        assert usd(none) is None
