"""Finding words for the other peer: carrying descriptions and candidates over a channel you already have."""

from rtcore.signaling.stream import StreamSignaling

__all__ = ["StreamSignaling"]
