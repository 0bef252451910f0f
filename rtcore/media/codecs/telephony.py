"""G.711, G.722 and L16 (RFC 3551 sections 4.5.2, 4.5.14, 4.5.11): no bitrate to choose, FFmpeg does the
work."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import av
import numpy as np

from rtcore.errors import CodecError
from rtcore.native.frame import EncodedFrame

from ..samples import Samples, layout_of, to_frame
from .audio import AudioDecoder, AudioEncoder, number

if TYPE_CHECKING:
    from rtcore.sdp import RtpCodec

__all__ = ["Decoder", "Encoder", "sample_rate"]

LIBRARY = {"pcmu": "pcm_mulaw", "pcma": "pcm_alaw", "g722": "g722", "l16": "pcm_s16be"}
BITS = {"pcmu": 8, "pcma": 8, "g722": 4, "l16": 16}  # per sample


def sample_rate(codec: RtpCodec) -> int:
    """G.722 samples at 16 kHz and counts RTP time at 8 kHz, by an old mistake that stays (RFC 3551 4.5.2)."""
    return 16000 if codec.name.lower() == "g722" else codec.clock_rate


def _context(codec: RtpCodec, mode: Any) -> av.AudioCodecContext:
    context = cast(av.AudioCodecContext, av.CodecContext.create(LIBRARY[codec.name.lower()], mode))
    context.sample_rate = sample_rate(codec)
    cast(Any, context).layout = layout_of(codec.channels)
    cast(Any, context).format = "s16"
    return context


class Encoder(AudioEncoder):
    """Option: `frame_ms` (20; else ptime of the other end)."""

    def __init__(self, codec: RtpCodec, *, bitrate: int | None = None, frame_ms: float | None = None) -> None:
        super().__init__(
            codec,
            rate=sample_rate(codec),
            channels=codec.channels,
            frame_ms=frame_ms or number(codec, "ptime", 20),
        )
        self._context: av.AudioCodecContext | None = _context(codec, "w")

    @property
    def bitrate(self) -> int:
        return self.rate * self.channels * BITS[self.codec.name.lower()]

    @bitrate.setter
    def bitrate(self, bitrate: int) -> None:
        """It is what the codec says: nothing changes."""

    def _encode(self, samples: Samples) -> tuple[bytes | None, bool | None]:
        if self._context is None:
            raise CodecError("the encoder is closed")
        try:
            packets = self._context.encode(to_frame(samples, self.rate, 0))
        except av.error.FFmpegError as error:
            raise CodecError(f"{self.codec.name}: {error}") from error
        return b"".join(bytes(packet) for packet in packets), None

    def close(self) -> None:
        self._context = None


class Decoder(AudioDecoder):
    def __init__(self, codec: RtpCodec) -> None:
        super().__init__(codec, rate=sample_rate(codec))
        self._context: av.AudioCodecContext | None = _context(codec, "r")

    def _decode(self, frame: EncodedFrame) -> Samples:
        if self._context is None:
            raise CodecError("the decoder is closed")
        packet: av.Packet[Any] = av.Packet(bytes(frame))
        try:
            frames = self._context.decode(packet)
        except av.error.FFmpegError as error:
            raise CodecError(f"{self.codec.name}: {error}") from error
        channels = self.codec.channels
        parts = [
            np.frombuffer(cast(Any, made.planes[0]), np.int16, made.samples * channels).reshape(-1, channels)
            for made in frames
        ]
        return np.concatenate([np.zeros((0, channels), np.int16), *parts])

    def close(self) -> None:
        self._context = None
