from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from build import CLUSTER, NAME, REGION, UID, market
from build import spec as spec_fields
from novita_operator.decision.order import order
from novita_operator.model.market import Offer, Order, Template
from novita_operator.model.naming import Mark
from novita_operator.model.resource import BillingMode, EnvVar, Port, Spec

OFFER = Offer("4090.16c62g", "RTX 4090 24GB", REGION.id, REGION.name, BillingMode.SPOT, 1, Decimal("0.18"))
MARK = Mark(CLUSTER, "default", "trainer", UID)
MARKED = EnvVar.model_construct(name="NOVITA_OPERATOR_OWNER", value=f"cluster-1/default/trainer/{UID}")
TEMPLATE = Template(
    "t-1",
    "acme/base:1",
    image_auth_id="auth-t",
    command="serve",
    entrypoint="/run",
    env=(EnvVar(name="A", value="template"), EnvVar(name="B", value="template")),
    ports=(Port(port=80),),
    disk_gb=200,
    min_cuda_version="12.1",
)
BARE = spec_fields(image=None, templateId="t-1")


def ordered(fields: dict[str, Any], template: Template | None = TEMPLATE) -> Order:
    return order(Spec.model_validate(fields), market(template=template), OFFER, NAME, MARK)


def test_a_template_gives_everything_that_the_spec_leaves_open() -> None:
    assert ordered(BARE) == Order(
        name=NAME,
        offer=OFFER,
        image="acme/base:1",
        image_auth_id="auth-t",
        command="serve",
        entrypoint="/run",
        env=(*TEMPLATE.env, MARKED),
        ports=(Port(port=80),),
        disk_gb=200,
        min_cuda_version="12.1",
    )


def test_the_spec_overrides_the_template() -> None:
    fields = spec_fields(
        templateId="t-1",
        image="acme/mine:2",
        imageAuthId="auth-s",
        command="train",
        entrypoint="/go",
        env=[{"name": "B", "value": "spec"}, {"name": "C", "value": "spec"}],
        ports=[{"port": 22, "protocol": "TCP"}],
        rootDiskSizeGB=90,
        minCudaVersion="12.4",
    )
    assert ordered(fields) == Order(
        name=NAME,
        offer=OFFER,
        image="acme/mine:2",
        image_auth_id="auth-s",
        command="train",
        entrypoint="/go",
        env=(
            EnvVar(name="A", value="template"),
            EnvVar(name="B", value="spec"),
            EnvVar(name="C", value="spec"),
            MARKED,
        ),
        ports=(Port.model_validate({"port": 22, "protocol": "TCP"}),),
        disk_gb=90,
        min_cuda_version="12.4",
    )


def test_without_a_template_what_is_left_open_is_empty() -> None:
    assert ordered(spec_fields(), None) == Order(
        name=NAME,
        offer=OFFER,
        image="docker.io/acme/worker:1.9",
        image_auth_id="",
        command="",
        entrypoint="",
        env=(MARKED,),
        ports=(),
        disk_gb=60,
        min_cuda_version="",
    )


def test_an_empty_command_overrides_the_template_s() -> None:
    emptied = ordered({**BARE, "command": "", "entrypoint": ""})
    assert (emptied.command, emptied.entrypoint) == ("", "")


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        pytest.param({"image": "acme/base:1"}, "auth-t", id="the same image needs the template's credential"),
        pytest.param({"image": "acme/mine:2"}, "", id="another image must not get the template's credential"),
        pytest.param({"imageAuthId": "auth-s"}, "auth-s", id="the spec's own credential goes first"),
    ],
)
def test_a_credential_goes_with_its_image(fields: dict[str, str], expected: str) -> None:
    assert ordered({**BARE, **fields}).image_auth_id == expected


def test_no_name_with_our_prefix_comes_in_but_the_mark_itself() -> None:
    foul = replace(
        TEMPLATE,
        env=(
            EnvVar(name="NOVITA_OPERATOR_OWNER", value="someone/else/s/machine"),
            EnvVar(name="NOVITA_OPERATOR_X", value="x"),
            EnvVar(name="NOVITA_OPERATORS", value="kept"),
        ),
    )
    fields = {**BARE, "env": [{"name": "NOVITA_OPERATOR_OWNER", "value": "mine"}]}
    assert ordered(fields, foul).env == (EnvVar(name="NOVITA_OPERATORS", value="kept"), MARKED)
