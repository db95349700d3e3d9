"""What a new CRD takes away from those who use the old one.

Safe is: every object that the old schema took is taken by the new one and means the same, and every word that clients
read or select by is still there. What cannot be safe goes into a new API version beside the old one.

A word of the schema that is neither compared nor known to be harmless must stay as it is.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from novita_operator.model.crd import fixed_after_launch

Schema = Mapping[str, Any]

_LEAST = ("minimum", "minLength", "minItems", "minProperties")
_MOST = ("maximum", "maxLength", "maxItems", "maxProperties")
_DROPPABLE = ("pattern", "format", "uniqueItems", "multipleOf")
"""Conditions on values: one that is dropped refuses nothing."""
_DEEPER = (("items", "[]"), ("additionalProperties", "{}"))
_COMPARED = {
    *_LEAST,
    *_MOST,
    *("default", "enum", "required", "properties", "x-kubernetes-validations"),
    *(word for word, _ in _DEEPER),
}
_FOR_PEOPLE = {
    *("description", "title", "example", "externalDocs"),
    *("message", "messageExpression", "reason", "fieldPath"),
    *("additionalPrinterColumns", "deprecated", "deprecationWarning"),
}
_NAMES = ("kind", "listKind", "plural", "singular")
_ALSO_NAMES = ("shortNames", "categories")


def breaks(old: Schema, new: Schema) -> Iterator[str]:
    """One sentence for each thing that the CRD `new` breaks for users of the CRD `old`; none if it is safe."""
    before, after = old["spec"], new["spec"]
    yield from _others(before, after, {"names", "versions"})
    yield from _names(before["names"], after["names"])
    versions = {version["name"]: version for version in after["versions"]}
    for version in before["versions"]:
        name = version["name"]
        if name in versions and versions[name]["served"] >= version["served"]:
            yield from (f"{name}{broken}" for broken in _version(version, versions[name]))
        else:
            yield f"{name}: the version is no longer served"


def _names(old: Schema, new: Schema) -> Iterator[str]:
    for word in _NAMES:
        if old[word] != new[word]:
            yield f"names.{word}: {old[word]} became {new[word]}"
    for word in _ALSO_NAMES:
        for gone in sorted(set(old.get(word, ())) - set(new.get(word, ()))):
            yield f"names.{word}: {gone} was removed"


def _version(old: Schema, new: Schema) -> Iterator[str]:
    for others in _others(old, new, {"name", "served", "schema", "subresources", "selectableFields"}):
        yield f": {others}"
    for name, subresource in old.get("subresources", {}).items():
        if new.get("subresources", {}).get(name) != subresource:
            yield f": the subresource {name} was removed or changed"
    paths = [{field["jsonPath"] for field in version.get("selectableFields", ())} for version in (old, new)]
    for path in sorted(paths[0] - paths[1]):
        yield f"{path}: can no longer be selected by"
    yield from _node(old["schema"]["openAPIV3Schema"], new["schema"]["openAPIV3Schema"], "")


def _others(old: Schema, new: Schema, compared: set[str]) -> Iterator[str]:
    for word in sorted({*old, *new} - compared - _FOR_PEOPLE):
        if old.get(word) != new.get(word):
            yield f"{word}: {old.get(word)} became {new.get(word)}"


def _node(old: Schema, new: Schema, path: str) -> Iterator[str]:
    for find in _FINDINGS:
        yield from (f"{path}: {found}" for found in find(old, new))
    for name, child in old.get("properties", {}).items():
        if name in new.get("properties", {}):
            yield from _node(child, new["properties"][name], f"{path}.{name}")
        else:
            yield f"{path}.{name}: the field was removed"
    for word, mark in _DEEPER:
        if isinstance(old.get(word), Mapping) and isinstance(new.get(word), Mapping):
            yield from _node(old[word], new[word], f"{path}{mark}")
        elif old.get(word) != new.get(word):
            yield f"{path}: {word} changed as a whole"


def _changed(old: Schema, new: Schema) -> Iterator[str]:
    yield from _others(old, new, _COMPARED | {word for word in _DROPPABLE if word not in new})


def _defaults(old: Schema, new: Schema) -> Iterator[str]:
    """An object's default holds those of its fields: it may gain what new fields bring."""
    before, after = old.get("default"), new.get("default")
    if isinstance(after, Mapping):
        before = before or {}
        after = {name: value for name, value in after.items() if name in before}
    if before != after:
        yield f"default {before} became {after}"


def _tightened(old: Schema, new: Schema) -> Iterator[str]:
    for words, is_tighter in ((_LEAST, float.__gt__), (_MOST, float.__lt__)):
        for word in words:
            if word in new and (word not in old or is_tighter(float(new[word]), float(old[word]))):
                yield f"{word} {old.get(word)} became {new[word]}"


def _refused_words(old: Schema, new: Schema) -> Iterator[str]:
    if "enum" in new and "enum" not in old:
        yield f"only {', '.join(map(str, new['enum']))} is taken now"
    elif "enum" in new:
        for word in old["enum"]:
            if word not in new["enum"]:
                yield f"{word} is no longer taken"


def _required(old: Schema, new: Schema) -> Iterator[str]:
    for name in new.get("required", ()):
        if name not in old.get("required", ()):
            yield f"{name} became required"


def _rules(old: Schema, new: Schema) -> Iterator[str]:
    """A CEL rule cannot be compared with another: each new one counts as stricter, save one that fixes new fields."""
    before = old.get("x-kubernetes-validations", ())
    known = [_meaning(rule) for rule in before]
    fixed = set[str]().union(*map(_fixed_fields, before))
    fields = set(old.get("properties", {}).get("spec", {}).get("properties", {}))
    for rule in new.get("x-kubernetes-validations", ()):
        fixes = _fixed_fields(rule)
        if _meaning(rule) not in known and not (fields and fixes and fixes.isdisjoint(fields - fixed)):
            yield f"new rule: {rule.get('message', rule['rule'])}"


def _meaning(rule: Mapping[str, Any]) -> dict[str, Any]:
    return {word: value for word, value in rule.items() if word not in _FOR_PEOPLE}


def _fixed_fields(rule: Mapping[str, Any]) -> set[str]:
    """What it fixes after a launch, if it is that rule to the letter: it refuses no object without these fields."""
    fields = list(dict.fromkeys(re.findall(r"has\(self\.spec\.(\w+)\)", rule["rule"])))
    return set(fields) if _meaning(rule) == _meaning(fixed_after_launch(fields)) else set()


_FINDINGS: tuple[Callable[[Schema, Schema], Iterator[str]], ...] = (
    _changed,
    _defaults,
    _tightened,
    _refused_words,
    _required,
    _rules,
)
