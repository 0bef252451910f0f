"""NTP time (RFC 3550 section 4) and `datetime` (aiortc.clock)."""

from datetime import UTC, datetime, timedelta

__all__ = [
    "NTP_EPOCH",
    "current_datetime",
    "current_ms",
    "current_ntp_time",
    "datetime_from_ntp",
    "datetime_to_ntp",
]

NTP_EPOCH = datetime(1900, 1, 1, tzinfo=UTC)


def current_datetime() -> datetime:
    return datetime.now(UTC)


def current_ms() -> int:
    """Milliseconds since 1900."""
    return (current_datetime() - NTP_EPOCH) // timedelta(milliseconds=1)


def current_ntp_time() -> int:
    return datetime_to_ntp(current_datetime())


def datetime_from_ntp(ntp: int) -> datetime:
    """The time that 64 bits of NTP time tell, to the microsecond."""
    seconds, fraction = divmod(ntp, 1 << 32)
    return NTP_EPOCH + timedelta(seconds=seconds, microseconds=fraction * 1_000_000 / (1 << 32))


def datetime_to_ntp(dt: datetime) -> int:
    """64 bits of NTP time."""
    seconds, rest = divmod(dt - NTP_EPOCH, timedelta(seconds=1))
    return (seconds << 32) | (rest.microseconds << 32) // 1_000_000
