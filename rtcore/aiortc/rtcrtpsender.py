"""`RTCRtpSender`: sends one track. `rtcore.RtpSender` does it; of a connection, or by hand over a transport.

By hand it is as in ORTC: `send()` with what was agreed on by other means."""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from functools import cached_property
from secrets import randbits
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from rtcore.connection.rtp_sender import RtpSender
from rtcore.errors import InvalidStateError
from rtcore.media import codecs as core_codecs
from rtcore.sdp import RtpCodec

from ._parameters import codec_of
from ._private import Private, attributes_of
from ._tracks import AnyTrack, OutboundTrack, original, outbound
from .codecs import get_capabilities, get_encoder
from .codecs._live import live
from .codecs.base import Encoder
from .rtcdtlstransport import RTCDtlsTransport
from .stats import RTCOutboundRtpStreamStats, RTCRemoteInboundRtpStreamStats, RTCStatsReport

if TYPE_CHECKING:
    from ._bundle import Bundle
    from .rtcrtpparameters import RTCRtpCapabilities, RTCRtpSendParameters

__all__ = ["RTCRtpSender"]

__getattr__ = attributes_of(__name__)

logger = logging.getLogger(__name__)


class RTCRtpSender(Private):
    """Sends a track, or nothing as long as it has none."""

    _waiting: AnyTrack | None
    """The track until there is a sender of rtcore."""
    _bundle: Bundle
    """Of a connection's: what its transport is the view of."""

    def __init__(self, trackOrKind: AnyTrack | str, transport: RTCDtlsTransport) -> None:
        """By hand, to be followed by `send()`. `InvalidStateError` if the transport is closed."""
        if transport.state == "closed":
            raise InvalidStateError("the transport is closed")
        self._begin(trackOrKind if isinstance(trackOrKind, str) else trackOrKind.kind)
        self._transport = transport
        self._ssrc, self._rtx_ssrc = randbits(32), randbits(32)
        if not isinstance(trackOrKind, str):
            self.replaceTrack(trackOrKind)

    @classmethod
    def _of(cls, sender: RtpSender, bundle: Bundle) -> RTCRtpSender:
        """That of a connection's sender."""
        made = cls.__new__(cls)
        made._begin(sender.kind)
        made._bundle = bundle
        made._attach(sender)
        return made

    def _begin(self, kind: str) -> None:
        self._kind = kind
        self._sender: RtpSender | None = None
        self._waiting = None
        self._encoders: list[Encoder] = []
        self._report = RTCStatsReport()
        self._stopped = False

    def _attach(self, sender: RtpSender) -> None:
        self._sender = sender
        sender.encoder = self._make_encoder
        sender.on("error", self._failed)
        sender.on("stopped", self._ended)
        encoding = sender._data.encodings[0]
        self._ssrc, self._rtx_ssrc = encoding.ssrc, encoding.rtx_ssrc or randbits(32)
        self._stopped = sender._stopped

    @cached_property
    def _transport(self) -> RTCDtlsTransport:
        return self._bundle.view(RTCDtlsTransport)

    @cached_property
    def _stream_id(self) -> str:
        return str(uuid4())

    @cached_property
    def _track_id(self) -> str:
        return str(uuid4())

    @property
    def kind(self) -> str:
        """ "audio" or "video"."""
        return self._kind

    @property
    def track(self) -> Any:
        """What is sent; None: nothing."""
        if self._sender is None:
            return self._waiting
        return original(self._sender.track)

    @property
    def transport(self) -> RTCDtlsTransport:
        """What it sends over."""
        return self._transport

    @classmethod
    def getCapabilities(cls, kind: str) -> RTCRtpCapabilities:
        """What can be sent. `ValueError` for another kind than "audio" and "video"."""
        return get_capabilities(kind)

    async def getStats(self) -> RTCStatsReport:
        """Of what it sends, of what the other end reports of it, and of the transport."""
        self._report.update(self._transport._get_stats())
        now = datetime.now(UTC)
        common: dict[str, Any] = {
            "kind": self._kind,
            "transportId": self._transport._stats_id,
            "timestamp": now,
        }
        stream = self._counted()
        self._report.add(
            RTCOutboundRtpStreamStats(
                type="outbound-rtp",
                id=f"outbound-rtp_{id(self)}",
                ssrc=self._ssrc,
                packetsSent=stream.get("packets", 0),
                bytesSent=stream.get("bytes", 0),
                trackId=str(id(self.track)),
                **common,
            )
        )
        if stream.get("reports"):
            self._report.add(
                RTCRemoteInboundRtpStreamStats(
                    type="remote-inbound-rtp",
                    id=f"remote-inbound-rtp_{id(self)}",
                    ssrc=self._ssrc,
                    packetsReceived=stream["packets"] - stream["remote_lost"],
                    packetsLost=stream["remote_lost"],
                    jitter=stream["remote_jitter"],
                    roundTripTime=stream["round_trip"] if stream["round_trip_measurements"] else None,
                    fractionLost=stream["remote_fraction_lost"],
                    **common,
                )
            )
        return self._report

    def _counted(self) -> dict[str, Any]:
        """What the core counts of its stream; empty before there is one."""
        if self._sender is None:
            return {}
        counted = self._sender._media.native_stats().get("outbound", ())
        return next((one for one in counted if one["ssrc"] == self._ssrc), {})

    def replaceTrack(self, track: AnyTrack | None) -> None:
        """Sends another track from now on, without negotiating; None: nothing. `TypeError` for a track of
        the other kind."""
        self._track_id = track.id if track is not None else str(uuid4())
        if self._sender is None or self._stopped:
            self._waiting = track
        else:
            self._sender._replace_track(None if track is None else outbound(track))

    def setTransport(self, transport: RTCDtlsTransport) -> None:
        """Before `send()`: over which transport."""
        self._transport = transport

    async def send(self, parameters: RTCRtpSendParameters) -> None:
        """By hand: begins to send with the first of `parameters.codecs`. Nothing if it began already."""
        if self._sender is None and not self._stopped:
            self._attach(
                self._transport._bundle.add_sender(self._kind, parameters, self._ssrc, self._rtx_ssrc)
            )
            self.replaceTrack(self._waiting)

    async def stop(self) -> None:
        """Stops for good; the track, too, if sending had begun."""
        self._stopped = True
        if self._sender is not None:
            self._sender._stop()

    def _ended(self) -> None:
        self._stopped = True
        track = self._sender.track if self._sender is not None else None
        if isinstance(track, OutboundTrack) and track.was_read:
            track.stop()

    def _send_keyframe(self) -> None:
        """The next picture can be decoded alone (`rtcore.RtpSender.request_key_frame`)."""
        if self._sender is not None:
            self._sender.request_key_frame()

    @property
    def _enabled(self) -> bool:
        """False: its frames are read and dropped. The public way is `RtpEncoding.active`."""
        return self._sender is None or any(one.active for one in self._sender._data.encodings)

    @_enabled.setter
    def _enabled(self, enabled: bool) -> None:
        if self._sender is not None:
            parameters = self._sender.get_parameters()
            for encoding in parameters.encodings:
                encoding.active = enabled
            self._sender.set_parameters(parameters)

    @property
    def __encoder(self) -> Encoder | None:
        """What encodes at the moment: `_RTCRtpSender__encoder` is set `target_bitrate` by programs."""
        return self._encoders[-1] if self._encoders else None

    def _make_encoder(self, codec: RtpCodec, *, bitrate: int | None = None) -> core_codecs.Encoder:
        """By `get_encoder` of this module, in the place of which programs put another; for codecs that
        aiortc does not have, by rtcore alone."""
        try:
            encoder = get_encoder(codec_of(codec, None))
        except ValueError:
            return core_codecs.create_encoder(codec, bitrate=bitrate)
        self._encoders = [*self._encoders[-3:], encoder]
        return live(encoder, codec, bitrate)

    def _failed(self, error: Exception) -> None:
        logger.warning("RTCRtpSender(%s) no longer sends: %r", self._kind, error, exc_info=error)
