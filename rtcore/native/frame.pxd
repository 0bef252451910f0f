# cython: language_level=3
"""C side of rtcore.native.frame: the frame itself, and its class for the modules that carry frames."""

cimport cython
from libc.stdint cimport int8_t, int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t

from rtcore.native.base cimport rt_time


cdef extern from "base/frame.h" nogil:
    enum:
        RT_CODEC_NONE
        RT_CODEC_RED
        RT_CODECS
        RT_FRAME_KEY
        RT_FRAME_LOST
        RT_FRAME_DISCONTINUITY
        RT_FRAME_RECOVERED
        RT_FRAME_VOICE
        RT_FRAME_DISCARDABLE
        RT_FRAME_MARKER
        RT_FRAME_NO_LEVEL

    ctypedef struct rt_frame:
        uint8_t codec
        uint8_t flags
        uint8_t payload_type
        uint8_t spatial, temporal
        int8_t audio_level
        uint8_t rotation
        uint16_t width, height
        int64_t timestamp
        uint32_t duration
        uint32_t ssrc
        uint16_t section
        uint8_t encoding
        uint16_t packets
        int32_t stretch
        uint64_t captured
        rt_time arrived
        rt_time completed
        rt_time released
        size_t size, capacity
        uint8_t *data

    rt_frame *rt_frame_new(size_t capacity)
    rt_frame *rt_frame_ref(rt_frame *frame)
    void rt_frame_unref(rt_frame *frame)
    bint rt_codec_is_video(int codec)


@cython.final
cdef class EncodedFrame:
    cdef rt_frame *frame  # never NULL once made, never changed


# Takes over the caller's reference, also when it fails.
cdef EncodedFrame frame_from_c(rt_frame *frame)
# A codec by its SDP name, in any case; ValueError for an unknown one. And back.
cdef int codec_of(str name) except -1
cdef str codec_name(int codec)
