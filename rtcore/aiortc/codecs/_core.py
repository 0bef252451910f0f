"""Encoders and decoders in aiortc's form over those of `rtcore.media.codecs`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import av

from rtcore.errors import CodecError
from rtcore.media import EncodedFrame, codecs
from rtcore.native.payload import Packetizer
from rtcore.sdp import RtpCodec

from .base import Decoder, EncodedData, Encoder

if TYPE_CHECKING:
    from av.frame import Frame
    from av.packet import Packet

    from ..mediastreams import TimeBase

__all__ = ["CoreDecoder", "CoreEncoder", "VideoEncoder", "clock_time", "ticks"]

PACKET_MAX = 1300


def clock_time(packet: Packet[Any], clock_rate: int) -> int:
    """A packet's time on an RTP clock."""
    if packet.pts is None or not packet.time_base:
        raise ValueError("a packet without a time cannot be sent")
    return ticks(packet.pts, packet.time_base, clock_rate)


def ticks(time: int, base: TimeBase, clock_rate: int) -> int:
    """`time` in units of `base`, on a clock, rounded towards zero. Without fractions: they are ten times as
    slow, and this is per packet."""
    scaled = time * base.numerator * clock_rate
    return scaled // base.denominator if scaled >= 0 else -(-scaled // base.denominator)


class CoreEncoder(Encoder):
    """Subclasses say which codec."""

    core: ClassVar[RtpCodec]
    options: ClassVar[dict[str, Any]] = {}
    from_zero: ClassVar[bool] = False
    """Whether its times count from the first frame's."""

    def __init__(self) -> None:
        self._origin, self._fresh = 0, True
        self._encoder: codecs.Encoder | None = None
        self._packetizer = Packetizer(self.core.name, channels=self.core.channels)

    def make(self, codec: RtpCodec, frame: Frame, bitrate: int | None) -> codecs.Encoder:
        """The encoder for frames like this one, with the other end's wishes."""
        return codecs.create_encoder(codec, bitrate=bitrate, **self.options)

    def bounded(self, bitrate: int) -> int:
        """The bitrate to encode at, of what there is room for."""
        return bitrate

    def encode(self, frame: Frame, force_keyframe: bool = False) -> tuple[list[bytes], int | None]:
        if not isinstance(frame, av.VideoFrame | av.AudioFrame):
            raise TypeError(f"a frame of PyAV is encoded, not {type(frame).__name__}")
        if self._encoder is None:
            self._encoder = self.make(self.core, frame, None)
        self._encoder.bitrate = self.bounded(self._encoder.bitrate)
        made = self._encoder.encode(frame, key=force_keyframe)
        if not made:
            return [], None
        if self.from_zero and self._fresh:
            self._origin = made[0].timestamp
        self._fresh = False
        payloads = [payload for one in made for payload in self._payloads(one)]
        return payloads, made[0].timestamp - self._origin

    def pack(self, packet: Packet[Any]) -> tuple[list[bytes], int]:
        return self._payloads(bytes(packet)), clock_time(packet, self.core.clock_rate)

    def _payloads(self, data: EncodedFrame | bytes) -> list[bytes]:
        return list(self._packetizer.packetize(data, max_payload=PACKET_MAX))


class VideoEncoder(CoreEncoder):
    """Subclasses say between which bitrates: the constants of their modules, which programs change."""

    def __init__(self) -> None:
        super().__init__()
        least, usual, most = self.limits()
        self._target: int | None = None  # that a program set
        self._bitrate = max(least, min(usual, most))

    def limits(self) -> tuple[int, int, int]:
        """Least, usual and most bit/s, as they are now."""
        raise NotImplementedError(f"{type(self).__name__} has no limits()")

    @property
    def target_bitrate(self) -> int:
        """Bit/s. What a program sets stays, within the limits; else it is what there is room for."""
        return self._bitrate

    @target_bitrate.setter
    def target_bitrate(self, bitrate: int) -> None:
        least, _, most = self.limits()
        self._target = self._bitrate = max(least, min(bitrate, most))

    def bounded(self, bitrate: int) -> int:
        least, _, most = self.limits()
        self._bitrate = max(least, min(bitrate if self._target is None else self._target, most))
        return self._bitrate

    def encode(self, frame: Frame, force_keyframe: bool = False) -> tuple[list[bytes], int | None]:
        if self._encoder is None and isinstance(frame, av.VideoFrame):
            self._encoder = self.make(self.core, frame, self._bitrate)
        return super().encode(frame, force_keyframe)


class CoreDecoder(Decoder):
    """Subclasses say which codec."""

    core: ClassVar[RtpCodec]
    options: ClassVar[dict[str, Any]] = {}

    def __init__(self) -> None:
        self._decoder = codecs.create_decoder(self.core, **self.options)

    def decode(self, encoded_frame: EncodedData) -> list[Frame]:
        """FFmpeg's error for what cannot be decoded."""
        frame = EncodedFrame(encoded_frame.data, codec=self.core.name, timestamp=encoded_frame.timestamp)
        try:
            return [*self._decoder.decode(frame)]
        except CodecError as error:
            if isinstance(error.__cause__, av.error.FFmpegError):
                raise error.__cause__ from None
            raise
