"""`RtpTransceiver`: a sender and a receiver that share one section of the session description."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import TYPE_CHECKING

from rtcore.media import MediaTrack
from rtcore.sdp import RtpCodec, Transceiver

from .rtp_receiver import RtpReceiver
from .rtp_sender import RtpSender

if TYPE_CHECKING:
    from .media_transport import MediaTransport

__all__ = ["RtpTransceiver"]

_numbers = itertools.count(1)


class RtpTransceiver:
    """W3C RTCRtpTransceiver, made by `PeerConnection.add_track`, `add_transceiver`, or an offer of the other
    end's. What is changed here counts from the next negotiation on; "negotiationneeded" asks for it."""

    def __init__(self, media: MediaTransport, data: Transceiver, track: MediaTrack | None) -> None:
        self._media = media
        self._data = data
        self._number = next(_numbers)  # its name in statistics
        self._sender = RtpSender(media, data, track)
        self._receiver = RtpReceiver(media, data)

    @property
    def kind(self) -> str:
        """ "audio" or "video"."""
        return self._data.kind

    @property
    def mid(self) -> str | None:
        """The name of its section; None until there is one."""
        return self._data.mid

    @property
    def sender(self) -> RtpSender:
        """What goes out."""
        return self._sender

    @property
    def receiver(self) -> RtpReceiver:
        """What comes in."""
        return self._receiver

    @property
    def direction(self) -> str:
        """What is wanted: "sendrecv", "sendonly", "recvonly" or "inactive"; "stopped" at the end. To be set:
        `InvalidStateError` if it is stopped, `ValueError` for another word."""
        return "stopped" if self._data.stopping or self._data.stopped else self._data.direction

    @direction.setter
    def direction(self, direction: str) -> None:
        self._media.set_direction(self._data, direction)

    @property
    def current_direction(self) -> str | None:
        """What was negotiated last; None before, "stopped" at the end."""
        return "stopped" if self._data.stopped else self._data.current_direction

    @property
    def stopped(self) -> bool:
        """Whether it is stopped for good, by either end."""
        return self._data.stopped

    def set_codec_preferences(self, codecs: Sequence[RtpCodec]) -> None:
        """Only these, in this order; none: all again (`rtcore.sdp.default_codecs`). `InvalidAccessError` if
        one is of the other kind, or none of them carries a track."""
        self._media.set_codec_preferences(self._data, codecs)

    def stop(self) -> None:
        """Ends both directions for good; the other end learns it by the next negotiation. Idempotent."""
        self._media.stop(self)

    def __repr__(self) -> str:
        return f"<RtpTransceiver {self.kind} mid={self.mid} {self.direction}>"
