"""What a jitter buffer gives to decoders. aiortc's own buffer works on its own packets and has no clock:
`rtcore.native.jitter` is rtcore's."""

from dataclasses import dataclass

from ._private import attributes_of

__all__ = ["JitterFrame"]

__getattr__ = attributes_of(__name__)


@dataclass
class JitterFrame:
    """One frame: its bytes without the headers of payloads, and its time on the RTP clock."""

    data: bytes
    timestamp: int
