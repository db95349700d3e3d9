"""Argo CD's part: it runs Lua on an object, and patches what an action changed.

As upstream's `util/lua` and `server/application` do it: Lua 5.1 with the libraries base, table and package, and of `os`
the date and the time. Upstream's interpreter is gopher-lua; the scripts use nothing in which the two differ.
"""

import copy
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

from lupa.lua51 import LuaRuntime, lua_type  # type: ignore[import-untyped]

Manifest = dict[str, Any]

_SHUT = ("coroutine", "debug", "io", "math", "python", "string")
_SHUT_MORE = "getmetatable('').__index = nil  os = { date = os.date, time = os.time }"


def run(script: str, obj: Manifest) -> object:
    """What the script returns for the object.

    Raises:
        LuaError: the script failed, or used what it may not.
    """
    lua = LuaRuntime(register_eval=False, register_builtins=False)
    lua.execute(_SHUT_MORE)
    for name in _SHUT:
        lua.globals()[name] = None
    lua.globals()["obj"] = lua.table_from(obj, recursive=True)
    lua.globals()["actionParams"] = lua.table()
    return _decoded(lua.execute(script))


def health(script: Path, obj: Manifest) -> dict[str, str]:
    """Status and message."""
    return cast("dict[str, str]", run(script.read_text(), obj))


def buttons(actions: Path, obj: Manifest) -> list[Manifest]:
    """What can be pressed, by name, in the form of upstream's test files."""
    found = cast("dict[str, Manifest]", run((actions / "discovery.lua").read_text(), obj))
    return [{"name": name, **button} for name, button in sorted(found.items())]


def press(actions: Path, button: str, obj: Manifest) -> Manifest:
    """The object after the action."""
    return cast("Manifest", _mended(run((actions / button / "action.lua").read_text(), obj), obj))


def merge_patch(before: Manifest, after: Manifest) -> Manifest:
    """What changed, as RFC 7386 has it."""
    patch: Manifest = dict.fromkeys(before.keys() - after.keys())
    for key, value in after.items():
        old = before.get(key)
        if isinstance(old, dict) and isinstance(value, dict):
            patch |= {key: inner} if (inner := merge_patch(old, value)) else {}
        elif key not in before or old != value:
            patch[key] = value
    return patch


def respecting(target: Manifest, live: Manifest, pointer: str) -> Manifest:
    """What a sync applies with RespectIgnoreDifferences=true: the live value where differences are ignored.

    As upstream's `controller/sync.go`, `normalizeTargetResources`, does it for a JSON pointer.
    """
    target = copy.deepcopy(target)
    *parents, last = pointer.split("/")[1:]
    place, found = target, live
    for parent in parents:
        place, found = place[parent], found[parent]
    place[last] = found[last]
    return target


def _decoded(value: Any) -> object:  # noqa: ANN401  lupa has no types
    if lua_type(value) != "table":
        return int(value) if isinstance(value, float) and value.is_integer() else value
    pairs = list(value.items())
    if pairs and isinstance(pairs[0][0], str):
        return {key: _decoded(each) for key, each in pairs}
    return [_decoded(each) for _, each in pairs]


def _mended(new: object, old: object) -> object:
    # Lua has one kind of table: what was an empty object comes back as an empty list, and Argo CD puts that right.
    if isinstance(old, Mapping) and new == []:
        return {}
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        return {key: _mended(value, old.get(key)) for key, value in new.items()}
    if isinstance(old, list) and isinstance(new, list):
        return [_mended(value, old[place] if place < len(old) else None) for place, value in enumerate(new)]
    return new
