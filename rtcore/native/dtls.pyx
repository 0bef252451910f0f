# cython: language_level=3
"""DTLS 1.2 for WebRTC: certificates as values, and the connection (RFC 6347, RFC 8827) sans-IO.

A `Certificate` is immutable and can be shared by any number of connections and threads. A `Connection` is
the whole protocol without sockets: feed it the datagrams that arrive, send what `transmit()` gives, call
`expire()` when `deadline` has come. It opens only when the peer's certificate matched a fingerprint.
"""

from cpython.buffer cimport PyBUF_SIMPLE, PyBuffer_Release, PyObject_GetBuffer
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from libc.stdint cimport uint32_t
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy

from rtcore.native.base cimport (
    RT_HASH_MAX,
    RT_INVALID,
    RT_SHA256,
    RT_SHA384,
    RT_SHA512,
    check,
    from_deadline,
    rt_batch_init,
    rt_batch_reset,
    rt_buffer_of,
    rt_hash_size,
    rt_span_of,
    to_time,
)

import time
from datetime import datetime, timedelta, timezone

cdef dict HASHES = {"sha-256": RT_SHA256, "sha-384": RT_SHA384, "sha-512": RT_SHA512}
cdef dict ROLES = {"client": RT_DTLS_CLIENT, "server": RT_DTLS_SERVER}
cdef tuple ROLE_NAMES = ("client", "server")
cdef tuple STATES = ("new", "connecting", "connected", "closed", "failed")
cdef tuple PROFILES = (1, 2, 7, 8)
# The first certificate of the process lends its OpenSSL context to those that come later.
cdef Certificate first_certificate = None

cdef enum:
    BATCH = 8


cdef rt_hash hash_of(object algorithm) except *:
    found = HASHES.get(algorithm.lower() if isinstance(algorithm, str) else None)
    if found is None:
        raise ValueError(f"the fingerprint algorithm must be one of {', '.join(HASHES)}, not {algorithm!r}")
    return <rt_hash><int>found


cdef bytes digest_of(object digest):
    """The digest's bytes, from bytes or from "AB:CD:..."."""
    if not isinstance(digest, str):
        return bytes(digest)
    try:
        return bytes.fromhex(digest.replace(":", ""))
    except ValueError:
        raise ValueError(f"a fingerprint is hexadecimal bytes with colons, not {digest!r}") from None


cdef bytes text_bytes(object text):
    return text.encode() if isinstance(text, str) else bytes(text)


cdef str write_pem(const rt_certificate *certificate, bint key):
    cdef size_t size = rt_certificate_write_pem(certificate, key, rt_buffer_of(NULL, 0))
    cdef bytearray text = bytearray(size)
    if size == 0 or rt_certificate_write_pem(certificate, key, rt_buffer_of(<char *>text, size)) != size:
        raise OSError("OpenSSL could not write PEM")
    return text.decode("ascii")


cdef class Certificate:
    """An X.509 certificate with its private key, made by `generate()` or `from_pem()`."""

    def __cinit__(self):
        self.certificate = NULL

    def __init__(self):
        raise TypeError("use Certificate.generate() or Certificate.from_pem()")

    def __dealloc__(self):
        rt_certificate_free(self.certificate)

    @staticmethod
    def generate(*, valid=timedelta(days=30)):
        """A self-signed ECDSA P-256 certificate, valid for `valid` from now, and a day back for late clocks.

        `ValueError` when `valid` is not positive or ends after the year 9999.
        """
        cdef int64_t now = int(time.time())
        cdef int64_t seconds = int(valid.total_seconds())
        if seconds <= 0 or now + seconds > 253402300799:
            raise ValueError(f"a certificate cannot be valid for {valid!r}")
        global first_certificate
        cdef Certificate self = Certificate.__new__(Certificate)
        if first_certificate is None:
            self.certificate = rt_certificate_generate(now, seconds)
        else:
            self.certificate = rt_certificate_generate_beside(first_certificate.certificate, now, seconds)
        if self.certificate == NULL:
            raise OSError("OpenSSL could not generate a certificate")
        if first_certificate is None:
            first_certificate = self
        return self

    @staticmethod
    def from_pem(certificate, key):
        """From PEM texts (str or bytes) of a certificate and its unencrypted private key, ECDSA or RSA.

        `ValueError` when a text is malformed, the kind of key is not supported, or it is another
        certificate's key.
        """
        cdef bytes certificate_pem = text_bytes(certificate)
        cdef bytes key_pem = text_bytes(key)
        cdef Certificate self = Certificate.__new__(Certificate)
        cdef rt_status status = rt_certificate_load(
            rt_span_of(<const char *>certificate_pem, len(certificate_pem)),
            rt_span_of(<const char *>key_pem, len(key_pem)),
            &self.certificate,
        )
        if status == RT_INVALID:
            raise ValueError("the private key does not belong to the certificate")
        check(status, "certificate")
        return self

    def pem(self):
        """Certificate and private key (PKCS #8, not encrypted) as PEM, as `from_pem()` takes them."""
        return write_pem(self.certificate, False), write_pem(self.certificate, True)

    @property
    def der(self):
        """The certificate, DER."""
        cdef rt_span der = rt_certificate_der(self.certificate)
        return PyBytes_FromStringAndSize(<const char *>der.data, der.size)

    @property
    def expires(self):
        """The end of its validity, in UTC."""
        return datetime.fromtimestamp(rt_certificate_expires(self.certificate), timezone.utc)

    def fingerprint_bytes(self, algorithm="sha-256"):
        """The digest of the DER form. `ValueError` unless the algorithm is sha-256, sha-384 or sha-512."""
        cdef uint8_t digest[RT_HASH_MAX]
        cdef rt_hash hash = hash_of(algorithm)
        check(rt_certificate_fingerprint(self.certificate, hash, digest), "fingerprint")
        return PyBytes_FromStringAndSize(<const char *>digest, rt_hash_size(hash))

    def fingerprint(self, algorithm="sha-256"):
        """The digest as a=fingerprint has it (RFC 8122 section 5): "AB:CD:..."."""
        return self.fingerprint_bytes(algorithm).hex(":").upper()

    def __eq__(self, other):
        if not isinstance(other, Certificate):
            return NotImplemented
        return self.der == other.der

    def __hash__(self):
        return hash(self.der)

    def __repr__(self):
        return f"<Certificate sha-256 {self.fingerprint()} until {self.expires:%Y-%m-%d}>"

    def __reduce__(self):
        raise TypeError("a certificate holds a private key: use pem() to store it")


cdef class Connection:
    """One DTLS connection, without sockets. One thread at a time.

    `now` is any clock that only goes forward, in seconds. What a peer can cause (malformed, replayed or
    forged records) is counted in `stats()` and otherwise ignored.
    """

    cdef rt_dtls *dtls
    cdef readonly Certificate certificate
    cdef readonly str role
    cdef size_t mtu

    def __cinit__(self):
        self.dtls = NULL

    def __init__(
        self,
        Certificate certificate not None,
        role,
        *,
        mtu=1200,
        srtp_profiles=(),
        first_timeout=0.4,
        last_timeout=8.0,
        give_up_after=30.0,
    ):
        cdef rt_dtls_config config
        if self.dtls != NULL:
            raise RuntimeError("the connection is initialised already")
        if role not in ROLES:
            raise ValueError(f'role must be "client" or "server", not {role!r}')
        if not 256 <= mtu <= 16384:
            raise ValueError(f"mtu must be between 256 and 16384, not {mtu}")
        profiles = tuple(srtp_profiles)
        if len(set(profiles)) < len(profiles) or not set(profiles).issubset(PROFILES):
            raise ValueError(f"srtp_profiles must be different ones of {PROFILES}, not {profiles!r}")
        rt_dtls_config_default(&config)
        config.certificate = certificate.certificate
        config.role = <rt_dtls_role><int>ROLES[role]
        config.mtu = mtu
        for i, profile in enumerate(profiles):
            config.srtp_profiles[i] = profile
        config.first_timeout = to_time(first_timeout, "first_timeout")
        config.last_timeout = to_time(last_timeout, "last_timeout")
        config.give_up_after = to_time(give_up_after, "give_up_after")
        if min(config.first_timeout, config.last_timeout, config.give_up_after) <= 0:
            raise ValueError("timeouts must be positive")
        self.dtls = rt_dtls_new(&config)
        if self.dtls == NULL:
            raise MemoryError("no memory for a DTLS connection")
        self.certificate = certificate
        self.role = role
        self.mtu = mtu

    def __dealloc__(self):
        rt_dtls_free(self.dtls)

    def add_fingerprint(self, algorithm, digest, now):
        """One of the peer's fingerprints, as bytes or as "AB:CD:...". One of those given must match.

        `ValueError` for an unknown algorithm or a digest of the wrong size; `ConnectionError` when the
        connection is over, or open with a peer of another fingerprint.
        """
        cdef bytes value = digest_of(digest)
        cdef rt_span span = rt_span_of(<const char *>value, len(value))
        cdef rt_hash hash = hash_of(algorithm)
        check(rt_dtls_add_fingerprint(self.dtls, hash, span, to_time(now, "now")), "fingerprint")

    def start(self, now):
        """Begins the handshake; a client's first flight waits in `transmit()`.

        `ConnectionError` the second time.
        """
        check(rt_dtls_start(self.dtls, to_time(now, "now")), "start")

    def receive(self, data, now):
        """Takes one datagram and returns the application records that can be read now.

        Records that came before the peer's fingerprint was known are returned by the first call after it
        matched; an empty datagram only asks for them.
        """
        cdef Py_buffer view
        cdef uint8_t *memory
        cdef rt_span record
        cdef rt_time moment = to_time(now, "now")
        cdef list records = []
        PyObject_GetBuffer(data, &view, PyBUF_SIMPLE)
        try:
            memory = <uint8_t *>malloc(view.len + 1)
            if memory == NULL:
                raise MemoryError("no memory for a datagram")
            memcpy(memory, view.buf, view.len)
            rt_dtls_receive(self.dtls, rt_buffer_of(memory, view.len), moment)
        finally:
            PyBuffer_Release(&view)
        try:
            while rt_dtls_read(self.dtls, &record):
                records.append(PyBytes_FromStringAndSize(<const char *>record.data, record.size))
        finally:
            free(memory)
        return records

    def transmit(self, now):
        """The datagrams of handshake and alerts that are to be sent now."""
        cdef rt_batch batch
        cdef rt_packet packets[BATCH]
        cdef rt_time moment = to_time(now, "now")
        cdef size_t size = BATCH * self.mtu
        cdef uint8_t *memory = <uint8_t *>malloc(size)
        cdef rt_packet packet
        cdef list datagrams = []
        if memory == NULL:
            raise MemoryError("no memory for datagrams")
        try:
            rt_batch_init(&batch, rt_buffer_of(memory, size), packets, BATCH)
            while rt_dtls_transmit(self.dtls, &batch, moment):
                for packet in packets[: batch.count]:
                    datagrams.append(PyBytes_FromStringAndSize(<const char *>packet.data, packet.size))
                rt_batch_reset(&batch)
        finally:
            free(memory)
        return datagrams

    def write(self, data):
        """Encrypts `data`, at most 16384 bytes, into one record, which is 37 bytes longer.

        `ConnectionError` unless connected, `ValueError` when it is too large.
        """
        cdef Py_buffer view
        cdef rt_packet packet
        cdef bytes record
        PyObject_GetBuffer(data, &view, PyBUF_SIMPLE)
        try:
            if view.len > 16384:
                raise ValueError(f"a record carries at most 16384 bytes, not {view.len}")
            record = PyBytes_FromStringAndSize(NULL, view.len + RT_DTLS_OVERHEAD)
            packet.data = <uint8_t *>PyBytes_AS_STRING(record) + RT_DTLS_HEADROOM
            packet.size = <uint32_t>view.len
            memcpy(packet.data, view.buf, view.len)
        finally:
            PyBuffer_Release(&view)
        check(rt_dtls_seal(self.dtls, &packet), "write")
        return record

    @property
    def deadline(self):
        """When `expire()` is due, on the clock of `now`; None when nothing is waited for."""
        return from_deadline(rt_dtls_deadline(self.dtls))

    def expire(self, now):
        """The deadline has come: flights are sent again, or the handshake is given up."""
        rt_dtls_expire(self.dtls, to_time(now, "now"))

    def events(self):
        """State changes since the last call as (state, reason); the reason tells why it closed or failed."""
        cdef rt_dtls_event event
        cdef list happened = []
        while rt_dtls_event_next(self.dtls, &event):
            happened.append((STATES[<int>event.state], event.text.decode("utf-8", "replace")))
        return happened

    def close(self, now):
        """Says good-bye (close_notify waits in `transmit()`). Idempotent."""
        rt_dtls_close(self.dtls, to_time(now, "now"))

    def export_keying_material(self, label, size):
        """`size` bytes of keying material (RFC 5705, no context). `ConnectionError` unless connected."""
        cdef bytes name = label.encode("ascii")
        if not 0 < size <= 65536:
            raise ValueError(f"size must be between 1 and 65536, not {size}")
        cdef bytes out = PyBytes_FromStringAndSize(NULL, size)
        cdef rt_span span = rt_span_of(<const char *>name, len(name))
        check(rt_dtls_export(self.dtls, span, rt_buffer_of(PyBytes_AS_STRING(out), size)), "export")
        return out

    @property
    def state(self):
        """new, connecting, connected, closed or failed (W3C RTCDtlsTransportState)."""
        return STATES[<int>rt_dtls_get_state(self.dtls)]

    @property
    def srtp_profile(self):
        """IANA number of the agreed SRTP protection profile (RFC 5764), None when there is none."""
        return rt_dtls_srtp_profile(self.dtls) or None

    @property
    def cipher(self):
        """IANA name of the cipher suite, empty before it is agreed."""
        return rt_dtls_cipher(self.dtls).decode("ascii")

    @property
    def group(self):
        """"X25519" or "P-256", empty before it is agreed."""
        return rt_dtls_group(self.dtls).decode("ascii")

    @property
    def remote_certificate(self):
        """The peer's certificate in DER, None before it came."""
        cdef rt_span der = rt_dtls_remote_der(self.dtls)
        return PyBytes_FromStringAndSize(<const char *>der.data, der.size) if der.size else None

    def stats(self):
        """Counters: application records and plaintext bytes both ways, dropped records, repeated flights."""
        cdef rt_dtls_stats stats
        rt_dtls_get_stats(self.dtls, &stats)
        return stats

    def __repr__(self):
        return f"<Connection {self.role} {self.state}>"
