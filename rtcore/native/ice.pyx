# cython: language_level=3
"""ICE: candidates as values, and the agent (RFC 8445) sans-IO.

A `Candidate` is immutable and knows its SDP form. An `Agent` is the whole protocol without sockets: feed it
the datagrams that arrive, send what `transmit()` gives, call `expire()` when `deadline` has come.
"""

import re

from libc.string cimport memcpy, memset

cdef tuple TYPES = ("host", "srflx", "prflx", "relay")
cdef tuple TCP_TYPES = (None, "active", "passive", "so")

cdef object FOUNDATION = re.compile(r"[A-Za-z0-9+/]{1,32}")
cdef object HOST_NAME = re.compile(r"(?=.{1,253}$)\w[\w-]{0,62}(\.[\w-]{1,63})*\.?", re.ASCII)
cdef object TOKEN = re.compile(r"[^\s]+")
cdef object NUMERIC = re.compile(r"[0-9.]+")


cdef object number(str what, object value, object least, object most):
    if isinstance(value, str):
        if not (value.isascii() and value.isdigit() and len(value) <= 10):
            raise ValueError(f"{what} is not a number: {value!r}")
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError(f"{what} must be an int, not {type(value).__name__}")
    if not least <= value <= most:
        raise ValueError(f"{what} must be between {least} and {most}, not {value}")
    return value


cdef str format_ip(const rt_addr *addr):
    cdef char text[RT_ADDR_TEXT_MAX]
    cdef size_t size = rt_addr_format_ip(addr, text)
    return text[:size].decode("ascii")


cdef bint parse_ip(str text, unsigned short port, rt_addr *out):
    cdef bytes raw = text.encode("ascii", "replace")
    return rt_addr_parse_ip(raw, len(raw), port, out)


cdef str address_text(str what, object text):
    """A numeric address in its canonical form (RFC 5952), or a host name as it stands."""
    cdef rt_addr addr
    if not isinstance(text, str):
        raise TypeError(f"{what} must be a str, not {type(text).__name__}")
    if parse_ip(text, 0, &addr):
        return format_ip(&addr)
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
        if not isinstance(foundation, str):
            raise TypeError("foundation must be a str")
        if not FOUNDATION.fullmatch(foundation):
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
            if not isinstance(ufrag, str) or not TOKEN.fullmatch(ufrag) or len(ufrag) > 256:
                raise ValueError(f"ufrag must be 1 to 256 characters without blanks, not {ufrag!r}")
            self.ufrag = ufrag
        pairs = []
        for name, value in extensions:
            if not TOKEN.fullmatch(name) or not TOKEN.fullmatch(value):
                raise ValueError(f"an extension is a name and a value without blanks, not {name!r} {value!r}")
            pairs.append((name, value))
        self.extensions = tuple(pairs)

    @staticmethod
    def from_sdp(text):
        """Parses "candidate:...", with or without "a=" before or the trailing end of line.

        Unknown extension attributes are kept; host names are accepted (RFC 8839 section 5.1).
        """
        if not isinstance(text, str):
            raise TypeError(f"from_sdp takes a str, not {type(text).__name__}")
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
        for name, value in zip(words[8::2], words[9::2], strict=True):
            if name in ("raddr", "rport", "tcptype", "generation", "ufrag"):
                if name in known:
                    raise ValueError(f"{name} is given twice")
                known[name] = value
            else:
                extensions.append((name, value))
        return Candidate(
            words[0],
            words[1],
            words[2],
            words[3],
            words[4],
            words[5],
            words[7],
            related_address=known.get("raddr"),
            related_port=known.get("rport"),
            tcp_type=known.get("tcptype"),
            generation=known.get("generation"),
            ufrag=known.get("ufrag"),
            extensions=extensions,
        )

    def to_sdp(self):
        """The value of an a=candidate line, beginning with "candidate:"."""
        words = [
            f"candidate:{self.foundation} {self.component} {self.transport} {self.priority} "
            f"{self.address} {self.port} typ {self.type}"
        ]
        if self.related_address is not None:
            words.append(f"raddr {self.related_address}")
        if self.related_port is not None:
            words.append(f"rport {self.related_port}")
        if self.tcp_type is not None:
            words.append(f"tcptype {self.tcp_type}")
        if self.generation is not None:
            words.append(f"generation {self.generation}")
        if self.ufrag is not None:
            words.append(f"ufrag {self.ufrag}")
        words.extend(f"{name} {value}" for name, value in self.extensions)
        return " ".join(words)

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
        format_ip(&candidate.address),
        candidate.address.port,
        TYPES[<int>candidate.type],
        related_address=format_ip(&candidate.related) if related else None,
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
