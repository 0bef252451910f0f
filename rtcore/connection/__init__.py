"""Peer connections for asyncio: `PeerConnection`, its data channels, events and statistics."""

from rtcore.native.dtls import Certificate
from rtcore.native.ice import Candidate
from rtcore.native.worker import Endpoint, Worker
from rtcore.sdp import SessionDescription

from .channel import DataChannel
from .configuration import IceServer
from .event_stream import EventStream
from .events import (
    CandidateErrorEvent,
    CandidateEvent,
    ConnectionStateEvent,
    DataChannelEvent,
    Event,
    EventsDroppedEvent,
    GatheringStateEvent,
    IceConnectionStateEvent,
    NegotiationNeededEvent,
    SignalingStateEvent,
)
from .peer_connection import PeerConnection

__all__ = [
    "Candidate",
    "CandidateErrorEvent",
    "CandidateEvent",
    "Certificate",
    "ConnectionStateEvent",
    "DataChannel",
    "DataChannelEvent",
    "Endpoint",
    "Event",
    "EventStream",
    "EventsDroppedEvent",
    "GatheringStateEvent",
    "IceConnectionStateEvent",
    "IceServer",
    "NegotiationNeededEvent",
    "PeerConnection",
    "SessionDescription",
    "SignalingStateEvent",
    "Worker",
]
