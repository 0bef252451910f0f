# cython: language_level=3
"""ICE: candidates as values, and the agent (RFC 8445) sans-IO.

A `Candidate` is immutable and knows its SDP form. An `Agent` is the whole protocol without sockets: feed it
the datagrams that arrive, send what `transmit()` gives, call `expire()` when `deadline` has come.
"""

import re

from cpython.buffer cimport PyBUF_SIMPLE, PyBuffer_Release, PyObject_GetBuffer
from cpython.bytes cimport PyBytes_FromStringAndSize
from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.string cimport memcpy, memset

from rtcore.native.base cimport (
    RT_NO_MEMORY,
    RT_OK,
    RT_RANDOM_SEED,
    RT_UNSUPPORTED,
    check,
    from_deadline,
    from_time,
    ip_text,
    parse_ip,
    rt_batch_init,
    rt_batch_reset,
    rt_buffer_of,
    rt_packet,
    rt_random_init,
    rt_random_init_number,
    rt_seed,
    rt_span_of,
    to_time,
)

cdef tuple TYPES = ("host", "srflx", "prflx", "relay")
cdef tuple TCP_TYPES = (None, "active", "passive", "so")
cdef tuple STATES = ("new", "checking", "connected", "completed", "disconnected", "failed", "closed")
cdef tuple GATHERING_STATES = ("new", "gathering", "complete")
cdef tuple PAIR_STATES = ("frozen", "waiting", "in-progress", "succeeded", "failed")

cdef object HOST_NAME = re.compile(r"(?=.{1,253}$)\w[\w-]{0,62}(\.[\w-]{1,63})*\.?", re.ASCII)
cdef object NUMERIC = re.compile(r"[0-9.]+")


cdef object number(str what, object value, uint32_t least, uint32_t most):
    """An int within the limits, also from its text."""
    cdef uint64_t found = 0
    cdef Py_UCS4 digit
    cdef str text
    if isinstance(value, str):
        text = <str>value
        if not 0 < len(text) <= 10:
            raise ValueError(f"{what} is not a number: {value!r}")
        for digit in text:
            if not c"0" <= digit <= c"9":
                raise ValueError(f"{what} is not a number: {value!r}")
            found = 10 * found + (<uint32_t>digit - <uint32_t>c"0")
        value = found
    elif not isinstance(value, int) or isinstance(value, bool):
        raise TypeError(f"{what} must be an int, not {type(value).__name__}")
    if not least <= value <= most:
        raise ValueError(f"{what} must be between {least} and {most}, not {value}")
    return value


cdef bint is_foundation(str text):
    """RFC 8839 section 5.1: 1 to 32 ice-chars."""
    cdef Py_UCS4 one
    for one in text:
        if not (c"a" <= one <= c"z" or c"A" <= one <= c"Z" or c"0" <= one <= c"9" or one in (c"+", c"/")):
            return False
    return 0 < len(text) <= 32


cdef bint is_token(object text) except -1:
    """One word of a line: no blanks in it."""
    cdef Py_UCS4 one
    if not isinstance(text, str):
        raise TypeError(f"expected a str, not {type(text).__name__}")
    for one in <str>text:
        if one.isspace():
            return False
    return len(text) > 0


cdef str address_text(str what, object text):
    """A numeric address in its canonical form (RFC 5952), or a host name as it stands."""
    cdef rt_addr addr
    if not isinstance(text, str):
        raise TypeError(f"{what} must be a str, not {type(text).__name__}")
    if parse_ip(text, 0, &addr):
        canonical = ip_text(&addr)
        return text if text == canonical else canonical
    if not HOST_NAME.fullmatch(text) or NUMERIC.fullmatch(text):
        raise ValueError(f"{what} is neither an IP address nor a host name: {text!r}")
    return text


cdef class Candidate:
    """One ICE candidate, immutable, with the fields of RFC 8839 section 5.1 and the W3C's RTCIceCandidate.

    `address` is numeric in canonical form, or a host name (`is_mdns` tells names of RFC 8828). `extensions`
    holds the attributes that have no field of their own, as (name, value) pairs in their order.
    `ValueError` for anything that the grammar does not allow, `TypeError` for the wrong Python type.
    """

    def __init__(
        self,
        foundation,
        component,
        transport,
        priority,
        address,
        port,
        type,
        *,
        related_address=None,
        related_port=None,
        tcp_type=None,
        generation=None,
        ufrag=None,
        extensions=(),
    ):
        self.fill(
            foundation,
            component,
            transport,
            priority,
            address,
            port,
            type,
            related_address,
            related_port,
            tcp_type,
            generation,
            ufrag,
            extensions,
        )

    cdef int fill(
        self,
        foundation,
        component,
        transport,
        priority,
        address,
        port,
        object type,
        related_address,
        related_port,
        tcp_type,
        generation,
        ufrag,
        extensions,
    ) except -1:
        if not isinstance(foundation, str):
            raise TypeError("foundation must be a str")
        if not is_foundation(foundation):
            raise ValueError(f"foundation must be 1 to 32 of A-Z a-z 0-9 + /, not {foundation!r}")
        self.foundation = foundation
        self.component = number("component", component, 1, 256)
        self.transport = str(transport).lower()
        if self.transport not in ("udp", "tcp"):
            raise ValueError(f"transport must be 'udp' or 'tcp', not {transport!r}")
        self.priority = number("priority", priority, 0, 0xFFFFFFFF)
        self.address = address_text("address", address)
        self.port = number("port", port, 0, 65535)
        if type not in TYPES:
            raise ValueError(f"type must be one of {', '.join(TYPES)}, not {type!r}")
        self.type = type
        if related_address is not None:
            self.related_address = address_text("related_address", related_address)
        if related_port is not None:
            self.related_port = number("related_port", related_port, 0, 65535)
        if self.transport == "tcp":
            if tcp_type not in TCP_TYPES:
                raise ValueError(f"tcp_type must be 'active', 'passive' or 'so', not {tcp_type!r}")
            self.tcp_type = tcp_type
        elif tcp_type is not None:
            raise ValueError("a UDP candidate has no tcp_type")
        if generation is not None:
            self.generation = number("generation", generation, 0, 0xFFFFFFFF)
        if ufrag is not None:
            if not isinstance(ufrag, str) or not is_token(ufrag) or len(ufrag) > 256:
                raise ValueError(f"ufrag must be 1 to 256 characters without blanks, not {ufrag!r}")
            self.ufrag = ufrag
        self.extensions = ()
        if extensions:
            pairs = []
            for name, value in extensions:
                if not is_token(name) or not is_token(value):
                    raise ValueError(
                        f"an extension is a name and a value without blanks, not {name!r} {value!r}"
                    )
                pairs.append((name, value))
            self.extensions = tuple(pairs)
        return 0

    @staticmethod
    def from_sdp(text):
        """Parses "candidate:...", with or without "a=" before or the trailing end of line.

        Unknown extension attributes are kept; host names are accepted (RFC 8839 section 5.1).
        """
        if not isinstance(text, str):
            raise TypeError(f"from_sdp takes a str, not {type(text).__name__}")
        cdef list words
        cdef dict known
        cdef Py_ssize_t i
        cdef Candidate made
        line = text.strip()
        line = line.removeprefix("a=")
        if not line.startswith("candidate:"):
            raise ValueError(f"a candidate begins with 'candidate:', not {text[:40]!r}")
        words = line.removeprefix("candidate:").split()
        if len(words) < 8 or words[6] != "typ":
            raise ValueError(
                "a candidate is 'candidate:FOUNDATION COMPONENT TRANSPORT PRIORITY ADDRESS PORT typ TYPE ...'"
                f", not {text[:200]!r}"
            )
        if len(words) % 2:
            raise ValueError(f"extension attribute without a value: {words[-1]!r}")
        known = {}
        extensions = []
        for i in range(8, len(words), 2):
            name, value = words[i], words[i + 1]
            if name in ("raddr", "rport", "tcptype", "generation", "ufrag"):
                if name in known:
                    raise ValueError(f"{name} is given twice")
                known[name] = value
            else:
                extensions.append((name, value))
        made = Candidate.__new__(Candidate)
        made.fill(
            words[0],
            words[1],
            words[2],
            words[3],
            words[4],
            words[5],
            words[7],
            known.get("raddr"),
            known.get("rport"),
            known.get("tcptype"),
            known.get("generation"),
            known.get("ufrag"),
            extensions,
        )
        return made

    def to_sdp(self):
        """The value of an a=candidate line, beginning with "candidate:"."""
        text = (
            f"candidate:{self.foundation} {self.component} {self.transport} {self.priority} "
            f"{self.address} {self.port} typ {self.type}"
        )
        if self.related_address is not None:
            text += f" raddr {self.related_address}"
        if self.related_port is not None:
            text += f" rport {self.related_port}"
        if self.tcp_type is not None:
            text += f" tcptype {self.tcp_type}"
        if self.generation is not None:
            text += f" generation {self.generation}"
        if self.ufrag is not None:
            text += f" ufrag {self.ufrag}"
        for name, value in self.extensions:
            text += f" {name} {value}"
        return text

    @property
    def ip(self):
        """The same as `address`."""
        return self.address

    @property
    def protocol(self):
        """The same as `transport`, under the W3C's name."""
        return self.transport

    @property
    def is_mdns(self):
        """Whether the address is a multicast DNS name, which hides a host's address."""
        return self.address.lower().endswith(".local")

    @property
    def is_numeric(self):
        """Whether the address is an IP address rather than a name."""
        cdef rt_addr addr
        return bool(parse_ip(self.address, 0, &addr))

    cdef tuple key(self):
        return (
            self.foundation,
            self.component,
            self.transport,
            self.priority,
            self.address,
            self.port,
            self.type,
            self.related_address,
            self.related_port,
            self.tcp_type,
            self.generation,
            self.ufrag,
            self.extensions,
        )

    def __eq__(self, other):
        if not isinstance(other, Candidate):
            return NotImplemented
        return self.key() == (<Candidate>other).key()

    def __hash__(self):
        return hash(self.key())

    def __repr__(self):
        return f"<Candidate {self.to_sdp()}>"

    def __str__(self):
        return self.to_sdp()

    def __reduce__(self):
        return Candidate.from_sdp, (self.to_sdp(),)


cdef Candidate candidate_from_c(const rt_ice_candidate *candidate, str ufrag=None):
    cdef bint related = candidate.related.family != 0
    return Candidate(
        (<const char *>candidate.foundation).decode("ascii"),
        1,
        "udp" if candidate.transport == RT_ICE_UDP else "tcp",
        candidate.priority,
        ip_text(&candidate.address),
        candidate.address.port,
        TYPES[<int>candidate.type],
        related_address=ip_text(&candidate.related) if related else None,
        related_port=candidate.related.port if related else None,
        tcp_type=TCP_TYPES[<int>candidate.transport],
        ufrag=ufrag,
    )


cdef int candidate_to_c(Candidate candidate, rt_ice_candidate *out) except -1:
    cdef bytes foundation
    memset(out, 0, sizeof(rt_ice_candidate))
    if not parse_ip(candidate.address, candidate.port, &out.address):
        raise ValueError(f"the candidate's address is a name, resolve it first: {candidate.address!r}")
    if candidate.related_address is not None:
        parse_ip(candidate.related_address, candidate.related_port or 0, &out.related)
    out.priority = candidate.priority
    out.type = <rt_ice_type><int>TYPES.index(candidate.type)
    if candidate.transport == "tcp":
        out.transport = <rt_ice_transport><int>TCP_TYPES.index(candidate.tcp_type or "so")
    foundation = candidate.foundation.encode("ascii")
    memcpy(out.foundation, <const char *>foundation, len(foundation))
    return 0


cdef enum:
    PACKETS = 8
    PACKET_SIZE = 1280


cdef rt_time to_span(object seconds, str what) except? -1:
    cdef rt_time span = to_time(seconds, what)
    if span <= 0:
        raise ValueError(f"{what} must be positive, not {seconds!r}")
    return span


cdef int to_addr(object address, rt_addr *out) except -1:
    """From what socket.recvfrom() gives: (host, port), or (host, port, flow, scope) for IPv6."""
    host = address[0]
    if not isinstance(host, str):
        raise TypeError(f"a host is a str, not {type(host).__name__}")
    port = number("port", address[1], 0, 65535)
    if not parse_ip(host.partition("%")[0], port, out):
        raise ValueError(f"not an IP address: {host!r}")
    if len(address) > 3:
        out.scope = address[3]
    return 0


cdef tuple from_addr(const rt_addr *addr):
    if addr.scope:
        return ip_text(addr), addr.port, 0, addr.scope
    return ip_text(addr), addr.port


cdef rt_span text_span(bytes text):
    return rt_span_of(<const char *>text, len(text))


cdef dict tell_pair(const rt_ice_pair_stats *pair):
    return {
        "id": pair.id,
        "local": pair.local,
        "remote": pair.remote,
        "state": PAIR_STATES[<int>pair.state],
        "nominated": bool(pair.nominated),
        "selected": bool(pair.selected),
        "priority": pair.priority,
        "packets_sent": pair.packets_sent,
        "packets_received": pair.packets_received,
        "bytes_sent": pair.bytes_sent,
        "bytes_received": pair.bytes_received,
        "requests_sent": pair.requests_sent,
        "requests_received": pair.requests_received,
        "responses_sent": pair.responses_sent,
        "responses_received": pair.responses_received,
        "consent_requests_sent": pair.consent_requests_sent,
        "last_packet_sent": from_time(pair.last_packet_sent),
        "last_packet_received": from_time(pair.last_packet_received),
        "current_round_trip": from_time(pair.current_round_trip) if pair.current_round_trip else None,
        "total_round_trip": from_time(pair.total_round_trip),
    }


cdef class Agent:
    """A full or lite ICE agent for one component, sans-IO.

    `socket` is a number of the caller's for each of his sockets; addresses are as `socket.recvfrom()` gives
    them. `now` is in seconds on any monotonic clock. After each call, drain `transmit()` and `events()`;
    call `expire()` when `deadline` has come. Not thread-safe.
    """

    cdef rt_ice *ice
    cdef rt_random random

    def __cinit__(
        self,
        *,
        controlling=True,
        lite=False,
        max_pairs=100,
        max_remote_candidates=64,
        pacing=0.05,
        rto=0.5,
        keepalive_interval=5.0,
        disconnected_timeout=5.0,
        failed_timeout=30.0,
        candidates_timeout=15.0,
        seed=None,
    ):
        cdef rt_ice_config config
        cdef uint8_t start[RT_RANDOM_SEED]
        rt_ice_config_default(&config)
        config.controlling = controlling
        config.lite = lite
        config.max_pairs = number("max_pairs", max_pairs, 1, 10000)
        config.max_remote_candidates = number("max_remote_candidates", max_remote_candidates, 1, 10000)
        config.pacing = to_span(pacing, "pacing")
        config.rto = to_span(rto, "rto")
        config.keepalive = to_span(keepalive_interval, "keepalive_interval")
        config.disconnected_after = to_span(disconnected_timeout, "disconnected_timeout")
        config.failed_after = to_span(failed_timeout, "failed_timeout")
        config.no_candidates_after = to_span(candidates_timeout, "candidates_timeout")
        if seed is None:
            check(rt_seed(start), "the random generator's seed")
            rt_random_init(&self.random, start)
        else:
            rt_random_init_number(&self.random, seed)
        config.random = &self.random
        self.ice = rt_ice_new(&config)
        if self.ice == NULL:
            raise MemoryError("no memory for an ICE agent")

    def __dealloc__(self):
        rt_ice_free(self.ice)

    @property
    def local_ufrag(self):
        """The user name fragment for the peer, until the next restart."""
        return rt_ice_local_ufrag(self.ice).decode("ascii")

    @property
    def local_pwd(self):
        """The password for the peer, until the next restart."""
        return rt_ice_local_pwd(self.ice).decode("ascii")

    @property
    def controlling(self):
        """The role; assign before the remote credentials are set, later only a conflict changes it.

        `ConnectionError` when it is too late, `ValueError` for a controlling lite agent.
        """
        return bool(rt_ice_controlling(self.ice))

    @controlling.setter
    def controlling(self, value):
        check(rt_ice_set_controlling(self.ice, value), "controlling")

    def set_remote_lite(self, lite=True):
        """The peer is ICE-lite: it never checks, and this agent takes the controlling role."""
        rt_ice_set_remote_lite(self.ice, lite)

    def add_host(self, socket, address, now, *, preference=65535):
        """A socket of the caller's, bound to `address`. The higher `preference` (0 to 65535), the better.

        `ValueError` when the address cannot be a candidate or was added before, `BlockingIOError` beyond 64.
        """
        cdef rt_addr addr
        cdef rt_time at = to_time(now, "now")
        cdef uint16_t index = number("socket", socket, 0, 65535)
        cdef uint16_t order = number("preference", preference, 0, 65535)
        to_addr(address, &addr)
        check(rt_ice_add_host(self.ice, index, &addr, order, at), f"host {address!r}")

    def add_server(self, server, address, now):
        """A STUN server with a number of the caller's, at a numeric `address`.

        `ValueError` when the address is none or was added before, `BlockingIOError` beyond 16.
        """
        cdef rt_addr addr
        cdef rt_time at = to_time(now, "now")
        cdef uint16_t index = number("server", server, 0, 65535)
        to_addr(address, &addr)
        check(rt_ice_add_server(self.ice, index, &addr, at), f"server {address!r}")

    def end_of_local(self, now):
        """No more hosts and servers will come: gathering completes when the servers are done."""
        rt_ice_end_of_local(self.ice, to_time(now, "now"))

    def set_local_credentials(self, ufrag, pwd):
        """Others than those that were drawn: before the first candidate and the remote credentials, then
        `ConnectionError`.

        `ValueError` unless they are 4 to 256 and 22 to 256 letters, digits, + and / (RFC 8839 section 5.4).
        """
        cdef bytes user = ufrag.encode()
        cdef bytes password = pwd.encode()
        check(
            rt_ice_set_local_credentials(self.ice, text_span(user), text_span(password)),
            "local credentials",
        )

    def set_remote_credentials(self, ufrag, pwd, now):
        """Checks begin with the first credentials; others are the peer's restart.

        `ValueError` unless they are 4 to 256 and 22 to 256 printable characters.
        """
        cdef bytes user = ufrag.encode()
        cdef bytes password = pwd.encode()
        cdef rt_time at = to_time(now, "now")
        check(
            rt_ice_set_remote_credentials(self.ice, text_span(user), text_span(password), at),
            "remote credentials",
        )

    def add_remote(self, candidate, now):
        """A candidate of the peer. TCP ones are kept and not paired.

        `ValueError` when its address is a name or cannot be one, `BlockingIOError` beyond the limit.
        """
        cdef rt_ice_candidate remote
        if not isinstance(candidate, Candidate):
            raise TypeError(f"add_remote takes a Candidate, not {type(candidate).__name__}")
        candidate_to_c(candidate, &remote)
        cdef rt_status status = rt_ice_add_remote(self.ice, &remote, to_time(now, "now"))
        if status != RT_UNSUPPORTED:
            check(status, f"candidate {candidate}")

    def end_of_remote(self, now):
        """The peer has no more candidates."""
        rt_ice_end_of_remote(self.ice, to_time(now, "now"))

    def restart(self, now):
        """New local credentials and a new check list; data keeps its path until the new one is ready.

        Add the hosts and servers again.
        """
        rt_ice_restart(self.ice, to_time(now, "now"))

    def receive(self, data, source, socket, now):
        """One STUN datagram; True if it was taken, False if it was dropped (and counted)."""
        cdef Py_buffer view
        cdef rt_addr addr
        cdef rt_time at = to_time(now, "now")
        cdef uint16_t index = number("socket", socket, 0, 65535)
        cdef rt_status status
        to_addr(source, &addr)
        PyObject_GetBuffer(data, &view, PyBUF_SIMPLE)
        status = rt_ice_receive(self.ice, index, &addr, rt_span_of(view.buf, view.len), at)
        PyBuffer_Release(&view)
        if status == RT_NO_MEMORY:
            check(status, "receive")
        return status == RT_OK

    def transmit(self, now):
        """What to send now, as (datagram, socket, address)."""
        cdef uint8_t memory[PACKETS * PACKET_SIZE]
        cdef rt_packet packets[PACKETS]
        cdef rt_batch batch
        cdef rt_time at = to_time(now, "now")
        cdef uint32_t i
        cdef list out = []
        rt_batch_init(&batch, rt_buffer_of(memory, sizeof(memory)), packets, PACKETS)
        while rt_ice_transmit(self.ice, &batch, at):
            for i in range(batch.count):
                datagram = PyBytes_FromStringAndSize(<const char *>packets[i].data, packets[i].size)
                out.append((datagram, packets[i].socket, from_addr(&packets[i].to)))
            rt_batch_reset(&batch)
        return out

    @property
    def deadline(self):
        """When `expire()` is due, on the clock of `now`; None when nothing is waited for."""
        return from_deadline(rt_ice_deadline(self.ice))

    def expire(self, now):
        """The deadline has come."""
        rt_ice_expire(self.ice, to_time(now, "now"))

    def events(self):
        """What happened since the last call, as (name, value).

        "candidate" (`Candidate`), "gathering" and "state" (the new state), "selected" ((socket, address) or
        None), "role" (whether controlling), "candidate_error" ((server, code, text)).
        """
        cdef rt_ice_event event
        cdef list out = []
        while rt_ice_event_next(self.ice, &event):
            if event.type == RT_ICE_EVENT_CANDIDATE:
                out.append(("candidate", candidate_from_c(&event.candidate, self.local_ufrag)))
            elif event.type == RT_ICE_EVENT_GATHERING:
                out.append(("gathering", GATHERING_STATES[<int>event.gathering]))
            elif event.type == RT_ICE_EVENT_STATE:
                out.append(("state", STATES[<int>event.state]))
            elif event.type == RT_ICE_EVENT_SELECTED:
                out.append(("selected", self.path))
            elif event.type == RT_ICE_EVENT_ROLE:
                out.append(("role", self.controlling))
            else:
                text = (<const char *>event.text).decode("ascii")
                out.append(("candidate_error", (event.server, event.code, text)))
        return out

    @property
    def path(self):
        """Where data goes now, as (socket, address); None while there is nowhere."""
        cdef uint16_t socket = 0
        cdef rt_addr to
        if not rt_ice_path(self.ice, &socket, &to):
            return None
        return socket, from_addr(&to)

    def knows(self, source, socket):
        """Whether data may be accepted from there."""
        cdef rt_addr addr
        to_addr(source, &addr)
        return bool(rt_ice_knows(self.ice, number("socket", socket, 0, 65535), &addr))

    def count_data(self, address, socket, size, now, *, sent):
        """One datagram of `size` bytes of data was sent to or received from `address`: for statistics."""
        cdef rt_addr addr
        to_addr(address, &addr)
        rt_ice_count_data(
            self.ice, number("socket", socket, 0, 65535), &addr, sent, 1, size, to_time(now, "now")
        )

    @property
    def state(self):
        """new, checking, connected, completed, disconnected or failed (W3C RTCIceTransportState)."""
        return STATES[<int>rt_ice_get_state(self.ice)]

    @property
    def gathering_state(self):
        """new, gathering or complete (W3C RTCIceGathererState)."""
        return GATHERING_STATES[<int>rt_ice_get_gathering(self.ice)]

    @property
    def local_candidates(self):
        """All local candidates of this generation, by their index in `pairs()`."""
        cdef rt_ice_stats stats
        cdef str ufrag = self.local_ufrag
        rt_ice_get_stats(self.ice, &stats)
        return [candidate_from_c(rt_ice_local(self.ice, i), ufrag) for i in range(stats.local_count)]

    @property
    def remote_candidates(self):
        """All remote candidates of this generation, by their index in `pairs()`."""
        cdef rt_ice_stats stats
        rt_ice_get_stats(self.ice, &stats)
        return [candidate_from_c(rt_ice_remote(self.ice, i)) for i in range(stats.remote_count)]

    def pairs(self):
        """The check list: one dict per pair, with its state, counters, and times in seconds (or None)."""
        cdef rt_ice_pair_stats pair
        cdef uint32_t i = 0
        cdef list out = []
        while rt_ice_pair(self.ice, i, &pair):
            out.append(tell_pair(&pair))
            i += 1
        return out

    def stats(self):
        """Counters: datagrams dropped by reason, candidates refused, changes of the selected pair."""
        cdef rt_ice_stats stats
        rt_ice_get_stats(self.ice, &stats)
        return {
            "malformed": stats.malformed,
            "unauthenticated": stats.unauthenticated,
            "unexpected": stats.unexpected,
            "candidates_refused": stats.candidates_refused,
            "local_candidates": stats.local_count,
            "remote_candidates": stats.remote_count,
            "pairs": stats.pair_count,
            "selected_pair_changes": stats.selected_pair_changes,
        }
