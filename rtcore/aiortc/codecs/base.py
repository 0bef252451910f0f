"""What every encoder and decoder is, in aiortc's form: RTP payloads out, frames of a jitter buffer in."""

from __future__ import annotations

from abc import ABCMeta, abstractmethod
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from av.frame import Frame
    from av.packet import Packet

__all__ = ["Decoder", "EncodedData", "Encoder"]


class EncodedData(Protocol):
    """What `JitterFrame` has: the depacketized bytes of one frame, and its time on the RTP clock."""

    data: bytes
    timestamp: int


class Decoder(metaclass=ABCMeta):
    """One stream's decoder."""

    @abstractmethod
    def decode(self, encoded_frame: EncodedData) -> list[Frame]:
        """What comes of it."""


class Encoder(metaclass=ABCMeta):
    """One stream's encoder."""

    @abstractmethod
    def encode(self, frame: Frame, force_keyframe: bool = False) -> tuple[list[bytes], int | None]:
        """The payloads that carry it, and their time on the RTP clock; none, and None, while it waits for
        more."""

    @abstractmethod
    def pack(self, packet: Packet[Any]) -> tuple[list[bytes], int]:
        """The same of a packet that is encoded already."""
