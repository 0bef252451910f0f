"""VP8 and VP9 encoders on libvpx, for calls: constant bitrate, no look-ahead, key frames only on request."""

from __future__ import annotations

from typing import TYPE_CHECKING

import av

from . import libvpx
from .video import Coded, VideoEncoder, threads_for

if TYPE_CHECKING:
    from rtcore.sdp import RtpCodec

__all__ = ["Encoder"]

NO_REF_GOLDEN, NO_REF_ALT = 1 << 17, 1 << 21  # vp8cx.h
NO_UPDATE_LAST, NO_UPDATE_GOLDEN, NO_UPDATE_ALT, NO_UPDATE_ENTROPY = 1 << 18, 1 << 22, 1 << 23, 1 << 20

BASE = NO_REF_GOLDEN | NO_REF_ALT | NO_UPDATE_GOLDEN | NO_UPDATE_ALT
NOTHING_KEPT = NO_REF_ALT | NO_UPDATE_LAST | NO_UPDATE_GOLDEN | NO_UPDATE_ALT | NO_UPDATE_ENTROPY
PATTERNS = {
    1: ((0, 0),),
    2: ((0, BASE), (1, NOTHING_KEPT | NO_REF_GOLDEN)),
    3: (
        (0, BASE),
        (2, NOTHING_KEPT | NO_REF_GOLDEN),
        (1, NO_REF_GOLDEN | NO_REF_ALT | NO_UPDATE_LAST | NO_UPDATE_ALT),
        (2, NOTHING_KEPT),
    ),
}
"""By the number of temporal layers: for each frame its layer, and what it refers to and keeps. The base
layer lives in the last frame, the middle one in the golden frame; the top is referred to by nothing."""


class Encoder(VideoEncoder):
    """Options besides those of `VideoEncoder`: `speed` (VP8 1 to 16, VP9 0 to 9; more is faster and uglier),
    `temporal_layers` (1 to 3, VP8 only), `screen` (text and windows rather than a camera), `threads`,
    `drop_frames` (leave frames out rather than exceed the bitrate)."""

    def __init__(
        self,
        codec: RtpCodec,
        *,
        bitrate: int | None = None,
        scale: float = 1.0,
        max_frame_rate: float | None = None,
        speed: int | None = None,
        temporal_layers: int = 1,
        screen: bool = False,
        threads: int | None = None,
        drop_frames: bool = True,
    ) -> None:
        super().__init__(codec, bitrate=bitrate, scale=scale, max_frame_rate=max_frame_rate)
        self._name = codec.name.upper()
        if temporal_layers not in PATTERNS or (temporal_layers > 1 and self._name != "VP8"):
            raise ValueError(f"{self._name} has no {temporal_layers!r} temporal layers here")
        self._options = (speed, temporal_layers, screen, threads, drop_frames)
        self._pattern = PATTERNS[temporal_layers]
        self._position = 0
        self._vpx: libvpx.VpxEncoder | None = None

    def _open(self, width: int, height: int) -> None:
        self.close()
        speed, layers, screen, threads, drop = self._options
        settings = libvpx.Settings(
            width=width,
            height=height,
            bitrate=self.bitrate,
            threads=threads or threads_for(width, height),
            speed=self._speed(width, height) if speed is None else speed,
            temporal_layers=layers,
            screen=screen,
            drop_frames=drop,
        )
        self._vpx = libvpx.VpxEncoder(self._name, settings)

    def _speed(self, width: int, height: int) -> int:
        """Small pictures have the time to be beautiful."""
        small = width * height <= 640 * 480
        return (6 if small else 8) if self._name == "VP8" else (7 if small else 8)

    def _set_bitrate(self, bitrate: int) -> None:
        if self._vpx is not None:
            self._vpx.set_bitrate(bitrate)

    def _encode(self, frame: av.VideoFrame, ticks: int, step: int, key: bool) -> list[Coded]:
        assert self._vpx is not None  # _open() came before
        if key:
            self._position = 0
        layer, flags = self._pattern[self._position % len(self._pattern)]
        if len(self._pattern) > 1:
            self._vpx.set_layer(layer)
        self._position += 1
        packets = self._vpx.encode(frame, ticks, step, key, 0 if key else flags)
        return [Coded(one.data, one.key, 0 if one.key else layer, one.droppable) for one in packets]

    def close(self) -> None:
        vpx, self._vpx = self._vpx, None
        if vpx is not None:
            vpx.close()
        self._size = None
