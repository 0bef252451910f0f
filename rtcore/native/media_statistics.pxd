# cython: language_level=3
"""C side of rtcore.native.media_statistics, for rtcore.native.media."""

from rtcore.native.base cimport rt_time
from rtcore.native.media cimport rt_media_stats, rt_media_stream
from rtcore.native.worker_core cimport rt_media


# Everything about a peer's media at one moment.
cdef struct Snapshot:
    rt_media_stats media
    rt_media_stream *streams
    size_t count


# Under the worker's lock. False when there is no memory. Either way, free_snapshot() after.
cdef bint take_snapshot(rt_media *media, Snapshot *out, rt_time now) noexcept
cdef void free_snapshot(Snapshot *snapshot) noexcept
cdef dict tell_snapshot(const Snapshot *snapshot)
