"""Answers that nobody should have sent: a true one, changed at random. What comes out follows from the `Random` alone.

Told apart by what they break: the values in the JSON, its text, and the HTTP around it.
"""

import json
from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import dataclass, replace
from random import Random
from typing import Any

Path = tuple[str | int, ...]
MOST_CHANGES = 3
STATUSES = (201, 204, 301, 400, 401, 403, 404, 408, 409, 410, 418, 500, 502, 503, 599)
CONTENT_TYPES = (
    "text/html",
    "application/octet-stream",
    "text/plain; charset=utf-16",
    "application/json; charset=nope",
)
DEEP = 100_000
LITERALS = (
    "NaN",
    "-Infinity",
    "1e99999999999999999999",
    "-1e-99999999999999999999",
    "1e-99999",
    "1e308",
    "9" * 5000,
    "0.1" + "9" * 5000,
    "[" * DEEP + "]" * DEEP,
    '{"id":' * DEEP + "1" + "}" * DEEP,
    r'"\ud800"',
    "",
)
"""What stands in the place of a value, as it is spelled; not all of it is JSON."""
VALUES: tuple[object, ...] = (
    None,
    True,
    False,
    0,
    -1,
    1,
    2,
    10**15,
    -(10**30),
    0.5,
    "",
    " ",
    "0",
    "-36000",
    "9" * 5000,
    "1e400",
    "253402300799",
    "99999999999999",
    "x" * 10_000,
    "../../gpu/instance",
    "a/b?c=d#e",
    "\x00\x1b[2J\r\nX-Evil: 1",
    "\N{ARABIC-INDIC DIGIT THREE}",
    "\N{SNOWMAN}" * 300,
    "toRemove",
    "exited",
    "removed",
    "haunted",
    "spot",
    [],
    {},
    [[]],
    [None],
    {"id": "x"},
)


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer on its way out."""

    status: int
    body: bytes
    content_type: str = "application/json"


def garbled(answer: Answer, random: Random) -> Answer:
    """The answer after at most three changes; now and then it is left as it is."""
    changes = random.randint(0, MOST_CHANGES)
    for _ in range(changes):
        answer = random.choice(_KINDS)(answer, random)
    return answer


def _value(answer: Answer, random: Random) -> Answer:
    """Change the JSON in one place."""
    try:
        tree = json.loads(answer.body)
        paths = list(_paths(tree))
    except (ValueError, RecursionError):
        return answer
    if not paths:
        return answer
    literals: dict[str, str] = {}
    random.choice(_CHANGES)(tree, random.choice(paths), random, literals)
    text = json.dumps(tree)
    for mark, literal in literals.items():
        text = text.replace(f'"{mark}"', literal)
    return replace(answer, body=text.encode())


def _paths(tree: object, path: Path = ()) -> Iterator[Path]:
    """Every place in the tree but its root."""
    inner = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    for key, value in inner:
        yield (*path, key)
        yield from _paths(value, (*path, key))


def _holder(tree: Any, path: Path) -> Any:  # noqa: ANN401  a tree of JSON
    for key in path[:-1]:
        tree = tree[key]
    return tree


def _replace(tree: object, path: Path, random: Random, literals: dict[str, str]) -> None:
    del literals
    _holder(tree, path)[path[-1]] = deepcopy(random.choice(VALUES))


def _spell(tree: object, path: Path, random: Random, literals: dict[str, str]) -> None:
    mark = f"literal-{len(literals)}-of-the-garbler"
    literals[mark] = random.choice(LITERALS)
    _holder(tree, path)[path[-1]] = mark


def _drop(tree: object, path: Path, random: Random, literals: dict[str, str]) -> None:
    del random, literals
    del _holder(tree, path)[path[-1]]


def _repeat(tree: object, path: Path, random: Random, literals: dict[str, str]) -> None:
    """An array holds an element twice, an object a value under two names."""
    del literals
    holder, key = _holder(tree, path), path[-1]
    if isinstance(holder, list):
        assert isinstance(key, int)
        holder.insert(random.randint(0, len(holder)), deepcopy(holder[key]))
    else:
        holder[random.choice(sorted(holder))] = deepcopy(holder[key])


def _move(tree: object, path: Path, random: Random, literals: dict[str, str]) -> None:
    """The value of another place, of the same form if there is one."""
    del literals
    here = _holder(tree, path)[path[-1]]
    others = [other for other in _paths(tree) if other[: len(path)] != path and path[: len(other)] != other]
    alike = [other for other in others if type(_holder(tree, other)[other[-1]]) is type(here)]
    if chosen := alike or others:
        other = random.choice(chosen)
        _holder(tree, path)[path[-1]] = deepcopy(_holder(tree, other)[other[-1]])


def _text(answer: Answer, random: Random) -> Answer:
    """Break what is spelled, not what it means."""
    body = answer.body
    at = random.randint(0, len(body))
    made = (
        b"",
        body[:at],
        body[:at] + bytes([random.randint(0, 255)]) + body[at + 1 :],
        body + body,
        b"\xef\xbb\xbf" + body,
        body.decode(errors="replace").encode("utf-16"),
        b"[" + body + b"]",
        b"<html>error code: 1010</html>",
        body.replace(b"{", b'{"id": "another", ', 1),
    )
    return replace(answer, body=random.choice(made))


def _http(answer: Answer, random: Random) -> Answer:
    if random.randint(0, 1):
        return replace(answer, content_type=random.choice(CONTENT_TYPES))
    return replace(answer, status=random.choice(STATUSES))


_CHANGES: tuple[Callable[[object, Path, Random, dict[str, str]], None], ...] = (_replace, _spell, _drop, _repeat, _move)
_KINDS: tuple[Callable[[Answer, Random], Answer], ...] = (_value, _value, _value, _value, _text, _http)
