"""Prints the reference pages of the resource from its models: fields, conditions and reasons, Events."""

from collections.abc import Iterable, Iterator
from typing import Any

from novita_operator.decision.conditions import readiness
from novita_operator.decision.notices import SILENT, kind_of
from novita_operator.model.claim import CLAIM_ANNOTATION, FINALIZER, PAUSED_ANNOTATION
from novita_operator.model.crd import crd
from novita_operator.model.notice import NoticeType
from novita_operator.model.reasons import (
    NEEDS_PEOPLE,
    NOT_OF_READY,
    ONLY_WHILE_TRUE,
    ConditionType,
    Incident,
    Reason,
    State,
    Told,
)
from tables import page, table

Schema = dict[str, Any]


def resource() -> str:
    """Every field of spec and status."""
    root: Schema = crd()["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    spec, status = (root["properties"][part] for part in ("spec", "status"))
    return page(
        "GpuInstance",
        "novita_operator/model/resource.py and status.py",
        f"`gpu.novita.ai/v1alpha1`, namespaced, short name `gpui`, category `novita`. {root['description']}\n"
        "`kubectl explain gpui.spec` shows the same. What states and conditions mean stands in "
        "[conditions and reasons](conditions.md).",
        "## Spec",
        table(("field", "type", "default", "meaning"), _fields(spec)),
        "## What is refused",
        "Beside types and bounds, the API server checks these rules and answers with the sentence:",
        "\n".join(f"- {sentence}" for sentence in dict.fromkeys(_sentences(spec))),
        "A field that is read at the launch only cannot change while a machine exists.",
        "## Status",
        table(("field", "type", "meaning"), ((name, kind, text) for name, kind, _, text in _fields(status))),
        "## Metadata",
        table(
            ("name", "what it is"),
            (
                (f"`{PAUSED_ANNOTATION}`", "Annotation of yours: `true` freezes the resource."),
                (
                    f"`{CLAIM_ANNOTATION}`",
                    "Annotation of the operator: which machine was launched. Do not touch it, do not copy it.",
                ),
                (f"`{FINALIZER}`", "Finalizer of the operator: it goes when the machine is proved absent."),
            ),
        ),
    )


def conditions() -> str:
    """States, conditions and reasons."""
    return page(
        "Conditions and reasons",
        "novita_operator/model/reasons.py",
        "Closed sets: no other words appear. What to do about a reason stands in "
        "[troubleshooting](../troubleshooting.md#by-reason).",
        "## States",
        "`status.state` is one word for people; machines should read the conditions.",
        table(("state", "meaning"), _words(State)),
        "## Conditions",
        table(("condition", "true means", "otherwise"), map(_condition, ConditionType)),
        "`Ready`, `Reconciling`, `Stalled` and `status.observedGeneration` follow kstatus. "
        "`Unknown` means that it cannot be said just now.",
        "## Reasons",
        table(("reason", "meaning", "`Ready`", "`Stalled`"), map(_reason, Reason)),
        "A reason without a word under `Ready` belongs to another condition or to an Event.",
    )


def events() -> str:
    """What is told as an Event."""
    told = [(f"`{reason}`", kind_of(reason), reason.meaning) for reason in Reason if reason not in SILENT]
    apart = [(f"`{incident}`", NoticeType.WARNING, incident.meaning) for incident in Incident]
    return page(
        "Events",
        "novita_operator/model/reasons.py",
        "Events of `events.k8s.io/v1`, about the resource. One is posted when a condition changes, not while it "
        "stands; repeats within some minutes are counted in one Event. An Event is a courtesy: status is the truth.\n"
        "`kubectl events --for gpui/NAME` shows them.",
        table(("reason", "type", "meaning"), [*told, *apart]),
    )


def _words(words: Iterable[Told]) -> Iterator[tuple[str, str]]:
    return ((f"`{word}`", word.meaning) for word in words)


def _condition(kind: ConditionType) -> tuple[str, str, str]:
    otherwise = "`False`" if kind is ConditionType.LAUNCHED else "`False` or `Unknown`"
    return f"`{kind}`", kind.meaning, "absent" if kind in ONLY_WHILE_TRUE else otherwise


def _reason(reason: Reason) -> tuple[str, str, str, str]:
    status = "" if reason in NOT_OF_READY else f"`{readiness(reason)}`"
    return f"`{reason}`", reason.meaning, status, "`True`" if reason in NEEDS_PEOPLE else ""


def _fields(schema: Schema, above: str = "") -> Iterator[tuple[str, str, str, str]]:
    """Each field below `schema`: path, type, default, meaning."""
    for name, field in schema["properties"].items():
        path = f"{above}{name}"
        yield f"`{path}`", _type(field), _default(field), field["description"]
        inner = field.get("items", field)
        if "properties" in inner:
            yield from _fields(inner, f"{path}[]." if inner is not field else f"{path}.")


def _type(field: Schema) -> str:
    if "enum" in field:
        return " or ".join(f"`{word}`" for word in field["enum"])
    match field["type"]:
        case "array":
            return f"list, at most {field['maxItems']}"
        case "integer" if "maximum" in field:
            return f"{field['minimum']} to {field['maximum']}"
        case "string" if field.get("format") == "date-time":
            return "time"
        case kind:
            return str(kind)


def _default(field: Schema) -> str:
    default = field.get("default")
    return f"`{default}`" if default and not isinstance(default, dict) else ""


def _sentences(schema: Schema) -> Iterator[str]:
    """What the rules of `schema` and of all below it answer."""
    for rule in schema.get("x-kubernetes-validations", ()):
        yield rule["message"]
    for child in (*schema.get("properties", {}).values(), *([schema["items"]] if "items" in schema else [])):
        yield from _sentences(child)
