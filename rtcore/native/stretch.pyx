# cython: language_level=3
"""Audio made a little longer, shorter, or up: pitch-synchronous time stretching and concealment of int16 PCM.

A decoder without a concealment of its own passes all that it plays through a `Stretcher`: `pass_on()` also
fulfils the jitter buffer's wishes (`EncodedFrame.stretch`), `conceal()` fills the time of what was lost. """

cimport cython
from cpython.buffer cimport PyBUF_FORMAT, PyBUF_ND, PyBUF_WRITABLE, PyBuffer_Release, PyObject_GetBuffer
from libc.stdint cimport int16_t, int32_t, uint32_t

from rtcore.native.base cimport to_number

import numpy


cdef extern from "proto/stretch.h" nogil:
    enum:
        RT_STRETCH_RATE_MIN
        RT_STRETCH_RATE_MAX
        RT_STRETCH_CHANNELS_MAX

    ctypedef struct rt_stretch:
        pass

    rt_stretch *rt_stretch_new(uint32_t rate, uint32_t channels)
    void rt_stretch_free(rt_stretch *stretch)
    size_t rt_stretch_room(const rt_stretch *stretch, size_t count, int32_t change)
    size_t rt_stretch_pass(
        rt_stretch *stretch, const int16_t *block, size_t count, int32_t change, int16_t *out
    )
    void rt_stretch_conceal(rt_stretch *stretch, int16_t *out, size_t count)
    int32_t rt_stretch_owed(const rt_stretch *stretch)


cdef enum:
    LARGEST = 1 << 24  # samples of a block


@cython.final
cdef class Stretcher:
    """Of one stream of int16 samples. All that is played goes through it, in order. Not to be used by two
    threads at once."""

    cdef rt_stretch *stretch
    cdef readonly int rate
    """Samples per second."""
    cdef readonly int channels
    """How many; 1 is mono."""

    def __init__(self, rate, channels=1):
        """`rate` from 8000 to 192000, up to 8 channels; `ValueError` beyond."""
        if self.stretch != NULL:
            raise RuntimeError("a Stretcher is initialised once")
        if not RT_STRETCH_RATE_MIN <= rate <= RT_STRETCH_RATE_MAX:
            raise ValueError(f"rate is between {RT_STRETCH_RATE_MIN} and {RT_STRETCH_RATE_MAX}, not {rate!r}")
        if not 1 <= channels <= RT_STRETCH_CHANNELS_MAX:
            raise ValueError(f"channels are between 1 and {RT_STRETCH_CHANNELS_MAX}, not {channels!r}")
        self.rate = rate
        self.channels = channels
        self.stretch = rt_stretch_new(rate, channels)
        if self.stretch == NULL:
            raise MemoryError("no memory for a Stretcher")

    def __dealloc__(self):
        rt_stretch_free(self.stretch)

    cdef int ready(self) except -1:
        if self.stretch == NULL:
            raise RuntimeError("the Stretcher was not initialised")
        return 0

    def pass_on(self, block, change=0):
        """`block` as it is to be played: `change` samples longer, or shorter where it is negative.

        `block`: int16, shape (samples, channels), or interleaved in one dimension; contiguous. Returns an
        array of shape (samples, channels). Only whole periods of the pitch come or go, so the length is the
        wish to within 15 ms, and the rest is kept for the next block (`owed`). `ValueError` for other shapes
        and types. """
        cdef Py_buffer view, place
        cdef size_t count, written
        cdef int32_t wish
        self.ready()
        if not -LARGEST <= change <= LARGEST:
            raise ValueError(f"change is between {-LARGEST} and {LARGEST}, not {change!r}")
        wish = change
        PyObject_GetBuffer(block, &view, PyBUF_ND | PyBUF_FORMAT)
        try:
            count = self.samples_in(&view)
            out = numpy.empty((rt_stretch_room(self.stretch, count, wish), self.channels), numpy.int16)
            PyObject_GetBuffer(out, &place, PyBUF_WRITABLE)
            with nogil:
                written = rt_stretch_pass(
                    self.stretch, <const int16_t *>view.buf, count, wish, <int16_t *>place.buf
                )
            PyBuffer_Release(&place)
        finally:
            PyBuffer_Release(&view)
        return out[:written]

    cdef size_t samples_in(self, const Py_buffer *view) except? 0:
        if view.itemsize != 2 or (view.format != NULL and view.format not in (b"h", b"<h")):
            raise ValueError("samples are int16")
        if view.ndim > 2 or (view.ndim == 2 and view.shape[1] != self.channels):
            raise ValueError(f"not a block of shape (samples, {self.channels})")
        if view.len // 2 % self.channels:
            raise ValueError(f"not a block of {self.channels} channels")
        if view.len > LARGEST:
            raise ValueError(f"a block has at most {LARGEST} bytes")
        return view.len // 2 // self.channels

    def conceal(self, count):
        """`count` samples that go on from what was played last: at full level for 20 ms, silent after 120 ms.
        An array of shape (samples, channels)."""
        cdef size_t wanted = to_number(count, LARGEST // 16, "count")
        cdef Py_buffer place
        self.ready()
        out = numpy.empty((wanted, self.channels), numpy.int16)
        PyObject_GetBuffer(out, &place, PyBUF_WRITABLE)
        with nogil:
            rt_stretch_conceal(self.stretch, <int16_t *>place.buf, wanted)
        PyBuffer_Release(&place)
        return out

    @property
    def owed(self):
        """How many samples of all wishes so far were not met yet; longer is positive."""
        self.ready()
        return rt_stretch_owed(self.stretch)
