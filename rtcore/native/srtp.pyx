# cython: language_level=3, boundscheck=False, wraparound=False
"""SRTP and SRTCP (RFC 3711, RFC 7714): packets protected in place, one or many at a time, without the GIL.

The cryptography is libsrtp's, as pylibsrtp ships it; its functions are called directly.
"""

from cpython.buffer cimport PyBUF_SIMPLE, PyBUF_WRITABLE, PyBuffer_Release, PyObject_GetBuffer
from cpython.ref cimport Py_DECREF, PyObject
from libc.stdint cimport uint8_t, uint32_t, uintptr_t
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy, memmove

from rtcore.native.base cimport (
    RT_MALFORMED,
    RT_OK,
    RT_REPLAYED,
    RT_TOO_LARGE,
    RT_UNAUTHENTICATED,
    check,
    rt_span_of,
    rt_status,
)

import ctypes
import enum


cdef extern from "Python.h":
    PyObject *PyBytes_FromStringAndSize(const char *bytes, Py_ssize_t size)
    char *PyBytes_AS_STRING(PyObject *bytes)
    int _PyBytes_Resize(PyObject **bytes, Py_ssize_t size)


cdef extern from "wire/rtp.h" nogil:
    bint rt_is_rtcp(rt_span packet)


cdef extern from *:
    """
    #include <stddef.h>
    enum {
        SIZE = sizeof(rt_libsrtp_policy), RTP = offsetof(rt_libsrtp_policy, rtp),
        RTCP = offsetof(rt_libsrtp_policy, rtcp), KEY = offsetof(rt_libsrtp_policy, key),
        WINDOW = offsetof(rt_libsrtp_policy, window_size),
        REPEAT = offsetof(rt_libsrtp_policy, allow_repeat_tx),
    };
    """
    size_t SIZE, RTP, RTCP, KEY, WINDOW, REPEAT


class Profile(enum.IntEnum):
    """DTLS-SRTP protection profiles, by their IANA numbers."""

    AES128_CM_SHA1_80 = RT_SRTP_AES128_CM_SHA1_80
    AES128_CM_SHA1_32 = RT_SRTP_AES128_CM_SHA1_32
    AEAD_AES_128_GCM = RT_SRTP_AEAD_AES_128_GCM
    AEAD_AES_256_GCM = RT_SRTP_AEAD_AES_256_GCM


class Status(enum.IntEnum):
    """What became of one packet of a batch."""

    OK = 0
    MALFORMED = 1
    UNAUTHENTICATED = 2
    REPLAYED = 3
    TOO_OLD = 4
    TOO_LARGE = 5
    REFUSED = 6


TRAILER = RT_SRTP_TRAILER


class AuthenticationError(ConnectionError):
    """The tag of a packet does not match: damaged, forged, or another key."""


class ReplayError(ConnectionError):
    """A packet that was seen before, or is older than the replay window."""


# ---- the library ----


cdef rt_srtp_library table
cdef bint table_filled = False
cdef object table_owner = None  # keeps the binding, and so the functions, where they are


cdef int check_layout(object ffi) except -1:
    """`ImportError` unless pylibsrtp was compiled with the structures of proto/srtp_library.h."""
    policy = ffi.typeof("srtp_policy_t")
    members = {name: member.offset for name, member in policy.fields}
    theirs = (ffi.sizeof(policy),) + tuple(
        members[name] for name in ("rtp", "rtcp", "key", "window_size", "allow_repeat_tx")
    )
    if theirs != (SIZE, RTP, RTCP, KEY, WINDOW, REPEAT):
        raise ImportError("this version of pylibsrtp has a libsrtp of another layout")
    return 0


cdef int fill_cipher(object binding) except -1:
    """The functions of the OpenSSL 3 that the binding is linked with, if the loader can see them."""
    try:
        loaded = ctypes.CDLL(binding.__file__)
        found = {
            name: ctypes.cast(getattr(loaded, "EVP_" + name), ctypes.c_void_p).value
            for name in (
                "CIPHER_fetch", "CIPHER_free", "CIPHER_CTX_new", "CIPHER_CTX_free", "EncryptInit_ex",
                "EncryptUpdate", "EncryptFinal_ex", "CIPHER_CTX_ctrl",
            )
        }
    except (AttributeError, OSError):
        return 0  # linked with something else, or hidden: libsrtp does it all
    table.cipher.fetch = <void *><uintptr_t>found["CIPHER_fetch"]
    table.cipher.free = <void *><uintptr_t>found["CIPHER_free"]
    table.cipher.context_new = <void *><uintptr_t>found["CIPHER_CTX_new"]
    table.cipher.context_free = <void *><uintptr_t>found["CIPHER_CTX_free"]
    table.cipher.encrypt_init = <void *><uintptr_t>found["EncryptInit_ex"]
    table.cipher.encrypt_update = <void *><uintptr_t>found["EncryptUpdate"]
    table.cipher.encrypt_final = <void *><uintptr_t>found["EncryptFinal_ex"]
    table.cipher.control = <void *><uintptr_t>found["CIPHER_CTX_ctrl"]
    return 0


cdef const rt_srtp_library *srtp_library() except NULL:
    global table_filled, table_owner
    if table_filled:
        return &table
    from pylibsrtp import _binding
    ffi, lib = _binding.ffi, _binding.lib
    check_layout(ffi)

    def address(name):
        return int(ffi.cast("uintptr_t", ffi.addressof(lib, name)))

    table.rtp_profile = <void *><uintptr_t>address("srtp_crypto_policy_set_from_profile_for_rtp")
    table.rtcp_profile = <void *><uintptr_t>address("srtp_crypto_policy_set_from_profile_for_rtcp")
    table.create = <void *><uintptr_t>address("srtp_create")
    table.dealloc = <void *><uintptr_t>address("srtp_dealloc")
    table.add_stream = <void *><uintptr_t>address("srtp_add_stream")
    table.remove_stream = <void *><uintptr_t>address("srtp_remove_stream")
    table.protect = <void *><uintptr_t>address("srtp_protect")
    table.unprotect = <void *><uintptr_t>address("srtp_unprotect")
    table.protect_rtcp = <void *><uintptr_t>address("srtp_protect_rtcp")
    table.unprotect_rtcp = <void *><uintptr_t>address("srtp_unprotect_rtcp")
    fill_cipher(_binding)
    table_owner = lib
    table_filled = True
    return &table


# ---- keys ----


cdef rt_srtp_profile to_profile(object profile) except *:
    return <rt_srtp_profile><int>Profile(profile)


def key_size(profile):
    """Bytes of master key and salt together. `ValueError`: an unknown profile."""
    cdef rt_srtp_profile known = to_profile(profile)
    return rt_srtp_key_size(known) + rt_srtp_salt_size(known)


def split_keys(profile, material, *, client):
    """Master key and salt of the DTLS client's (or server's) direction, out of what was exported from DTLS
    under "EXTRACTOR-dtls_srtp" (RFC 5764 section 4.2). `ValueError`: `material` has not twice `key_size()`
    bytes."""
    cdef rt_srtp_profile known = to_profile(profile)
    cdef const uint8_t[::1] view = memoryview(material).cast("B")
    cdef uint8_t out[RT_SRTP_KEYS_MAX]
    cdef size_t size = 0
    if view.shape[0]:
        size = rt_srtp_split(known, rt_span_of(&view[0], view.shape[0]), client, out)
    if size == 0:
        raise ValueError(f"{view.shape[0]} bytes of keying material are not twice {key_size(profile)}")
    return out[:size]


# ---- sessions ----


cdef int fail(rt_status status) except -1:
    """The one place where a status becomes an exception."""
    if status == RT_UNAUTHENTICATED:
        raise AuthenticationError("SRTP: the tag does not match")
    if status == RT_REPLAYED:
        raise ReplayError("SRTP: the packet was seen before, or is too old")
    return check(status, "SRTP")


cdef uint8_t to_code(const rt_srtp_item *item) noexcept nogil:
    if item.status == RT_OK:
        return 0
    if item.status == RT_MALFORMED:
        return 1
    if item.status == RT_UNAUTHENTICATED:
        return 2
    if item.status == RT_REPLAYED:
        return 4 if item.old else 3
    if item.status == RT_TOO_LARGE:
        return 5
    return 6


ctypedef rt_status (*transform)(
    rt_srtp *session, uint8_t *packet, size_t *size, size_t capacity
) noexcept nogil


# The four functions with one signature.
cdef rt_status unprotect_rtp(
    rt_srtp *session, uint8_t *packet, size_t *size, size_t capacity
) noexcept nogil:
    return rt_srtp_unprotect(session, packet, size)


cdef rt_status unprotect_rtcp(
    rt_srtp *session, uint8_t *packet, size_t *size, size_t capacity
) noexcept nogil:
    return rt_srtp_unprotect_rtcp(session, packet, size)


cdef class Srtp:
    """One direction of a session: protects, if `outbound`, else unprotects; any number of streams (SSRCs).

    `keys`: master key and salt, one after the other. `window`: replay window in packets, 64 to 32,767;
    None: 1,024 inbound, 128 outbound. `max_streams`: inbound, the stream longest unused makes room for a
    new one; outbound, a new one is refused. `repeats`: an outbound packet may be protected again, for
    retransmission. `ValueError` for wrong arguments. One thread at a time.

    Packets are any objects with the buffer protocol. All calls raise `ValueError` for what is no RTP (RTCP)
    packet or does not fit, `AuthenticationError` and `ReplayError` when unprotecting, `ConnectionError`
    when the key has been used as often as it may or the stream was removed, `BlockingIOError` when there
    are too many streams.
    """

    cdef rt_srtp *session
    cdef bint outbound, repeats

    def __init__(self, profile, keys, *, outbound, window=None, max_streams=512, repeats=False):
        cdef rt_srtp_config config
        cdef const uint8_t[::1] view = memoryview(keys).cast("B")
        if self.session is not NULL:
            raise RuntimeError("an Srtp is initialised once")
        if window is not None and not 64 <= window <= 32767:
            raise ValueError(f"window must be 64 to 32767 packets, not {window!r}")
        if not 1 <= max_streams <= 1 << 20:
            raise ValueError(f"max_streams must be 1 to 2**20, not {max_streams!r}")
        if view.shape[0] != key_size(profile):
            raise ValueError(f"keys must be {key_size(profile)} bytes for this profile, not {view.shape[0]}")
        rt_srtp_config_default(&config)
        config.library = srtp_library()
        config.profile = to_profile(profile)
        config.keys = rt_span_of(&view[0], view.shape[0])
        config.outbound = outbound
        config.window = 0 if window is None else window
        config.max_streams = max_streams
        config.repeats = self.repeats = repeats
        self.outbound = outbound
        check(rt_srtp_new(&config, &self.session), "SRTP")

    def __dealloc__(self):
        rt_srtp_free(self.session)

    cdef int needs(self, bint outbound) except -1:
        if self.session is NULL or self.outbound != outbound:
            raise ValueError("this session only " + ("protects" if self.outbound else "unprotects"))
        return 0

    cdef bytes convert(self, object packet, transform function, size_t room):
        """A copy of the packet, changed where it lies: the bytes that are returned."""
        cdef Py_buffer view
        cdef size_t size, capacity
        cdef rt_status status
        cdef PyObject *out
        PyObject_GetBuffer(packet, &view, PyBUF_SIMPLE)
        size = <size_t>view.len
        capacity = size + room
        out = PyBytes_FromStringAndSize(NULL, <Py_ssize_t>capacity)
        if out is not NULL:
            memcpy(PyBytes_AS_STRING(out), view.buf, size)
        PyBuffer_Release(&view)
        if out is NULL:
            raise MemoryError
        status = function(self.session, <uint8_t *>PyBytes_AS_STRING(out), &size, capacity)
        if status == RT_OK and size != capacity:
            _PyBytes_Resize(&out, <Py_ssize_t>size)  # nobody has seen it yet
            if out is NULL:
                raise MemoryError
        result = <bytes>out
        Py_DECREF(result)  # `result` has its own reference
        if status != RT_OK:
            fail(status)
        return result

    def protect(self, packet):
        """The SRTP packet of an RTP packet. `packet` is not changed."""
        self.needs(True)
        return self.convert(packet, rt_srtp_protect, RT_SRTP_TRAILER)

    def protect_rtcp(self, packet):
        """The SRTCP packet of an RTCP packet. `packet` is not changed."""
        self.needs(True)
        return self.convert(packet, rt_srtp_protect_rtcp, RT_SRTP_TRAILER)

    def unprotect(self, packet):
        """The RTP packet of an SRTP packet. `packet` is not changed."""
        self.needs(False)
        return self.convert(packet, unprotect_rtp, 0)

    def unprotect_rtcp(self, packet):
        """The RTCP packet of an SRTCP packet. `packet` is not changed."""
        self.needs(False)
        return self.convert(packet, unprotect_rtcp, 0)

    cdef size_t convert_into(self, object packet, object out, size_t room) except? 0:
        cdef Py_buffer source
        cdef Py_buffer target
        cdef size_t size
        cdef rt_status status
        cdef bint rtcp
        PyObject_GetBuffer(packet, &source, PyBUF_SIMPLE)
        try:
            PyObject_GetBuffer(out, &target, PyBUF_SIMPLE | PyBUF_WRITABLE)
            try:
                size = <size_t>source.len
                if <size_t>target.len < size + room:
                    raise ValueError(f"a packet of {size} bytes needs {size + room}, out has {target.len}")
                if target.buf != source.buf:
                    memmove(target.buf, source.buf, size)
                rtcp = rt_is_rtcp(rt_span_of(target.buf, size))
                if self.outbound:
                    status = (rt_srtp_protect_rtcp if rtcp else rt_srtp_protect)(
                        self.session, <uint8_t *>target.buf, &size, <size_t>target.len
                    )
                else:
                    status = (rt_srtp_unprotect_rtcp if rtcp else rt_srtp_unprotect)(
                        self.session, <uint8_t *>target.buf, &size
                    )
            finally:
                PyBuffer_Release(&target)
        finally:
            PyBuffer_Release(&source)
        if status != RT_OK:
            fail(status)
        return size

    def protect_into(self, packet, out):
        """Writes the protected packet, RTP or RTCP (RFC 5761), to `out`, which needs `TRAILER` bytes more
        than the packet; returns its size. Both may begin at the same byte: then it is done in place."""
        self.needs(True)
        return self.convert_into(packet, out, RT_SRTP_TRAILER)

    def unprotect_into(self, packet, out):
        """Writes the plain packet, RTP or RTCP, to `out`, which needs as many bytes as `packet`; returns
        its size. Both may begin at the same byte: then it is done in place."""
        self.needs(False)
        return self.convert_into(packet, out, 0)

    cdef object run_batch(self, object memory, object offsets, object sizes):
        import numpy as np  # not above: single packets go without
        cdef uint8_t[::1] bytes_view = memoryview(memory).cast("B")
        cdef const uint32_t[::1] at = offsets
        cdef uint32_t[::1] size = sizes
        cdef size_t count = <size_t>at.shape[0], total = <size_t>bytes_view.shape[0], i, end
        cdef rt_srtp_item *items
        cdef bint fits = True
        if <size_t>size.shape[0] != count:
            raise ValueError(f"{count} offsets, but {size.shape[0]} sizes")
        result = np.empty(count, np.uint8)
        cdef uint8_t[::1] code = result
        if count == 0:
            return result
        if total == 0:
            raise ValueError("memory is empty")
        items = <rt_srtp_item *>malloc(count * sizeof(rt_srtp_item))
        if items is NULL:
            raise MemoryError
        try:
            with nogil:
                for i in range(count):
                    end = at[i + 1] if i + 1 < count else total
                    if end > total or at[i] > end or size[i] > end - at[i]:
                        fits = False
                        break
                    items[i].data = &bytes_view[0] + at[i]
                    items[i].size = size[i]
                    items[i].capacity = end - at[i]
                if fits:
                    if self.outbound:
                        rt_srtp_protect_batch(self.session, items, count)
                    else:
                        rt_srtp_unprotect_batch(self.session, items, count)
                    for i in range(count):
                        code[i] = to_code(&items[i])
                        size[i] = <uint32_t>items[i].size
        finally:
            free(items)
        if not fits:
            raise ValueError(f"packet {i} overlaps the next one, or leaves memory")
        return result

    def protect_batch(self, memory, offsets, sizes):
        """Many packets in place, RTP and RTCP mixed, without the GIL. Packet i has `sizes[i]` bytes at
        `offsets[i]` of the writable `memory`; offsets ascend, and a packet may grow up to the next one's.
        `sizes` is changed to the new sizes. Returns a `Status` for each packet, shape (n,); a packet that
        failed keeps its size. `ValueError`: packets overlap or leave `memory`."""
        self.needs(True)
        return self.run_batch(memory, offsets, sizes)

    def unprotect_batch(self, memory, offsets, sizes):
        """As `protect_batch()`, the other way. The bytes of a packet that failed are undefined."""
        self.needs(False)
        return self.run_batch(memory, offsets, sizes)

    def add_stream(self, ssrc, *, window=None, repeats=None):
        """Before its first packet, which would do it, too. `repeats`, `window`: other than the session's
        others have it; None: as they. `ValueError`: there is one."""
        if window is not None and not 64 <= window <= 32767:
            raise ValueError(f"window must be 64 to 32767 packets, not {window!r}")
        cdef uint32_t packets = 0 if window is None else window
        cdef bint again = self.repeats if repeats is None else repeats
        check(rt_srtp_add_stream(self.session, ssrc, packets, again), f"SRTP stream {ssrc}")

    def remove_stream(self, ssrc):
        """`ValueError`: there is none. Outbound it cannot come back: its nonces would be used twice."""
        check(rt_srtp_remove_stream(self.session, ssrc), f"SRTP stream {ssrc}")

    def rollover(self, ssrc):
        """The stream's roll-over counter (RFC 3711 section 3.3.1), as of its highest packet. `ValueError`:
        no such stream."""
        cdef uint32_t counter
        check(rt_srtp_rollover(self.session, ssrc, &counter), f"SRTP stream {ssrc}")
        return counter

    def stats(self):
        """Counters: packets (that went well), unauthenticated, replayed, old, malformed, evicted (streams);
        streams (now)."""
        cdef rt_srtp_stats stats
        rt_srtp_get_stats(self.session, &stats)
        return {
            "packets": stats.packets,
            "unauthenticated": stats.unauthenticated,
            "replayed": stats.replayed,
            "old": stats.old,
            "malformed": stats.malformed,
            "evicted": stats.evicted,
            "streams": stats.streams,
        }
