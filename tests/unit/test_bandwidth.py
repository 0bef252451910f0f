"""Congestion control as a building block. What it does on a path is in tests/sim/test_bandwidth.c."""

import contextlib
import struct
from typing import Any

import numpy as np
import pytest
from aiortc.rate import RemoteBitrateEstimator
from hypothesis import given
from hypothesis import strategies as st

from rtcore.native.bandwidth import Bandwidth, Estimate


def rtcp(kind: int, count: int, body: bytes) -> bytes:
    assert len(body) % 4 == 0
    return struct.pack("!BBH", 0x80 | count, kind, len(body) // 4) + body


def transport_feedback(base: int, deltas: list[int], reference: int = 100) -> bytes:
    """All received; deltas in 250 us."""
    body = struct.pack("!IIHHI", 1, 2, base, len(deltas), reference << 8) + struct.pack(
        "!H", 1 << 13 | len(deltas)
    )
    body += bytes(deltas)
    return rtcp(205, 15, body + bytes(-len(body) % 4))


def remb(bitrate: int) -> bytes:
    exponent = max(0, bitrate.bit_length() - 18)
    mantissa = bitrate >> exponent
    return rtcp(206, 15, struct.pack("!II4sI", 1, 0, b"REMB", 1 << 24 | exponent << 18 | mantissa) + b"SSRC")


def receiver_report(fraction: int) -> bytes:
    return rtcp(201, 1, struct.pack("!IIBBHIIII", 1, 2, fraction, 0, 0, 0, 0, 0, 0))


def test_transport_feedback_raises_the_target() -> None:
    bandwidth = Bandwidth(0.0)
    now, sequence = 0.0, 65000
    for _ in range(40):
        first = sequence & 0xFFFF
        reference, rest = divmod(round(now / 0.00025), 256)
        for _ in range(20):
            bandwidth.sent(sequence, bandwidth.target // 8 // 200, now)
            sequence += 1
            now += 0.005
        assert bandwidth.receive(transport_feedback(first, [rest] + [20] * 19, reference), now) == 1
    stats = bandwidth.stats()
    assert stats["feedback"] == 40
    assert stats["packets_lost"] == 0
    assert stats["state"] == "normal"
    assert stats["round_trip"] == pytest.approx(0.005)
    assert stats["target"] == bandwidth.target > 600_000
    assert bandwidth.pacing_rate >= 2 * bandwidth.target


def test_probes_come_after_the_first_feedback() -> None:
    bandwidth = Bandwidth(0.0)
    assert bandwidth.probe(0.0) is None
    for i in range(20):
        bandwidth.sent(i, 200, i * 0.005)
    bandwidth.receive(transport_feedback(0, [20] * 20), 0.1)
    assert bandwidth.probe(0.1) == (4000, 900_000)
    assert bandwidth.probe(0.1) is None
    assert bandwidth.pacing_rate == 900_000
    deadline = bandwidth.deadline
    assert deadline is not None
    assert deadline == pytest.approx(1.1)
    bandwidth.expire(deadline)  # nobody answered
    assert bandwidth.deadline is None
    assert bandwidth.pacing_rate == 750_000


def test_remb_and_reports() -> None:
    bandwidth = Bandwidth(0.0, start_bitrate=500_000)
    assert bandwidth.target == 500_000
    assert bandwidth.receive(remb(1_048_576) + receiver_report(0), 1.0) == 2
    assert bandwidth.target == 1_048_576
    bandwidth.receive(receiver_report(128), 2.0)
    assert bandwidth.target == 786_432
    assert bandwidth.stats()["loss_based"] == 786_432
    bandwidth.set_limits(3.0, max_bitrate=400_000)
    assert bandwidth.target == 400_000


@pytest.mark.parametrize(
    "packet", [b"", b"\x80", b"\x8f\xcd\x00\x01" + bytes(4), transport_feedback(0, [1, 2, 3])[:-4]]
)
def test_malformed_rtcp(packet: bytes) -> None:
    with pytest.raises(ValueError, match=r"RTCP|datagram"):
        Bandwidth(0.0).receive(packet, 1.0)


@given(st.binary(max_size=200))
def test_any_feedback(body: bytes) -> None:
    bandwidth = Bandwidth(0.0)
    for i in range(100):
        bandwidth.sent(i, 1000, i / 100)
    body = struct.pack("!II", 1, 2) + body
    with contextlib.suppress(ValueError):
        bandwidth.receive(rtcp(205, 15, body + bytes(-len(body) % 4)), 1.0)
    assert 30_000 <= bandwidth.target <= 10_000_000


@pytest.mark.parametrize("bad", [{"min_bitrate": 0}, {"start_bitrate": -1}, {"max_bitrate": 10**12}])
def test_rates_out_of_range(bad: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="bit/s"):
        Bandwidth(0.0, **bad)
    with pytest.raises(ValueError, match="bit/s"):
        Estimate(**bad)


def link(capacity: float, rate: float, seconds: float, size: int = 1000) -> tuple[Any, Any, Any]:
    """Sent, arrived and size of packets over a link with an endless queue."""
    sent = np.arange(0, seconds, size * 8 / rate)
    arrived = np.empty_like(sent)
    free = 0.0
    for i, at in enumerate(sent):
        free = max(free, at) + size * 8 / capacity
        arrived[i] = free + 0.02
    return sent, arrived, np.full(len(sent), size, np.uint32)


def test_estimate_one_by_one_and_in_batches() -> None:
    sent, arrived, sizes = link(1e6, 1.3e6, 2)
    one, many = Estimate(), Estimate()
    for i in range(len(sent)):
        one.add(sent[i], arrived[i], int(sizes[i]))
    many.add_many(sent, arrived, sizes)
    assert one.bitrate == many.bitrate
    assert one.state == many.state
    assert (
        one.received(float(arrived[-1])) == many.received(float(arrived[-1])) == pytest.approx(1e6, rel=0.03)
    )


def test_estimate_sees_what_aiortc_sees() -> None:
    """Too much on a link: both come to what it takes. Little on it: neither sees a limit."""
    for rate, low, high in ((1.3e6, 0.7e6, 1.02e6), (0.5e6, 0.5e6, 0.85e6)):
        sent, arrived, sizes = link(1e6, rate, 5)
        ours, theirs, told = Estimate(), RemoteBitrateEstimator(), None
        for at, came, size in zip(sent, arrived, sizes, strict=True):
            stamp = int(at * 262144) & 0xFFFFFF
            ours.add_abs_send_time(stamp, float(came), int(size))
            told = theirs.add(int(came * 1000), stamp, int(size), 1234) or told
        assert ours.bitrate is not None
        assert low <= ours.bitrate <= high
        if rate > 1e6:
            assert told is not None
            assert ours.bitrate == pytest.approx(told[0], rel=0.3)


def test_estimate_arguments() -> None:
    estimate = Estimate(max_bitrate=1_000_000)
    assert estimate.bitrate is None
    assert estimate.received(1.0) is None
    assert estimate.state == "normal"
    with pytest.raises(ValueError, match="24 bits"):
        estimate.add_abs_send_time(1 << 24, 0.0, 100)
    with pytest.raises(ValueError, match="bytes"):
        estimate.add(0.0, 0.0, 70_000)
    with pytest.raises(ValueError, match="seconds"):
        estimate.add(float("nan"), 0.0, 100)
    with pytest.raises(ValueError, match="same length"):
        estimate.add_many(np.zeros(2), np.zeros(3), np.zeros(2, np.uint32))
    with pytest.raises(ValueError, match="packet 1"):
        estimate.add_many(np.array([0.0, np.nan]), np.zeros(2), np.zeros(2, np.uint32))
