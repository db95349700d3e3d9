"""What Novita says, made fit for people's eyes: its messages may echo what we sent."""

from collections.abc import Iterable

_LONGEST = 200
_SHORTEST_SECRET = 4
"""Shorter values would cut words to pieces and give themselves away by the gaps."""


def redacted(text: str, secrets: Iterable[str]) -> str:
    """At most 200 characters of `text` without any of `secrets` that has at least four characters."""
    # The longest first: one secret may be a part of another. Before the cut: half a secret is one too.
    for secret in sorted(set(secrets), key=len, reverse=True):
        if len(secret) >= _SHORTEST_SECRET:
            text = text.replace(secret, "[redacted]")
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"
