# cython: language_level=3
"""The worker as Python sees it, and the sockets that its peers share; peers are in rtcore.native.worker.

A `Worker` owns sockets and peers; its own thread, or the event loop that calls `run()`, moves the packets.
What happened waits in the worker's outbox until `run()` hands it to the peers' handlers.

Locking: every call takes the worker's lock for a moment. It is tried with the GIL held; only if somebody
else has it, the GIL is released for the wait. Between `enter()` and `leave()` no Python code may run.
"""

from cpython.exc cimport PyErr_SetObject
from libc.errno cimport errno
from libc.stdint cimport uint16_t
from libc.stdlib cimport free, malloc

from rtcore.native cimport base
from rtcore.native.base cimport RT_NEVER, RT_SYSTEM, RT_UNEXPECTED, ip_text, parse_ip, rt_time
from rtcore.native.worker_core cimport (
    rt_worker_bind,
    rt_worker_config,
    rt_worker_config_default,
    rt_worker_deadline,
    rt_worker_event_drop,
    rt_worker_events,
    rt_worker_fd,
    rt_worker_free,
    rt_worker_get_stats,
    rt_worker_lock,
    rt_worker_new,
    rt_worker_now,
    rt_worker_recall,
    rt_worker_run,
    rt_worker_stats,
    rt_worker_try_lock,
    rt_worker_unbind,
    rt_worker_unlock,
)

import atexit
import os
import weakref

cdef extern from "Python.h":
    void PyErr_WriteUnraisable(object where)

cdef extern from "unistd.h" nogil:
    int usleep(unsigned int us)

cdef enum:
    EVENTS = 64            # taken from the outbox at once
    EVENTS_PER_RUN = 1024  # then other work of the event loop gets its turn

cdef object live_workers = weakref.WeakSet()


# ---- arguments and errors ----


cdef int check(rt_status status, str what) except -1:
    if status == RT_SYSTEM:
        raise OSError(errno, f"{what}: {os.strerror(errno)}")
    return base.check(status, what)


cdef unsigned int number(object value, unsigned int least, unsigned int most, str what) except? 0xFFFFFFFF:
    if not least <= value <= most:
        raise ValueError(f"{what} must be between {least} and {most}, not {value!r}")
    return value


cdef rt_addr to_addr(object host, object port, str what) except *:
    cdef rt_addr addr
    if not isinstance(host, str):
        raise TypeError(f"{what} must be a numeric address as str, not {type(host).__name__}")
    if not parse_ip(host, <uint16_t>number(port, 0, 65535, "port"), &addr):
        raise ValueError(f"{what} must be a numeric IPv4 or IPv6 address, not {host!r}")
    return addr


cdef tuple to_range(object port_range):
    if port_range is None:
        return 0, 0
    low, high = port_range
    if not 1 <= low <= high <= 65535:
        raise ValueError(f"port_range must be (lowest, highest) within 1 and 65535, not {port_range!r}")
    return low, high


# ---- the worker ----


cdef class Tenant:
    """What lives on a worker and has events delivered: the base of Peer."""

    cdef int deliver(self, rt_worker_event *event) except -1:
        raise NotImplementedError

    cdef int settle(self) except -1:
        raise NotImplementedError

    cdef void detach(self) noexcept:
        pass


cdef class Worker:
    """Sockets and peers, with a thread of their own (`threaded`) or driven by whoever calls `run()`.

    Watch `fileno()` for reading and call `run()` each time it is readable; both kinds want the same. Where
    there is no epoll (or with `poll`), no descriptor can stand for many, and the worker is always threaded:
    see the property. `mmsg`, `gso`, `gro` false: without those ways of the kernel to move many datagrams per
    call. `OSError` when the system gives no descriptors or thread.

    May be used by several threads; `run()` belongs to one of them. Not across `fork()`.
    """

    def __init__(
        self, *, threaded=False, poll=False, mmsg=True, gso=True, gro=True, socket_buffer=4 * 1024 * 1024
    ):
        cdef rt_worker_config config
        cdef rt_worker_stats stats
        if self.handle is not NULL or self.is_closed:
            raise RuntimeError("a Worker is initialised once")
        rt_worker_config_default(&config)
        config.threaded = threaded
        config.poll = poll
        config.no_mmsg = not mmsg
        config.no_gso = not gso
        config.no_gro = not gro
        config.socket_buffer = number(socket_buffer, 0, 1 << 30, "socket_buffer")
        self.slots = []
        self.free_slots = []
        self.unsettled = []
        self.events = <rt_worker_event *>malloc(EVENTS * sizeof(rt_worker_event))
        if self.events is NULL:
            raise MemoryError
        check(rt_worker_new(&config, &self.handle), "worker")
        rt_worker_get_stats(self.handle, &stats)
        self.is_threaded = stats.threaded
        live_workers.add(self)

    def __dealloc__(self):
        if self.handle is not NULL:
            self.drop_events()
            with nogil:
                rt_worker_free(self.handle)
        free(self.events)

    cdef void drop_events(self) noexcept:
        while self.at < self.count:
            rt_worker_event_drop(&self.events[self.at])
            self.at += 1

    cdef int enter(self) except -1:
        """Takes the lock. `ConnectionError` when the worker is closed."""
        if self.is_closed:
            raise ConnectionError("the worker is closed")
        self.users += 1
        if not rt_worker_try_lock(self.handle):
            with nogil:
                rt_worker_lock(self.handle)
        return 0

    cdef void leave(self) noexcept:
        rt_worker_unlock(self.handle)
        self.users -= 1

    @property
    def threaded(self):
        """Whether a thread of the worker's own moves the packets."""
        return self.is_threaded

    @property
    def closed(self):
        return self.is_closed

    @property
    def timer_in_fd(self):
        """Whether `fileno()` turns readable when a timer is due (else call `run()` after `timeout()`)."""
        return True

    def fileno(self):
        """The descriptor to watch; -1 when closed."""
        return -1 if self.is_closed else rt_worker_fd(self.handle)

    def timeout(self):
        """Driven: seconds until `run()` is due without traffic; None: no timer. Only needed where `fileno()`
        does not signal timers (`timer_in_fd` is False)."""
        cdef rt_time deadline
        if self.is_closed or self.is_threaded:
            return None
        deadline = rt_worker_deadline(self.handle)
        return None if deadline == RT_NEVER else max(0.0, (deadline - rt_worker_now()) / 1e9)

    # ---- events ----

    def run(self):
        """If driven, one iteration or a few, then the waiting events to their handlers; returns how many.

        An exception of a handler goes to `sys.unraisablehook`; `KeyboardInterrupt` and `SystemExit` pass, and
        the next `run()` goes on where this one ended. After 1,024 events the descriptor is left readable for
        the rest.
        """
        cdef unsigned int done = 0
        if self.is_closed:
            return 0
        if not self.is_threaded:
            self.users += 1
            with nogil:
                rt_worker_run(self.handle)
            self.users -= 1
        try:
            while done < EVENTS_PER_RUN and not self.is_closed:
                if self.at == self.count:
                    self.at = 0
                    self.count = rt_worker_events(self.handle, self.events, EVENTS)
                    if self.count == 0:
                        return done
                done += 1
                self.at += 1
                self.dispatch(&self.events[self.at - 1])
            return done
        finally:
            self.settle()
            if not self.is_closed and (self.at < self.count or done >= EVENTS_PER_RUN):
                self.users += 1
                with nogil:
                    rt_worker_recall(self.handle)
                self.users -= 1

    cdef int dispatch(self, rt_worker_event *event) except -1:
        cdef uint32_t slot = <uint32_t>event.tag
        cdef Tenant tenant = None
        if slot < <size_t>len(self.slots):
            tenant = <Tenant>self.slots[slot]
        if tenant is None or tenant.tag != event.tag:  # closed since
            rt_worker_event_drop(event)
            return 0
        handler = tenant.handler
        try:
            tenant.deliver(event)
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException as error:
            PyErr_SetObject(type(error), error)
            PyErr_WriteUnraisable(handler)
        return 0

    cdef int settle(self) except -1:
        """Tells the associations what was consumed while events were handed out."""
        cdef Tenant tenant
        if not self.unsettled:
            return 0
        unsettled = self.unsettled
        self.unsettled = []
        for tenant in unsettled:
            tenant.settle()
        return 0

    # ---- tenants ----

    cdef uint64_t next_tag(self) noexcept:
        """For a tenant to be housed; under the lock."""
        cdef uint32_t slot = <uint32_t>(self.free_slots[-1] if self.free_slots else len(self.slots))
        self.serial += 1
        return <uint64_t>self.serial << 32 | slot

    cdef int house(self, Tenant tenant, uint64_t tag) except -1:
        """Keeps it alive, and has events of the tag delivered to it."""
        cdef uint32_t slot = <uint32_t>tag
        if slot == <size_t>len(self.slots):
            self.slots.append(tenant)
        else:
            self.free_slots.pop()
            self.slots[slot] = tenant
        tenant.tag = tag
        return 0

    cdef int give_notice(self, Tenant tenant) except -1:
        cdef uint32_t slot = <uint32_t>tenant.tag
        self.slots[slot] = None
        self.free_slots.append(slot)
        return 0

    # ---- sockets and life ----

    def bind(self, host, port=0, *, port_range=None):
        """A shared UDP socket for many peers; `host` is numeric, "0.0.0.0" and "::" too.

        `port` 0: any of `port_range` (both ends included), else the system's choice. `OSError` as from
        `socket.bind`, `ValueError` for what is not an address or a port.
        """
        cdef rt_addr address = to_addr(host, port, "host")
        cdef rt_addr bound
        cdef uint32_t socket
        low, high = to_range(port_range)
        cdef uint16_t port_min = low, port_max = high
        self.enter()
        cdef rt_status status = rt_worker_bind(
            self.handle, &address, port_min, port_max, True, &socket, &bound
        )
        self.leave()
        check(status, f"bind to {host} port {port}")
        cdef Endpoint endpoint = Endpoint.__new__(Endpoint)
        endpoint.worker = self
        endpoint.socket = socket
        endpoint.bound = bound
        return endpoint

    def stats(self):
        """Counters since the worker began: datagrams_received, datagrams_sent, bytes_received, bytes_sent,
        receive_calls, send_calls (system calls), gso_runs, gro_runs, unroutable, send_errors, send_blocked,
        receive_errors, iterations, wakeups; now: peers, sockets; in use: gso, gro, mmsg, epoll, threaded
        (bool). `ConnectionError` when closed."""
        cdef rt_worker_stats stats
        if self.is_closed:
            raise ConnectionError("the worker is closed")
        self.users += 1
        with nogil:
            rt_worker_get_stats(self.handle, &stats)
        self.users -= 1
        return {
            "datagrams_received": stats.datagrams_received,
            "datagrams_sent": stats.datagrams_sent,
            "bytes_received": stats.bytes_received,
            "bytes_sent": stats.bytes_sent,
            "receive_calls": stats.receive_calls,
            "send_calls": stats.send_calls,
            "gso_runs": stats.gso_runs,
            "gro_runs": stats.gro_runs,
            "unroutable": stats.unroutable,
            "send_errors": stats.send_errors,
            "send_blocked": stats.send_blocked,
            "receive_errors": stats.receive_errors,
            "iterations": stats.iterations,
            "wakeups": stats.wakeups,
            "peers": stats.peers,
            "sockets": stats.sockets,
            "gso": stats.gso,
            "gro": stats.gro,
            "mmsg": stats.mmsg,
            "epoll": stats.epoll,
            "threaded": stats.threaded,
        }

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.close()

    def close(self):
        """Closes all peers (their good-byes are sent) and sockets. Idempotent."""
        cdef Tenant tenant
        if self.is_closed or self.handle is NULL:
            return
        self.is_closed = True
        while self.users:  # other threads inside the core; new ones are turned away
            with nogil:
                usleep(100)
        self.drop_events()
        for tenant in self.slots:
            if tenant is not None:
                tenant.detach()
        self.slots = []
        self.unsettled = []
        with nogil:
            rt_worker_free(self.handle)
        self.handle = NULL
        live_workers.discard(self)

    def __repr__(self):
        if self.is_closed:
            return "<Worker closed>"
        kind = "threaded" if self.is_threaded else "driven"
        return f"<Worker {kind}, {len(self.slots) - len(self.free_slots)} peers>"


def _close_workers():
    for worker in list(live_workers):
        worker.close()


# A worker's thread must be gone before the C library's own exit handlers take its memory away.
atexit.register(_close_workers)


cdef class Endpoint:
    """A UDP socket that several peers of one worker share. Made by `Worker.bind()`."""

    @property
    def address(self):
        """(host, port), as bound."""
        return ip_text(&self.bound), self.bound.port

    def close(self):
        """Closes the socket; `ConnectionError` while peers use it. Idempotent, and done by the worker's
        close."""
        if self.is_closed or self.worker is None or self.worker.is_closed:
            return
        self.worker.enter()
        cdef rt_status status = rt_worker_unbind(self.worker.handle, self.socket)
        self.worker.leave()
        if status == RT_UNEXPECTED:
            raise ConnectionError("peers still use this endpoint: close them first")
        check(status, "endpoint")
        self.is_closed = True

    def __repr__(self):
        host, port = self.address
        return f"<Endpoint {host} port {port}>"
