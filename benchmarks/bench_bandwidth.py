"""Congestion control per packet: the estimate beside aiortc's, and all that the sending end does."""

import struct
from typing import Any

import numpy as np
import pytest
from aiortc.rate import RemoteBitrateEstimator

from rtcore.native.bandwidth import Bandwidth, Estimate

PACKETS = 1000
GAP = 0.004
STAMPS = [int(i * GAP * 262144) & 0xFFFFFF for i in range(PACKETS)]
ARRIVED = [10 + i * GAP + (i * 7919 % 13) / 10_000 for i in range(PACKETS)]


def rtcore_one() -> Any:
    estimate = Estimate()
    for stamp, arrived in zip(STAMPS, ARRIVED, strict=True):
        estimate.add_abs_send_time(stamp, arrived, 1000)
    return estimate.bitrate


SENT_MANY = np.array([i * GAP for i in range(PACKETS)])
ARRIVED_MANY = np.array(ARRIVED)
SIZES_MANY = np.full(PACKETS, 1000, np.uint32)


def rtcore_batch() -> Any:
    estimate = Estimate()
    estimate.add_many(SENT_MANY, ARRIVED_MANY, SIZES_MANY)
    return estimate.bitrate


def aiortc() -> Any:
    estimator = RemoteBitrateEstimator()
    for stamp, arrived in zip(STAMPS, ARRIVED, strict=True):
        estimator.add(int(arrived * 1000), stamp, 1000, 1234)
    return True


@pytest.mark.parametrize("estimate", [rtcore_batch, rtcore_one, aiortc])
def test_estimate(benchmark: Any, estimate: Any) -> None:
    benchmark.group = f"bandwidth: estimate from {PACKETS} packets"
    assert benchmark(estimate)


FEEDBACK_EVERY = 50


def feedback(base: int, now: float) -> bytes:
    reference, rest = divmod(round(now / 0.00025), 256)
    body = struct.pack("!IIHHI", 1, 2, base & 0xFFFF, FEEDBACK_EVERY, reference << 8)
    body += struct.pack("!H", 1 << 13 | FEEDBACK_EVERY) + bytes([rest] + [16] * (FEEDBACK_EVERY - 1))
    return struct.pack("!BBH", 0x8F, 205, len(body) // 4) + body


FEEDBACKS = [feedback(i, i * GAP) for i in range(0, PACKETS, FEEDBACK_EVERY)]


def sending_end() -> Any:
    bandwidth = Bandwidth(0.0)
    for i in range(PACKETS):
        bandwidth.sent(i, 1000, i * GAP)
        if i % FEEDBACK_EVERY == FEEDBACK_EVERY - 1:
            bandwidth.receive(FEEDBACKS[i // FEEDBACK_EVERY], i * GAP)
    return bandwidth.target


def test_sending_end(benchmark: Any) -> None:
    """No peer: aiortc has no such thing."""
    benchmark.group = f"bandwidth: {PACKETS} packets sent, feedback on each {FEEDBACK_EVERY}"
    assert benchmark(sending_end)
