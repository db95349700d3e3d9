from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from build import ELSEWHERE, NOW, REGION, market, product
from build import spec as spec_fields
from novita_operator.decision.choose import Choice, choose, disk_gb, wanted_modes, wanted_regions
from novita_operator.model.market import Market, Offer, Product, Region, Shelf, Template
from novita_operator.model.reasons import Reason
from novita_operator.model.resource import BillingMode, Spec
from novita_operator.model.status import Placement

SPOT, ON_DEMAND = BillingMode.SPOT, BillingMode.ON_DEMAND
THIRD = Region("eu-1", "EU-01")
NAME = "RTX 4090 24GB"


def spec(**fields: Any) -> Spec:
    return Spec.model_validate(spec_fields(**fields))


def priced(spot: str, on_demand: str = "9", **fields: Any) -> Product:
    return product(prices={SPOT: Decimal(spot), ON_DEMAND: Decimal(on_demand)}, **fields)


def made(spec: Spec, market: Market, refusals: Mapping[Shelf, datetime] | None = None, region: str = "") -> Choice:
    return choose(spec, market, region, refusals or {}, NOW)


def chosen(spec: Spec, market: Market, refusals: Mapping[Shelf, datetime] | None = None, region: str = "") -> Offer:
    offer = made(spec, market, refusals, region).offer
    assert offer is not None
    return offer


def passed_over(verdict: str, **fields: Any) -> Placement:
    return Placement(
        **{
            "product_id": "4090.16c62g",
            "region": REGION.name,
            "billing_mode": SPOT,
            "hourly_price": "0.18",
            "verdict": verdict,
            **fields,
        }
    )


def test_an_offer_says_what_where_how_and_for_how_much() -> None:
    assert made(spec(gpuCount=2), market()) == Choice(
        Offer("4090.16c62g", NAME, "us-ca-6", "US-CA-06", SPOT, 2, Decimal("0.36"))
    )


class TestOrder:
    def test_in_one_region_the_cheapest_is_taken(self) -> None:
        shelf = [priced("0.3", id="dear"), priced("0.1", id="cheap"), priced("0.2", id="middling")]
        assert chosen(spec(), market({REGION: shelf})).product_id == "cheap"

    def test_of_two_at_one_price_the_lesser_id_is_taken(self) -> None:
        shelf = [priced("0.1", id="b"), priced("0.1", id="a")]
        assert chosen(spec(), market({REGION: shelf})).product_id == "a"

    def test_ordered_takes_the_first_listed_region_though_another_is_cheaper(self) -> None:
        shelves = {ELSEWHERE: [priced("0.1")], REGION: [priced("0.3")]}
        wanted = spec(regions=["US-CA-06", "CN-HK-01"])
        assert chosen(wanted, market(shelves)).region == "US-CA-06"

    def test_ordered_goes_on_where_the_first_region_has_no_stock(self) -> None:
        shelves = {REGION: [priced("0.1", deployable=False)], ELSEWHERE: [priced("0.3")]}
        wanted = spec(regions=["US-CA-06", "CN-HK-01"])
        assert chosen(wanted, market(shelves)).region == "CN-HK-01"

    def test_cheapest_compares_all_listed_regions(self) -> None:
        shelves = {REGION: [priced("0.3")], ELSEWHERE: [priced("0.2")], THIRD: [priced("0.1")]}
        wanted = spec(regions=["US-CA-06", "CN-HK-01"], regionPolicy="Cheapest")
        assert chosen(wanted, market(shelves)).region == "CN-HK-01"

    def test_without_listed_regions_all_are_compared(self) -> None:
        shelves = {REGION: [priced("0.3")], ELSEWHERE: [priced("0.1")]}
        assert chosen(spec(), market(shelves)).region == "CN-HK-01"

    def test_the_default_region_is_taken_where_none_is_listed(self) -> None:
        shelves = {REGION: [priced("0.3")], ELSEWHERE: [priced("0.1")]}
        assert chosen(spec(), market(shelves), region="US-CA-06").region == "US-CA-06"

    def test_a_listed_region_goes_before_the_default_one(self) -> None:
        shelves = {REGION: [priced("0.3")], ELSEWHERE: [priced("0.1")]}
        assert chosen(spec(regions=["cn-hongkong-1"]), market(shelves), region="US-CA-06").region == "CN-HK-01"

    def test_the_fallback_comes_after_spot_in_every_region(self) -> None:
        shelves = {
            REGION: [priced("0.3", "0.1", deployable=False)],
            ELSEWHERE: [priced("0.5", "0.2")],
        }
        wanted = spec(regions=["US-CA-06", "CN-HK-01"], billing={"spotFallback": "OnDemand"})
        assert chosen(wanted, market(shelves)).billing is SPOT

    def test_the_fallback_is_taken_where_no_spot_is_free(self) -> None:
        shelves = {
            (REGION.id, SPOT): (priced("0.1", deployable=False),),
            (REGION.id, ON_DEMAND): (priced("0.1", "0.7"),),
        }
        wanted = spec(billing={"spotFallback": "OnDemand"})
        offer = chosen(wanted, Market((REGION,), shelves))
        assert (offer.billing, offer.hourly_price) == (ON_DEMAND, Decimal("0.7"))

    def test_an_offer_that_is_refused_is_followed_by_the_next(self) -> None:
        shelf = [priced("0.1", id="a"), priced("0.2", id="b")]
        refused = {Shelf("a", REGION.id, SPOT, 1): NOW + timedelta(seconds=1)}
        assert chosen(spec(), market({REGION: shelf}), refused).product_id == "b"

    @pytest.mark.parametrize(
        "other",
        [
            pytest.param(Shelf("4090.16c62g", ELSEWHERE.id, SPOT, 1), id="region"),
            pytest.param(Shelf("4090.16c62g", REGION.id, ON_DEMAND, 1), id="billing mode"),
            pytest.param(Shelf("4090.16c62g", REGION.id, SPOT, 2), id="GPU count"),
            pytest.param(Shelf("other", REGION.id, SPOT, 1), id="product"),
        ],
    )
    def test_a_refusal_of_another_shelf_says_nothing(self, other: Shelf) -> None:
        assert made(spec(), market(), {other: NOW + timedelta(hours=1)}).offer is not None

    def test_at_its_end_a_refusal_is_forgotten(self) -> None:
        assert made(spec(), market(), {Shelf("4090.16c62g", REGION.id, SPOT, 1): NOW}).offer is not None


class TestFilter:
    @pytest.mark.parametrize("cap", ["0.36", "360m", "1"])
    def test_a_price_up_to_the_cap_is_paid(self, cap: str) -> None:
        assert chosen(spec(gpuCount=2, billing={"maxPricePerHour": cap}), market()).hourly_price == Decimal("0.36")

    @pytest.mark.parametrize("cap", ["0.359999", "359m"])
    def test_the_cap_is_for_the_whole_machine(self, cap: str) -> None:
        assert made(spec(gpuCount=2, billing={"maxPricePerHour": cap}), market()).reason is Reason.TOO_EXPENSIVE

    def test_a_product_is_wanted_by_name_in_any_case(self) -> None:
        assert chosen(spec(productName="rtx 4090 24gb"), market()).product_name == NAME

    def test_a_product_of_another_name_is_not_wanted(self) -> None:
        shelf = [priced("0.1", id="a", name="RTX 3090"), priced("0.2", id="b")]
        assert chosen(spec(), market({REGION: shelf})).product_id == "b"

    def test_a_product_is_wanted_by_its_exact_id_whatever_its_name(self) -> None:
        shelf = [priced("0.1", id="a"), priced("0.2", id="b", name="Something")]
        wanted = spec(productName=None, productId="b")
        assert chosen(wanted, market({REGION: shelf})).product_id == "b"

    def test_what_is_not_sold_in_the_wanted_mode_is_left_out(self) -> None:
        shelf = [product(id="a", prices={ON_DEMAND: Decimal("0.01")}), priced("0.2", id="b")]
        assert chosen(spec(), market({REGION: shelf})).product_id == "b"

    @pytest.mark.parametrize(("size", "fits"), [(10, True), (100, True), (101, False)])
    def test_the_disk_must_not_be_larger_than_the_product_takes(self, size: int, *, fits: bool) -> None:
        shelf = [product(min_disk_gb=10, max_disk_gb=100)]
        assert (made(spec(rootDiskSizeGB=size), market({REGION: shelf})).offer is not None) is fits

    @pytest.mark.parametrize(("size", "fits"), [(19, False), (20, True), (1000, True)])
    def test_the_disk_must_not_be_smaller_than_the_product_takes(self, size: int, *, fits: bool) -> None:
        shelf = [product(min_disk_gb=20, max_disk_gb=0)]
        assert (made(spec(rootDiskSizeGB=size), market({REGION: shelf})).offer is not None) is fits


class TestNothing:
    def test_what_is_missing_is_told_before_anything_else(self) -> None:
        missing = Market(missing=(Reason.CREDENTIAL_NOT_FOUND, "No credential."))
        assert made(spec(regions=["mars"]), missing) == Choice(None, (), Reason.CREDENTIAL_NOT_FOUND, "No credential.")

    @pytest.mark.parametrize(
        ("fields", "default", "regions", "message"),
        [
            pytest.param(
                {"regions": ["mars", "moon"]},
                "US-CA-06",
                [REGION, ELSEWHERE],
                "Novita has no region mars, moon; it has US-CA-06, CN-HK-01.",
                id="listed",
            ),
            pytest.param({}, "mars", [REGION], "Novita has no region mars; it has US-CA-06.", id="the default"),
            pytest.param({}, "", [], "Novita has no region everywhere; it has none.", id="none at all"),
        ],
    )
    def test_unknown_regions(self, fields: dict[str, Any], default: str, regions: list[Region], message: str) -> None:
        choice = made(spec(**fields), market({region: [product()] for region in regions}), region=default)
        assert choice == Choice(None, (), Reason.REGION_NOT_FOUND, message)

    def test_no_stock(self) -> None:
        assert made(spec(), market({REGION: [product(deployable=False)]})) == Choice(
            None,
            (passed_over("no stock"),),
            Reason.NO_STOCK,
            "No RTX 4090 24GB is free in the wanted regions just now.",
        )

    def test_all_refused_is_tried_again_when_the_first_refusal_ends(self) -> None:
        soon, later = NOW + timedelta(seconds=20), NOW + timedelta(seconds=90)
        shelves = {REGION: [product()], ELSEWHERE: [product()]}
        refusals = {
            Shelf("4090.16c62g", REGION.id, SPOT, 1): later,
            Shelf("4090.16c62g", ELSEWHERE.id, SPOT, 1): soon,
        }
        refused = "no stock when last tried"
        assert made(spec(), market(shelves), refusals) == Choice(
            None,
            (passed_over(refused, blocked_until=later), passed_over(refused, region="CN-HK-01", blocked_until=soon)),
            Reason.NO_STOCK,
            "No RTX 4090 24GB is free in the wanted regions just now.",
            20.0,
        )

    def test_too_dear_names_the_cheapest(self) -> None:
        shelf = [priced("0.4", id="b"), priced("0.3", id="a")]
        choice = made(spec(billing={"maxPricePerHour": "0.25"}), market({REGION: shelf}))
        assert choice == Choice(
            None,
            (
                passed_over("above the cap of 0.25 USD per hour", product_id="a", hourly_price="0.3"),
                passed_over("above the cap of 0.25 USD per hour", product_id="b", hourly_price="0.4"),
            ),
            Reason.TOO_EXPENSIVE,
            "The cheapest RTX 4090 24GB costs 0.3 USD per hour, above billing.maxPricePerHour.",
        )

    @pytest.mark.parametrize(("price", "told"), [("0.30", "0.3"), ("10.00", "10"), ("1E+1", "10"), ("12.5", "12.5")])
    def test_a_price_is_told_as_people_write_it(self, price: str, told: str) -> None:
        choice = made(spec(billing={"maxPricePerHour": "0.25"}), market({REGION: [priced(price)]}))
        assert choice.looked_at[0].hourly_price == told
        assert f"costs {told} USD per hour" in choice.message

    def test_too_dear_does_not_name_a_cheaper_one_that_would_not_do(self) -> None:
        shelf = [priced("0.1", id="a", max_disk_gb=20), priced("0.3", id="b")]
        choice = made(spec(billing={"maxPricePerHour": "0.25"}), market({REGION: shelf}))
        assert choice.reason is Reason.TOO_EXPENSIVE
        assert choice.message == "The cheapest RTX 4090 24GB costs 0.3 USD per hour, above billing.maxPricePerHour."

    def test_what_may_come_back_into_stock_is_told_before_what_is_too_dear(self) -> None:
        shelf = [priced("0.1", id="a", deployable=False), priced("0.3", id="b")]
        choice = made(spec(billing={"maxPricePerHour": "0.25"}), market({REGION: shelf}))
        assert choice.reason is Reason.NO_STOCK

    def test_out_of_stock_and_too_dear_is_too_dear(self) -> None:
        shelf = [priced("0.3", deployable=False)]
        choice = made(spec(billing={"maxPricePerHour": "0.25"}), market({REGION: shelf}))
        assert choice.reason is Reason.TOO_EXPENSIVE

    def test_a_disk_that_no_product_takes(self) -> None:
        choice = made(spec(rootDiskSizeGB=900), market({REGION: [product(max_disk_gb=500)]}))
        assert choice == Choice(
            None,
            (passed_over("a disk of 900 GB is above its most, 500 GB"),),
            Reason.UNSUITABLE,
            "RTX 4090 24GB: a disk of 900 GB is above its most, 500 GB: change rootDiskSizeGB.",
        )

    def test_a_disk_that_is_too_small_where_none_is_too_large(self) -> None:
        choice = made(spec(rootDiskSizeGB=10), market({REGION: [product(min_disk_gb=20, max_disk_gb=0)]}))
        assert choice == Choice(
            None,
            (passed_over("a disk of 10 GB is below its least, 20 GB"),),
            Reason.UNSUITABLE,
            "RTX 4090 24GB: a disk of 10 GB is below its least, 20 GB: change rootDiskSizeGB.",
        )

    def test_a_product_that_is_not_sold(self) -> None:
        assert made(spec(productName="RTX 9090"), market()) == Choice(
            None,
            (),
            Reason.PRODUCT_NOT_FOUND,
            "Novita sells no RTX 9090 as Spot in the wanted regions: check productName or productId.",
        )

    def test_every_billing_mode_that_was_looked_for_is_told(self) -> None:
        assert made(spec(productName="RTX 9090", billing={"spotFallback": "OnDemand"}), market()).message == (
            "Novita sells no RTX 9090 as Spot or OnDemand in the wanted regions: check productName or productId."
        )

    def test_a_product_is_named_by_its_id_where_that_is_wanted(self) -> None:
        wanted = spec(productName=None, productId="h100", billing={"mode": "OnDemand"})
        assert made(wanted, market()).message == (
            "Novita sells no h100 as OnDemand in the wanted regions: check productName or productId."
        )

    def test_a_market_without_shelves_sells_nothing(self) -> None:
        assert made(spec(), Market((REGION,))).reason is Reason.PRODUCT_NOT_FOUND

    def test_sixteen_offers_are_told_at_most(self) -> None:
        shelf = [priced("0.1", id=f"p-{number:02}", deployable=False) for number in range(20)]
        told = made(spec(), market({REGION: shelf})).looked_at
        assert [placement.product_id for placement in told] == [f"p-{number:02}" for number in range(16)]


@pytest.mark.parametrize(
    ("wanted", "default", "expected"),
    [
        pytest.param(spec(), "", (REGION, ELSEWHERE), id="none named: everywhere"),
        pytest.param(spec(), "cn-hk-01", (ELSEWHERE,), id="none named: the default, in any case"),
        pytest.param(spec(regions=["CN-HK-01", "us-ca-6"]), "", (ELSEWHERE, REGION), id="by name and id, as listed"),
        pytest.param(spec(regions=["US-CA-06", "us-ca-6"]), "", (REGION,), id="one region named twice is one"),
        pytest.param(spec(regions=["mars", "US-CA-06"]), "", (REGION,), id="an unknown one is left out"),
        pytest.param(spec(regions=["mars"]), "US-CA-06", (), id="the default does not help an unknown one"),
    ],
)
def test_wanted_regions(wanted: Spec, default: str, expected: tuple[Region, ...]) -> None:
    assert wanted_regions(wanted, default, (REGION, ELSEWHERE)) == expected


@pytest.mark.parametrize(
    ("billing", "expected"),
    [
        ({}, (SPOT,)),
        ({"spotFallback": "OnDemand"}, (SPOT, ON_DEMAND)),
        ({"mode": "OnDemand"}, (ON_DEMAND,)),
        ({"mode": "OnDemand", "spotFallback": "OnDemand"}, (ON_DEMAND,)),
    ],
)
def test_wanted_modes(billing: dict[str, str], expected: tuple[BillingMode, ...]) -> None:
    assert wanted_modes(spec(billing=billing)) == expected


@pytest.mark.parametrize(
    ("fields", "template", "expected"),
    [
        pytest.param({"rootDiskSizeGB": 100}, Template("t", "i", disk_gb=80), 100, id="the spec's"),
        pytest.param({}, Template("t", "i", disk_gb=80), 80, id="the template's"),
        pytest.param({}, Template("t", "i"), 60, id="what is free of charge, with a template"),
        pytest.param({}, None, 60, id="what is free of charge, without one"),
    ],
)
def test_disk_size(fields: dict[str, Any], template: Template | None, expected: int) -> None:
    assert disk_gb(spec(**fields), market(template=template)) == expected
