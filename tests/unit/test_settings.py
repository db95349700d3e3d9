import os
from collections.abc import Callable
from pathlib import Path

import pytest

from novita_operator.cloud.key import KeySource
from novita_operator.model.environ import SettingsError, describe
from novita_operator.model.spelling import Address
from novita_operator.settings import OrphanPolicy, Settings

NO_ACCOUNT = Path("/nonexistent")


def load(**environ: str) -> Settings:
    return Settings.load({"NOVITA_API_KEY": "sk_test", **environ}, NO_ACCOUNT)


def refusal(**environ: str) -> str:
    with pytest.raises(SettingsError) as caught:
        load(**environ)
    assert len(caught.value.lines) == 1
    return caught.value.lines[0]


class HandClock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    path = tmp_path / "key"
    path.write_text("sk_first\n")
    return path


def test_the_key_alone_is_enough():
    settings = load()
    assert settings.api_base_url == "https://api.novita.ai"
    assert settings.poll_interval == 30
    assert settings.startup_timeout == 600
    assert settings.http_address == Address("0.0.0.0", 8080)
    assert settings.claim_window == 60
    assert settings.list_lag == 10
    assert settings.orphan_policy is OrphanPolicy.REPORT
    assert settings.namespace == "default"


def test_an_empty_value_counts_as_not_set():
    assert load(INSTANCE_POLL_INTERVAL="", NOVITA_OPERATOR_CLUSTER_ID=" ") == load()


@pytest.mark.parametrize(
    ("text", "seconds"), [("45", 45), ("45s", 45), ("2m", 120), ("1500ms", 1.5), ("2.5", 2.5), (" 45 ", 45)]
)
def test_durations_are_seconds_or_bear_their_unit(text: str, seconds: float):
    assert load(INSTANCE_POLL_INTERVAL=text).poll_interval == seconds


def test_while_something_moves_the_list_is_read_three_times_as_often_but_not_in_a_frenzy():
    assert load(INSTANCE_POLL_INTERVAL="30").fast_poll_interval == 10
    assert load(INSTANCE_POLL_INTERVAL="1").fast_poll_interval == 0.5


@pytest.mark.parametrize(
    ("name", "text", "line"),
    [
        ("INSTANCE_POLL_INTERVAL", "abc", "'abc' is not a duration: write seconds (30) or 30s, 5m, 1h"),
        ("INSTANCE_POLL_INTERVAL", "0.5", "'0.5' is out of bounds: from 1s to 5m"),
        ("INSTANCE_POLL_INTERVAL", "-1", "'-1' is not a duration: write seconds (30) or 30s, 5m, 1h"),
        ("INSTANCE_STARTUP_TIMEOUT", "600000", "'600000' looks like milliseconds: write seconds (600) or 10m"),
        ("INSTANCE_STARTUP_TIMEOUT", "25h", "'25h' is out of bounds: from 5s to 24h"),
        ("NOVITA_OPERATOR_WORKERS", "many", "'many' is not a whole number"),
        ("NOVITA_OPERATOR_WORKERS", "0", "'0' is out of bounds: from 1 to 512"),
        ("NOVITA_OPERATOR_ORPHAN_POLICY", "Keep", "Input should be 'Report' or 'Delete'"),
        (
            "NOVITA_OPERATOR_WATCH_NAMESPACES",
            "team-a,Team B",
            "'Team B' is no name of a namespace: write team-a or team-a,team-b",
        ),
        (
            "NOVITA_OPERATOR_WATCH_NAMESPACES",
            "team-a,",
            "'' is no name of a namespace: write team-a or team-a,team-b",
        ),
        (
            "NOVITA_OPERATOR_HTTP_ADDRESS",
            "8080",
            "'8080' is not an address to listen on: write 0.0.0.0:8080 or [::]:8080",
        ),
        (
            "NOVITA_API_BASE_URL",
            "https://api.novita.ai/v3",
            "'https://api.novita.ai/v3' is not http or https, host and perhaps port: write https://api.novita.ai",
        ),
    ],
)
def test_a_wrong_value_is_named_with_what_to_write_instead(name: str, text: str, line: str):
    assert refusal(**{name: text}) == f"{name}: {line}"


def test_every_wrong_setting_gets_a_line_of_its_own():
    with pytest.raises(SettingsError) as caught:
        Settings.load({"INSTANCE_POLL_INTERVAL": "x", "NOVITA_OPERATOR_WORKERS": "0"}, NO_ACCOUNT)
    assert [line.split(":")[0] for line in caught.value.lines] == [
        "NOVITA_API_KEY",
        "INSTANCE_POLL_INTERVAL",
        "NOVITA_OPERATOR_WORKERS",
    ]


def test_a_misspelt_name_is_refused_with_the_name_that_was_meant():
    line = refusal(NOVITA_OPERATOR_CLAIM_WINDO="60")
    assert line == "NOVITA_OPERATOR_CLAIM_WINDO: there is no such setting: did you mean NOVITA_OPERATOR_CLAIM_WINDOW?"


@pytest.mark.parametrize(
    "name",
    ["SERVICE_HOST", "SERVICE_PORT", "SERVICE_PORT_HTTP", "PORT", "PORT_8080_TCP", "PORT_8080_TCP_ADDR", "X_PORT"],
)
def test_what_kubernetes_puts_in_for_a_service_named_novita_operator_is_no_misspelt_setting(name: str):
    assert load(**{f"NOVITA_OPERATOR_{name}": "10.0.0.1"}) == load()


@pytest.mark.parametrize(
    ("text", "host", "port"), [("127.0.0.1:0", "127.0.0.1", 0), ("[::]:8080", "::", 8080), (":9000", "0.0.0.0", 9000)]
)
def test_the_operator_listens_where_it_is_told(text: str, host: str, port: int):
    assert load(NOVITA_OPERATOR_HTTP_ADDRESS=text).http_address == (host, port)


def test_a_slash_after_the_api_address_does_no_harm():
    assert load(NOVITA_API_BASE_URL="http://127.0.0.1:8080/").api_base_url == "http://127.0.0.1:8080"


def test_an_api_address_with_a_password_is_refused_without_showing_it():
    assert "hunter2" not in refusal(NOVITA_API_BASE_URL="https://me:hunter2@api.novita.ai")


@pytest.mark.parametrize(
    ("address", "count"), [("https://a.example", 0), ("http://127.0.0.1:1", 0), ("http://[::1]:1", 0), ("http://a", 1)]
)
def test_plain_http_beyond_this_machine_is_warned_of(address: str, count: int):
    assert len(list(load(NOVITA_API_BASE_URL=address).warnings())) == count


@pytest.mark.parametrize(("text", "names"), [("", ()), ("team-a", ("team-a",)), (" team-a, 1,team-a", ("team-a", "1"))])
def test_the_namespaces_to_watch_are_listed_between_commas(text: str, names: tuple[str, ...]):
    assert load(NOVITA_OPERATOR_WATCH_NAMESPACES=text).namespaces == names


def test_the_operators_namespace_is_that_of_its_service_account(tmp_path: Path):
    account = tmp_path / "namespace"
    account.write_text("gpu-system")
    assert Settings.load({"NOVITA_API_KEY": "k"}, account).namespace == "gpu-system"


def test_without_a_key_there_is_no_start():
    assert refusal(NOVITA_API_KEY="").startswith("NOVITA_API_KEY: there is no API key")


def test_two_keys_are_one_too_many(key_file: Path):
    assert refusal(NOVITA_API_KEY_FILE=str(key_file)).endswith("keep one of them")


@pytest.mark.parametrize("content", [None, "", " \n", "two words", "sk_ü"])
def test_a_key_file_that_holds_no_usable_key_stops_the_start(tmp_path: Path, content: str | None):
    path = tmp_path / "key"
    if content is not None:
        path.write_text(content)
    assert refusal(NOVITA_API_KEY="", NOVITA_API_KEY_FILE=str(path)).startswith("NOVITA_API_KEY_FILE: cannot ")


def test_the_key_is_in_no_text_of_the_settings_and_in_no_refusal(clock: HandClock):
    settings = load(NOVITA_API_KEY="sk_secret")
    source = settings.key_source(clock)
    assert source() == "sk_secret"
    assert "sk_secret" not in repr(settings) + str(settings) + settings.model_dump_json() + repr(source)
    assert "sk_secret" not in refusal(NOVITA_API_KEY="sk_secret sk_secret")


def test_a_replaced_key_file_is_read_within_a_second(key_file: Path, clock: HandClock):
    source = KeySource(key_file, clock)
    replacement = key_file.with_name("next")
    replacement.write_text("sk_second")
    replacement.replace(key_file)
    assert source() == "sk_first"
    clock.now += 1
    assert source() == "sk_second"
    assert source.known == ("sk_first", "sk_second")


def test_a_key_file_that_is_written_in_place_is_read_again(key_file: Path, clock: HandClock):
    source = KeySource(key_file, clock)
    key_file.write_text("sk_2nd!!")
    os.utime(key_file, ns=(1, 1))
    clock.now += 1
    assert source() == "sk_2nd!!"


@pytest.mark.parametrize("damage", [Path.unlink, lambda path: path.write_text("")])
def test_a_key_file_that_is_gone_or_empty_for_a_while_leaves_the_last_key_in_force(
    key_file: Path, clock: HandClock, damage: Callable[[Path], object]
):
    source = KeySource(key_file, clock)
    damage(key_file)
    clock.now += 1
    assert source() == "sk_first"
    key_file.write_text("sk_second")
    clock.now += 1
    assert source() == "sk_second"


def test_the_manual_tells_name_default_and_bounds_of_every_setting():
    rows = {row.name: row for row in describe(Settings)}
    assert len(rows) == len(Settings.model_fields)
    assert rows["INSTANCE_POLL_INTERVAL"].default == "30s"
    assert rows["INSTANCE_POLL_INTERVAL"].description.endswith("From 1s to 5m.")
    assert rows["NOVITA_OPERATOR_HTTP_ADDRESS"].default == "0.0.0.0:8080"
    assert all(row.description.endswith(".") for row in rows.values())


def test_every_default_is_a_value_that_could_be_written():
    defaults = {row.name: row.default for row in describe(Settings) if row.default}
    assert load(**defaults) == load()


def test_what_stands_is_shown_with_its_zeros_and_without_the_key():
    shown = load(NOVITA_OPERATOR_LIST_LAG="0").shown()
    assert shown["NOVITA_OPERATOR_LIST_LAG"] == "0.0"
    assert shown["NOVITA_API_KEY_FILE"] == ""
    assert "sk_test" not in str(shown)
