# cython: language_level=3
"""C side of native/base for the other modules, and what all of them convert in the same way."""

cimport cython
from cpython.buffer cimport Py_buffer
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t


cdef extern from "base/time.h":
    ctypedef int64_t rt_time
    rt_time RT_NEVER


cdef extern from "base/status.h":
    ctypedef enum rt_status:
        RT_OK
        RT_MALFORMED
        RT_UNAUTHENTICATED
        RT_REPLAYED
        RT_UNEXPECTED
        RT_UNSUPPORTED
        RT_AGAIN
        RT_INVALID
        RT_TOO_LARGE
        RT_CLOSED
        RT_NOT_FOUND
        RT_EXISTS
        RT_NO_MEMORY
        RT_SYSTEM

    const char *rt_status_text(rt_status status)


cdef extern from "base/span.h":
    ctypedef struct rt_span:
        const uint8_t *data
        size_t size

    ctypedef struct rt_buffer:
        uint8_t *data
        size_t size

    ctypedef struct rt_reader:
        bint failed

    ctypedef struct rt_writer:
        pass

    rt_span rt_span_of(const void *data, size_t size)
    rt_buffer rt_buffer_of(void *data, size_t size)
    rt_reader rt_reader_of(rt_span span)
    rt_writer rt_writer_of(rt_buffer buffer)
    bint rt_writer_ok(const rt_writer *w)
    size_t rt_writer_size(const rt_writer *w)


cdef extern from "base/addr.h" nogil:
    ctypedef struct rt_addr:
        uint8_t ip[16]
        uint32_t scope
        uint16_t port
        uint8_t family

    enum:
        RT_ADDR_TEXT_MAX

    size_t rt_addr_format_ip(const rt_addr *addr, char *out)
    bint rt_addr_parse_ip(const char *text, size_t size, uint16_t port, rt_addr *out)
    bint rt_addr_is_any(const rt_addr *addr)


cdef extern from "base/batch.h":
    ctypedef struct rt_packet:
        uint8_t *data
        uint32_t size
        uint16_t socket
        rt_addr to

    ctypedef struct rt_batch:
        uint32_t count

    void rt_batch_init(rt_batch *batch, rt_buffer memory, rt_packet *packets, uint32_t max)
    void rt_batch_reset(rt_batch *batch)


cdef extern from "base/message.h" nogil:
    ctypedef struct rt_message:
        uint32_t protocol
        uint16_t stream
        uint16_t flags
        size_t size
        uint8_t *data

    enum:
        RT_MESSAGE_UNORDERED

    void rt_message_free(rt_message *message)


cdef extern from "base/random.h":
    enum:
        RT_RANDOM_SEED

    ctypedef struct rt_random:
        pass

    void rt_random_init(rt_random *random, const uint8_t *seed)
    void rt_random_init_number(rt_random *random, uint64_t number)


cdef extern from "base/crypto.h":
    ctypedef enum rt_hash:
        RT_MD5
        RT_SHA1
        RT_SHA256
        RT_SHA384
        RT_SHA512

    enum:
        RT_HASH_MAX

    ctypedef struct rt_hmac:
        pass

    size_t rt_hash_size(rt_hash hash)
    rt_hmac *rt_hmac_new(rt_hash hash, rt_span key)
    void rt_hmac_free(rt_hmac *hmac)
    rt_status rt_seed(uint8_t *seed)


# The one place where a status becomes an exception; `what` was being done.
cdef int check(rt_status status, str what) except -1
# Seconds to nanoseconds, rounded. ValueError for what is no time; `what` names the argument.
cdef rt_time to_time(object seconds, str what) except? -1
# Nanoseconds to seconds; None for RT_NEVER.
cdef object from_time(rt_time time)
# The same for a deadline: to_time() of it is never earlier, at which nothing would be due yet.
cdef object from_deadline(rt_time deadline)
# A whole number from 0 to `most`; ValueError for another, TypeError for none; `what` names the argument.
cdef uint64_t to_number(object value, uint64_t most, str what) except? 0xFFFFFFFFFFFFFFFF
# The IP of an address alone, and back: False if the text is none.
cdef str ip_text(const rt_addr *addr)
cdef bint parse_ip(str text, uint16_t port, rt_addr *out)


cdef enum:
    SPANS_FEW = 32  # of a row that need no memory of their own


# Borrowed bytes of a row of objects, until it is gone.
@cython.final
@cython.no_gc
@cython.freelist(4)
cdef class Spans:
    cdef Py_ssize_t count
    cdef rt_span *spans
    cdef rt_span few[SPANS_FEW]
    cdef Py_buffer *views  # of those that are no bytes objects
    cdef Py_ssize_t held
    cdef tuple items  # the row itself: its bytes objects live as long

    cdef rt_span borrow(self, object item) except *


# Those of a sequence of objects with the buffer protocol.
cdef Spans spans_of(object items)
