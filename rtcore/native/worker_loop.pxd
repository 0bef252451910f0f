# cython: language_level=3
"""C side of rtcore.native.worker_loop, for what lives on a worker."""

cimport cython
from libc.stdint cimport uint32_t, uint64_t

from rtcore.native.base cimport rt_addr, rt_status
from rtcore.native.worker_core cimport rt_worker, rt_worker_event


cdef class Tenant:
    cdef object handler
    cdef uint64_t tag
    cdef int deliver(self, rt_worker_event *event) except -1
    # After a run that the tenant asked for it, by adding itself to worker.unsettled.
    cdef int settle(self) except -1
    # The worker is closed, and has freed what the tenant has there.
    cdef void detach(self) noexcept


@cython.final
cdef class Worker:
    cdef rt_worker *handle
    cdef rt_worker_event *events  # taken, to be handed out: from `at` up to `count`
    cdef size_t at, count
    cdef bint is_closed, is_threaded
    cdef unsigned int users       # calls inside the core, which must not be freed under them
    cdef uint32_t serial
    cdef list slots               # Tenant or None; a tenant's tag is its slot and a serial number
    cdef list free_slots
    cdef list unsettled
    cdef object __weakref__

    # Takes the lock. ConnectionError when the worker is closed.
    cdef int enter(self) except -1
    cdef void leave(self) noexcept
    cdef uint64_t next_tag(self) noexcept
    cdef int house(self, Tenant tenant, uint64_t tag) except -1
    cdef int give_notice(self, Tenant tenant) except -1

    cdef int dispatch(self, rt_worker_event *event) except -1
    cdef int settle(self) except -1
    cdef void drop_events(self) noexcept


@cython.final
cdef class Endpoint:
    cdef Worker worker
    cdef uint32_t socket
    cdef rt_addr bound
    cdef bint is_closed


# As rtcore.native.base's, and what the system said in `errno`.
cdef int check(rt_status status, str what) except -1
cdef unsigned int number(object value, unsigned int least, unsigned int most, str what) except? 0xFFFFFFFF
cdef rt_addr to_addr(object host, object port, str what) except *
cdef tuple to_range(object port_range)
