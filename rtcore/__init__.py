"""WebRTC for Python on a native core.

    async with rtcore.PeerConnection(ice_servers=["stun:stun.example.org"]) as pc:
        channel = pc.create_data_channel("chat")
        await pc.set_local_description()
        ...                                   # exchange descriptions
        await channel.send("hello")
        async for message in channel: ...

`rtcore.connection` has all classes, `rtcore.errors` the exceptions, `rtcore.sdp` session descriptions, and
`rtcore.native` the building blocks, which work alone. `rtcore.media` and the names that handle frames are
imported when they are first asked for.
"""

from typing import TYPE_CHECKING

from .connection import (
    Candidate,
    CandidateErrorEvent,
    CandidateEvent,
    Certificate,
    ConnectionStateEvent,
    DataChannel,
    DataChannelEvent,
    DtmfSender,
    Endpoint,
    Event,
    EventsDroppedEvent,
    GatheringStateEvent,
    IceConnectionStateEvent,
    IceServer,
    MediaStream,
    NegotiationNeededEvent,
    PeerConnection,
    RtpEncoding,
    RtpReceiveParameters,
    RtpSendParameters,
    SessionDescription,
    SignalingStateEvent,
    TrackEvent,
    Worker,
)
from .errors import (
    ChannelClosedError,
    CodecError,
    ConnectionFailedError,
    Error,
    InvalidAccessError,
    InvalidModificationError,
    InvalidStateError,
    NotSupportedError,
    OperationError,
    SdpError,
    TrackEndedError,
)
from .lazy import lazy

if TYPE_CHECKING:
    from . import media as media
    from .connection import Fanout, FanoutTrack, RtpReceiver, RtpSender, RtpTransceiver, SynchronizationSource
else:
    __getattr__, __dir__ = lazy(
        __name__,
        {
            "Fanout": ".connection",
            "FanoutTrack": ".connection",
            "RtpReceiver": ".connection",
            "RtpSender": ".connection",
            "RtpTransceiver": ".connection",
            "SynchronizationSource": ".connection",
            "media": ".media",
        },
    )

__all__ = [
    "Candidate",
    "CandidateErrorEvent",
    "CandidateEvent",
    "Certificate",
    "ChannelClosedError",
    "CodecError",
    "ConnectionFailedError",
    "ConnectionStateEvent",
    "DataChannel",
    "DataChannelEvent",
    "DtmfSender",
    "Endpoint",
    "Error",
    "Event",
    "EventsDroppedEvent",
    "Fanout",
    "FanoutTrack",
    "GatheringStateEvent",
    "IceConnectionStateEvent",
    "IceServer",
    "InvalidAccessError",
    "InvalidModificationError",
    "InvalidStateError",
    "MediaStream",
    "NegotiationNeededEvent",
    "NotSupportedError",
    "OperationError",
    "PeerConnection",
    "RtpEncoding",
    "RtpReceiveParameters",
    "RtpReceiver",
    "RtpSendParameters",
    "RtpSender",
    "RtpTransceiver",
    "SdpError",
    "SessionDescription",
    "SignalingStateEvent",
    "SynchronizationSource",
    "TrackEndedError",
    "TrackEvent",
    "Worker",
]
