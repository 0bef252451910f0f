"""RTP: parse and serialize one packet, without and with four extensions, and batches, beside aiortc."""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest
from aiortc import rtp as peer
from aiortc.rtcrtpparameters import RTCRtpHeaderExtensionParameters, RTCRtpParameters

from rtcore.aiortc import rtp as rtcore_aiortc
from rtcore.native.rtp import DTYPE, Extension, ExtensionMap, RtpPacket, parse_batch

IDS = {
    Extension.MID: 1,
    Extension.ABS_SEND_TIME: 2,
    Extension.TRANSPORT_SEQUENCE: 3,
    Extension.AUDIO_LEVEL: 4,
}
MAP = ExtensionMap(IDS)
BATCH = 1000


def packet(extensions: bool) -> bytes:
    made = RtpPacket(bytes(160), payload_type=111, sequence=5, timestamp=960, ssrc=7, extensions=MAP)
    if extensions:
        made.mid, made.abs_send_time, made.transport_sequence, made.audio_level = "0", 1, 2, -30
    return made.serialize()


PACKETS = {"plain": packet(False), "4 extensions": packet(True)}


pytestmark = pytest.mark.benchmark(min_time=0.0005)  # many calls a round: the clock costs as much as one


def rtcore(data: bytes, what: str) -> Callable[[], Any]:
    return partial(RtpPacket.parse, data, MAP) if what == "parse" else RtpPacket.parse(data, MAP).serialize


def peer_map(module: Any = peer) -> Any:
    parameters = RTCRtpParameters()
    parameters.headerExtensions = [
        RTCRtpHeaderExtensionParameters(id=id, uri=extension.uri) for extension, id in IDS.items()
    ]
    known = module.HeaderExtensionsMap()
    known.configure(parameters)
    return known


def aiortc(data: bytes, what: str, module: Any = peer) -> Callable[[], Any]:
    known = peer_map(module)
    parse = partial(module.RtpPacket.parse, data, known)
    return parse if what == "parse" else partial(parse().serialize, known)


def layer(data: bytes, what: str) -> Callable[[], Any]:
    """aiortc's names, over rtcore."""
    return aiortc(data, what, rtcore_aiortc)


@pytest.mark.parametrize("codec", [rtcore, layer, aiortc])
@pytest.mark.parametrize("kind", PACKETS)
@pytest.mark.parametrize("what", ["parse", "serialize"])
def test_one(benchmark: Any, codec: Callable[[bytes, str], Any], kind: str, what: str) -> None:
    benchmark.group = f"rtp: {what} one packet, {kind}"
    assert benchmark(codec(PACKETS[kind], what))


def batch(data: bytes, how: str) -> Callable[[], Any]:
    """What reads `BATCH` packets, each with memory of its own."""
    packets = [bytes(bytearray(data)) for _ in range(BATCH)]
    if how == "aiortc":
        known = peer_map()
        return lambda: [peer.RtpPacket.parse(item, known) for item in packets]
    if how == "rtcore, list":
        return lambda: parse_batch(packets, MAP)
    joined, offsets, out = b"".join(packets), np.arange(BATCH + 1) * len(data), np.empty(BATCH, DTYPE)
    return lambda: parse_batch(joined, MAP, offsets=offsets, out=out)


@pytest.mark.parametrize("how", ["rtcore, list", "rtcore, one buffer", "aiortc"])
@pytest.mark.parametrize("kind", PACKETS)
def test_batch(benchmark: Any, how: str, kind: str) -> None:
    benchmark.group = f"rtp: parse {BATCH} packets, {kind}"
    assert len(benchmark(batch(PACKETS[kind], how))) == BATCH
