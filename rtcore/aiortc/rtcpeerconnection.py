"""`RTCPeerConnection` with aiortc's names, events and states, over rtcore's."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

from rtcore.connection import DataChannel, RtpTransceiver, TrackEvent
from rtcore.errors import InvalidAccessError, InvalidModificationError, InvalidStateError, OperationError
from rtcore.sdp import SessionDescription, parse
from rtcore.sdp.transceiver import DIRECTIONS

from . import rtcsctptransport
from ._bundle import Connection
from ._edited import with_candidates
from ._emitter import Emitter
from ._media_options import media_options
from ._private import Private, attributes_of
from ._tracks import original, outbound
from .exceptions import InternalError
from .mediastreams import MediaStreamTrack
from .rtcconfiguration import RTCConfiguration
from .rtcdatachannel import RTCDataChannel, RTCDataChannelParameters
from .rtcicetransport import RTCIceCandidate, _to_native, stun_urls
from .rtcrtpreceiver import RTCRtpReceiver
from .rtcrtpsender import RTCRtpSender
from .rtcrtptransceiver import RTCRtpTransceiver
from .rtcsctptransport import RTCSctpTransport
from .rtcsessiondescription import RTCSessionDescription
from .stats import RTCStatsReport

__all__ = ["RTCPeerConnection"]

__getattr__ = attributes_of(__name__)

logger = logging.getLogger(__name__)

_KINDS = ("audio", "video")
_EARLY_CANDIDATES = 256
"""So many candidates wait for the remote description; further ones are dropped."""


class RTCPeerConnection(Emitter, Private):
    """A connection to one other end.

    Events: "track" passes the track, "datachannel" the channel; "connectionstatechange",
    "iceconnectionstatechange", "icegatheringstatechange" and "signalingstatechange" pass nothing. The states
    are aiortc's: no "disconnected", and an ICE connection goes from "checking" to "completed". With
    `all_states=True` they are the W3C's: "disconnected" while the other end does not answer, and of the ICE
    connection also "connected".

    What aiortc has no argument for can be given to rtcore by its own names, as in
    `RTCPeerConnection(configuration, port_range=(50000, 50100), certificates=[...])`: see
    `rtcore.PeerConnection`.
    """

    def __init__(
        self, configuration: RTCConfiguration | None = None, *, all_states: bool = False, **options: Any
    ) -> None:
        super().__init__()
        configuration = configuration or RTCConfiguration()
        options.setdefault(
            "ice_servers", stun_urls(configuration.iceServers, configuration.iceTransportPolicy)
        )
        options = media_options() | options
        options.setdefault("max_message_size", rtcsctptransport.LOCAL_MAX_MESSAGE_SIZE)
        if (mtu := rtcsctptransport.path_mtu()) is not None:
            options.setdefault("mtu", mtu)
            options.setdefault("max_mtu", mtu)
        if "certificates" in options:
            given = options["certificates"]
            options["certificates"] = [getattr(one, "_certificate", one) for one in given]
        self._connection = Connection(self, all_states=all_states, **options)
        self._always_data = configuration.alwaysNegotiateDataChannels
        self._has_data = False
        self._transceivers: dict[RtpTransceiver, RTCRtpTransceiver] = {}
        self._told: set[RtpTransceiver] = set()
        self._early: list[RTCIceCandidate | None] = []
        self._signaling_state = "stable"
        self._ice_gathering_state = "new"
        self._ice_connection_state = "new"
        self._connection_state = "new"
        self._created = ""
        self._edited: str | None = None  # the text of the local description, if it is not as it was created
        self._taking = False  # a remote description: "track" comes before "signalingstatechange"
        self._closing: asyncio.Future[None] | None = None
        self._end_task: asyncio.Task[None] | None = None  # the other end closed

    # State

    @property
    def connectionState(self) -> str:
        """ "new", "connecting", "connected", "failed" or "closed"; with `all_states` also "disconnected"."""
        return self._connection_state

    @property
    def iceConnectionState(self) -> str:
        """ "new", "checking", "completed", "failed" or "closed"; with `all_states` also "connected" and
        "disconnected"."""
        return self._ice_connection_state

    @property
    def iceGatheringState(self) -> str:
        """ "new", "gathering" or "complete"."""
        return self._ice_gathering_state

    @property
    def signalingState(self) -> str:
        """ "stable", "have-local-offer", "have-remote-offer" or "closed"."""
        return self._signaling_state

    @property
    def localDescription(self) -> RTCSessionDescription | None:
        """The pending one, else the current one, with all candidates."""
        local = self._connection.local_description
        if local is None:
            return None
        text = local.sdp if self._edited is None else with_candidates(self._edited, local.sdp)
        return RTCSessionDescription(sdp=text, type=local.type)

    @property
    def remoteDescription(self) -> RTCSessionDescription | None:
        """The pending one, else the current one, with the candidates added by now."""
        remote = self._connection.remote_description
        return None if remote is None else _told(remote)

    @property
    def sctp(self) -> RTCSctpTransport | None:
        """What data channels run on; None without any."""
        return self._connection.bundle.view(RTCSctpTransport) if self._has_data else None

    def _tell(self, attribute: str, event: str, state: str) -> None:
        if getattr(self, attribute) != state:
            setattr(self, attribute, state)
            self.emit(event)

    def _signaled(self) -> None:
        self._tell("_signaling_state", "signalingstatechange", self._connection.signaling_state)

    # From the connection

    def _signaling_changed(self, state: str) -> None:
        if not self._taking:
            self._signaled()

    def _gathering_changed(self) -> None:
        self._tell("_ice_gathering_state", "icegatheringstatechange", self._connection.ice_gathering_state)

    def _ice_changed(self) -> None:
        self._tell("_ice_connection_state", "iceconnectionstatechange", self._connection.bundle.ice_state)
        self._dtls_changed()

    def _dtls_changed(self) -> None:
        self._tell("_connection_state", "connectionstatechange", self._connection.bundle.state)

    def _shut(self) -> None:
        self._ice_changed()
        if self._closing is None and self._end_task is None:  # the other end said good-bye
            self._end_task = asyncio.ensure_future(self.close())

    def _track_arrived(self, event: TrackEvent) -> None:
        """Told once of each transceiver, as aiortc does."""
        if event.transceiver not in self._told:
            self._told.add(event.transceiver)
            adopted = self._adopt()[event.transceiver]
            if self.listeners("track"):
                self.emit("track", adopted.receiver.track)

    def _channel_arrived(self, channel: DataChannel) -> None:
        bundle = self._connection.bundle
        made = RTCDataChannel._of(bundle, channel)
        self.emit("datachannel", made)
        if (sctp := bundle.shown(RTCSctpTransport)) is not None:
            sctp.emit("datachannel", made)

    def _require_open(self) -> None:
        if self._closing is not None:
            raise InvalidStateError("the connection is closed")

    # Offer and answer

    async def createOffer(self) -> RTCSessionDescription:
        """An offer for `setLocalDescription`, which also makes one by itself."""
        self._require_open()
        if self._always_data:
            self._require_data()
            self._connection.want_data_channels()
        return self._creating(await self._connection.create_offer())

    async def createAnswer(self) -> RTCSessionDescription:
        """An answer for `setLocalDescription`, which also makes one by itself."""
        self._require_open()
        return self._creating(await self._connection.create_answer())

    def _creating(self, description: SessionDescription) -> RTCSessionDescription:
        self._created = description.sdp
        return _told(description)

    async def setLocalDescription(self, sessionDescription: RTCSessionDescription | None = None) -> None:
        """Without a description: the offer or answer that the state asks for. Returns when all candidates are
        in `localDescription`."""
        self._require_open()
        if self._always_data and self._connection.signaling_state == "stable":
            self._require_data()
            self._connection.want_data_channels()
        if sessionDescription is None:
            edited = await self._set_local(None)
        else:
            edited = await self._set_local(_native(sessionDescription))
        self._edited = edited
        if self._connection.gathers:
            await self._connection.gathered()

    async def _set_local(self, description: SessionDescription | None) -> str | None:
        """Returns the text if it is not the one that was created: aiortc's programs may edit it. What the
        connection does follows the one that was created; the other end is told the edited one."""
        try:
            await self._connection.set_local_description(description)
        except InvalidModificationError:
            if description is None:
                raise
            parse(description.sdp)
            await self._connection.set_local_description(SessionDescription(description.type))
            return None if description.sdp == self._created else description.sdp
        return None

    async def setRemoteDescription(self, sessionDescription: RTCSessionDescription) -> None:
        """What the other end sent. `ValueError` if it is malformed, `InvalidStateError` if it does not fit
        the state: an offer does not roll back ours."""
        self._require_open()
        if sessionDescription.type == "offer" and self._connection.signaling_state not in (
            "stable",
            "have-remote-offer",
        ):
            raise InvalidStateError(f"cannot take an offer in state {self._connection.signaling_state!r}")
        self._taking = True
        try:
            await self._connection.set_remote_description(_native(sessionDescription))
        finally:
            self._taking = False
        self._adopt()
        if self._connection.has_data:
            self._require_data()
        self._signaled()
        early, self._early = self._early, []
        for candidate in early:
            await self.addIceCandidate(candidate)

    async def addIceCandidate(self, candidate: RTCIceCandidate | None) -> None:
        """A candidate of the other end's, also as `aioice.Candidate` with an `sdpMid`; None: there are no
        more. It may come before the remote description. `ValueError` if it names no section, or is
        malformed."""
        if candidate is not None:
            mid, index = getattr(candidate, "sdpMid", None), getattr(candidate, "sdpMLineIndex", None)
            if mid is None and index is None:
                raise ValueError("a candidate has an sdpMid or an sdpMLineIndex")
        if self._closing is not None:
            return
        if self._connection.remote_description is None:
            if len(self._early) < _EARLY_CANDIDATES:
                self._early.append(candidate)
            return
        if candidate is None:
            await self._connection.add_ice_candidate(None)
            return
        try:
            await self._connection.add_ice_candidate(
                _to_native(candidate), sdp_mid=mid, sdp_m_line_index=index
            )
        except OperationError as error:
            logger.info("a candidate was passed over: %s", error)

    # Data channels

    def createDataChannel(
        self,
        label: str,
        maxPacketLifeTime: int | None = None,
        maxRetransmits: int | None = None,
        ordered: bool = True,
        protocol: str = "",
        negotiated: bool = False,
        id: int | None = None,
    ) -> RTCDataChannel:
        """A channel, which opens when the connection is up. `ValueError` says what was expected."""
        parameters = RTCDataChannelParameters(
            label=label,
            maxPacketLifeTime=maxPacketLifeTime,
            maxRetransmits=maxRetransmits,
            ordered=ordered,
            protocol=protocol,
            negotiated=negotiated,
            id=id,
        )
        self._require_data()
        return RTCDataChannel._make(self._connection.bundle, parameters)

    def _require_data(self) -> None:
        if self._connection.bundle.closed:
            raise InvalidStateError("the connection is closed")
        self._has_data = True

    # Audio and video

    def addTrack(self, track: MediaStreamTrack) -> RTCRtpSender:
        """Sends a track from the next negotiation on. `InvalidAccessError` if it is sent already,
        `InternalError` for another kind than audio or video."""
        self._require_open()
        if track.kind not in _KINDS:
            raise InternalError(f"a track is audio or video, not {track.kind!r}")
        sender = self._connection.add_track(outbound(track))
        return next(one.sender for native, one in self._adopt().items() if native.sender is sender)

    def addTransceiver(
        self, trackOrKind: str | MediaStreamTrack, direction: str = "sendrecv"
    ) -> RTCRtpTransceiver:
        """A new section, for a track, or for "audio" or "video" to be received or sent later."""
        self._require_open()
        kind = trackOrKind.kind if isinstance(trackOrKind, MediaStreamTrack) else trackOrKind
        if kind not in _KINDS:
            raise InternalError(f"a kind is audio or video, not {kind!r}")
        if direction not in DIRECTIONS:
            raise InternalError(f"a direction is one of {', '.join(DIRECTIONS)}, not {direction!r}")
        if isinstance(trackOrKind, str):
            made = self._connection.add_transceiver(trackOrKind, direction=direction)
        else:
            if any(original(native.sender.track) is trackOrKind for native in self._transceivers):
                raise InvalidAccessError("the connection sends this track already")
            made = self._connection.add_transceiver(outbound(trackOrKind), direction=direction)
        return self._adopt()[made]

    def getTransceivers(self) -> list[RTCRtpTransceiver]:
        """All, in the order in which they were made."""
        return list(self._transceivers.values())

    def getSenders(self) -> list[RTCRtpSender]:
        """Those of the transceivers."""
        return [one.sender for one in self._transceivers.values()]

    def getReceivers(self) -> list[RTCRtpReceiver]:
        """Those of the transceivers."""
        return [one.receiver for one in self._transceivers.values()]

    def _adopt(self) -> dict[RtpTransceiver, RTCRtpTransceiver]:
        """Those of rtcore's that are new."""
        for native in self._connection.get_transceivers():
            if native not in self._transceivers:
                self._transceivers[native] = RTCRtpTransceiver._of(native, self._connection.bundle)
        return self._transceivers

    # Statistics and the end

    async def getStats(self) -> RTCStatsReport:
        """Those of all senders and receivers."""
        merged = RTCStatsReport()
        for one in self._transceivers.values():
            merged.update(await one.sender.getStats())
            merged.update(await one.receiver.getStats())
        return merged

    async def close(self) -> None:
        """Ends the connection and everything on it. Idempotent."""
        if self._closing is not None:
            await asyncio.shield(self._closing)
            return
        self._closing = asyncio.get_running_loop().create_future()
        try:
            self._tell("_signaling_state", "signalingstatechange", "closed")
            await self._connection.close()
            self.remove_all_listeners()
        finally:
            self._connection.owner = None  # else each would keep the other until the collector comes
            self._closing.set_result(None)


def _native(description: RTCSessionDescription) -> SessionDescription:
    return SessionDescription(description.type, description.sdp)


def _told(description: SessionDescription) -> RTCSessionDescription:
    return RTCSessionDescription(sdp=description.sdp, type=description.type)
