# cython: language_level=3
"""Peers on a worker: the native core as `rtcore.connection` (and nobody else above) sees it.

A `Peer` is one connection's transport: ICE, DTLS, SCTP and data channels put together in C. Its methods are
commands; what happens comes back through its handler, from `Worker.run()`.
"""

cimport cython
from cpython.buffer cimport PyBUF_SIMPLE, PyBuffer_Release, PyObject_GetBuffer
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.unicode cimport PyUnicode_DecodeUTF8
from libc.errno cimport EADDRNOTAVAIL, errno
from libc.math cimport isfinite
from libc.stdint cimport uint64_t
from libc.string cimport memcpy, memset, strlen

from rtcore.native.base cimport (
    RT_AGAIN,
    RT_TOO_LARGE,
    RT_OK,
    RT_SYSTEM,
    RT_UNEXPECTED,
    RT_UNSUPPORTED,
    ip_text,
    rt_addr_is_any,
    rt_buffer_of,
    rt_hash,
    rt_message,
    rt_message_free,
    rt_span,
    rt_span_of,
    rt_status,
    rt_time,
)
from rtcore.native.dtls cimport (
    RT_DTLS_CLIENT,
    RT_DTLS_OVERHEAD,
    RT_DTLS_SERVER,
    Certificate,
    hash_of,
    rt_certificate_der,
    rt_dtls,
    rt_dtls_export,
    rt_dtls_remote_der,
    rt_dtls_role,
)
from rtcore.native.ice cimport (
    RT_ICE_EVENT_CANDIDATE,
    RT_ICE_EVENT_GATHERING,
    RT_ICE_EVENT_ROLE,
    RT_ICE_EVENT_SELECTED,
    RT_ICE_EVENT_STATE,
    Candidate,
    candidate_from_c,
    candidate_to_c,
    rt_ice,
    rt_ice_add_remote,
    rt_ice_add_server,
    rt_ice_candidate,
    rt_ice_controlling,
    rt_ice_end_of_local,
    rt_ice_end_of_remote,
    rt_ice_local_pwd,
    rt_ice_local_ufrag,
    rt_ice_restart,
    rt_ice_set_controlling,
    rt_ice_set_remote_credentials,
    rt_ice_set_remote_lite,
)
from rtcore.native.worker_core cimport (
    RT_CHANNEL_EVENT_BUFFERED_LOW,
    RT_CHANNEL_EVENT_CLOSED,
    RT_CHANNEL_EVENT_CLOSING,
    RT_CHANNEL_EVENT_CONNECTED,
    RT_CHANNEL_EVENT_INCOMING,
    RT_CHANNEL_EVENT_MESSAGE,
    RT_CHANNEL_EVENT_OPEN,
    RT_CHANNEL_EVENT_SEND_ROOM,
    RT_CHANNEL_ID_NONE,
    RT_INTERFACES,
    RT_PEER_EVENT_CHANNEL,
    RT_PEER_EVENT_ICE,
    RT_PEER_EVENT_MEDIA,
    rt_channel_buffered,
    rt_channel_close,
    rt_channel_forget,
    rt_channel_get,
    rt_channel_info,
    rt_channel_open,
    rt_channel_options,
    rt_channel_send,
    rt_channel_set_buffered_low,
    rt_channels_release,
    rt_interface,
    rt_peer_add_fingerprint,
    rt_peer_channels,
    rt_peer_config,
    rt_peer_config_default,
    rt_peer_dtls,
    rt_peer_ice,
    rt_peer_sctp,
    rt_peer_set_certificate,
    rt_peer_set_dtls_role,
    rt_peer_set_sctp_port,
    rt_peer_start_sctp,
    rt_sctp,
    rt_sctp_send_room,
    rt_sctp_streams_in,
    rt_sctp_streams_out,
    rt_worker_add_peer,
    rt_worker_bind,
    rt_worker_event_drop,
    rt_worker_flush,
    rt_worker_flush_soon,
    rt_worker_interfaces,
    rt_worker_now,
    rt_worker_peer_add_socket,
    rt_worker_peer_gather,
    rt_worker_peer_machine,
    rt_worker_peer_restarted,
    rt_worker_peer_set_credentials,
    rt_worker_remove_peer,
    rt_worker_unbind,
)
from rtcore.native.worker_loop cimport check, number, to_addr, to_range
from rtcore.native.worker_statistics cimport Snapshot, free_snapshot, take_snapshot, tell_snapshot

import os

cdef extern from "Python.h":
    const char *PyUnicode_AsUTF8AndSize(object text, Py_ssize_t *size) except NULL

cdef enum:
    FLUSH_BYTES = 57344    # queued: about one GSO run, so worth a system call of its own
    RELEASE_BYTES = 65536  # consumed: worth telling the association of

cdef tuple ICE_STATES = ("new", "checking", "connected", "completed", "disconnected", "failed", "closed")
cdef tuple GATHERING_STATES = ("new", "gathering", "complete")
cdef tuple DTLS_STATES = ("new", "connecting", "connected", "closed", "failed")
cdef tuple CHANNEL_STATES = ("connecting", "open", "closing", "closed")

globals().update(Worker=Worker, Endpoint=Endpoint)  # a cimport alone does not make them this module's


cdef rt_time to_time(object seconds, str what) except? -1:
    cdef double value = seconds
    if not isfinite(value) or not 0 <= value < 1e9:
        raise ValueError(f"{what} must be a number of seconds, 0 or more, not {seconds!r}")
    return <rt_time>(value * 1e9)


cdef str c_text(const char *text):
    return text[:strlen(text)].decode("utf-8", "replace")


cdef object take_message(rt_message *message, bint binary):
    """The message as bytes or str (invalid UTF-8 replaced, as browsers do); frees it."""
    try:
        if binary:
            return PyBytes_FromStringAndSize(<const char *>message.data, message.size)
        return PyUnicode_DecodeUTF8(<const char *>message.data, message.size, "replace")
    finally:
        rt_message_free(message)


@cython.final
cdef class Peer(Tenant):
    """One peer connection's transport: ICE, DTLS, SCTP and data channels on sockets of `worker`.

    `handler` (see the stub's `Handler`) hears what happens, from `Worker.run()`. The worker keeps the peer
    alive until `close()`, which is idempotent; afterwards commands raise `ConnectionError`. Commands send
    what they produce before they return, but for small messages (`send()`) and the receive window
    (`release()`).

    `mtu`: largest datagram in bytes, UDP payload; `max_mtu`: how far path MTU discovery may raise it. Buffers
    and sizes in bytes, times in seconds; `srtp_profiles`: up to four IANA numbers. `flush_later`: called,
    from `send()`, when the first message is queued that is not sent at once; whoever gives it calls `flush()`
    soon, and the worker is not woken for that.
    """

    def __init__(
        self,
        Worker worker not None,
        handler,
        Certificate certificate not None,
        *,
        controlling=True,
        lite=False,
        mtu=1200,
        max_mtu=None,
        receive_buffer=4 * 1024 * 1024,
        send_buffer=4 * 1024 * 1024,
        max_message_size=1024 * 1024,
        max_channels=65535,
        zero_checksum=True,
        interleaving=True,
        disconnected_timeout=5.0,
        failed_timeout=30.0,
        keepalive_interval=5.0,
        srtp_profiles=(),
        flush_later=None,
    ):
        cdef rt_peer_config config
        cdef rt_status status
        if self.worker is not None:
            raise RuntimeError("a Peer is initialised once")
        rt_peer_config_default(&config)
        config.ice.controlling = controlling
        config.ice.lite = lite
        config.ice.keepalive = to_time(keepalive_interval, "keepalive_interval")
        if config.ice.keepalive <= 0:
            raise ValueError(f"keepalive_interval must be positive, not {keepalive_interval!r}")
        config.ice.disconnected_after = to_time(disconnected_timeout, "disconnected_timeout")
        config.ice.failed_after = to_time(failed_timeout, "failed_timeout")
        config.dtls.certificate = certificate.certificate
        config.dtls.mtu = number(mtu, 548, 65507, "mtu")
        profiles = list(srtp_profiles)
        number(len(profiles), 0, 4, "the count of srtp_profiles")
        for i in range(len(profiles)):
            config.dtls.srtp_profiles[i] = number(profiles[i], 1, 65535, "an srtp_profile")
        config.sctp.mtu = config.dtls.mtu - <uint16_t>RT_DTLS_OVERHEAD
        config.sctp.max_mtu = config.sctp.mtu
        if max_mtu is not None:
            config.sctp.max_mtu = <uint16_t>(number(max_mtu, mtu, 65507, "max_mtu") - RT_DTLS_OVERHEAD)
        config.sctp.receive_buffer = number(receive_buffer, 4096, 1 << 30, "receive_buffer")
        config.sctp.send_buffer = number(send_buffer, 4096, 1 << 30, "send_buffer")
        config.sctp.max_message_size = number(max_message_size, 1, 1 << 30, "max_message_size")
        config.sctp.zero_checksum = zero_checksum
        config.sctp.interleaving = interleaving
        config.max_channels = number(max_channels, 1, 65535, "max_channels")
        self.release_at = min(<size_t>RELEASE_BYTES, <size_t>config.sctp.receive_buffer // 16)
        self.channels = {}
        on_message = handler.on_message
        cdef rt_span der = rt_certificate_der(certificate.certificate)
        self.certificate_der = PyBytes_FromStringAndSize(<const char *>der.data, der.size)
        worker.enter()
        cdef uint64_t tag = worker.next_tag()
        status = rt_worker_add_peer(worker.handle, &config, tag, &self.peer)
        worker.leave()
        check(status, "peer")
        worker.house(self, tag)
        self.worker = worker
        self.handler = handler
        self.on_message = on_message
        self.flush_later = flush_later
        self.read_credentials()

    cdef rt_peer *enter(self) except NULL:
        if self.peer is NULL:
            raise ConnectionError("the peer is closed")
        self.worker.enter()
        if self.peer is NULL:  # while we waited
            self.worker.leave()
            raise ConnectionError("the peer is closed")
        return rt_worker_peer_machine(self.peer)

    cdef void leave(self) noexcept:
        self.worker.leave()

    cdef void flush_and_leave(self) noexcept:
        with nogil:
            rt_worker_flush(self.peer)
        self.worker.leave()

    cdef rt_channels *enter_channels(self) except NULL:
        cdef rt_channels *channels = rt_peer_channels(self.enter())
        if channels is NULL:
            self.leave()
            raise ConnectionError("there are no data channels before start_sctp()")
        return channels

    cdef void detach(self) noexcept:
        self.peer = NULL
        if self.media is not None:
            self.media.detach()
            self.media = None
        self.handler = None
        self.on_message = None
        self.flush_later = None
        self.channels.clear()

    cdef int deliver(self, rt_worker_event *event) except -1:
        if event.event.type == RT_PEER_EVENT_CHANNEL:
            return self.on_channel_event(&event.event.channel)
        if event.event.type == RT_PEER_EVENT_ICE:
            return self.on_ice_event(&event.event.ice)
        if event.event.type == RT_PEER_EVENT_MEDIA:
            if self.media is not None:
                return self.media.deliver(event)
            rt_worker_event_drop(event)
            return 0
        self.handler.on_dtls_state(DTLS_STATES[<int>event.event.dtls.state], c_text(event.event.dtls.text))
        return 0

    cdef int settle(self) except -1:
        self.is_unsettled = False
        if self.peer is NULL:
            return 0
        return self.release_now()

    # ---- ICE ----

    cdef int read_credentials(self) except -1:
        cdef rt_ice *ice = rt_peer_ice(self.enter())
        cdef bytes ufrag = rt_ice_local_ufrag(ice)  # bytes hold no references: making them runs no code
        cdef bytes pwd = rt_ice_local_pwd(ice)
        self.leave()
        self.ufrag = ufrag.decode("ascii")
        self.pwd = pwd.decode("ascii")
        return 0

    @property
    def local_ufrag(self):
        return self.ufrag

    @property
    def local_pwd(self):
        return self.pwd

    def set_local_credentials(self, ufrag, pwd):
        """Others than those that were drawn, before gathering: `ConnectionError` afterwards. `ValueError`
        unless they are 4 to 256 and 22 to 256 letters, digits, + and / (RFC 8839 section 5.4), or if another
        peer of the worker has this ufrag."""
        cdef bytes name = ufrag.encode("utf-8")
        cdef bytes secret = pwd.encode("utf-8")
        cdef rt_span name_span = rt_span_of(PyBytes_AS_STRING(name), PyBytes_GET_SIZE(name))
        cdef rt_span secret_span = rt_span_of(PyBytes_AS_STRING(secret), PyBytes_GET_SIZE(secret))
        self.enter()
        cdef rt_status status = rt_worker_peer_set_credentials(self.peer, name_span, secret_span)
        self.leave()
        check(status, "set_local_credentials")
        self.read_credentials()

    @property
    def controlling(self):
        cdef bint controlling = rt_ice_controlling(rt_peer_ice(self.enter()))
        self.leave()
        return controlling

    def set_controlling(self, controlling):
        """Before the first check; `ConnectionError` afterwards: then roles change by conflict only."""
        cdef bint wanted = controlling
        cdef rt_status status = rt_ice_set_controlling(rt_peer_ice(self.enter()), wanted)
        self.flush_and_leave()
        check(status, "set_controlling")

    def set_remote_lite(self, lite):
        """Whether the other end is ICE-lite: then it never checks, and this one is controlling."""
        cdef bint remote = lite
        rt_ice_set_remote_lite(rt_peer_ice(self.enter()), remote)
        self.flush_and_leave()

    def gather(
        self,
        *,
        servers=(),
        interfaces=None,
        port_range=None,
        endpoints=(),
        announced=None,
        loopback=None,
        ipv6=True,
    ):
        """Opens a socket per local address (or uses `endpoints`), makes host candidates of them, and asks the
        STUN `servers`, (numeric address, port) each, for server-reflexive ones.

        `interfaces`: names or addresses to use. `port_range`: lowest and highest port. `announced`: the
        address to tell instead of the bound one, for a 1:1 NAT. `loopback`: None uses 127.0.0.1 and ::1 only
        when there is no other address. After `restart_ice()` the same sockets are told of again. `OSError`
        when no socket can be bound, `ValueError` for wrong arguments.
        """
        cdef Endpoint endpoint
        cdef rt_status status, failed = RT_OK
        cdef rt_addr server
        cdef list addresses = []
        cdef rt_ice *ice
        for host, port in servers:
            server = to_addr(host, port, "a server's address")
            addresses.append((<char *>&server)[:sizeof(rt_addr)])
        cdef rt_addr *told = NULL
        cdef rt_addr public
        if announced is not None:
            public = to_addr(announced, 0, "announced")
            told = &public
        low, high = to_range(port_range)
        if self.is_gathered:
            self.enter()
            status = rt_worker_peer_gather(self.peer)
            self.leave()
            check(status, "gather")
        elif endpoints:
            for i, item in enumerate(endpoints):
                endpoint = item
                if endpoint.worker is not self.worker or endpoint.is_closed:
                    raise ValueError("an endpoint is closed or of another worker")
                self.add_endpoint(endpoint, told, <uint16_t>(65535 - i))
        else:
            self.add_interfaces(interfaces, low, high, told, loopback, ipv6)
        self.is_gathered = True
        ice = rt_peer_ice(self.enter())
        cdef rt_time now = rt_worker_now()
        cdef uint16_t index = 0
        for raw in addresses:  # bytes and a list of them: nothing here runs other Python code
            memcpy(&server, PyBytes_AS_STRING(raw), sizeof(rt_addr))
            status = rt_ice_add_server(ice, index, &server, now)
            if status != RT_OK:
                failed = status
            index += 1
        rt_ice_end_of_local(ice, now)
        self.flush_and_leave()
        check(failed, "a STUN server")

    cdef int add_endpoint(self, Endpoint endpoint, const rt_addr *announced, uint16_t preference) except -1:
        cdef rt_addr told = endpoint.bound
        cdef const rt_interface *found
        cdef size_t count, i
        if announced is not NULL and announced.family == told.family:
            told = announced[0]
            told.port = endpoint.bound.port
        self.enter()
        if rt_addr_is_any(&told):  # a candidate is a real address: the best one of the family
            count = rt_worker_interfaces(self.worker.handle, &found, True)
            for i in range(count):
                if found[i].address.family == told.family:
                    told = found[i].address
                    told.port = endpoint.bound.port
                    break
            else:
                self.leave()
                raise OSError(EADDRNOTAVAIL, os.strerror(EADDRNOTAVAIL))
        cdef rt_status status = rt_worker_peer_add_socket(self.peer, endpoint.socket, &told, preference)
        self.leave()
        return check(status, "endpoint")

    cdef int add_interfaces(
        self,
        object interfaces,
        uint16_t port_min,
        uint16_t port_max,
        const rt_addr *announced,
        object loopback,
        bint ipv6,
    ) except -1:
        cdef const rt_interface *known
        cdef rt_interface found[RT_INTERFACES]
        cdef rt_addr bound, told
        cdef uint32_t socket
        cdef rt_status status, failed = RT_OK
        cdef int error = EADDRNOTAVAIL
        cdef size_t i, used = 0
        wanted = None if interfaces is None else set(interfaces)
        cdef bint with_loopback = loopback is True or wanted is not None
        self.enter()
        cdef size_t count = rt_worker_interfaces(self.worker.handle, &known, with_loopback)
        if count:
            memcpy(found, known, count * sizeof(rt_interface))
        self.leave()
        for i in range(count):
            if found[i].loopback and loopback is False or found[i].address.family == 6 and not ipv6:
                continue
            names = {c_text(found[i].name), ip_text(&found[i].address)}
            if wanted is not None and not wanted & names:
                continue
            self.enter()
            status = rt_worker_bind(
                self.worker.handle, &found[i].address, port_min, port_max, False, &socket, &bound
            )
            if status == RT_OK:
                told = bound
                if announced is not NULL and announced.family == bound.family:
                    told = announced[0]
                    told.port = bound.port
                status = rt_worker_peer_add_socket(self.peer, socket, &told, found[i].preference)
                if status != RT_OK:
                    rt_worker_unbind(self.worker.handle, socket)
                used += status == RT_OK
            elif status == RT_SYSTEM:
                error = errno
            if status != RT_OK:
                failed = status
            self.leave()
        if used == 0:
            if failed != RT_OK and failed != RT_SYSTEM:
                check(failed, "gather")
            raise OSError(error, f"no local address could be used: {os.strerror(error)}")
        return 0

    def restart_ice(self):
        """New local credentials; `gather()` again to be told of the candidates. The old path stays in use
        until the next one is found."""
        cdef rt_ice *ice = rt_peer_ice(self.enter())
        rt_ice_restart(ice, rt_worker_now())
        cdef rt_status status = rt_worker_peer_restarted(self.peer)
        self.flush_and_leave()
        check(status, "restart_ice")
        self.read_credentials()

    def set_remote_credentials(self, ufrag, pwd):
        """Checks begin with the first ones; others are the other end's restart. `ValueError` unless they are
        4 to 256 and 22 to 256 characters (RFC 8839 section 5.4)."""
        cdef bytes name = ufrag.encode("utf-8")
        cdef bytes secret = pwd.encode("utf-8")
        cdef rt_span name_span = rt_span_of(PyBytes_AS_STRING(name), PyBytes_GET_SIZE(name))
        cdef rt_span secret_span = rt_span_of(PyBytes_AS_STRING(secret), PyBytes_GET_SIZE(secret))
        cdef rt_ice *ice = rt_peer_ice(self.enter())
        cdef rt_status status = rt_ice_set_remote_credentials(ice, name_span, secret_span, rt_worker_now())
        self.flush_and_leave()
        check(status, "set_remote_credentials")

    def add_remote_candidate(self, Candidate candidate not None):
        """`ValueError` when its address is a name: resolve it first. Candidates that the agent does not use
        (TCP, or beyond its limit) are counted in the statistics."""
        cdef rt_ice_candidate remote
        candidate_to_c(candidate, &remote)
        cdef rt_ice *ice = rt_peer_ice(self.enter())
        cdef rt_status status = rt_ice_add_remote(ice, &remote, rt_worker_now())
        self.flush_and_leave()
        if status != RT_UNSUPPORTED and status != RT_AGAIN:
            check(status, "add_remote_candidate")

    def end_of_remote_candidates(self):
        """The other end has no more of them: ICE may fail without waiting for others."""
        rt_ice_end_of_remote(rt_peer_ice(self.enter()), rt_worker_now())
        self.flush_and_leave()

    cdef int on_ice_event(self, rt_ice_event *event) except -1:
        cdef int type = event.type
        if type == RT_ICE_EVENT_CANDIDATE:
            self.handler.on_candidate(candidate_from_c(&event.candidate, self.ufrag))
        elif type == RT_ICE_EVENT_GATHERING:
            self.handler.on_gathering_state(GATHERING_STATES[event.gathering])
        elif type == RT_ICE_EVENT_STATE:
            self.handler.on_ice_state(ICE_STATES[event.state])
        elif type == RT_ICE_EVENT_SELECTED:
            self.handler.on_selected_pair()
        elif type == RT_ICE_EVENT_ROLE:
            self.handler.on_ice_role(self.controlling)
        else:
            self.handler.on_candidate_error(event.server, event.code, c_text(event.text))
        return 0

    # ---- DTLS and SCTP ----

    def add_fingerprint(self, algorithm, digest):
        """One of the peer's certificate fingerprints; one must match. `algorithm` as in SDP ("sha-256",
        "sha-384", "sha-512"), `digest` its raw bytes."""
        cdef rt_hash hash = hash_of(algorithm)
        cdef bytes raw = bytes(digest)
        cdef rt_span span = rt_span_of(PyBytes_AS_STRING(raw), PyBytes_GET_SIZE(raw))
        cdef rt_status status = rt_peer_add_fingerprint(self.enter(), hash, span, rt_worker_now())
        self.flush_and_leave()
        check(status, "add_fingerprint")

    def set_certificate(self, Certificate certificate not None):
        """Another one than that of the construction. `ConnectionError` after `set_dtls_role()`."""
        cdef rt_status status = rt_peer_set_certificate(self.enter(), certificate.certificate)
        self.leave()
        check(status, "set_certificate")
        cdef rt_span der = rt_certificate_der(certificate.certificate)
        self.certificate_der = PyBytes_FromStringAndSize(<const char *>der.data, der.size)

    def set_dtls_role(self, role):
        """Either "client" or "server"; `ConnectionError` when it is the other one already."""
        cdef rt_dtls_role wanted
        if role == "client":
            wanted = RT_DTLS_CLIENT
        elif role == "server":
            wanted = RT_DTLS_SERVER
        else:
            raise ValueError(f"the DTLS role is 'client' or 'server', not {role!r}")
        cdef rt_status status = rt_peer_set_dtls_role(self.enter(), wanted, rt_worker_now())
        self.flush_and_leave()
        check(status, "set_dtls_role")

    def start_sctp(self, remote_port, remote_max_message_size, *, local_port=5000):
        """Once; SCTP starts when DTLS is up. `remote_max_message_size` 0: no limit. `local_port`: our own
        (RFC 8841 a=sctp-port). `ValueError` the second time."""
        cdef uint16_t port = number(remote_port, 1, 65535, "remote_port")
        cdef uint16_t own_port = number(local_port, 1, 65535, "local_port")
        cdef uint32_t size = number(
            min(remote_max_message_size, 0xFFFFFFFF), 0, 0xFFFFFFFF, "remote_max_message_size"
        )
        cdef rt_peer *machine = self.enter()
        cdef rt_status status = rt_peer_set_sctp_port(machine, own_port)
        if status == RT_OK:
            status = rt_peer_start_sctp(machine, port, size, rt_worker_now())
        if status == RT_OK:
            self.empty_room = rt_sctp_send_room(rt_peer_sctp(machine))
            self.largest = size
        self.flush_and_leave()
        check(status, "start_sctp")

    def export_keying_material(self, label, size):
        """RFC 5705, without a context. `ConnectionError` before DTLS is connected."""
        cdef bytes name = label.encode("utf-8")
        cdef bytes out = PyBytes_FromStringAndSize(NULL, number(size, 1, 65536, "size"))
        cdef rt_dtls *dtls = rt_peer_dtls(self.enter())
        cdef rt_status status = RT_UNEXPECTED
        if dtls is not NULL:
            status = rt_dtls_export(
                dtls,
                rt_span_of(PyBytes_AS_STRING(name), PyBytes_GET_SIZE(name)),
                rt_buffer_of(PyBytes_AS_STRING(out), PyBytes_GET_SIZE(out)),
            )
        self.leave()
        check(status, "export_keying_material")
        return out

    # ---- channels ----

    def open_channel(
        self,
        label,
        *,
        protocol="",
        ordered=True,
        negotiated=False,
        id=None,
        max_retransmits=None,
        max_packet_life_time=None,
        priority=256,
    ):
        """Returns the channel's handle. `max_packet_life_time` is in milliseconds, and excludes
        `max_retransmits`. `ValueError` for wrong arguments or an id in use, `OverflowError` when no id is
        free, `ConnectionError` before `start_sctp()`."""
        cdef rt_channel_options options
        cdef uint32_t handle = 0
        cdef bytes name = label.encode("utf-8")
        cdef bytes subprotocol = protocol.encode("utf-8")
        memset(&options, 0, sizeof(options))
        options.label = rt_span_of(PyBytes_AS_STRING(name), PyBytes_GET_SIZE(name))
        options.subprotocol = rt_span_of(PyBytes_AS_STRING(subprotocol), PyBytes_GET_SIZE(subprotocol))
        options.ordered = ordered
        options.negotiated = negotiated
        options.id = RT_CHANNEL_ID_NONE if id is None else number(id, 0, 65534, "id")
        options.max_retransmits = -1
        if max_retransmits is not None:
            options.max_retransmits = number(max_retransmits, 0, 65535, "max_retransmits")
        options.max_lifetime_ms = -1
        if max_packet_life_time is not None:
            options.max_lifetime_ms = number(max_packet_life_time, 0, 65535, "max_packet_life_time")
        options.priority = number(priority, 0, 65535, "priority")
        cdef rt_channels *channels = self.enter_channels()
        cdef rt_status status = rt_channel_open(channels, &options, &handle, rt_worker_now())
        self.flush_and_leave()
        if status == RT_AGAIN:
            raise OverflowError("no stream id is free")
        check(status, "open_channel")
        self.channels[handle] = None
        return handle

    def channel_info(self, uint32_t handle):
        """label, protocol, ordered, negotiated, incoming, id (None: not yet), max_retransmits,
        max_packet_life_time (None: not set), priority, state, messages_sent, messages_received, bytes_sent,
        bytes_received. `ValueError` for an unknown handle."""
        cdef rt_channel_info info
        cdef bytes label = b"", protocol = b""
        cdef rt_channels *channels = self.enter_channels()
        cdef rt_status status = rt_channel_get(channels, handle, &info)
        if status == RT_OK:
            label = PyBytes_FromStringAndSize(<const char *>info.label.data, info.label.size)
            protocol = PyBytes_FromStringAndSize(<const char *>info.subprotocol.data, info.subprotocol.size)
        self.leave()
        check(status, f"channel {handle}")
        return {
            "label": label.decode("utf-8", "replace"),
            "protocol": protocol.decode("utf-8", "replace"),
            "ordered": info.ordered,
            "negotiated": info.negotiated,
            "incoming": info.incoming,
            "id": None if info.id == RT_CHANNEL_ID_NONE else info.id,
            "max_retransmits": None if info.max_retransmits < 0 else info.max_retransmits,
            "max_packet_life_time": None if info.max_lifetime_ms < 0 else info.max_lifetime_ms,
            "priority": info.priority,
            "state": CHANNEL_STATES[info.state],
            "messages_sent": info.messages_sent,
            "messages_received": info.messages_received,
            "bytes_sent": info.bytes_sent,
            "bytes_received": info.bytes_received,
        }

    def send(self, uint32_t handle, data):
        """Queues one message; str is sent as a string message, any buffer as a binary one. False when the
        send buffer is full: wait for `on_send_room`.

        When nothing was queued or in flight, or 56 KiB have come together, it is on the wire when this
        returns. Else it leaves with the worker's next iteration or `flush()`, in company: one packet carries
        many small messages. `ConnectionError` unless the channel is open, `ValueError` when the peer takes no
        message so large.
        """
        cdef Py_ssize_t size = 0
        cdef const char *text
        cdef Py_buffer view
        if type(data) is bytes:
            return self.send_bytes(handle, PyBytes_AS_STRING(data), PyBytes_GET_SIZE(data), True)
        if isinstance(data, str):
            text = PyUnicode_AsUTF8AndSize(data, &size)
            return self.send_bytes(handle, text, size, False)
        PyObject_GetBuffer(data, &view, PyBUF_SIMPLE)
        try:
            return self.send_bytes(handle, <const char *>view.buf, view.len, True)
        finally:
            PyBuffer_Release(&view)

    cdef object send_bytes(self, uint32_t handle, const char *data, size_t size, bint binary):
        cdef rt_channels *channels = self.enter_channels()
        cdef rt_sctp *sctp = rt_peer_sctp(rt_worker_peer_machine(self.peer))
        cdef bint idle = rt_sctp_send_room(sctp) >= self.empty_room
        cdef rt_time now = rt_worker_now()
        cdef rt_status status = rt_channel_send(channels, handle, rt_span_of(data, size), binary, now)
        self.queued += <uint32_t>size
        if idle or self.queued >= FLUSH_BYTES:
            self.queued = 0
            self.flush_and_leave()
        elif self.flush_later is None:
            rt_worker_flush_soon(self.peer)
            self.leave()
        else:
            self.leave()
            if not self.is_flush_due:
                self.is_flush_due = True
                self.flush_later()
        if status == RT_OK:
            return True
        if status == RT_AGAIN:
            return False
        if status == RT_TOO_LARGE:
            raise ValueError(f"too large: {size} bytes, the remote side takes messages up to {self.largest}")
        check(status, f"channel {handle}")

    def flush(self):
        """Sends what `send()` has queued, in the caller's thread. Nothing when the peer is closed."""
        self.is_flush_due = False
        if self.peer is NULL or self.queued == 0 or self.worker.is_closed:
            return
        self.enter()
        self.queued = 0
        self.flush_and_leave()

    def buffered_amount(self, uint32_t handle):
        """Bytes of the channel's messages that were not yet handed to the network for the first time."""
        cdef rt_channels *channels = self.enter_channels()
        cdef uint32_t size = rt_channel_buffered(channels, handle)
        self.leave()
        return size

    def set_buffered_amount_low_threshold(self, uint32_t handle, uint32_t threshold):
        """From now on, `on_buffered_amount_low` tells when the amount falls to `threshold` bytes or below.
        `ValueError` for an unknown handle."""
        cdef rt_channels *channels = self.enter_channels()
        cdef rt_status status = rt_channel_set_buffered_low(channels, handle, threshold)
        self.flush_and_leave()
        check(status, f"channel {handle}")

    def release(self, size_t size):
        """The application has consumed messages charged with `size`: opens the receive window again.
        Collected until there is a good part of the window, or the end of `Worker.run()`."""
        if self.peer is NULL:
            raise ConnectionError("the peer is closed")
        self.consume(size)

    cdef int consume(self, size_t size) except -1:
        self.consumed += size
        if self.consumed >= self.release_at:
            self.release_now()
        elif not self.is_unsettled:
            self.is_unsettled = True
            self.worker.unsettled.append(self)
        return 0

    cdef int release_now(self) except -1:
        if self.consumed == 0:
            return 0
        cdef rt_channels *channels = self.enter_channels()
        rt_channels_release(channels, self.consumed, rt_worker_now())
        self.consumed = 0
        self.flush_and_leave()
        return 0

    def set_receiver(self, uint32_t handle, receiver):
        """Messages of the channel go to `receiver(data, charge)`, and no longer to `on_message` (None: there
        again). If it returns True, they are consumed: no `release()` is needed. `ValueError` for an unknown
        handle."""
        if handle not in self.channels:
            raise ValueError(f"there is no channel {handle}")
        self.channels[handle] = receiver

    def close_channel(self, uint32_t handle):
        """Delivers what is queued, then closes; `on_channel_closed` follows. Idempotent."""
        cdef rt_channels *channels = self.enter_channels()
        cdef rt_status status = rt_channel_close(channels, handle, rt_worker_now())
        self.flush_and_leave()
        check(status, f"channel {handle}")

    def forget_channel(self, uint32_t handle):
        """After `on_channel_closed`: frees what is kept for statistics."""
        cdef rt_channels *channels = self.enter_channels()
        rt_channel_forget(channels, handle)
        self.leave()
        self.channels.pop(handle, None)

    cdef int on_channel_event(self, rt_channel_event *event) except -1:
        cdef int type = event.type
        cdef uint32_t handle = event.handle
        if type == RT_CHANNEL_EVENT_MESSAGE:
            self.on_channel_message(handle, event)
        elif type == RT_CHANNEL_EVENT_SEND_ROOM:
            self.handler.on_send_room()
        elif type == RT_CHANNEL_EVENT_BUFFERED_LOW:
            self.handler.on_buffered_amount_low(handle)
        elif type == RT_CHANNEL_EVENT_OPEN:
            self.handler.on_channel_open(handle)
        elif type == RT_CHANNEL_EVENT_INCOMING:
            self.channels[handle] = None
            self.handler.on_channel(handle)
        elif type == RT_CHANNEL_EVENT_CLOSING:
            self.handler.on_channel_closing(handle)
        elif type == RT_CHANNEL_EVENT_CLOSED:
            self.handler.on_channel_closed(handle, event.error, c_text(event.text))
        elif type == RT_CHANNEL_EVENT_CONNECTED:
            self.handler.on_sctp_connected(self.max_channels())
        else:
            self.handler.on_sctp_closed(event.error, c_text(event.text))
        return 0

    cdef int on_channel_message(self, uint32_t handle, rt_channel_event *event) except -1:
        cdef uint32_t charge = event.charge
        data = take_message(event.message, event.binary)
        receiver = self.channels.get(handle)
        if receiver is None:
            self.on_message(handle, data, charge)
        elif receiver(data, charge) is True and self.peer is not NULL:
            self.consume(charge)
        return 0

    cdef object max_channels(self):
        cdef rt_sctp *sctp = rt_peer_sctp(self.enter())
        cdef uint16_t count = min(rt_sctp_streams_in(sctp), rt_sctp_streams_out(sctp))
        self.leave()
        return count

    # ---- all ----

    def close(self):
        """Says good-bye, frees the machines and closes the peer's own sockets. No handler is called any more.
        """
        if self.peer is NULL or self.worker.is_closed:
            return
        self.worker.enter()
        cdef rt_worker_peer *peer = self.peer
        self.peer = NULL
        if peer is not NULL:  # no other thread was quicker
            with nogil:
                rt_worker_remove_peer(peer)
        self.leave()
        if peer is NULL:
            return
        self.worker.give_notice(self)
        self.detach()

    def stats(self):
        """All at one moment, as nested plain dicts; counters as ints, times in seconds, None for what is not
        there:

        transport: packets_sent, packets_received, bytes_sent, bytes_received (datagrams of the peer),
        unknown, early, foreign (dropped or held back).
        ice: state, gathering_state, controlling, local_ufrag, selected_pair (id), selected_pair_changes,
        malformed, unauthenticated, unexpected, candidates_refused.
        local_candidates, remote_candidates: lists of {candidate: Candidate}; local ones with server (index as
        in gather(), of server-reflexive ones).
        pairs: list of {id, local, remote (indexes of the lists above), state, nominated, selected, priority,
        packets_sent, packets_received, bytes_sent, bytes_received, requests_sent, requests_received,
        responses_sent, responses_received, consent_requests_sent, last_packet_sent, last_packet_received (on
        the clock of "now"), current_round_trip, total_round_trip}.
        dtls (None before the role is set): state, cipher, group, srtp_profile, local_certificate,
        remote_certificate (DER bytes, None before), records_sent, records_received, bytes_sent,
        bytes_received, malformed, unauthenticated, replayed, unexpected, flights_retransmitted.
        sctp (None before start_sctp): state, streams_in, streams_out, packets_*, bytes_*, messages_*,
        payload_* (sent and received), chunks_retransmitted, fast_retransmits, timeouts, tail_probes,
        spurious_retransmits, messages_abandoned, duplicate_chunks, malformed, bad_checksum, bad_tag,
        unexpected, out_of_window, congestion_window, slow_start_threshold, peer_window, bytes_in_flight,
        unsent, mtu, smoothed_round_trip, rto, receive_buffered, zero_checksum_in, zero_checksum_out,
        interleaving, partial_reliability, stream_reset, channels_opened, channels_closed, channels_refused,
        channel_messages_malformed, channel_messages_unexpected.
        channels: {handle: as channel_info(), and buffered_amount}.
        now: the core's clock, in seconds of no particular origin.
        """
        cdef Snapshot snapshot
        cdef bytes remote = None
        cdef rt_span der
        cdef rt_time now = rt_worker_now()
        cdef rt_peer *machine = self.enter()
        cdef bint taken = take_snapshot(machine, &snapshot)
        if snapshot.has_dtls:
            der = rt_dtls_remote_der(rt_peer_dtls(machine))
            if der.size:
                remote = PyBytes_FromStringAndSize(<const char *>der.data, der.size)
        self.leave()
        try:
            if not taken:
                raise MemoryError
            told = tell_snapshot(&snapshot)
        finally:
            free_snapshot(&snapshot)
        told["now"] = now / 1e9
        told["ice"]["local_ufrag"] = self.ufrag
        if told["dtls"] is not None:
            told["dtls"]["local_certificate"] = self.certificate_der
            told["dtls"]["remote_certificate"] = remote
        told["channels"] = {}
        for handle in list(self.channels):
            info = self.channel_info(handle)
            info["buffered_amount"] = self.buffered_amount(handle)
            told["channels"][handle] = info
        return told

    def __repr__(self):
        state = "closed" if self.peer is NULL else self.ufrag
        return f"<Peer {state}>"
