# cython: language_level=3
"""What the building blocks share: statuses to exceptions, seconds to nanoseconds, addresses to text."""

from cpython.number cimport PyNumber_Index
from libc.math cimport INFINITY, isfinite, llrint, nextafter


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
