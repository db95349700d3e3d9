"""What Novita says, made fit for people's eyes: its messages may echo what we sent."""

from collections.abc import Iterable

_LONGEST = 200
_SHORTEST_SECRET = 4
"""Shorter values would cut words to pieces and give themselves away by the gaps."""


def redacted(text: str, secrets: Iterable[str]) -> str:
    """One line of `text`, at most 200 printable characters, without any of `secrets` of four characters or more."""
    # The longest first: one secret may be a part of another. Before the cut: half a secret is one too.
    for secret in sorted(set(secrets), key=len, reverse=True):
        if len(secret) >= _SHORTEST_SECRET:
            text = text.replace(secret, "[redacted]")
    text = " ".join("".join(each if each.isprintable() else " " for each in text).split())
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"
