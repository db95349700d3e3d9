"""What the levers of the control API take."""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field, RootModel


class Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Nothing(Body):
    pass


class Changes(RootModel[dict[str, Any]]):  # judged by the model that they change
    pass


class OfMachine(Body):
    machine_id: str


class Time(Body):
    advance: float = Field(default=0, ge=0)
    speed: float | None = Field(default=None, ge=0)


class Release(Body):
    fault_id: str
    drop: bool = False


class Plant(Body):
    account: str
    name: str
    product_id: str
    cluster_id: str
    gpu_num: int
    billing_mode: str
    image: str
    envs: dict[str, str]
    count: int = Field(ge=1)


class Crash(OfMachine):
    state: str
    message: str


class Reclaim(OfMachine):
    notice: float = Field(ge=0)


class Word(OfMachine):
    word: str


class Disguise(OfMachine):
    members: dict[str, Any]  # any JSON


class Fate(Body):
    at: str
    then: str = Field(pattern="^(freeze|crash|vanish)$")
    name: str
    account: str
    after: float = Field(ge=0)
    state: str
    message: str
    times: int | None = Field(ge=1)


class Stock(Body):
    free: int = Field(ge=0)
    product_id: str
    cluster_id: str


class Price(Body):
    product_id: str
    price: int | None
    spot_price: int | None


class Key(Body):
    key: str
    account: str


class OfKey(Body):
    key: str


class OfTemplate(Body):
    template_id: str
