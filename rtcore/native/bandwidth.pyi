"""How much may be sent: congestion control (GCC) as a machine of its own, for any transport with feedback.

`Bandwidth` is the sending end: packets as they leave, and the feedback on them, go in; a target comes out.
`Estimate` is the delay-based part alone, for a receiving end that makes REMB. Neither knows a clock or a
socket: times are seconds of any monotonic clock.
"""

from typing import Any, final

import numpy as np
import numpy.typing as npt
from typing_extensions import Buffer

@final
class Estimate:
    """The free bandwidth of a path, from when packets were sent and when they arrived
    (draft-ietf-rmcat-gcc-02).

    Rates are bit/s, times seconds; the two ends' clocks need nothing in common. `ValueError` for a rate or
    time out of range. One thread at a time.
    """

    def __init__(
        self, *, min_bitrate: int = 30_000, start_bitrate: int = 300_000, max_bitrate: int | None = None
    ) -> None: ...
    def add(self, sent: float, arrived: float, size: int) -> None:
        """A packet of `size` bytes. In order of arrival, or nearly so."""
    def add_abs_send_time(self, abs_send_time: int, arrived: float, size: int) -> None:
        """The same with the 24 bits of the header extension abs-send-time."""
    def add_many(
        self,
        sent: Buffer | npt.NDArray[np.float64],
        arrived: Buffer | npt.NDArray[np.float64],
        sizes: Buffer | npt.NDArray[np.uint32],
    ) -> None:
        """Many packets: three buffers of the same length, of float64, float64 and uint32 (numpy arrays, for
        example). Without the GIL. `ValueError`: lengths or types differ, or a time is none."""
    def set_round_trip(self, seconds: float) -> None:
        """Known from elsewhere; near the path's capacity the estimate grows by a packet per round trip and
        100 ms."""
    @property
    def bitrate(self) -> int | None:
        """What the path takes, as far as is known; None: not enough was seen yet."""
    @property
    def state(self) -> str:
        """One of "underuse" (a queue empties), "normal" or "overuse" (a queue grows)."""
    def received(self, now: float) -> int | None:
        """The incoming rate of the last half second, bit/s; None: not enough was seen."""

@final
class Bandwidth:
    """The target bitrate of one transport, from what the other end reports.

    Rates are bit/s, times seconds. Tell it of every packet that leaves, give it every RTCP packet that
    comes, send no more than `target`, and not faster than `pacing_rate`. `ValueError` for a rate or time out
    of range. One thread at a time.
    """

    def __init__(
        self,
        now: float,
        *,
        min_bitrate: int = 30_000,
        start_bitrate: int = 300_000,
        max_bitrate: int | None = None,
    ) -> None: ...
    def sent(self, transport_sequence: int, size: int, now: float, *, probe: bool = False) -> None:
        """A packet leaves, `size` bytes with its headers, under its transport-wide sequence number."""
    def receive(self, packet: Buffer, now: float, *, round_trip: float = 0.0) -> int:
        """An RTCP datagram, compound or single. Transport-wide feedback, REMB and report blocks are taken,
        with `round_trip` for the blocks if it is known; the rest is passed over. Returns how many of these
        there were. `ValueError`: a malformed one, at which the reading ends."""
    def set_limits(
        self,
        now: float,
        *,
        min_bitrate: int | None = None,
        start_bitrate: int | None = None,
        max_bitrate: int | None = None,
    ) -> None:
        """None: the least as it was, no new start, no upper limit. A start begins anew from there."""
    def probe(self, now: float) -> tuple[int, int] | None:
        """(bytes, rate): so much padding should be sent now, in packets told as `probe`, to learn whether
        the path takes that rate. None: no need. Ask after `receive()`."""
    @property
    def target(self) -> int:
        """What may be sent, bit/s."""
    @property
    def pacing_rate(self) -> int:
        """How fast bursts may leave, bit/s."""
    @property
    def deadline(self) -> float | None:
        """When to call `expire()`; None: not now."""
    def expire(self, now: float) -> None:
        """The deadline has come."""
    def stats(self) -> dict[str, Any]:
        """target, delay_based, loss_based, remb, acknowledged (bit/s, None: not known); feedback,
        feedback_malformed, packets_lost, probes (counts); round_trip (seconds); state as in `Estimate`."""
