"""libopus, borrowed from PyAV: the functions of the very library that its FFmpeg is linked with.

FFmpeg's wrapper of libopus cannot decode the in-band redundancy of the next packet, nor change a bitrate,
and asks for both are daily bread in a call. So the codec is called directly; ctypes releases the GIL for
each call. RFC 6716; the controls are numbered as in opus_defines.h, which never changed.
"""

from __future__ import annotations

import ctypes
from ctypes import POINTER, byref, c_char_p, c_int, c_int32, c_void_p
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rtcore.errors import CodecError

from ..borrow import borrowed

__all__ = ["APPLICATIONS", "RATE", "OpusDecoder", "OpusEncoder", "available", "is_stereo", "uses_silk"]

RATE = 48000
APPLICATIONS = {"voip": 2048, "audio": 2049, "lowdelay": 2051}
MAX_PACKET = 1275 * 3  # RFC 6716 section 3.2: three frames of 20 ms
MAX_SAMPLES = 5760  # 120 ms

SET_MAX_BANDWIDTH, SET_BITRATE, SET_VBR, SET_COMPLEXITY = 4004, 4002, 4006, 4010
SET_INBAND_FEC, SET_PACKET_LOSS, SET_DTX, SET_VBR_CONSTRAINT = 4012, 4014, 4016, 4020
BANDWIDTHS = ((8000, 1101), (12000, 1102), (16000, 1103), (24000, 1104), (48000, 1105))  # by sample rate


@cache
def _library() -> Any:
    """The library with its functions declared, or None."""
    library = borrowed("opus", "opus_encoder_create")
    if library is None:
        return None
    library.opus_strerror.restype = c_char_p
    library.opus_strerror.argtypes = [c_int]
    library.opus_encoder_create.restype = c_void_p
    library.opus_encoder_create.argtypes = [c_int32, c_int, c_int, POINTER(c_int)]
    library.opus_encode.restype = c_int32
    library.opus_encode.argtypes = [c_void_p, c_void_p, c_int, c_void_p, c_int32]
    library.opus_encoder_ctl.restype = c_int
    library.opus_encoder_ctl.argtypes = [c_void_p, c_int]  # and one more, variadic
    library.opus_encoder_destroy.restype = None
    library.opus_encoder_destroy.argtypes = [c_void_p]
    library.opus_decoder_create.restype = c_void_p
    library.opus_decoder_create.argtypes = [c_int32, c_int, POINTER(c_int)]
    library.opus_decode.restype = c_int
    library.opus_decode.argtypes = [c_void_p, c_char_p, c_int32, c_void_p, c_int, c_int]
    library.opus_decoder_destroy.restype = None
    library.opus_decoder_destroy.argtypes = [c_void_p]
    return library


def available() -> bool:
    """Whether PyAV's FFmpeg is linked with a libopus that can be called."""
    return _library() is not None


def is_stereo(packet: memoryview) -> bool:
    """RFC 6716 section 3.1: the s bit."""
    return bool(packet[0] & 0x04)


def uses_silk(packet: memoryview) -> bool:
    """RFC 6716 section 3.1: a SILK or hybrid packet, the only ones that may carry the one before again."""
    return packet[0] >> 3 < 16


def _checked(result: int, what: str) -> int:
    if result < 0:
        raise CodecError(f"opus: {what}: {_library().opus_strerror(result).decode()}")
    return result


class OpusEncoder:
    """One encoder at 48 kHz. Not for two threads at once."""

    def __init__(self, channels: int, application: str) -> None:
        self._library = _library()
        error = c_int()
        number = APPLICATIONS[application]
        self._state = self._library.opus_encoder_create(RATE, channels, number, byref(error))
        _checked(error.value, "no encoder")
        self._packet = ctypes.create_string_buffer(MAX_PACKET)
        self.channels = channels

    def control(self, request: int, value: int, what: str) -> None:
        _checked(self._library.opus_encoder_ctl(self._state, request, c_int32(value)), what)

    def encode(self, samples: NDArray[np.int16]) -> bytes:
        """`samples`: shape (samples, channels), of 2.5 to 60 ms."""
        pcm = np.ascontiguousarray(samples)
        address = pcm.ctypes.data
        size = self._library.opus_encode(self._state, address, len(pcm), self._packet, MAX_PACKET)
        return self._packet.raw[: _checked(size, "encoding")]

    def close(self) -> None:
        state, self._state = self._state, None
        if state:
            self._library.opus_encoder_destroy(state)


class OpusDecoder:
    """One decoder at 48 kHz. Not for two threads at once."""

    def __init__(self, channels: int) -> None:
        self._library = _library()
        error = c_int()
        self._state = self._library.opus_decoder_create(RATE, channels, byref(error))
        _checked(error.value, "no decoder")
        self._pcm = np.zeros((MAX_SAMPLES, channels), np.int16)
        self._address = self._pcm.ctypes.data
        self.channels = channels

    def decode(self, packet: bytes) -> NDArray[np.int16]:
        return self._run(packet, MAX_SAMPLES, 0)

    def redundant(self, packet: bytes, count: int) -> NDArray[np.int16]:
        """The `count` samples before `packet`, from what it repeats of them; concealed if it does not."""
        return self._run(packet, count, 1)

    def conceal(self, count: int) -> NDArray[np.int16]:
        """`count` samples made up; a multiple of 120 (2.5 ms)."""
        return self._run(None, count, 0)

    def _run(self, packet: bytes | None, count: int, redundant: int) -> NDArray[np.int16]:
        size = 0 if packet is None else len(packet)
        room = min(count, MAX_SAMPLES)
        made = self._library.opus_decode(self._state, packet, size, self._address, room, redundant)
        return self._pcm[: _checked(made, "decoding")].copy()

    def close(self) -> None:
        state, self._state = self._state, None
        if state:
            self._library.opus_decoder_destroy(state)
