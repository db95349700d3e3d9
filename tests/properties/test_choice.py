"""Whatever the market and the wishes: the offer taken is allowed, and no better one was passed over."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, NamedTuple

from hypothesis import given
from hypothesis import strategies as st

from build import ELSEWHERE, NOW, REGION, product
from build import spec as spec_fields
from novita_operator.decision.choose import Choice, choose, disk_gb, wanted_modes, wanted_regions
from novita_operator.model.market import Market, Offer, Region, Shelf
from novita_operator.model.reasons import Reason
from novita_operator.model.resource import BillingMode, Spec

REGIONS = (REGION, ELSEWHERE, Region("eu-1", "EU-01"))
PRODUCTS = ("4090.16c62g", "4090.32c124g", "3090.8c31g")

prices = st.integers(1, 20).map(lambda cents: Decimal(cents) / 10)


class Case(NamedTuple):
    spec: Spec
    market: Market
    default: str
    refusals: Mapping[Shelf, datetime]

    def choice(self) -> Choice:
        return choose(self.spec, self.market, self.default, self.refusals, NOW)

    def regions(self) -> tuple[Region, ...]:
        return wanted_regions(self.spec, self.default, self.market.regions)

    def suitable(self) -> list[Offer]:
        """Every offer that would do, found by looking at each one alone."""
        return [
            Offer(p.id, p.name, region.id, region.name, mode, self.spec.gpu_count, p.prices[mode] * self.spec.gpu_count)
            for region in self.regions()
            for mode in wanted_modes(self.spec)
            for p in (self.market.shelves or {}).get((region.id, mode), ())
            if (p.id == self.spec.product_id or p.name == self.spec.product_name)
            and p.deployable
            and mode in p.prices
            and p.min_disk_gb <= disk_gb(self.spec, self.market) <= (p.max_disk_gb or 9999)
            and (
                self.spec.billing.price_cap is None
                or p.prices[mode] * self.spec.gpu_count <= self.spec.billing.price_cap
            )
            and self.refusals.get(Shelf(p.id, region.id, mode, self.spec.gpu_count), NOW) <= NOW
        ]

    def rank(self, offer: Offer) -> tuple[int, int, Decimal]:
        """What goes first: billing mode, then region where the order of regions counts, then price."""
        is_ordered = self.spec.region_policy == "Ordered" and self.spec.regions
        place = [region.id for region in self.regions()].index(offer.region_id) if is_ordered else 0
        return wanted_modes(self.spec).index(offer.billing), place, offer.hourly_price


@st.composite
def cases(draw: st.DrawFn) -> Case:
    products = st.builds(
        product,
        id=st.sampled_from(PRODUCTS),
        name=st.sampled_from(["RTX 4090 24GB", "RTX 4090 24GB", "RTX 4090 24GB", "RTX 3090 24GB"]),
        deployable=st.sampled_from([True, True, True, False]),
        prices=st.fixed_dictionaries({}, optional=dict.fromkeys(BillingMode, prices)),
        min_disk_gb=st.sampled_from([0, 0, 0, 10, 100]),
        max_disk_gb=st.sampled_from([0, 0, 0, 50, 200]),
    )
    keys = [(region.id, mode) for region in REGIONS for mode in BillingMode]
    listed = st.lists(products, min_size=1, max_size=4, unique_by=lambda p: p.id).map(tuple)
    fields: dict[str, Any] = {
        "gpuCount": draw(st.integers(1, 3)),
        "regionPolicy": draw(st.sampled_from(["Ordered", "Cheapest"])),
        "regions": draw(st.lists(st.sampled_from(["US-CA-06", "cn-hongkong-1", "EU-01", "mars"]), unique=True)),
        "rootDiskSizeGB": draw(st.sampled_from([None, 10, 60, 150])),
        "billing": {
            "mode": draw(st.sampled_from(BillingMode)),
            "spotFallback": draw(st.sampled_from(["Never", "OnDemand"])),
            "maxPricePerHour": draw(st.none() | prices.map(str)),
        },
    }
    if draw(st.booleans()):
        fields |= {"productName": None, "productId": draw(st.sampled_from(PRODUCTS))}
    refusals = st.dictionaries(
        st.builds(
            Shelf,
            st.sampled_from(PRODUCTS),
            st.sampled_from([r.id for r in REGIONS]),
            st.sampled_from(BillingMode),
            st.integers(1, 3),
        ),
        st.integers(-60, 60).map(lambda seconds: NOW + timedelta(seconds=seconds)),
        max_size=12,
    )
    return Case(
        Spec.model_validate(spec_fields(**fields)),
        Market(REGIONS, draw(st.fixed_dictionaries(dict.fromkeys(keys, listed)))),
        draw(st.sampled_from(["", "US-CA-06"])),
        draw(refusals),
    )


@given(cases())
def test_the_offer_taken_is_allowed(case: Case) -> None:
    offer = case.choice().offer
    if offer is None:
        return
    cap = case.spec.billing.price_cap
    assert cap is None or offer.hourly_price <= cap
    assert case.refusals.get(offer.shelf, NOW) <= NOW
    assert offer.region_id in {region.id for region in case.regions()}
    assert offer.billing in wanted_modes(case.spec)
    assert offer.gpu_count == case.spec.gpu_count
    assert offer in case.suitable()


@given(cases())
def test_no_better_offer_was_passed_over(case: Case) -> None:
    offer, suitable = case.choice().offer, case.suitable()
    assert (offer is None) is (not suitable)
    if offer is not None:
        assert case.rank(offer) == min(case.rank(other) for other in suitable)


@given(cases())
def test_where_nothing_is_taken_the_reason_is_told(case: Case) -> None:
    choice = case.choice()
    if choice.offer is not None:
        assert choice == Choice(choice.offer)
        return
    assert choice.message
    assert choice.reason is not Reason.LAUNCHING
    assert choice.again is None or choice.again > 0
    assert len(choice.looked_at) <= 16
    assert all(placement.verdict for placement in choice.looked_at)
