"""What Novita sells, read once for all who ask: a cache with a TTL and single flight per question."""

from collections.abc import Mapping

from async_lru import alru_cache

from novita_operator.cloud.errors import NotFound
from novita_operator.cloud.port import Cloud
from novita_operator.decision.choose import wanted_modes, wanted_regions
from novita_operator.model.market import Market, Template
from novita_operator.model.reasons import Reason
from novita_operator.model.resource import Spec


class Catalogue:
    """Answers are kept for `ttl` seconds; errors are not kept."""

    def __init__(self, cloud: Cloud, *, ttl: float, default_region: str) -> None:
        self._default_region = default_region
        self._regions = alru_cache(ttl=ttl)(cloud.regions)
        self._products = alru_cache(maxsize=1024, ttl=ttl)(cloud.products)
        self._template = alru_cache(maxsize=1024, ttl=ttl)(cloud.template)
        self._credentials = alru_cache(ttl=ttl)(cloud.registry_credential_ids)

    async def market(self, spec: Spec) -> Market:
        """What there is for this spec.

        Raises:
            CloudError: Novita did not say.
        """
        try:
            template = await self._template(spec.template_id) if spec.template_id else None
        except NotFound:
            return Market(missing=(Reason.TEMPLATE_NOT_FOUND, f"Novita knows no template {spec.template_id}."))
        if spec.image_auth_id and spec.image_auth_id not in await self._credentials():
            text = f"Novita stores no registry credential {spec.image_auth_id}: make it there, or correct imageAuthId."
            return Market(missing=(Reason.CREDENTIAL_NOT_FOUND, text))
        return await self._shelves(spec, template)

    async def _shelves(self, spec: Spec, template: Template | None) -> Market:
        regions = await self._regions()
        shelves = {
            (region.id, mode): await self._products(region.id, mode, spec.gpu_count)
            for mode in wanted_modes(spec)
            for region in wanted_regions(spec, self._default_region, regions)
        }
        return Market(regions, shelves, template)

    def counts(self) -> Mapping[str, tuple[int, int]]:
        """Hits and misses by cache."""
        infos = {
            "regions": self._regions.cache_info(),
            "products": self._products.cache_info(),
            "templates": self._template.cache_info(),
            "credentials": self._credentials.cache_info(),
        }
        return {name: (info.hits, info.misses) for name, info in infos.items()}
