# cython: language_level=3
"""STUN messages (RFC 8489) with the attributes of ICE (RFC 8445): parse, verify, build.

`Message.parse()` reads a datagram into an immutable view; `build()` writes one; a `Key` holds a password
ready for MESSAGE-INTEGRITY, so that it is keyed once and not per packet.
"""

from cpython.buffer cimport PyBUF_SIMPLE, PyBuffer_Release, PyObject_GetBuffer
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t

from rtcore.native.base cimport (
    RT_HASH_MAX,
    RT_MD5,
    RT_OK,
    RT_SHA1,
    RT_SHA256,
    RT_UNAUTHENTICATED,
    ip_text,
    parse_ip,
    rt_addr,
    rt_buffer,
    rt_buffer_of,
    rt_hash,
    rt_hash_size,
    rt_hmac,
    rt_hmac_free,
    rt_hmac_new,
    rt_span,
    rt_span_of,
    rt_status,
    rt_status_text,
    rt_writer,
)

import enum
import os


cdef extern from "wire/stun.h":
    ctypedef enum rt_stun_class:
        pass

    enum:
        RT_STUN_TRANSACTION
        RT_STUN_UNKNOWN_MAX
        RT_STUN_MAPPED_ADDRESS
        RT_STUN_USERNAME
        RT_STUN_ERROR_CODE
        RT_STUN_UNKNOWN_ATTRIBUTES
        RT_STUN_REALM
        RT_STUN_NONCE
        RT_STUN_XOR_MAPPED_ADDRESS
        RT_STUN_PRIORITY
        RT_STUN_USE_CANDIDATE
        RT_STUN_SOFTWARE
        RT_STUN_ALTERNATE_SERVER
        RT_STUN_ICE_CONTROLLED
        RT_STUN_ICE_CONTROLLING

    ctypedef struct rt_stun "rt_stun":
        rt_stun_class klass "class"
        uint16_t method
        const uint8_t *transaction
        rt_span username, realm, nonce, software
        rt_addr mapped
        rt_addr alternate
        rt_span reason
        uint16_t error
        bint has_priority, use_candidate, has_controlling, has_controlled, has_fingerprint
        uint32_t priority
        uint64_t tie_breaker
        uint16_t integrity, integrity256
        uint16_t unknown_count
        uint16_t unknown[RT_STUN_UNKNOWN_MAX]

    bint rt_stun_is(rt_span datagram)
    rt_status rt_stun_parse(rt_span datagram, rt_stun *out)
    rt_status rt_stun_verify(const rt_stun *stun, rt_hash hash, rt_hmac *hmac)
    bint rt_stun_next(rt_span message, size_t *offset, uint16_t *type, rt_span *value)
    rt_status rt_stun_long_term_key(rt_hash hash, rt_span user, rt_span realm, rt_span password, uint8_t *out)
    rt_writer rt_stun_begin(rt_buffer out, rt_stun_class klass, uint16_t method, const uint8_t *transaction)
    void rt_stun_add(rt_writer *w, uint16_t type, rt_span value)
    void rt_stun_add32(rt_writer *w, uint16_t type, uint32_t value)
    void rt_stun_add64(rt_writer *w, uint16_t type, uint64_t value)
    void rt_stun_add_address(rt_writer *w, uint16_t type, const rt_addr *addr)
    void rt_stun_sign(rt_writer *w, rt_hash hash, rt_hmac *hmac)
    void rt_stun_add_fingerprint(rt_writer *w)
    size_t rt_stun_end(rt_writer *w)


class Attribute(enum.IntEnum):
    """Attribute types; those below 0x8000 must be understood by the receiver."""

    MAPPED_ADDRESS = 0x0001
    USERNAME = 0x0006
    MESSAGE_INTEGRITY = 0x0008
    ERROR_CODE = 0x0009
    UNKNOWN_ATTRIBUTES = 0x000A
    REALM = 0x0014
    NONCE = 0x0015
    MESSAGE_INTEGRITY_SHA256 = 0x001C
    PASSWORD_ALGORITHM = 0x001D
    USERHASH = 0x001E
    XOR_MAPPED_ADDRESS = 0x0020
    PRIORITY = 0x0024
    USE_CANDIDATE = 0x0025
    PASSWORD_ALGORITHMS = 0x8002
    ALTERNATE_DOMAIN = 0x8003
    SOFTWARE = 0x8022
    ALTERNATE_SERVER = 0x8023
    FINGERPRINT = 0x8028
    ICE_CONTROLLED = 0x8029
    ICE_CONTROLLING = 0x802A


cdef tuple KINDS = ("request", "indication", "success", "error")
cdef dict HASHES = {"md5": RT_MD5, "sha1": RT_SHA1, "sha256": RT_SHA256}

cdef enum:
    BUILD_SIZE = 2048


cdef rt_hash hash_of(object algorithm, tuple allowed) except *:
    if algorithm not in allowed:
        raise ValueError(f"the algorithm must be one of {', '.join(allowed)}, not {algorithm!r}")
    return <rt_hash><int>HASHES[algorithm]


cdef rt_span span(bytes data):
    return rt_span_of(<const char *>data, len(data))


cdef bytes to_bytes(object value):
    return value.encode() if isinstance(value, str) else bytes(memoryview(value))


cdef bytes copied(rt_span data):
    return PyBytes_FromStringAndSize(<const char *>data.data, data.size)


cdef tuple from_addr(const rt_addr *addr):
    return (ip_text(addr), addr.port) if addr.family else None


cdef int to_addr(object address, rt_addr *out) except -1:
    host, port = address
    if not 0 <= port <= 65535:
        raise ValueError(f"a port is between 0 and 65535, not {port}")
    if not parse_ip(host, port, out):
        raise ValueError(f"not an IP address: {host!r}")
    return 0


def is_stun(data):
    """Whether a datagram is a STUN message by its first byte, magic cookie and length."""
    cdef Py_buffer view
    PyObject_GetBuffer(data, &view, PyBUF_SIMPLE)
    found = rt_stun_is(rt_span_of(view.buf, view.len))
    PyBuffer_Release(&view)
    return bool(found)


def transaction_id():
    """Twelve random bytes."""
    return os.urandom(RT_STUN_TRANSACTION)


cdef class Key:
    """A password ready for MESSAGE-INTEGRITY. Not to be used by two threads at once."""

    cdef bytes secret
    cdef rt_hmac *sha1
    cdef rt_hmac *sha256

    def __init__(self, password):
        """From the short-term password: str (as UTF-8) or bytes."""
        self.secret = to_bytes(password)

    def __dealloc__(self):
        rt_hmac_free(self.sha1)
        rt_hmac_free(self.sha256)

    @staticmethod
    def long_term(user, realm, password, *, algorithm="md5"):
        """The key of the long-term mechanism (RFC 8489 section 9.2.2), `algorithm` "md5" or "sha256"."""
        cdef uint8_t out[RT_HASH_MAX]
        cdef rt_hash hash = hash_of(algorithm, ("md5", "sha256"))
        cdef bytes name = to_bytes(user)
        cdef bytes where = to_bytes(realm)
        cdef bytes secret = to_bytes(password)
        cdef rt_status status = rt_stun_long_term_key(hash, span(name), span(where), span(secret), out)
        if status != RT_OK:
            raise ValueError(f"long-term key: {rt_status_text(status).decode()}")
        return Key(PyBytes_FromStringAndSize(<const char *>out, rt_hash_size(hash)))

    cdef rt_hmac *context(self, rt_hash hash) except NULL:
        cdef rt_hmac **slot = &self.sha256 if hash == RT_SHA256 else &self.sha1
        if slot[0] == NULL:
            slot[0] = rt_hmac_new(hash, span(self.secret))
        if slot[0] == NULL:
            raise MemoryError("no memory for an HMAC context")
        return slot[0]


cdef class Message:
    """A parsed STUN message, immutable. Its grammar and fingerprint are good; integrity is for `verify()`."""

    cdef bytes data
    cdef rt_stun stun

    def __init__(self):
        raise TypeError("use Message.parse()")

    @staticmethod
    def parse(data):
        """Reads one datagram. `ValueError` when it is malformed or its FINGERPRINT does not match."""
        cdef Message self = Message.__new__(Message)
        self.data = bytes(data) if not isinstance(data, bytes) else data
        cdef rt_status status = rt_stun_parse(span(self.data), &self.stun)
        if status == RT_UNAUTHENTICATED:
            raise ValueError("the STUN message's fingerprint does not match")
        if status != RT_OK:
            raise ValueError(f"not a STUN message: {rt_status_text(status).decode()}")
        return self

    def verify(self, key, algorithm="sha1"):
        """Whether MESSAGE-INTEGRITY ("sha1") or -SHA256 ("sha256") is there and right.

        `key` is a `Key`, or a password.
        """
        cdef Key secret = key if isinstance(key, Key) else Key(key)
        cdef rt_hash hash = hash_of(algorithm, ("sha1", "sha256"))
        return rt_stun_verify(&self.stun, hash, secret.context(hash)) == RT_OK

    def __bytes__(self):
        return self.data

    def __eq__(self, other):
        return self.data == (<Message>other).data if isinstance(other, Message) else NotImplemented

    def __hash__(self):
        return hash(self.data)

    def __repr__(self):
        return f"<Message {self.kind} method {self.method} transaction {self.transaction_id.hex()}>"

    @property
    def kind(self):
        """'request', 'indication', 'success' or 'error'."""
        return KINDS[<int>self.stun.klass]

    @property
    def method(self):
        """1 for Binding."""
        return self.stun.method

    @property
    def transaction_id(self):
        """Twelve bytes."""
        return PyBytes_FromStringAndSize(<const char *>self.stun.transaction, RT_STUN_TRANSACTION)

    @property
    def username(self):
        """USERNAME as bytes, None when absent."""
        return copied(self.stun.username) if self.stun.username.data != NULL else None

    @property
    def realm(self):
        """REALM as bytes, None when absent."""
        return copied(self.stun.realm) if self.stun.realm.data != NULL else None

    @property
    def nonce(self):
        """NONCE as bytes, None when absent."""
        return copied(self.stun.nonce) if self.stun.nonce.data != NULL else None

    @property
    def software(self):
        """SOFTWARE as text, None when absent."""
        if self.stun.software.data == NULL:
            return None
        return copied(self.stun.software).decode("utf-8", "replace")

    @property
    def mapped_address(self):
        """(host, port) of XOR-MAPPED-ADDRESS, else of MAPPED-ADDRESS; None when absent."""
        return from_addr(&self.stun.mapped)

    @property
    def alternate_server(self):
        """(host, port) of ALTERNATE-SERVER, None when absent."""
        return from_addr(&self.stun.alternate)

    @property
    def error(self):
        """(code, reason) of ERROR-CODE, None when absent."""
        if self.stun.error == 0:
            return None
        return self.stun.error, copied(self.stun.reason).decode("utf-8", "replace")

    @property
    def priority(self):
        """PRIORITY, None when absent."""
        return self.stun.priority if self.stun.has_priority else None

    @property
    def use_candidate(self):
        """Whether USE-CANDIDATE is there."""
        return bool(self.stun.use_candidate)

    @property
    def ice_controlling(self):
        """Tie breaker of ICE-CONTROLLING, None when absent."""
        return self.stun.tie_breaker if self.stun.has_controlling else None

    @property
    def ice_controlled(self):
        """Tie breaker of ICE-CONTROLLED, None when absent."""
        return self.stun.tie_breaker if self.stun.has_controlled else None

    @property
    def has_fingerprint(self):
        """Whether FINGERPRINT is there; it is right then."""
        return bool(self.stun.has_fingerprint)

    @property
    def unknown_attributes(self):
        """Types that must be understood and are not (the first 16): a request with some deserves a 420."""
        count = min(self.stun.unknown_count, RT_STUN_UNKNOWN_MAX)
        return tuple([self.stun.unknown[i] for i in range(count)])

    @property
    def attributes(self):
        """All attributes in their order, as (type, value)."""
        cdef size_t offset = 0
        cdef uint16_t type = 0
        cdef rt_span value
        cdef list out = []
        while rt_stun_next(span(self.data), &offset, &type, &value):
            out.append((type, copied(value)))
        return tuple(out)


cdef bytes plain_value(int type, object value):
    """The bytes of an attribute that is not an address or an integer."""
    if type == RT_STUN_ERROR_CODE and isinstance(value, tuple):
        code, reason = value
        if not 300 <= code <= 699:
            raise ValueError(f"an error code is between 300 and 699, not {code}")
        return bytes((0, 0, code // 100, code % 100)) + reason.encode()
    if type == RT_STUN_UNKNOWN_ATTRIBUTES and isinstance(value, (list, tuple)):
        return b"".join(int(item).to_bytes(2, "big") for item in value)
    if type == RT_STUN_USE_CANDIDATE:
        return b""
    return to_bytes(value)


cdef int add_attribute(rt_writer *w, int type, object value) except -1:
    cdef rt_addr addr
    cdef bytes raw
    if not 0 <= type <= 0xFFFF:
        raise ValueError(f"an attribute type is between 0 and 0xffff, not {type}")
    if type in (RT_STUN_MAPPED_ADDRESS, RT_STUN_XOR_MAPPED_ADDRESS, RT_STUN_ALTERNATE_SERVER):
        to_addr(value, &addr)
        rt_stun_add_address(w, type, &addr)
    elif type == RT_STUN_PRIORITY:
        rt_stun_add32(w, type, value)
    elif type in (RT_STUN_ICE_CONTROLLED, RT_STUN_ICE_CONTROLLING):
        rt_stun_add64(w, type, value)
    else:
        raw = plain_value(type, value)
        rt_stun_add(w, type, span(raw))
    return 0


def build(kind, transaction, attributes=(), *, method=1, key=None, algorithms=("sha1",), fingerprint=True):
    """Writes a message of at most 2048 bytes.

    `attributes` are (type, value) in their order: (host, port) for the address attributes, int for PRIORITY
    and the tie breakers, (code, reason) for ERROR-CODE, a list of types for UNKNOWN-ATTRIBUTES, anything for
    USE-CANDIDATE, str or bytes for all others. With a `key` (a `Key` or a password) the message is signed
    with each of `algorithms`. `ValueError` for values that do not fit.
    """
    cdef uint8_t memory[BUILD_SIZE]
    cdef rt_writer w
    cdef bytes identifier = to_bytes(transaction)
    cdef Key secret
    cdef rt_hash hash
    if kind not in KINDS:
        raise ValueError(f"kind must be one of {', '.join(KINDS)}, not {kind!r}")
    if len(identifier) != RT_STUN_TRANSACTION:
        raise ValueError(f"a transaction id has 12 bytes, not {len(identifier)}")
    if not 0 <= method <= 0xFF:
        raise ValueError(f"a method is between 0 and 255, not {method}")
    w = rt_stun_begin(
        rt_buffer_of(memory, BUILD_SIZE),
        <rt_stun_class><int>KINDS.index(kind),
        method,
        <const uint8_t *>PyBytes_AS_STRING(identifier),
    )
    for type, value in attributes:
        add_attribute(&w, type, value)
    if key is not None:
        secret = key if isinstance(key, Key) else Key(key)
        for algorithm in algorithms:
            hash = hash_of(algorithm, ("sha1", "sha256"))
            rt_stun_sign(&w, hash, secret.context(hash))
    if fingerprint:
        rt_stun_add_fingerprint(&w)
    cdef size_t size = rt_stun_end(&w)
    if size == 0:
        raise ValueError(f"the message does not fit into {BUILD_SIZE} bytes")
    return PyBytes_FromStringAndSize(<const char *>memory, size)
