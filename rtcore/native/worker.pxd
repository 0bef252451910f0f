# cython: language_level=3
"""C side of rtcore.native.worker: the peer, for what belongs to it."""

cimport cython
from libc.stdint cimport uint16_t, uint32_t

from rtcore.native.base cimport rt_addr
from rtcore.native.ice cimport rt_ice_event
from rtcore.native.worker_core cimport rt_channel_event, rt_channels, rt_peer, rt_worker_event, rt_worker_peer
from rtcore.native.worker_loop cimport Endpoint, Tenant, Worker


@cython.final
cdef class Peer(Tenant):
    cdef Worker worker
    cdef rt_worker_peer *peer  # NULL: closed
    cdef Tenant media          # takes the events of its media; None: there is none
    cdef object on_message
    cdef uint32_t empty_room   # in the send buffer when nothing is queued or in flight
    cdef uint32_t queued       # bytes of messages since the last flush
    cdef uint32_t largest      # message that the remote side takes, 0: no limit
    cdef object flush_later    # None: the worker does it
    cdef bint is_flush_due     # it was called, and flush() was not
    cdef size_t consumed       # bytes released by the application, not yet by us
    cdef size_t release_at
    cdef bint is_unsettled
    cdef bint is_gathered
    cdef str ufrag, pwd
    cdef bytes certificate_der
    cdef dict channels         # handles that were told of and not forgotten, and their receivers or None
    cdef object __weakref__

    # Takes the worker's lock and gives the machines. ConnectionError when the peer is closed.
    cdef rt_peer *enter(self) except NULL
    cdef void leave(self) noexcept
    cdef void flush_and_leave(self) noexcept
    cdef rt_channels *enter_channels(self) except NULL

    cdef int read_credentials(self) except -1
    cdef int add_endpoint(self, Endpoint endpoint, const rt_addr *announced, uint16_t preference) except -1
    cdef int add_interfaces(
        self,
        object interfaces,
        uint16_t port_min,
        uint16_t port_max,
        const rt_addr *announced,
        object loopback,
        bint ipv6,
    ) except -1
    cdef int on_ice_event(self, rt_ice_event *event) except -1

    cdef object send_bytes(self, uint32_t handle, const char *data, size_t size, bint binary)
    cdef int consume(self, size_t size) except -1
    cdef int release_now(self) except -1
    cdef int on_channel_event(self, rt_channel_event *event) except -1
    cdef int on_channel_message(self, uint32_t handle, rt_channel_event *event) except -1
    cdef object max_channels(self)
