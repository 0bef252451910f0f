"""Serial numbers and random numbers (aiortc.utils)."""

from secrets import randbits

__all__ = [
    "random16",
    "random32",
    "uint16_add",
    "uint16_gt",
    "uint16_gte",
    "uint32_add",
    "uint32_gt",
    "uint32_gte",
]


def random16() -> int:
    return randbits(16)


def random32() -> int:
    return randbits(32)


def uint16_add(a: int, b: int) -> int:
    """The sum, modulo 2^16; `b` may be negative."""
    return (a + b) & 0xFFFF


def uint16_gt(a: int, b: int) -> bool:
    """Whether `a` comes after `b` (RFC 1982)."""
    return 0 < uint16_add(a, -b) < 0x8000


def uint16_gte(a: int, b: int) -> bool:
    """Whether `a` is `b` or comes after it."""
    return uint16_add(a, -b) < 0x8000


def uint32_add(a: int, b: int) -> int:
    """The sum, modulo 2^32; `b` may be negative."""
    return (a + b) & 0xFFFFFFFF


def uint32_gt(a: int, b: int) -> bool:
    """Whether `a` comes after `b` (RFC 1982)."""
    return 0 < uint32_add(a, -b) < 0x80000000


def uint32_gte(a: int, b: int) -> bool:
    """Whether `a` is `b` or comes after it."""
    return uint32_add(a, -b) < 0x80000000
