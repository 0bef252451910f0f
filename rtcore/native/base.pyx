# cython: language_level=3
"""What the building blocks share: statuses to exceptions, seconds to nanoseconds, addresses to text,
sequences of buffers to spans."""

cimport cython
from cpython.buffer cimport PyBUF_SIMPLE, PyBuffer_Release, PyObject_GetBuffer
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_CheckExact, PyBytes_GET_SIZE
from cpython.long cimport PyLong_AsLongLongAndOverflow
from cpython.number cimport PyNumber_Index
from cpython.tuple cimport PyTuple_GET_ITEM
from libc.math cimport INFINITY, isfinite, llrint, nextafter
from libc.stdlib cimport free, malloc


cdef int check(rt_status status, str what) except -1:
    if status == RT_OK:
        return 0
    text = f"{what}: {rt_status_text(status).decode()}"
    if status == RT_NO_MEMORY:
        raise MemoryError(text)
    if status == RT_SYSTEM:
        raise OSError(text)
    if status == RT_AGAIN:
        raise BlockingIOError(text)
    if status in (RT_UNEXPECTED, RT_CLOSED, RT_UNAUTHENTICATED, RT_REPLAYED):
        raise ConnectionError(text)
    raise ValueError(text)


cdef rt_time to_time(object seconds, str what) except? -1:
    cdef double value = seconds
    if not isfinite(value) or not -4e9 < value < 4e9:
        raise ValueError(f"{what} must be a number of seconds below 4e9, not {seconds!r}")
    return llrint(value * 1e9)


cdef object from_time(rt_time time):
    return None if time == RT_NEVER else time / 1e9


cdef object from_deadline(rt_time deadline):
    if deadline == RT_NEVER:
        return None
    cdef double seconds = <double>deadline / 1e9
    while llrint(seconds * 1e9) < deadline:
        seconds = nextafter(seconds, INFINITY)
    return seconds


cdef uint64_t to_number(object value, uint64_t most, str what) except? 0xFFFFFFFFFFFFFFFF:
    cdef object number = value if type(value) is int else PyNumber_Index(value)
    cdef int overflow = 0
    cdef long long small = PyLong_AsLongLongAndOverflow(number, &overflow)
    if overflow == 0 and small >= 0 and <uint64_t>small <= most:
        return <uint64_t>small
    if not 0 <= number <= most:
        raise ValueError(f"{what} is between 0 and {most}, not {value}")
    return number


cdef str ip_text(const rt_addr *addr):
    cdef char text[RT_ADDR_TEXT_MAX]
    cdef size_t size = rt_addr_format_ip(addr, text)
    return text[:size].decode("ascii")


cdef bint parse_ip(str text, uint16_t port, rt_addr *out):
    cdef bytes raw = text.encode("ascii", "replace")
    return rt_addr_parse_ip(raw, len(raw), port, out)


@cython.final
@cython.no_gc
@cython.freelist(4)
cdef class Spans:
    cdef rt_span borrow(self, object item) except *:
        cdef Py_buffer *view
        if self.views == NULL:
            self.views = <Py_buffer *>malloc(self.count * sizeof(Py_buffer))
            if self.views == NULL:
                raise MemoryError("no memory for the buffers' views")
        view = &self.views[self.held]
        PyObject_GetBuffer(item, view, PyBUF_SIMPLE)
        self.held += 1
        return rt_span_of(view.buf, view.len)

    def __dealloc__(self):
        cdef Py_ssize_t i
        for i in range(self.held):
            PyBuffer_Release(&self.views[i])
        free(self.views)
        if self.spans != self.few:
            free(self.spans)


cdef Spans spans_of(object items):
    cdef Spans row = Spans.__new__(Spans)
    cdef tuple held = tuple(items)
    cdef Py_ssize_t count = len(held), i
    cdef rt_span *spans = row.few
    row.items, row.count = held, count
    if count > SPANS_FEW:
        spans = <rt_span *>malloc(count * sizeof(rt_span))
        if spans == NULL:
            raise MemoryError("no memory for the buffers' places")
    row.spans = spans
    for i in range(count):
        item = <object>PyTuple_GET_ITEM(held, i)
        if PyBytes_CheckExact(item):
            spans[i] = rt_span_of(PyBytes_AS_STRING(item), PyBytes_GET_SIZE(item))
        else:
            spans[i] = row.borrow(item)
    return row
