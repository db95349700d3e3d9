"""What a new CRD takes away from those who use the old one.

Safe is: every object that the old schema took is taken by the new one and means the same, and every word that clients
read or select by is still there. What cannot be safe goes into a new API version beside the old one.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

Schema = Mapping[str, Any]

_LEAST = ("minimum", "minLength", "minItems", "minProperties")
_MOST = ("maximum", "maxLength", "maxItems", "maxProperties")
_SAME = (
    "type",
    "format",
    "pattern",
    "uniqueItems",
    "multipleOf",
    "x-kubernetes-list-type",
    "x-kubernetes-list-map-keys",
    "x-kubernetes-map-type",
    "x-kubernetes-int-or-string",
    "x-kubernetes-preserve-unknown-fields",
)
_NAMES = ("kind", "listKind", "plural", "singular")
_ALSO_NAMES = ("shortNames", "categories")


def breaks(old: Schema, new: Schema) -> Iterator[str]:
    """One sentence for each thing that the CRD `new` breaks for users of the CRD `old`; none if it is safe."""
    before, after = old["spec"], new["spec"]
    for word in ("group", "scope"):
        if before[word] != after[word]:
            yield f"{word}: {before[word]} became {after[word]}"
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
    for subresource in sorted(set(old.get("subresources", ())) - set(new.get("subresources", ()))):
        yield f": the subresource {subresource} was removed"
    paths = [{field["jsonPath"] for field in version.get("selectableFields", ())} for version in (old, new)]
    for path in sorted(paths[0] - paths[1]):
        yield f"{path}: can no longer be selected by"
    yield from _node(old["schema"]["openAPIV3Schema"], new["schema"]["openAPIV3Schema"], "")


def _node(old: Schema, new: Schema, path: str) -> Iterator[str]:
    for find in _FINDINGS:
        yield from (f"{path}: {found}" for found in find(old, new))
    for name, child in old.get("properties", {}).items():
        if name in new.get("properties", {}):
            yield from _node(child, new["properties"][name], f"{path}.{name}")
        else:
            yield f"{path}.{name}: the field was removed"
    for word, mark in (("items", "[]"), ("additionalProperties", "{}")):
        if isinstance(old.get(word), Mapping) and isinstance(new.get(word), Mapping):
            yield from _node(old[word], new[word], f"{path}{mark}")


def _changed(old: Schema, new: Schema) -> Iterator[str]:
    for word in _SAME:
        if old.get(word) != new.get(word) and not _is_loosened(word, new):
            yield f"{word} {old.get(word)} became {new.get(word)}"


def _defaults(old: Schema, new: Schema) -> Iterator[str]:
    """An object's default holds those of its fields: it may gain what new fields bring."""
    before, after = old.get("default"), new.get("default")
    if isinstance(after, Mapping):
        before = before or {}
        after = {name: value for name, value in after.items() if name in before}
    if before != after:
        yield f"default {before} became {after}"


def _is_loosened(word: str, new: Schema) -> bool:
    """A condition on values that is dropped refuses nothing."""
    return word in {"pattern", "format", "uniqueItems", "multipleOf"} and word not in new


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
    """A CEL rule cannot be compared with another: each new text counts as stricter, but on a field that is new too."""
    known = {rule["rule"] for rule in old.get("x-kubernetes-validations", ())}
    for rule in new.get("x-kubernetes-validations", ()):
        if rule["rule"] not in known and not _is_about_a_new_field(rule, old):
            yield f"new rule: {rule.get('message', rule['rule'])}"


def _is_about_a_new_field(rule: Mapping[str, str], old: Schema) -> bool:
    node: Schema | None = old
    for name in rule.get("fieldPath", "").split(".")[1:]:
        node = node.get("properties", {}).get(name) if node is not None else None
    return node is None


_FINDINGS: tuple[Callable[[Schema, Schema], Iterator[str]], ...] = (
    _changed,
    _defaults,
    _tightened,
    _refused_words,
    _required,
    _rules,
)
