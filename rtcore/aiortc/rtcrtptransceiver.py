"""`RTCRtpTransceiver`: a sender and a receiver that share one section of the session description."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from rtcore.connection import RtpTransceiver
from rtcore.sdp.transceiver import DIRECTIONS

from ._parameters import is_rtx, to_codec
from .codecs import get_capabilities
from .rtcrtpparameters import RTCRtpCodecCapability
from .rtcrtpreceiver import RTCRtpReceiver
from .rtcrtpsender import RTCRtpSender

if TYPE_CHECKING:
    from ._bundle import Bundle

__all__ = ["RTCRtpTransceiver"]


class RTCRtpTransceiver:
    """Made by `RTCPeerConnection.addTrack`, `addTransceiver`, or an offer of the other end's."""

    _bundle: Bundle

    def __init__(
        self, kind: str, receiver: RTCRtpReceiver, sender: RTCRtpSender, direction: str = "sendrecv"
    ) -> None:
        self._begin(kind, direction)
        self._receiver, self._sender = receiver, sender

    @classmethod
    def _of(cls, transceiver: RtpTransceiver, bundle: Bundle) -> RTCRtpTransceiver:
        """That of a peer connection's. Its sender and receiver are made when somebody asks for them."""
        made = cls.__new__(cls)
        made._begin(transceiver.kind, transceiver.direction)
        made._transceiver, made._bundle = transceiver, bundle
        if transceiver.sender.track is not None:
            made._sender = RTCRtpSender._of(transceiver.sender, bundle)  # it is what makes the encoder
        return made

    def _begin(self, kind: str, direction: str) -> None:
        self._kind = kind
        self._direction = direction
        self._stopped = False
        self._transceiver: RtpTransceiver | None = None  # of senders and receivers made by hand: none

    @property
    def currentDirection(self) -> str | None:
        """What was negotiated last; None before."""
        return self._transceiver.current_direction if self._transceiver is not None else None

    @property
    def direction(self) -> str:
        """What is wanted, from the next description on. To be set: `ValueError` for another word."""
        if self._transceiver is not None and self._transceiver.direction != "stopped":
            self._direction = self._transceiver.direction
        return self._direction

    @direction.setter
    def direction(self, direction: str) -> None:
        if direction not in DIRECTIONS:
            raise ValueError(f"a direction is one of {', '.join(DIRECTIONS)}, not {direction!r}")
        if self._transceiver is not None and not self.stopped:
            self._transceiver.direction = direction
        self._direction = direction

    @property
    def kind(self) -> str:
        """ "audio" or "video"."""
        return self._kind

    @property
    def mid(self) -> str | None:
        """The name of its section; None until there is one."""
        return self._transceiver.mid if self._transceiver is not None else None

    @property
    def receiver(self) -> RTCRtpReceiver:
        """What comes in."""
        return self._receiver

    @cached_property
    def _receiver(self) -> RTCRtpReceiver:
        assert self._transceiver is not None  # else it was given
        return RTCRtpReceiver._of(self._transceiver.receiver, self._bundle)

    @property
    def sender(self) -> RTCRtpSender:
        """What goes out."""
        return self._sender

    @cached_property
    def _sender(self) -> RTCRtpSender:
        assert self._transceiver is not None
        return RTCRtpSender._of(self._transceiver.sender, self._bundle)

    @property
    def stopped(self) -> bool:
        """Whether it has ended for good."""
        return self._stopped or (self._transceiver is not None and self._transceiver.stopped)

    def setCodecPreferences(self, codecs: list[RTCRtpCodecCapability]) -> None:
        """Only these, in this order; none: all again. `ValueError` for what `getCapabilities()` does not
        have."""
        known = get_capabilities(self._kind).codecs
        for codec in codecs:
            if codec not in known:
                raise ValueError(f"{codec.mimeType} is not among the capabilities")
        if self._transceiver is not None:
            wanted = [codec for place, codec in enumerate(codecs) if codec not in codecs[:place]]
            self._transceiver.set_codec_preferences([to_codec(one) for one in wanted if not is_rtx(one)])

    async def stop(self) -> None:
        """Ends both directions for good."""
        self._stopped = True
        if self._transceiver is not None:
            self._transceiver.stop()
        else:
            await self._receiver.stop()
            await self._sender.stop()
