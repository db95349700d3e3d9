import io
import json
import logging
import sys
from collections.abc import Iterator

import pytest

from novita_operator.control.about import about
from novita_operator.logs import LogFormat, configure
from novita_operator.model.instance import GpuInstance

KEY = 'sk"\\odd-key'

logger = logging.getLogger("novita_operator.test")


class Log:
    """What one process would have written."""

    def __init__(self) -> None:
        self.stream = io.StringIO()
        self.secrets = [KEY]

    def configure(self, form: LogFormat = LogFormat.JSON, level: str = "info") -> None:
        configure(form, level, lambda: self.secrets, stream=self.stream)

    @property
    def text(self) -> str:
        return self.stream.getvalue()

    @property
    def lines(self) -> list[dict[str, object]]:
        return [json.loads(line) for line in self.text.splitlines()]


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch) -> Iterator[Log]:
    """As in the operator: the tests' own level for our loggers is put aside."""
    monkeypatch.setattr(logging.getLogger("novita_operator"), "level", logging.NOTSET)
    root = logging.getLogger()
    handlers, level, excepthook = list(root.handlers), root.level, sys.excepthook
    yield Log()
    root.handlers[:] = handlers
    root.setLevel(level)
    logging.captureWarnings(capture=False)
    sys.excepthook = excepthook


@pytest.fixture
def instance() -> GpuInstance:
    metadata = {"namespace": "ml", "name": "trainer", "uid": "u-1", "resourceVersion": "7", "generation": 3}
    return GpuInstance.read({"metadata": metadata, "spec": {"image": "a", "productName": "b"}})


def test_a_line_is_one_json_object_with_time_level_logger_and_message(log: Log):
    log.configure()
    logger.info("launched %s", "m-1")
    [line] = log.lines
    assert str(line.pop("timestamp")).endswith("+00:00")
    assert line == {"level": "INFO", "logger": "novita_operator.test", "message": "launched m-1"}


def test_a_line_written_in_a_step_bears_the_object_and_the_id_of_the_step(log: Log, instance: GpuInstance):
    log.configure()
    with about(instance):
        logger.info("first")
        logger.info("second")
    logger.info("outside")
    first, second, outside = log.lines
    assert (first["object"], first["uid"], first["generation"]) == ("ml/trainer", "u-1", 3)
    assert first["reconcile_id"] == second["reconcile_id"]
    assert "object" not in outside


def test_extra_facts_become_fields(log: Log):
    log.configure()
    logger.info("paid", extra={"price": "0.55"})
    assert log.lines[0]["price"] == "0.55"


@pytest.mark.parametrize("form", LogFormat)
@pytest.mark.parametrize(
    ("secret", "text"),
    [
        (KEY, f"key {KEY} was read"),
        ("abc.def-123", "Authorization: Bearer abc.def-123"),
        ("live_0123456789", "the answer holds sk_live_0123456789"),
    ],
)
def test_no_key_and_no_token_gets_out(log: Log, form: LogFormat, secret: str, text: str):
    log.configure(form)
    logger.info(text)
    logger.info("%s", text)
    logger.info("extra", extra={"answer": {"text": text}})
    logger.error("failed", exc_info=ValueError(text))
    assert secret not in log.text
    assert json.dumps(secret)[1:-1] not in log.text
    assert "[redacted]" in log.text


def test_a_key_that_is_rotated_is_hidden_from_then_on(log: Log):
    log.configure()
    log.secrets.append("brand-new-key")
    logger.info("brand-new-key")
    assert "brand-new-key" not in log.text


def test_the_error_that_ends_the_process_is_logged_like_all_the_rest(log: Log):
    log.configure()
    error = ValueError(f"it was {KEY}")
    sys.excepthook(ValueError, error, error.__traceback__)
    [line] = log.lines
    assert line["level"] == "CRITICAL"
    assert line["exception"] == "ValueError: it was [redacted]"


def test_words_that_only_look_like_keys_are_left_alone(log: Log):
    log.configure()
    logger.info("task_name disk_size risk_level")
    assert log.lines[0]["message"] == "task_name disk_size risk_level"


def test_text_for_people_names_the_object_in_place_of_the_logger(log: Log, instance: GpuInstance):
    log.configure(LogFormat.TEXT)
    with about(instance):
        logger.warning("waits")
    assert log.text.endswith("Z WARNING ml/trainer: waits\n")


def test_the_level_is_that_which_was_asked_for(log: Log):
    log.configure(level="warning")
    logger.info("chatter")
    assert log.text == ""


@pytest.mark.parametrize("name", ["kopf.objects", "httpx2", "httpcore2.http11", "aiohttp.access"])
def test_libraries_that_tell_of_every_event_are_heard_only_when_they_warn(log: Log, name: str):
    log.configure(level="debug")
    logging.getLogger(name).info("one more")
    logging.getLogger(name).warning("odd")
    assert [line["message"] for line in log.lines] == ["odd"]
