"""Peer connections for asyncio: `PeerConnection`, its data channels, events and statistics."""

from rtcore.native.dtls import Certificate
from rtcore.native.ice import Candidate
from rtcore.native.worker import Endpoint, Worker
from rtcore.sdp import SessionDescription

from .channel import DataChannel
from .configuration import IceServer
from .dtmf import DtmfSender
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
    TrackEvent,
)
from .fanout import Fanout, FanoutTrack
from .media_stream import MediaStream
from .peer_connection import PeerConnection
from .rtp_parameters import RtpEncoding, RtpReceiveParameters, RtpSendParameters
from .rtp_receiver import RtpReceiver, SynchronizationSource
from .rtp_sender import RtpSender
from .rtp_transceiver import RtpTransceiver

__all__ = [
    "Candidate",
    "CandidateErrorEvent",
    "CandidateEvent",
    "Certificate",
    "ConnectionStateEvent",
    "DataChannel",
    "DataChannelEvent",
    "DtmfSender",
    "Endpoint",
    "Event",
    "EventStream",
    "EventsDroppedEvent",
    "Fanout",
    "FanoutTrack",
    "GatheringStateEvent",
    "IceConnectionStateEvent",
    "IceServer",
    "MediaStream",
    "NegotiationNeededEvent",
    "PeerConnection",
    "RtpEncoding",
    "RtpReceiveParameters",
    "RtpReceiver",
    "RtpSendParameters",
    "RtpSender",
    "RtpTransceiver",
    "SessionDescription",
    "SignalingStateEvent",
    "SynchronizationSource",
    "TrackEvent",
    "Worker",
]
