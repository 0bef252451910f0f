"""libvpx, borrowed from PyAV: encoders for VP8 and VP9 whose bitrate follows the network.

FFmpeg's wrapper fixes the bitrate when an encoder is opened; a new encoder for each change would mean a key
frame for each. So the library is called directly. Its structures are declared here up to the last member
that is used (they only ever grew at the end); the version of the binary interface is asked for, and a
library that does not take it, or whose defaults do not lie where they should, is not used: then FFmpeg's
wrapper is.
"""

from __future__ import annotations

import ctypes
from ctypes import (
    POINTER,
    Structure,
    byref,
    c_char_p,
    c_int,
    c_int64,
    c_long,
    c_size_t,
    c_ubyte,
    c_uint,
    c_ulong,
    c_void_p,
)
from dataclasses import dataclass
from functools import cache
from typing import Any, ClassVar

import av

from rtcore.errors import CodecError

from ..borrow import borrowed

__all__ = ["Packet", "Settings", "VpxEncoder", "available"]

ABI_VERSIONS = range(20, 60)
"""VPX_ENCODER_ABI_VERSION of the libraries of the last ten years lies here."""
REALTIME = 1
FORCE_KEY = 1
CX_FRAME = 0
IS_KEY, IS_DROPPABLE = 1, 2
I420 = 0x102
CBR = 1
KEY_AUTO = 1

CPU_USED, STATIC_THRESHOLD, TOKEN_PARTITIONS, MAX_INTRA = 13, 17, 18, 26  # enum vp8e_enc_control_id
TEMPORAL_LAYER_ID, SCREEN_CONTENT = 30, 31
VP9_TILE_COLUMNS, VP9_AQ_MODE, VP9_TUNE_CONTENT, VP9_ROW_MT = 33, 36, 43, 55


class _Config(Structure):
    """vpx_codec_enc_cfg, vpx_encoder.h."""

    _fields_: ClassVar[Any] = [
        ("g_usage", c_uint),
        ("g_threads", c_uint),
        ("g_profile", c_uint),
        ("g_w", c_uint),
        ("g_h", c_uint),
        ("g_bit_depth", c_int),
        ("g_input_bit_depth", c_uint),
        ("timebase_num", c_int),
        ("timebase_den", c_int),
        ("g_error_resilient", c_uint),
        ("g_pass", c_int),
        ("g_lag_in_frames", c_uint),
        ("rc_dropframe_thresh", c_uint),
        ("rc_resize_allowed", c_uint),
        ("rc_scaled_width", c_uint),
        ("rc_scaled_height", c_uint),
        ("rc_resize_up_thresh", c_uint),
        ("rc_resize_down_thresh", c_uint),
        ("rc_end_usage", c_int),
        ("twopass_buf", c_void_p),
        ("twopass_size", c_size_t),
        ("firstpass_buf", c_void_p),
        ("firstpass_size", c_size_t),
        ("rc_target_bitrate", c_uint),  # kbit/s
        ("rc_min_quantizer", c_uint),
        ("rc_max_quantizer", c_uint),
        ("rc_undershoot_pct", c_uint),
        ("rc_overshoot_pct", c_uint),
        ("rc_buf_sz", c_uint),  # ms
        ("rc_buf_initial_sz", c_uint),
        ("rc_buf_optimal_sz", c_uint),
        ("rc_2pass_vbr_bias_pct", c_uint),
        ("rc_2pass_vbr_minsection_pct", c_uint),
        ("rc_2pass_vbr_maxsection_pct", c_uint),
        ("rc_2pass_vbr_corpus_complexity", c_uint),
        ("kf_mode", c_int),
        ("kf_min_dist", c_uint),
        ("kf_max_dist", c_uint),
        ("ss_number_layers", c_uint),
        ("ss_enable_auto_alt_ref", c_int * 5),
        ("ss_target_bitrate", c_uint * 5),
        ("ts_number_layers", c_uint),
        ("ts_target_bitrate", c_uint * 5),
        ("ts_rate_decimator", c_uint * 5),
        ("ts_periodicity", c_uint),
        ("ts_layer_id", c_uint * 16),
        ("layer_target_bitrate", c_uint * 12),
        ("temporal_layering_mode", c_int),
        ("rest", c_ubyte * 1024),  # what newer libraries have in addition
    ]


class _Context(Structure):
    """vpx_codec_ctx, vpx_codec.h."""

    _fields_: ClassVar[Any] = [
        ("name", c_char_p),
        ("iface", c_void_p),
        ("err", c_int),
        ("err_detail", c_char_p),
        ("init_flags", c_long),
        ("config", c_void_p),
        ("priv", c_void_p),
        ("rest", c_ubyte * 64),
    ]


class _Image(Structure):
    """vpx_image, vpx_image.h."""

    _fields_: ClassVar[Any] = [
        ("fmt", c_int),
        ("cs", c_int),
        ("range", c_int),
        ("w", c_uint),
        ("h", c_uint),
        ("bit_depth", c_uint),
        ("d_w", c_uint),
        ("d_h", c_uint),
        ("r_w", c_uint),
        ("r_h", c_uint),
        ("x_chroma_shift", c_uint),
        ("y_chroma_shift", c_uint),
        ("planes", c_void_p * 4),
        ("stride", c_int * 4),
        ("bps", c_int),
        ("user_priv", c_void_p),
        ("img_data", c_void_p),
        ("img_data_owner", c_int),
        ("self_allocd", c_int),
        ("fb_priv", c_void_p),
        ("rest", c_ubyte * 64),
    ]


class _Packet(Structure):
    """vpx_codec_cx_pkt of kind VPX_CODEC_CX_FRAME_PKT, vpx_encoder.h."""

    _fields_: ClassVar[Any] = [
        ("kind", c_int),
        ("buf", c_void_p),
        ("sz", c_size_t),
        ("pts", c_int64),
        ("duration", c_ulong),
        ("flags", c_uint),
    ]


@cache
def _library() -> Any:
    library = borrowed("vpx", "vpx_codec_enc_config_set")
    if library is None:
        return None
    library.vpx_codec_vp8_cx.restype = c_void_p
    library.vpx_codec_vp9_cx.restype = c_void_p
    library.vpx_codec_err_to_string.restype = c_char_p
    library.vpx_codec_enc_config_default.argtypes = [c_void_p, c_void_p, c_uint]
    library.vpx_codec_enc_init_ver.argtypes = [c_void_p, c_void_p, c_void_p, c_long, c_int]
    library.vpx_codec_enc_config_set.argtypes = [c_void_p, c_void_p]
    library.vpx_codec_encode.argtypes = [c_void_p, c_void_p, c_int64, c_ulong, c_long, c_ulong]
    library.vpx_codec_get_cx_data.argtypes = [c_void_p, c_void_p]
    library.vpx_codec_get_cx_data.restype = POINTER(_Packet)
    library.vpx_codec_control_.argtypes = [c_void_p, c_int]  # and one more, variadic
    library.vpx_codec_destroy.argtypes = [c_void_p]
    return library


def _interface(name: str) -> int:
    library = _library()
    return int((library.vpx_codec_vp9_cx if name == "VP9" else library.vpx_codec_vp8_cx)() or 0)


def _defaults(name: str) -> _Config:
    config = _Config()
    _checked(_library().vpx_codec_enc_config_default(_interface(name), byref(config), 0), "no defaults")
    return config


@cache
def _abi_version(name: str) -> int | None:
    """The version of the binary interface that the library takes; None if it is not what we know."""
    library = _library()
    if library is None or not hasattr(library, f"vpx_codec_{name.lower()}_cx") or not _interface(name):
        return None
    config = _defaults(name)
    looks_right = (
        (config.timebase_num, config.timebase_den) == (1, 30)
        and config.rc_max_quantizer == 63
        and 0 < config.rc_target_bitrate < 100_000
        and config.kf_max_dist in (128, 9999)
        and config.ts_number_layers == 1
        and config.ss_number_layers == 1
    )
    if not looks_right:
        return None
    config.g_w, config.g_h, config.g_lag_in_frames = 16, 16, 0
    for version in ABI_VERSIONS:
        context = _Context()
        if library.vpx_codec_enc_init_ver(byref(context), _interface(name), byref(config), 0, version) == 0:
            library.vpx_codec_destroy(byref(context))
            return version
    return None


def available(name: str) -> bool:
    """Whether `name`, "VP8" or "VP9", can be encoded with it."""
    return _abi_version(name) is not None


def _checked(result: int, what: str) -> None:
    if result:
        raise CodecError(f"libvpx: {what}: {_library().vpx_codec_err_to_string(result).decode()}")


@dataclass(frozen=True, slots=True)
class Settings:
    """What an encoder is opened with. `bitrate` in bit/s; `temporal_layers` from 1 to 3."""

    width: int
    height: int
    bitrate: int
    threads: int = 1
    speed: int = 8
    temporal_layers: int = 1
    screen: bool = False
    drop_frames: bool = True


@dataclass(frozen=True, slots=True)
class Packet:
    data: bytes
    key: bool
    droppable: bool


class VpxEncoder:
    """One encoder of one size. Not for two threads at once."""

    def __init__(self, name: str, settings: Settings) -> None:
        version = _abi_version(name)
        if version is None:
            raise CodecError(f"libvpx: there is none that encodes {name}")
        self._library = _library()
        self._context: _Context | None = None
        self._layers = settings.temporal_layers
        config = self._config = _defaults(name)
        config.g_w, config.g_h = settings.width, settings.height
        config.g_threads = settings.threads
        config.timebase_num, config.timebase_den = 1, 90000
        config.g_lag_in_frames = 0
        config.g_error_resilient = 1 if settings.temporal_layers > 1 else 0
        config.rc_end_usage = CBR
        config.rc_dropframe_thresh = 30 if settings.drop_frames else 0
        config.rc_resize_allowed = 0
        config.rc_min_quantizer, config.rc_max_quantizer = 2, 56
        config.rc_undershoot_pct, config.rc_overshoot_pct = 100, 15
        config.rc_buf_sz, config.rc_buf_initial_sz, config.rc_buf_optimal_sz = 1000, 500, 600
        config.kf_mode, config.kf_max_dist = KEY_AUTO, 1_000_000_000  # key frames come when asked for
        self._set_layers()
        self._set_rate(settings.bitrate)
        context = _Context()
        interface = _interface(name)
        _checked(
            self._library.vpx_codec_enc_init_ver(byref(context), interface, byref(config), 0, version),
            "opening",
        )
        self._context = context
        self._control(CPU_USED, settings.speed if name == "VP9" else -settings.speed)
        self._control(STATIC_THRESHOLD, 1)
        self._control(MAX_INTRA, 300)  # percent of an average frame that a key frame may have
        if name == "VP9":
            self._control(VP9_ROW_MT, int(settings.threads > 1))
            self._control(VP9_TILE_COLUMNS, max(0, settings.threads.bit_length() - 1))
            self._control(VP9_AQ_MODE, 3)
            self._control(VP9_TUNE_CONTENT, int(settings.screen))
        else:
            self._control(TOKEN_PARTITIONS, max(0, settings.threads.bit_length() - 1))
            self._control(SCREEN_CONTENT, int(settings.screen))

    def _control(self, request: int, value: int) -> None:
        result = self._library.vpx_codec_control_(byref(self._opened), request, c_int(value))
        _checked(result, f"control {request}")

    @property
    def _opened(self) -> _Context:
        if self._context is None:
            raise CodecError("the encoder is closed")
        return self._context

    def _set_layers(self) -> None:
        config, layers = self._config, self._layers
        config.ts_number_layers = layers
        if layers > 1:
            pattern = (0, 1) if layers == 2 else (0, 2, 1, 2)
            config.ts_periodicity = len(pattern)
            config.ts_layer_id[: len(pattern)] = pattern
            for layer in range(layers):
                config.ts_rate_decimator[layer] = 1 << (layers - 1 - layer)

    def _set_rate(self, bitrate: int) -> None:
        config = self._config
        config.rc_target_bitrate = max(1, bitrate // 1000)
        shares = ((1.0,), (0.6, 1.0), (0.4, 0.6, 1.0))[self._layers - 1]
        for layer, share in enumerate(shares):  # each with those below it
            rate = max(1, int(config.rc_target_bitrate * share))
            config.ts_target_bitrate[layer] = config.layer_target_bitrate[layer] = rate

    def set_bitrate(self, bitrate: int) -> None:
        """bit/s, from the next frame on."""
        self._set_rate(bitrate)
        _checked(self._library.vpx_codec_enc_config_set(byref(self._opened), byref(self._config)), "bitrate")

    def set_layer(self, temporal: int) -> None:
        """Of the next frame, where there are layers."""
        self._control(TEMPORAL_LAYER_ID, temporal)

    def encode(
        self, frame: av.VideoFrame, pts: int, duration: int, key: bool, flags: int = 0
    ) -> list[Packet]:
        """`frame`: yuv420p of the size that was set. `pts` and `duration` in 1/90000 s. Nothing where the
        rate control leaves a frame out."""
        image = _Image(
            fmt=I420,
            w=frame.width,
            h=frame.height,
            bit_depth=8,
            d_w=frame.width,
            d_h=frame.height,
            x_chroma_shift=1,
            y_chroma_shift=1,
            bps=12,
        )
        for index, plane in enumerate(frame.planes):
            image.planes[index] = plane.buffer_ptr
            image.stride[index] = plane.line_size
        context = byref(self._opened)
        flags |= FORCE_KEY if key else 0
        _checked(
            self._library.vpx_codec_encode(context, byref(image), pts, duration, flags, REALTIME), "encoding"
        )
        made = []
        position = c_void_p()
        while packet := self._library.vpx_codec_get_cx_data(context, byref(position)):
            got = packet.contents
            if got.kind == CX_FRAME:
                data = ctypes.string_at(got.buf, got.sz)
                made.append(Packet(data, bool(got.flags & IS_KEY), bool(got.flags & IS_DROPPABLE)))
        return made

    def close(self) -> None:
        context, self._context = self._context, None
        if context is not None:
            self._library.vpx_codec_destroy(byref(context))
