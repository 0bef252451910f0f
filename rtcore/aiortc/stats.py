"""Statistics in aiortc's form: dataclasses by id. The report of `rtcore` has more in the W3C's form."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

__all__ = [
    "RTCInboundRtpStreamStats",
    "RTCOutboundRtpStreamStats",
    "RTCReceivedRtpStreamStats",
    "RTCRemoteInboundRtpStreamStats",
    "RTCRemoteOutboundRtpStreamStats",
    "RTCRtpStreamStats",
    "RTCSentRtpStreamStats",
    "RTCStats",
    "RTCStatsReport",
    "RTCTransportStats",
]


@dataclass
class RTCStats:
    """What all of them have."""

    timestamp: datetime
    type: str
    id: str


@dataclass
class RTCRtpStreamStats(RTCStats):
    """Of one stream."""

    ssrc: int
    kind: str
    transportId: str


@dataclass
class RTCReceivedRtpStreamStats(RTCRtpStreamStats):
    """Of a stream where it arrives. `jitter` in units of the RTP clock."""

    packetsReceived: int
    packetsLost: int
    jitter: int


@dataclass
class RTCSentRtpStreamStats(RTCRtpStreamStats):
    """Of a stream where it leaves. `bytesSent` counts payloads."""

    packetsSent: int
    bytesSent: int


@dataclass
class RTCInboundRtpStreamStats(RTCReceivedRtpStreamStats):
    """What arrives here."""


@dataclass
class RTCRemoteInboundRtpStreamStats(RTCReceivedRtpStreamStats):
    """What arrives at the other end, by its reports. `roundTripTime` in seconds, None
    before it was measured; `fractionLost` of 256."""

    roundTripTime: float | None
    fractionLost: float


@dataclass
class RTCOutboundRtpStreamStats(RTCSentRtpStreamStats):
    """What leaves here."""

    trackId: str


@dataclass
class RTCRemoteOutboundRtpStreamStats(RTCSentRtpStreamStats):
    """What leaves the other end, by its reports. `remoteTimestamp`: when it said so."""

    remoteTimestamp: datetime | None = None


@dataclass
class RTCTransportStats(RTCStats):
    """All that a transport carries."""

    packetsSent: int
    packetsReceived: int
    bytesSent: int
    bytesReceived: int
    iceRole: str
    dtlsState: str


class RTCStatsReport(dict[str, Any]):
    """Statistics by id."""

    def add(self, stats: RTCStats) -> None:
        """Adds one, or puts it in the place of the one with its id."""
        self[stats.id] = stats
