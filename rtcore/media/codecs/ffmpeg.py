"""Video encoders of FFmpeg: H.264, H.265, AV1, hardware ones, and VP8 and VP9 where libvpx cannot be called
itself.

What FFmpeg lets us change in an open encoder differs. libx264 takes a new bitrate if it was opened for a
constant one, up to what it was opened for: so it is opened with room above. The hardware encoders of NVIDIA
do, too. For the others another bitrate means another encoder, which begins with a key frame: they are
changed only if the bitrate moves by a fifth, and not more often than every two seconds unless it falls by
half.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cache
from typing import TYPE_CHECKING, Any, cast

import av
from av.codec.hwaccel import HWAccel

from rtcore.errors import CodecError

from .video import CLOCK_RATE, Coded, VideoEncoder, threads_for

if TYPE_CHECKING:
    from rtcore.sdp import RtpCodec

__all__ = ["Encoder", "library_for", "usable"]

HEADROOM = 3
"""A libx264 encoder is opened for so many times the bitrate it starts with."""
SMALL_CHANGE = 0.2
STEEP_FALL = 0.5
REOPEN_INTERVAL = 2 * CLOCK_RATE

I_PICTURE = 1
"""AV_PICTURE_TYPE_I: asks for a key frame."""


@dataclass(frozen=True)
class Library:
    """How one of FFmpeg's encoders is opened for a call. `reconfigures`: it takes a new bitrate while
    open."""

    options: Mapping[str, str] = field(default_factory=dict)
    reconfigures: bool = False
    pixel_format: str = "yuv420p"
    hardware: str = ""


X264 = {"preset": "superfast", "tune": "zerolatency", "forced-idr": "1", "sc_threshold": "0"}
X265 = {
    "preset": "ultrafast",
    "tune": "zerolatency",
    "forced-idr": "1",
    "x265-params": "repeat-headers=1:annexb=1:log-level=none:scenecut=0:keyint=-1",
}
SVT = {"preset": "12", "svtav1-params": "pred-struct=1:rc=2:lookahead=0:rtc=1:scd=0:keyint=-1:fast-decode=1"}
AOM = {
    "usage": "realtime",
    "cpu-used": "9",
    "lag-in-frames": "0",
    "row-mt": "1",
    "error-resilience": "default",
}
VPX = {"deadline": "realtime", "cpu-used": "8", "lag-in-frames": "0", "max-intra-rate": "300"}
NVENC = {"preset": "p3", "tune": "ull", "rc": "cbr", "zerolatency": "1", "forced-idr": "1", "delay": "0"}

LIBRARIES: Mapping[str, Mapping[str, Library]] = {
    "h264": {
        "libx264": Library(X264, reconfigures=True),
        "libopenh264": Library({"rc_mode": "bitrate", "allow_skip_frames": "1"}),
        "h264_nvenc": Library(NVENC, reconfigures=True),
        "h264_vaapi": Library({"rc_mode": "CBR"}, pixel_format="nv12", hardware="vaapi"),
        "h264_qsv": Library({"preset": "veryfast", "forced_idr": "1"}, pixel_format="nv12"),
        "h264_videotoolbox": Library({"realtime": "1", "prio_speed": "1"}),
        "h264_amf": Library({"usage": "ultralowlatency", "rc": "cbr"}),
        "h264_v4l2m2m": Library(),
    },
    "h265": {
        "libx265": Library(X265),
        "hevc_nvenc": Library(NVENC, reconfigures=True),
        "hevc_vaapi": Library({"rc_mode": "CBR"}, pixel_format="nv12", hardware="vaapi"),
        "hevc_qsv": Library({"preset": "veryfast", "forced_idr": "1"}, pixel_format="nv12"),
        "hevc_videotoolbox": Library({"realtime": "1", "prio_speed": "1"}),
        "hevc_amf": Library({"usage": "ultralowlatency", "rc": "cbr"}),
    },
    "av1": {
        "libsvtav1": Library(SVT),
        "libaom-av1": Library(AOM),
        "av1_nvenc": Library(NVENC, reconfigures=True),
        "av1_vaapi": Library({"rc_mode": "CBR"}, pixel_format="nv12", hardware="vaapi"),
        "av1_qsv": Library({"preset": "veryfast"}, pixel_format="nv12"),
        "av1_amf": Library({"usage": "ultralowlatency", "rc": "cbr"}),
    },
    "vp8": {"libvpx": Library(VPX)},
    "vp9": {"libvpx-vp9": Library({**VPX, "row-mt": "1"})},
}
"""FFmpeg's encoders by codec: the first that is there is taken, the others by name."""

PROFILES = {0x42: "baseline", 0x4D: "main", 0x64: "high"}
"""profile_idc of profile-level-id (RFC 6184 section 8.1) as libx264 calls it."""


def library_for(name: str) -> str | None:
    """The encoder of FFmpeg that is taken for a codec if none is named."""
    libraries = LIBRARIES.get(name.lower(), {})
    software = (one for one in libraries if one.startswith("lib"))
    return next((one for one in software if one in av.codecs_available), None)


@cache
def usable(codec_name: str, library: str) -> bool:
    """Whether the encoder exists and can be opened here: hardware is tried, once."""
    known = LIBRARIES.get(codec_name.lower(), {}).get(library)
    if known is None or library not in av.codecs_available:
        return False
    try:
        _opened(library, known, 320, 240, 300_000, known.options, 1)
    except (av.error.FFmpegError, OSError, ValueError):
        return False  # the answer: no such hardware, or no driver
    return True


def _opened(
    name: str,
    library: Library,
    width: int,
    height: int,
    bitrate: int,
    options: Mapping[str, str],
    threads: int,
) -> av.VideoCodecContext:
    hardware = HWAccel(library.hardware) if library.hardware else None
    context = cast(av.VideoCodecContext, av.CodecContext.create(name, "w", hwaccel=hardware))
    context.width, context.height, context.pix_fmt = width, height, library.pixel_format
    context.time_base = Fraction(1, CLOCK_RATE)
    context.framerate = Fraction(30, 1)
    context.bit_rate = bitrate
    context.gop_size = 1_000_000  # key frames come when asked for
    context.max_b_frames = 0
    context.thread_count = threads
    context.options = dict(options)
    if name == "libsvtav1":
        os.environ.setdefault("SVT_LOG", "1")  # else it writes its settings to stderr
    context.open()
    return context


class Encoder(VideoEncoder):
    """Options besides those of `VideoEncoder`: `library` (FFmpeg's name of the encoder, "h264_nvenc" for
    instance), `threads`, `options` (FFmpeg's own, in addition to those chosen here)."""

    own_pictures = True

    def __init__(
        self,
        codec: RtpCodec,
        *,
        bitrate: int | None = None,
        scale: float = 1.0,
        max_frame_rate: float | None = None,
        library: str | None = None,
        threads: int | None = None,
        options: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(codec, bitrate=bitrate, scale=scale, max_frame_rate=max_frame_rate)
        name = library or library_for(codec.name)
        known = LIBRARIES.get(codec.name.lower(), {}).get(name or "")
        if name is None or known is None:
            raise ValueError(f"FFmpeg has no encoder {library or ''} for {codec.name}")
        self.library = name
        self.pixel_format = known.pixel_format
        self._known = known
        self._threads = threads
        self._options = {**known.options, **self._parameters(), **(options or {})}
        self._context: av.VideoCodecContext | None = None
        self._opened_for = 0  # bit/s
        self._opened_at: int | None = None  # ticks
        self._now = 0

    def _parameters(self) -> dict[str, str]:
        """What the other end's format parameters ask for."""
        if self.library != "libx264":
            return {}
        values = self.codec.parameter_map
        profile = values.get("profile-level-id", "42001f")
        made = {"profile": PROFILES.get(int(profile[:2], 16), "baseline")}
        if values.get("packetization-mode", "0") == "0":
            made["x264-params"] = "slice-max-size=1100"  # a slice must fit into a packet
        return made

    def _open(self, width: int, height: int) -> None:
        self.close()
        options = dict(self._options)
        bitrate = self.bitrate
        if self.library == "libx264":
            bitrate *= HEADROOM
            options |= {"maxrate": str(bitrate), "bufsize": str(bitrate // 5)}
        elif self.library in ("libvpx", "libvpx-vp9"):
            options |= {"minrate": str(bitrate), "maxrate": str(bitrate), "bufsize": str(bitrate)}
        threads = self._threads or threads_for(width, height)
        try:
            self._context = _opened(self.library, self._known, width, height, bitrate, options, threads)
        except (av.error.FFmpegError, OSError) as error:
            raise CodecError(f"{self.library} cannot be opened for {width} x {height}: {error}") from error
        self._context.bit_rate = self.bitrate
        self._opened_for = bitrate
        self._opened_at = self._now

    def _set_bitrate(self, bitrate: int) -> None:
        if self._known.reconfigures and bitrate <= self._opened_for and self._context is not None:
            self._context.bit_rate = bitrate
        elif self._known.reconfigures:
            self._size = None  # the next picture opens another

    def _reopen_due(self, ticks: int) -> bool:
        if self._known.reconfigures or self._opened_at is None:
            return False
        ratio = self.bitrate / self._opened_for
        if abs(ratio - 1) < SMALL_CHANGE:
            return False
        return ratio <= STEEP_FALL or ticks - self._opened_at >= REOPEN_INTERVAL

    def _encode(self, frame: av.VideoFrame, ticks: int, step: int, key: bool) -> list[Coded]:
        self._now = ticks
        if self._reopen_due(ticks):
            self._open(frame.width, frame.height)
            self._size = (frame.width, frame.height)
            key = True
        assert self._context is not None  # _open() came before
        frame.pts, frame.time_base = ticks, Fraction(1, CLOCK_RATE)
        cast(Any, frame).pict_type = I_PICTURE if key else 0
        return [Coded(packet, packet.is_keyframe) for packet in self._context.encode(frame)]

    def close(self) -> None:
        context, self._context = self._context, None
        self._size = None
        if context is not None and self.library == "libsvtav1":
            context.encode(None)  # it complains of an end that it was not told
