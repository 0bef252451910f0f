"""Peer connections for asyncio: `PeerConnection`, its data channels, events and statistics.

Senders, receivers and what else handles frames come with PyAV and numpy. They are imported when they are
asked for, or when a connection has audio or video: data channels alone go without.
"""

from typing import TYPE_CHECKING

from rtcore.lazy import lazy
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
from .media_stream import MediaStream
from .peer_connection import PeerConnection
from .rtp_parameters import RtpEncoding, RtpReceiveParameters, RtpSendParameters

if TYPE_CHECKING:
    from .fanout import Fanout, FanoutTrack
    from .rtp_receiver import RtpReceiver, SynchronizationSource
    from .rtp_sender import RtpSender
    from .rtp_transceiver import RtpTransceiver
else:
    __getattr__, __dir__ = lazy(
        __name__,
        {
            "Fanout": ".fanout",
            "FanoutTrack": ".fanout",
            "RtpReceiver": ".rtp_receiver",
            "RtpSender": ".rtp_sender",
            "RtpTransceiver": ".rtp_transceiver",
            "SynchronizationSource": ".rtp_receiver",
        },
    )

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
