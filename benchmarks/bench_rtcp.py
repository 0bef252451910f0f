"""RTCP: parse and serialize a compound of five packets, and feedback for 100 packets, beside aiortc."""

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from aiortc import rtp as peer

from rtcore.aiortc import rtp as rtcore_aiortc
from rtcore.native.rtcp import (
    Ccfb,
    CcfbPacket,
    Nack,
    Pli,
    Remb,
    ReportBlock,
    RtcpPacket,
    Sdes,
    Sr,
    Twcc,
    parse_compound,
    serialize,
)

BLOCK = ReportBlock(2, fraction_lost=3, lost=40, highest=70000, jitter=90, last_sr=1 << 31, delay=65536)
COMPOUND: list[RtcpPacket] = [
    Sr(1, ntp=0xE000000080000000, rtp_time=960, packets=1000, octets=160000, blocks=[BLOCK]),
    Sdes.cname(1, "{9e5d1c3a-6d07-4a3e-8f0c-2b1a}"),
    Nack(1, 2, [100, 101, 105, 130]),
    Pli(1, 2),
    Remb(1, 2_500_000, [2]),
]
DATA = serialize(COMPOUND)
FEEDBACK = {
    "twcc": Twcc(
        1, 2, base=7, reference=9, feedback=3, deltas=[None if i % 20 == 9 else i for i in range(100)]
    ),
    "ccfb": Ccfb(1, 5, [CcfbPacket(2, i, offset=i) for i in range(100)]),
}


pytestmark = pytest.mark.benchmark(min_time=0.0005)  # many calls a round: the clock costs as much as one


def rtcore(what: str) -> Callable[[], Any]:
    return partial(parse_compound, DATA) if what == "parse" else partial(serialize, COMPOUND)


def aiortc(what: str, module: Any = peer) -> Callable[[], Any]:
    """It leaves what is in REMB unread."""
    packets = module.RtcpPacket.parse(DATA)
    if what == "parse":
        return partial(module.RtcpPacket.parse, DATA)
    return lambda: b"".join([bytes(packet) for packet in packets])


def layer(what: str) -> Callable[[], Any]:
    """aiortc's names, over rtcore."""
    return aiortc(what, rtcore_aiortc)


@pytest.mark.parametrize("codec", [rtcore, layer, aiortc])
@pytest.mark.parametrize("what", ["parse", "serialize"])
def test_compound(benchmark: Any, codec: Callable[[str], Any], what: str) -> None:
    benchmark.group = f"rtcp: {what} a compound of five"
    assert len(benchmark(codec(what))) == (len(DATA) if what == "serialize" else 5)


@pytest.mark.parametrize("kind", FEEDBACK)
@pytest.mark.parametrize("what", ["parse", "serialize"])
def test_feedback(benchmark: Any, kind: str, what: str) -> None:
    """aiortc has neither."""
    packets, data = [FEEDBACK[kind]], bytes(FEEDBACK[kind])
    benchmark.group = f"rtcp: {what} feedback for 100 packets"
    assert benchmark(partial(serialize, packets) if what == "serialize" else partial(parse_compound, data))
