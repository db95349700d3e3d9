"""Which offer: filter, order, take the first; everything that was looked at and why it was passed over is told.

The order: the wanted billing mode first and its fallback after it; within a mode the regions as listed
(`Ordered`) or all together (`Cheapest`); within that the cheapest offer.
"""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import NamedTuple

from novita_operator.model.market import Market, Offer, Product, Region, Shelf, usd
from novita_operator.model.reasons import Reason
from novita_operator.model.resource import BillingMode, RegionPolicy, Spec, SpotFallback
from novita_operator.model.status import Placement

DEFAULT_DISK_GB = 60
_SHOWN = 16


class Choice(NamedTuple):
    """An offer, or the reason why there is none, what was looked at, and in how many seconds a refusal lifts."""

    offer: Offer | None
    looked_at: tuple[Placement, ...] = ()
    reason: Reason = Reason.LAUNCHING
    message: str = ""
    again: float | None = None


class _Verdict(NamedTuple):
    reason: Reason
    text: str
    until: datetime | None = None


def choose(
    spec: Spec, market: Market, default_region: str, refusals: Mapping[Shelf, datetime], now: datetime
) -> Choice:
    """The first suitable offer in the wanted order."""
    if market.missing is not None:
        return Choice(None, (), *market.missing)
    regions = wanted_regions(spec, default_region, market.regions)
    if not regions:
        return Choice(None, (), Reason.REGION_NOT_FOUND, _no_region(spec, default_region, market.regions))
    passed_over: list[tuple[Offer, _Verdict]] = []
    for offer, product in _in_order(spec, market, regions):
        verdict = _objection(spec, disk_gb(spec, market), offer, product) or _refusal(offer, product, refusals, now)
        if verdict is None:
            return Choice(offer)
        passed_over.append((offer, verdict))
    return _nothing(spec, passed_over, now)


def wanted_regions(spec: Spec, default_region: str, known: Iterable[Region]) -> tuple[Region, ...]:
    """The regions that the spec names, else the default one, else all; unknown names are left out."""
    names = spec.regions or ((default_region,) if default_region else ())
    if not names:
        return tuple(known)
    by_word = {word.casefold(): region for region in known for word in (region.id, region.name)}
    return tuple(dict.fromkeys(by_word[name.casefold()] for name in names if name.casefold() in by_word))


def wanted_modes(spec: Spec) -> tuple[BillingMode, ...]:
    """The billing modes to try, in order."""
    if spec.billing.mode is BillingMode.SPOT and spec.billing.spot_fallback is SpotFallback.ON_DEMAND:
        return (BillingMode.SPOT, BillingMode.ON_DEMAND)
    return (spec.billing.mode,)


def disk_gb(spec: Spec, market: Market) -> int:
    """Size of the system disk: the spec's, else the template's, else what is free of charge."""
    return spec.root_disk_size_gb or (market.template.disk_gb if market.template else 0) or DEFAULT_DISK_GB


def _in_order(spec: Spec, market: Market, regions: tuple[Region, ...]) -> Iterator[tuple[Offer, Product]]:
    for mode in wanted_modes(spec):
        shelves = [_shelf(spec, market, region, mode) for region in regions]
        if spec.region_policy is RegionPolicy.CHEAPEST or not spec.regions:
            shelves = [[pair for shelf in shelves for pair in shelf]]
        for shelf in shelves:
            yield from sorted(shelf, key=lambda pair: (pair[0].hourly_price, pair[0].product_id))


def _shelf(spec: Spec, market: Market, region: Region, mode: BillingMode) -> list[tuple[Offer, Product]]:
    return [
        (Offer(p.id, p.name, region.id, region.name, mode, spec.gpu_count, p.prices[mode] * spec.gpu_count), p)
        for p in (market.shelves or {}).get((region.id, mode), ())
        if _is_wanted(spec, p) and mode in p.prices
    ]


def _is_wanted(spec: Spec, product: Product) -> bool:
    if spec.product_id is not None:
        return product.id == spec.product_id
    return product.name.casefold() == (spec.product_name or "").casefold()


def _objection(spec: Spec, disk: int, offer: Offer, product: Product) -> _Verdict | None:
    """Why this offer will never do."""
    cap = spec.billing.price_cap
    if cap is not None and offer.hourly_price > cap:
        return _Verdict(Reason.TOO_EXPENSIVE, f"above the cap of {cap} USD per hour")
    if disk < product.min_disk_gb:
        return _Verdict(Reason.UNSUITABLE, f"a disk of {disk} GB is below its least, {product.min_disk_gb} GB")
    if product.max_disk_gb and disk > product.max_disk_gb:
        return _Verdict(Reason.UNSUITABLE, f"a disk of {disk} GB is above its most, {product.max_disk_gb} GB")
    return None


def _refusal(offer: Offer, product: Product, refusals: Mapping[Shelf, datetime], now: datetime) -> _Verdict | None:
    """Why this offer will not do just now."""
    refused_until = refusals.get(offer.shelf)
    if refused_until is not None and refused_until > now:
        return _Verdict(Reason.NO_STOCK, "no stock when last tried", refused_until)
    return None if product.deployable else _Verdict(Reason.NO_STOCK, "no stock")


def _nothing(spec: Spec, passed_over: list[tuple[Offer, _Verdict]], now: datetime) -> Choice:
    """Why nothing fits; stock comes back by itself, so it is named first."""
    wanted = spec.product_id or spec.product_name
    looked_at = tuple(_placement(offer, verdict) for offer, verdict in passed_over[:_SHOWN])
    reasons = {verdict.reason for _, verdict in passed_over}
    waits = [(verdict.until - now).total_seconds() for _, verdict in passed_over if verdict.until is not None]
    again = min(waits, default=None)
    if Reason.NO_STOCK in reasons:
        return Choice(None, looked_at, Reason.NO_STOCK, f"No {wanted} is free in the wanted regions just now.", again)
    if Reason.TOO_EXPENSIVE in reasons:
        cheapest = min(offer.hourly_price for offer, verdict in passed_over if verdict.reason is Reason.TOO_EXPENSIVE)
        message = f"The cheapest {wanted} costs {usd(cheapest)} USD per hour, above billing.maxPricePerHour."
        return Choice(None, looked_at, Reason.TOO_EXPENSIVE, message, again)
    if Reason.UNSUITABLE in reasons:
        return Choice(None, looked_at, Reason.UNSUITABLE, f"{wanted}: {looked_at[0].verdict}: change rootDiskSizeGB.")
    modes = " or ".join(wanted_modes(spec))
    message = f"Novita sells no {wanted} as {modes} in the wanted regions: check productName or productId."
    return Choice(None, (), Reason.PRODUCT_NOT_FOUND, message)


def _placement(offer: Offer, verdict: _Verdict) -> Placement:
    return Placement(
        product_id=offer.product_id,
        region=offer.region,
        billing_mode=offer.billing,
        hourly_price=usd(offer.hourly_price),
        verdict=verdict.text,
        blocked_until=verdict.until,
    )


def _no_region(spec: Spec, default_region: str, known: tuple[Region, ...]) -> str:
    names = ", ".join(spec.regions) or default_region or "everywhere"
    return f"Novita has no region {names}; it has {', '.join(region.name for region in known) or 'none'}."
