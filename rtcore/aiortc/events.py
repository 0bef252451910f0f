"""What events pass to their handlers where it is more than one thing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .mediastreams import MediaStreamTrack
    from .rtcrtpreceiver import RTCRtpReceiver
    from .rtcrtptransceiver import RTCRtpTransceiver

__all__ = ["RTCTrackEvent"]


@dataclass
class RTCTrackEvent:
    """A track of the other end's. As in aiortc, handlers of "track" are given its `track` alone."""

    receiver: RTCRtpReceiver
    track: MediaStreamTrack
    transceiver: RTCRtpTransceiver
