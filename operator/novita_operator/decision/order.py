"""What a create call says: the template's defaults, the spec over them, and the mark over all."""

from novita_operator.decision.choose import disk_gb
from novita_operator.model.market import Market, Offer, Order, Template
from novita_operator.model.naming import MARK_ENV, RESERVED_ENV_PREFIX, Mark
from novita_operator.model.resource import EnvVar, Spec


def order(spec: Spec, market: Market, offer: Offer, name: str, mark: Mark) -> Order:
    """The order for one machine; its environment holds the mark and nothing else with our prefix."""
    template = market.template or Template(id="", image="")
    image = spec.image or template.image
    return Order(
        name=name,
        offer=offer,
        image=image,
        image_auth_id=spec.image_auth_id or (template.image_auth_id if image == template.image else ""),
        command=template.command if spec.command is None else spec.command,
        entrypoint=template.entrypoint if spec.entrypoint is None else spec.entrypoint,
        env=_environment(spec, template, mark),
        ports=spec.ports or template.ports,
        disk_gb=disk_gb(spec, market),
        min_cuda_version=spec.min_cuda_version or template.min_cuda_version,
    )


def _environment(spec: Spec, template: Template, mark: Mark) -> tuple[EnvVar, ...]:
    wanted = {variable.name: variable for variable in (*template.env, *spec.env)}
    kept = (variable for name, variable in wanted.items() if not name.startswith(RESERVED_ENV_PREFIX))
    return (*kept, EnvVar.model_construct(name=MARK_ENV, value=str(mark)))
