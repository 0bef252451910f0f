"""One encoding of a sender on its way: from a track's frame to encoded ones, at the bitrate that is due."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

import av
from av.video.reformatter import VideoReformatter

from rtcore.media import pool
from rtcore.native.frame import EncodedFrame
from rtcore.sdp import RtpCodec, SendEncoding

if TYPE_CHECKING:
    from rtcore.media.codecs import Encoder, EncoderMaker

__all__ = ["EncodingStream", "blanked"]

AUDIO_BITRATE = 48_000
VIDEO_BITRATE = 300_000
"""Bit/s until the core says what there is room for."""


class EncodingStream:
    """Scales, thins out and encodes on the pool of threads, one frame at a time. `options` is read anew for
    each frame, so that what the application changes counts at once."""

    __slots__ = (
        "_codec",
        "_due",
        "_encoder",
        "_lane",
        "_make",
        "_reformatter",
        "_target",
        "_used",
        "_wants_key",
        "options",
    )

    def __init__(
        self, codec: RtpCodec, options: SendEncoding, target: int | None, make: EncoderMaker
    ) -> None:
        self.options = options
        self._codec = codec
        self._make = make
        self._encoder: Encoder | None = None
        self._lane = pool.Lane()
        self._reformatter: VideoReformatter | None = None
        self._target = target
        self._wants_key = False
        self._due = 0.0
        self._used = False

    def request_key_frame(self) -> None:
        self._wants_key = True

    def set_target(self, bitrate: int) -> None:
        """What the core has room for, bit/s; 0: nothing."""
        if self._target == 0 and bitrate:
            self._wants_key = True  # frames were left out
        self._target = bitrate

    @property
    def bitrate(self) -> int:
        """To encode at, bit/s."""
        default = AUDIO_BITRATE if self._codec.kind == "audio" else VIDEO_BITRATE
        target = self._target if self._target is not None else default
        most = self.options.max_bitrate
        return min(target, most) if most is not None else target

    def wants(self, now: float) -> bool:
        """Whether the frame of this moment is to be encoded."""
        options = self.options
        if not options.active or self._target == 0:
            return False
        if self._codec.kind == "audio" or options.max_framerate is None:
            return True
        if options.max_framerate == 0:
            return False
        step = 1 / options.max_framerate
        if now < self._due - step / 8:  # a source's times are not exact
            return False
        self._due = max(self._due + step, now)
        return True

    async def encode(self, frame: av.VideoFrame | av.AudioFrame) -> list[EncodedFrame]:
        key, self._wants_key = self._wants_key, False
        self._used = True
        return await self._lane.run(self._work, frame, self.bitrate, self.options, key)

    def close(self) -> None:
        if self._used:  # else there is no encoder, and no thread to be woken for it
            self._lane.post(self._close)

    # On the pool's threads

    def _work(
        self, frame: av.VideoFrame | av.AudioFrame, bitrate: int, options: SendEncoding, key: bool
    ) -> list[EncodedFrame]:
        encoder = self._encoder
        if encoder is None:
            encoder = self._encoder = self._make(self._codec, bitrate=bitrate)
        elif encoder.bitrate != bitrate:
            encoder.bitrate = bitrate
        if isinstance(frame, av.VideoFrame) and options.scale_resolution_down_by != 1:
            frame = self._scaled(frame, options.scale_resolution_down_by)
        return encoder.encode(frame, key=key)

    def _scaled(self, frame: av.VideoFrame, by: float) -> av.VideoFrame:
        if self._reformatter is None:  # of our own: a frame's is not for several threads
            self._reformatter = VideoReformatter()
        width, height = (max(2, int(size / by) & ~1) for size in (frame.width, frame.height))
        scaled = self._reformatter.reformat(frame, width, height)
        scaled.pts, scaled.time_base = frame.pts, frame.time_base
        return scaled

    def _close(self) -> None:
        encoder, self._encoder = self._encoder, None
        if encoder is not None:
            encoder.close()


def blanked(frame: av.VideoFrame | av.AudioFrame) -> av.VideoFrame | av.AudioFrame:
    """Black or silence in its place: what is sent of a track that is not `enabled`."""
    out = _silent(frame) if isinstance(frame, av.AudioFrame) else _black(frame)
    out.pts = frame.pts
    out.time_base = frame.time_base or Fraction(1, 90000)
    return out


def _silent(frame: av.AudioFrame) -> av.AudioFrame:
    out = av.AudioFrame(format="s16", layout=frame.layout.name, samples=frame.samples)
    out.sample_rate = frame.sample_rate
    for plane in out.planes:
        plane.update(bytes(plane.buffer_size))
    return out


def _black(frame: av.VideoFrame) -> av.VideoFrame:
    out = av.VideoFrame(max(2, frame.width & ~1), max(2, frame.height & ~1), "yuv420p")
    for plane, value in zip(out.planes, (b"\x10", b"\x80", b"\x80"), strict=True):
        plane.update(value * plane.buffer_size)
    return out
