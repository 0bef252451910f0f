"""What happens on a connection, as values: `async for event in pc.events()` gives them in their order."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rtcore.native.ice import Candidate

if TYPE_CHECKING:
    from rtcore.media import RemoteTrack

    from .channel import DataChannel
    from .media_stream import MediaStream
    from .rtp_receiver import RtpReceiver
    from .rtp_transceiver import RtpTransceiver

__all__ = [
    "CandidateErrorEvent",
    "CandidateEvent",
    "ConnectionStateEvent",
    "DataChannelEvent",
    "Event",
    "EventsDroppedEvent",
    "GatheringStateEvent",
    "IceConnectionStateEvent",
    "NegotiationNeededEvent",
    "SignalingStateEvent",
    "TrackEvent",
]


@dataclass(slots=True, frozen=True)
class Event:
    """The base of all of them."""


@dataclass(slots=True, frozen=True)
class CandidateEvent(Event):
    """A local candidate was gathered, to be sent to the other end; None: there are no more."""

    candidate: Candidate | None
    sdp_mid: str
    sdp_m_line_index: int
    username_fragment: str

    def to_dict(self) -> dict[str, Any]:
        """The JSON form of browsers (W3C RTCIceCandidateInit)."""
        return {
            "candidate": self.candidate.to_sdp() if self.candidate is not None else "",
            "sdpMid": self.sdp_mid,
            "sdpMLineIndex": self.sdp_m_line_index,
            "usernameFragment": self.username_fragment,
        }


@dataclass(slots=True, frozen=True)
class CandidateErrorEvent(Event):
    """A STUN server gave no candidate: its error, or 701 when it was not reached."""

    url: str
    error_code: int
    error_text: str


@dataclass(slots=True, frozen=True)
class DataChannelEvent(Event):
    """The other end opened a channel. It is open already."""

    channel: DataChannel


@dataclass(slots=True, frozen=True)
class TrackEvent(Event):
    """The other end sends a track, or sends it again: it comes when the connection is up. `streams`: those
    that it belongs to."""

    track: RemoteTrack
    receiver: RtpReceiver
    transceiver: RtpTransceiver
    streams: tuple[MediaStream, ...]


@dataclass(slots=True, frozen=True)
class NegotiationNeededEvent(Event):
    """An offer is needed: `set_local_description()` makes one."""


@dataclass(slots=True, frozen=True)
class SignalingStateEvent(Event):
    """RTCSignalingState: "stable", "have-local-offer", "have-remote-offer", "have-local-pranswer",
    "have-remote-pranswer" or "closed"."""

    state: str


@dataclass(slots=True, frozen=True)
class GatheringStateEvent(Event):
    """RTCIceGatheringState: "new", "gathering" or "complete"."""

    state: str


@dataclass(slots=True, frozen=True)
class IceConnectionStateEvent(Event):
    """RTCIceConnectionState: "new", "checking", "connected", "completed", "disconnected", "failed" or
    "closed"."""

    state: str


@dataclass(slots=True, frozen=True)
class ConnectionStateEvent(Event):
    """RTCPeerConnectionState: "new", "connecting", "connected", "disconnected", "failed" or "closed"."""

    state: str


@dataclass(slots=True, frozen=True)
class EventsDroppedEvent(Event):
    """The reader was too slow: so many events are missing before the next one."""

    count: int
