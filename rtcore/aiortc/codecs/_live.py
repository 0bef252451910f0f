"""Encoders in aiortc's form as a sender of rtcore uses them."""

from __future__ import annotations

import av

from rtcore.media import EncodedFrame, codecs
from rtcore.native.payload import Depacketizer
from rtcore.sdp import RtpCodec

from ._core import CoreEncoder
from .base import Encoder

__all__ = ["live"]

USUAL_BITRATE = 300_000


def live(encoder: Encoder, codec: RtpCodec, bitrate: int | None) -> codecs.Encoder:
    """`encoder` in the form of rtcore's. One of ours is not used itself, but what it is made over: there are
    no payloads to be made and taken apart."""
    if isinstance(encoder, CoreEncoder) and type(encoder).encode.__module__.startswith(__package__):
        return _Bounded(encoder, codec, bitrate)
    return _Foreign(encoder, codec, bitrate)


class _Bounded(codecs.Encoder):
    """Within the bitrates that `owner` allows. What it is over is made for the first frame."""

    def __init__(self, owner: CoreEncoder, codec: RtpCodec, bitrate: int | None) -> None:
        super().__init__(codec)
        self._owner = owner
        self._inner: codecs.Encoder | None = None
        self._bitrate = owner.bounded(bitrate or USUAL_BITRATE)

    @property
    def bitrate(self) -> int:
        return self._bitrate

    @bitrate.setter
    def bitrate(self, bitrate: int) -> None:
        self._bitrate = self._owner.bounded(bitrate)
        if self._inner is not None:
            self._inner.bitrate = self._bitrate

    def encode(self, frame: av.VideoFrame | av.AudioFrame, *, key: bool = False) -> list[EncodedFrame]:
        if self._inner is None:
            self._inner = self._owner.make(self.codec, frame, self._bitrate)
        return self._inner.encode(frame, key=key)

    def close(self) -> None:
        inner, self._inner = self._inner, None
        if inner is not None:
            inner.close()


class _Foreign(codecs.Encoder):
    """A program's own encoder: its payloads are put together again. Its `target_bitrate` is set, if it has
    one."""

    def __init__(self, encoder: Encoder, codec: RtpCodec, bitrate: int | None) -> None:
        super().__init__(codec)
        self._encoder = encoder
        self._depacketizer = Depacketizer(codec.name, channels=codec.channels)
        self._bitrate = bitrate or USUAL_BITRATE

    @property
    def bitrate(self) -> int:
        return self._bitrate

    @bitrate.setter
    def bitrate(self, bitrate: int) -> None:
        self._bitrate = bitrate
        if hasattr(self._encoder, "target_bitrate"):
            self._encoder.target_bitrate = bitrate

    def encode(self, frame: av.VideoFrame | av.AudioFrame, *, key: bool = False) -> list[EncodedFrame]:
        payloads, timestamp = self._encoder.encode(frame, key)
        if not payloads or timestamp is None:
            return []
        if self.codec.kind == "video":
            return [self._depacketizer.assemble(payloads, timestamp)]
        made = []
        for payload in payloads:  # one packet each
            made.append(self._depacketizer.assemble([payload], timestamp))
            timestamp += made[-1].duration
        return made

    def close(self) -> None:
        """It has no end in aiortc's form: it is let go."""
