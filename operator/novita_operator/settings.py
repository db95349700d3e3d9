"""What an administrator may set: every environment variable, its default, its bounds and its manual, in one place.

Read by `app.py` alone, which hands plain values down. `--help` and `docs/reference/settings.md` are printed from here.
"""

from collections.abc import Callable, Iterator, Mapping
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SecretStr

from novita_operator.cloud.key import KeySource, check_key, read_key
from novita_operator.model.environ import SettingsError, misspelt, read
from novita_operator.model.spelling import (
    Address,
    is_open_http,
    parse_address,
    parse_base_url,
    parse_duration,
    parse_namespaces,
    print_duration,
)

PREFIX = "NOVITA_OPERATOR_"
SERVICE_ACCOUNT_NAMESPACE = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")

_DAY = 86_400
_LOOKS_LIKE_MILLISECONDS = 10_000
_SHORTEST_FAST_POLL = 0.5


class OrphanPolicy(StrEnum):
    """What the sweep does with a machine of ours whose resource is gone."""

    REPORT = "Report"
    DELETE = "Delete"


def _read_key(text: str) -> SecretStr:
    return SecretStr(check_key(text))


def _read_key_file(text: str) -> Path:
    read_key(Path(text))
    return Path(text)


def _read_startup_timeout(text: str) -> float:
    if text.isdecimal() and int(text) >= _LOOKS_LIKE_MILLISECONDS:
        seconds = int(text) / 1000
        raise ValueError(f"{text!r} looks like milliseconds: write seconds ({seconds:g}) or {print_duration(seconds)}")
    return parse_duration(text)


Seconds = Annotated[float, BeforeValidator(parse_duration)]


class Settings(BaseModel):
    """All settings, checked. Durations are in seconds here; outside they are written as `30`, `30s`, `5m` or `1h`."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    api_key: Annotated[SecretStr | None, BeforeValidator(_read_key)] = Field(
        None, alias="NOVITA_API_KEY", description="Novita's API key. Better: NOVITA_API_KEY_FILE."
    )
    api_key_file: Annotated[Path | None, BeforeValidator(_read_key_file)] = Field(
        None,
        alias="NOVITA_API_KEY_FILE",
        description="File that holds the key; read again when it changes. Exactly one of the two must be set.",
    )
    api_base_url: Annotated[str, BeforeValidator(parse_base_url)] = Field(
        "https://api.novita.ai", alias="NOVITA_API_BASE_URL", description="Where Novita's API is: scheme, host, port."
    )
    poll_interval: Seconds = Field(
        30,
        alias="INSTANCE_POLL_INTERVAL",
        ge=1,
        le=300,
        description="How often all machines are listed while nothing moves; three times as often while something does.",
    )
    startup_timeout: Annotated[float, BeforeValidator(_read_startup_timeout)] = Field(
        600,
        alias="INSTANCE_STARTUP_TIMEOUT",
        ge=5,
        le=_DAY,
        description="How long a machine may take to come up where a resource does not say it.",
    )
    default_region: str = Field(
        "", alias="DEFAULT_REGION", max_length=63, description="Region wanted where a resource names none. Empty: any."
    )
    http_address: Annotated[Address, BeforeValidator(parse_address)] = Field(
        Address("0.0.0.0", 8080),  # noqa: S104  probes and Prometheus come from other machines
        alias="NOVITA_OPERATOR_HTTP_ADDRESS",
        description="Where /livez, /readyz and /metrics are served.",
    )
    claim_window: Seconds = Field(
        60,
        alias="NOVITA_OPERATOR_CLAIM_WINDOW",
        ge=3,
        le=600,
        description="How long after its claim a create call may still take effect at Novita; the call itself gets a "
        "quarter of it.",
    )
    list_lag: Seconds = Field(
        10,
        alias="NOVITA_OPERATOR_LIST_LAG",
        ge=0,
        le=600,
        description="How long Novita's list may lag behind what has happened.",
    )
    api_calls_per_minute: int = Field(
        100,
        alias="NOVITA_OPERATOR_API_CALLS_PER_MINUTE",
        ge=1,
        le=100_000,
        description="Budget of calls to Novita in any minute, for the whole account: three tenths at once, the rest "
        "evenly. A list takes one call per 100 machines; with more than 3,000 raise it, or the poll interval.",
    )
    lease_duration: Seconds = Field(
        15,
        alias="NOVITA_OPERATOR_LEASE_DURATION",
        ge=3,
        le=300,
        description="How long after its last sign of life another replica takes over (with --leader-elect).",
    )
    namespace: str = Field(
        "",
        alias="NOVITA_OPERATOR_NAMESPACE",
        pattern=r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$",
        description="Where the Lease and the list of retained machines are kept. Empty: the pod's own namespace, "
        "else default.",
    )
    watch_namespaces: Annotated[str, BeforeValidator(parse_namespaces)] = Field(
        "",
        alias="NOVITA_OPERATOR_WATCH_NAMESPACES",
        description="The only namespaces whose resources are served, separated by commas; --namespace goes before it. "
        "Empty: all of them.",
    )
    cluster_id: str = Field(
        "",
        alias="NOVITA_OPERATOR_CLUSTER_ID",
        pattern=r"^[A-Za-z0-9._-]{1,63}$",
        description="Marks this cluster's machines. Change it only while there are none, or to the id of a cluster "
        "that is gone and whose backup is restored here. Empty: the UID of the namespace kube-system.",
    )
    workers: int = Field(
        16, alias="NOVITA_OPERATOR_WORKERS", ge=1, le=512, description="How many resources are looked at side by side."
    )
    catalogue_ttl: Seconds = Field(
        300,
        alias="NOVITA_OPERATOR_CATALOGUE_TTL",
        ge=1,
        le=_DAY,
        description="How long products, regions and templates are believed.",
    )
    refusal_ttl: Seconds = Field(
        300,
        alias="NOVITA_OPERATOR_REFUSAL_TTL",
        ge=1,
        le=_DAY,
        description="How long an offer that was out of stock is passed over.",
    )
    orphan_policy: OrphanPolicy = Field(
        OrphanPolicy.REPORT,
        alias="NOVITA_OPERATOR_ORPHAN_POLICY",
        description="What happens to a machine of ours whose resource is gone: Report or Delete.",
    )
    orphan_interval: Seconds = Field(
        300,
        alias="NOVITA_OPERATOR_ORPHAN_INTERVAL",
        ge=1,
        le=_DAY,
        description="How often orphans are looked for.",
    )
    audit_interval: Seconds = Field(
        300,
        alias="NOVITA_OPERATOR_AUDIT_INTERVAL",
        ge=1,
        le=_DAY,
        description="How often memory is compared with the API server.",
    )

    @classmethod
    def load(cls, environ: Mapping[str, str], service_account: Path = SERVICE_ACCOUNT_NAMESPACE) -> Self:
        """Read the settings among `environ`; an empty value counts as not set.

        Raises:
            SettingsError: a value is wrong, a name that begins with `NOVITA_OPERATOR_` is no setting, or there is not
                exactly one key.
        """
        given = {name: text.strip() for name, text in environ.items() if text.strip()}
        given.setdefault("NOVITA_OPERATOR_NAMESPACE", _own_namespace(service_account))
        lines = (*misspelt(cls, given, PREFIX), *_key_count(given))
        try:
            settings = read(cls, given)
        except SettingsError as error:
            raise SettingsError(lines + error.lines) from None
        if lines:
            raise SettingsError(lines)
        return settings

    @property
    def fast_poll_interval(self) -> float:
        """Seconds between lists while a machine moves."""
        return max(_SHORTEST_FAST_POLL, self.poll_interval / 3)

    @property
    def namespaces(self) -> tuple[str, ...]:
        """Those to watch, each once; none means all of them."""
        return tuple(dict.fromkeys(filter(None, self.watch_namespaces.split(","))))

    def shown(self) -> dict[str, str]:
        """Every setting as it stands, by the name of its variable; a key is not shown."""
        values = {str(field.alias): getattr(self, name) for name, field in type(self).model_fields.items()}
        return {name: "" if value is None else str(value) for name, value in values.items()}

    def warnings(self) -> Iterator[str]:
        """What is allowed, and yet should be said at start."""
        if is_open_http(self.api_base_url):
            yield "NOVITA_API_BASE_URL: plain http shows the API key to everybody on the way: use https"

    def key_source(self, clock: Callable[[], float]) -> KeySource:
        """The API key as it is now; `clock` gives monotonic seconds."""
        key = self.api_key_file or (self.api_key.get_secret_value() if self.api_key else "")
        return KeySource(key, clock)


def _own_namespace(service_account: Path) -> str:
    try:
        return service_account.read_text().strip() or "default"
    except OSError:
        return "default"


def _key_count(given: Mapping[str, str]) -> Iterator[str]:
    count = len({"NOVITA_API_KEY", "NOVITA_API_KEY_FILE"} & given.keys())
    if count == 0:
        yield "NOVITA_API_KEY: there is no API key: set NOVITA_API_KEY_FILE (better) or NOVITA_API_KEY"
    if count > 1:
        yield "NOVITA_API_KEY: NOVITA_API_KEY_FILE is set too: keep one of them"
