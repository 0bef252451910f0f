"""`PeerConnection`: the W3C's RTCPeerConnection in Python, over one native peer.

It joins four parts: `rtcore.sdp.Negotiation` (what is said to the other end), `Transport` (the native peer
and its channels), `MediaTransport` (tracks, and the peer's media), and the events of all. Nothing here
happens once per packet, message or frame.
"""

from __future__ import annotations

import asyncio
import secrets
import warnings
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self
from weakref import ref

from rtcore.emitter import Emitter
from rtcore.errors import ConnectionFailedError, InvalidStateError, OperationError, SdpError
from rtcore.native.dtls import Certificate
from rtcore.native.ice import Candidate
from rtcore.native.worker import Endpoint, Worker
from rtcore.sdp import Changes, Fingerprint, Negotiation, RtpCodec, SessionDescription
from rtcore.sdp.codecs import check_codec

from . import stats
from .channel import ChannelOptions, DataChannel
from .configuration import (
    IceServer,
    check_bitrates,
    check_number,
    check_port_range,
    check_texts,
    stun_addresses,
)
from .driver import Driver
from .event_stream import EventStream
from .events import (
    CandidateErrorEvent,
    CandidateEvent,
    ConnectionStateEvent,
    DataChannelEvent,
    Event,
    GatheringStateEvent,
    IceConnectionStateEvent,
    NegotiationNeededEvent,
    SignalingStateEvent,
)
from .resolve import resolve, resolve_candidate
from .transport import Transport, TransportOptions
from .waiters import Waiters

if TYPE_CHECKING:
    from rtcore.media import MediaTrack

    from .media_stream import MediaStream
    from .media_transport import MediaTransport
    from .rtp_parameters import RtpEncoding
    from .rtp_receiver import RtpReceiver
    from .rtp_sender import RtpSender
    from .rtp_transceiver import RtpTransceiver

__all__ = ["PeerConnection"]

EVENT_LIMIT = 1024
MAX_MESSAGE_SIZE = 1024 * 1024
KEEPALIVE = 5.0
"""Seconds between consent checks (RFC 7675), fewer where a failure is to be told sooner."""
NOT_REACHED = 701  # W3C RTCPeerConnectionIceErrorEvent


class PeerConnection(Emitter):
    """A connection to one other end.

    Can be made before an event loop runs; it belongs to the loop in which the first of its coroutines is
    awaited, and is used from that loop's thread only.

    Events, and what is passed to a handler: "track" a `TrackEvent`; "datachannel" the `DataChannel`;
    "icecandidate" a `CandidateEvent`; "icecandidateerror" a `CandidateErrorEvent`; "negotiationneeded"
    nothing; "connectionstatechange", "iceconnectionstatechange", "icegatheringstatechange" and
    "signalingstatechange" the new state. `events()` gives the same as a stream.

    When the other end says good-bye (DTLS close_notify), the connection closes by itself.
    """

    _names = (
        "track",
        "datachannel",
        "icecandidate",
        "icecandidateerror",
        "negotiationneeded",
        "connectionstatechange",
        "iceconnectionstatechange",
        "icegatheringstatechange",
        "signalingstatechange",
    )

    def __init__(
        self,
        *,
        ice_servers: Sequence[str | Mapping[str, object] | IceServer] = (),
        certificates: Sequence[Certificate] = (),
        worker: Worker | None = None,
        endpoints: Sequence[Endpoint] | Endpoint = (),
        interfaces: Sequence[str] | None = None,
        port_range: tuple[int, int] | None = None,
        announced: str | None = None,
        loopback: bool | None = None,
        ipv6: bool = True,
        ice_lite: bool = False,
        mtu: int = 1200,
        max_mtu: int | None = None,
        max_message_size: int = MAX_MESSAGE_SIZE,
        receive_buffer: int = 4 * 1024 * 1024,
        send_buffer: int = 4 * 1024 * 1024,
        max_channels: int = 65535,
        disconnected_timeout: float = 5.0,
        failed_timeout: float = 30.0,
        codecs: Sequence[RtpCodec] | Callable[[], Sequence[RtpCodec]] | None = None,
        min_bitrate: int | None = None,
        start_bitrate: int | None = None,
        max_bitrate: int | None = None,
    ) -> None:
        """Nothing is sent or bound yet.

        ice_servers: "stun:host:port" URLs, mappings with "urls" as in browsers, or `IceServer`s.
        certificates: the first is used; without, each connection makes its own.
        worker: runs the connection; by default the event loop's own. `Worker(threaded=True)` for high rates.
        endpoints: shared sockets (`worker.bind`) in the place of its own.
        interfaces: names or addresses to use; port_range: first and last port for its own sockets.
        announced: the address to tell instead of the local one, behind a 1:1 NAT.
        loopback: whether 127.0.0.1 and ::1 are used; None: only where there is no other address.
        ice_lite: for servers with a public address: answers checks and sends none (RFC 8445 section 2.5).
        mtu, max_mtu: bytes of a UDP payload to begin with, and up to which the path is probed.
        max_message_size: the largest message taken, bytes; receive_buffer, send_buffer: those of the
        association, bytes; max_channels: how many the other end may open.
        disconnected_timeout, failed_timeout: seconds without an answer until those states.
        codecs: of audio and video, the preferred ones first, or who tells them when the first of either comes
        up; None: all that can be decoded here.
        min_bitrate, start_bitrate, max_bitrate: of all media that is sent, bit/s, none below the one before.
        """
        super().__init__()
        check_bitrates(min_bitrate, start_bitrate, max_bitrate)
        if isinstance(certificates, Certificate):
            raise TypeError("certificates is a sequence: put the certificate into a list")
        for certificate in certificates:
            if not isinstance(certificate, Certificate):
                raise TypeError(f"expected a Certificate, got {type(certificate).__name__}")
        if worker is not None and not isinstance(worker, Worker):
            raise TypeError(f"worker must be a Worker, not {type(worker).__name__}")
        if isinstance(endpoints, Endpoint):
            endpoints = (endpoints,)
        if endpoints and worker is None:
            raise ValueError("endpoints belong to a worker: pass that, too")
        if interfaces is not None:
            check_texts("interfaces", interfaces)
        if port_range is not None:
            check_port_range(port_range)
        if codecs is None:
            codecs = _usable_codecs
        elif not callable(codecs):
            for codec in codecs:
                check_codec(codec)
        check_number("mtu", mtu, 548, 65507)
        if max_mtu is not None:
            check_number("max_mtu", max_mtu, mtu, 65507)
        check_number("receive_buffer", receive_buffer, 4096, 2**30)
        check_number("send_buffer", send_buffer, 4096, 2**30)
        check_number("max_message_size", max_message_size, 1, receive_buffer)
        check_number("max_channels", max_channels, 1, 65535)
        check_number("disconnected_timeout", disconnected_timeout, 0.01, 1e6)
        check_number("failed_timeout", failed_timeout, float(disconnected_timeout), 1e6)
        self._servers = stun_addresses(ice_servers)
        self._certificate = certificates[0] if certificates else Certificate.generate()
        self._worker = worker
        self._negotiation = Negotiation(
            session_id=secrets.randbits(61),
            fingerprints=(Fingerprint("sha-256", self._certificate.fingerprint_bytes("sha-256")),),
            max_message_size=max_message_size,
            ice_lite=ice_lite,
            codecs=codecs,
            cname=secrets.token_urlsafe(12),  # RFC 7022 section 4.2: 96 random bits
        )
        options = TransportOptions(
            endpoints=tuple(endpoints),
            interfaces=interfaces,
            port_range=port_range,
            announced=announced,
            loopback=loopback,
            ipv6=ipv6,
            ice_lite=ice_lite,
            receive_buffer=receive_buffer,
            peer={
                "mtu": mtu,
                "max_mtu": max_mtu,
                "send_buffer": send_buffer,
                "max_message_size": max_message_size,
                "max_channels": max_channels,
                "disconnected_timeout": disconnected_timeout,
                "failed_timeout": failed_timeout,
                "keepalive_interval": min(KEEPALIVE, disconnected_timeout, failed_timeout / 6),
            },
        )
        self._transport = Transport(self, options)
        self._media_in_use: MediaTransport | None = None
        self._media_options: dict[str, Any] = {
            "mtu": mtu,
            "bitrates": {
                "min_bitrate": min_bitrate,
                "start_bitrate": start_bitrate,
                "max_bitrate": max_bitrate,
            },
        }
        self._loop: asyncio.AbstractEventLoop | None = None
        self._connection_state = "new"
        self._closed = False
        self._negotiation_told = False
        self._gathered_for = ""  # the local ufrag
        self._gather_error: Exception | None = None
        self._asked: Sequence[str] = ()  # URLs of the servers in use, by their index
        self._resolving = 0  # candidates with names
        self._remote_end_due = False  # their end is told when those are done
        self._ignored_candidates = 0
        self._waiters = Waiters()
        self._tasks: set[asyncio.Task[None]] = set()
        self._backlog: EventStream[Event] | None = EventStream(EVENT_LIMIT)
        self._streams: list[ref[EventStream[Event]]] = []  # until their readers forget them

    # State

    @property
    def signaling_state(self) -> str:
        """RTCSignalingState: "stable", "have-local-offer", ... "closed"."""
        return self._negotiation.signaling_state

    @property
    def ice_gathering_state(self) -> str:
        """RTCIceGatheringState: "new", "gathering" or "complete"."""
        return self._transport.gathering_state

    @property
    def ice_connection_state(self) -> str:
        """RTCIceConnectionState: "new", "checking", "connected", "completed", "disconnected", "failed" or
        "closed"."""
        return "closed" if self._closed else self._transport.ice_state

    @property
    def connection_state(self) -> str:
        """RTCPeerConnectionState, of ICE and DTLS together: "new", "connecting", "connected", "disconnected",
        "failed" or "closed"."""
        return self._connection_state

    @property
    def local_description(self) -> SessionDescription | None:
        """The pending one, else the current one, with the candidates gathered by now."""
        return self._negotiation.local

    @property
    def current_local_description(self) -> SessionDescription | None:
        """The one that was last agreed on."""
        return self._negotiation.current_local

    @property
    def pending_local_description(self) -> SessionDescription | None:
        """The one that waits for an answer, ours or theirs."""
        return self._negotiation.pending_local

    @property
    def remote_description(self) -> SessionDescription | None:
        """The pending one, else the current one, with the candidates added by now."""
        return self._negotiation.remote

    @property
    def current_remote_description(self) -> SessionDescription | None:
        """The one that was last agreed on."""
        return self._negotiation.current_remote

    @property
    def pending_remote_description(self) -> SessionDescription | None:
        """The one that waits for an answer, ours or theirs."""
        return self._negotiation.pending_remote

    @property
    def can_trickle_ice_candidates(self) -> bool | None:
        """Whether the other end takes candidates one by one; None before its first description."""
        return self._negotiation.can_trickle

    @property
    def certificate(self) -> Certificate:
        """The certificate that this end shows."""
        return self._certificate

    # Offer and answer

    async def create_offer(self, *, ice_restart: bool = False) -> SessionDescription:
        """An offer for `set_local_description`, which also makes one by itself."""
        self._bind()
        self._new_generation("offer", ice_restart)
        return self._negotiation.create_offer()

    async def create_answer(self) -> SessionDescription:
        """An answer for `set_local_description`, which also makes one by itself."""
        self._bind()
        self._new_generation("answer")
        return self._negotiation.create_answer()

    async def set_local_description(
        self, description: SessionDescription | Mapping[str, str] | None = None
    ) -> None:
        """Without a description: the offer or answer that the state asks for. Gathering begins."""
        self._bind()
        chosen = _description(description) if description is not None else None
        if chosen is None or (chosen.type != "rollback" and not chosen.sdp):
            answering = self.signaling_state in ("have-remote-offer", "have-local-pranswer")
            self._new_generation("answer" if answering else "offer")
        before = self.signaling_state
        self._negotiated(before, self._negotiation.set_local(chosen))
        self._gather()

    async def set_remote_description(self, description: SessionDescription | Mapping[str, str]) -> None:
        """What the other end sent. An offer rolls back an offer of ours (perfect negotiation: the polite side
        just sets it). `SdpError` if it is malformed, `InvalidStateError` if it does not fit the state."""
        self._bind()
        before = self.signaling_state
        self._negotiated(before, self._negotiation.set_remote(_description(description)))

    async def add_ice_candidate(
        self,
        candidate: Candidate | CandidateEvent | Mapping[str, Any] | str | None,
        *,
        sdp_mid: str | None = None,
        sdp_m_line_index: int | None = None,
    ) -> None:
        """A candidate of the other end: as "candidate:..." text, as the JSON of browsers, as `Candidate`, or
        as another connection's `CandidateEvent`. None or an empty text: there are no more.

        `SdpError` if it is malformed, `InvalidStateError` without a remote description, `OperationError` if
        that has no such section.
        """
        self._bind()
        ufrag: str | None = None
        if isinstance(candidate, CandidateEvent):
            candidate = candidate.to_dict()
        if isinstance(candidate, Mapping):
            sdp_mid = candidate.get("sdpMid", sdp_mid)
            sdp_m_line_index = candidate.get("sdpMLineIndex", sdp_m_line_index)
            ufrag = candidate.get("usernameFragment")
            candidate = candidate.get("candidate")
        if isinstance(candidate, Candidate):
            candidate = candidate.to_sdp()
        if candidate is not None and not isinstance(candidate, str):
            raise TypeError(f"a candidate is a str, a mapping or a Candidate, not {type(candidate).__name__}")
        text = (candidate or "").removeprefix("a=").strip()
        if text:
            ufrag = ufrag or _parse_candidate(text).ufrag
        self._negotiation.add_remote_candidate(text, mid=sdp_mid, index=sdp_m_line_index, ufrag=ufrag)
        self._feed_candidates()

    def restart_ice(self) -> None:
        """The next offer gets new ICE credentials; "negotiationneeded" asks for it."""
        self._require_open()
        self._negotiation.request_restart()
        self._check_negotiation()

    def _bind(self) -> None:
        """To the running loop, with a native peer, the first time."""
        self._require_open()
        loop = asyncio.get_running_loop()
        if self._loop is None:
            driver = Driver.attach(self._worker)
            try:
                peer = self._transport.start(driver, self._certificate)
            except BaseException:
                driver.release()
                raise
            self._loop = loop
            self._negotiation.begin_generation(peer.local_ufrag, peer.local_pwd)
            self._check_negotiation()
        elif self._loop is not loop:
            raise InvalidStateError("the connection belongs to another event loop")

    def _require_open(self) -> None:
        if self._closed:
            raise InvalidStateError("the connection is closed")

    def _new_generation(self, kind: str, explicitly: bool = False) -> None:
        negotiation = self._negotiation
        if negotiation.offer_restarts(explicitly) if kind == "offer" else negotiation.answer_restarts():
            peer = self._transport.peer
            peer.restart_ice()
            negotiation.begin_generation(peer.local_ufrag, peer.local_pwd)

    def _negotiated(self, before: str, changes: Changes) -> None:
        """After a description was set: tell the peer, then the application."""
        state = self.signaling_state
        media = self._media if changes.added else self._media_in_use
        tracks, problems = media.carry_out(changes) if media is not None else [], []
        if self._negotiation.agreement is not None:
            self._transport.apply(self._negotiation.agreement)
            problems = media.apply(self._negotiation.agreement) if media is not None else []
            self._feed_candidates()
        if self._negotiation.data_refused:
            self._transport.end_channels(OperationError("the other end takes no data channels"))
        if state != before:
            self._happened("signalingstatechange", SignalingStateEvent(state), state)
        for event in tracks:
            self._happened("track", event, event)
        if state == "stable":
            self._negotiation_told = False
        self._check_negotiation()
        if problems:
            raise OperationError("; ".join(problems))

    def _check_negotiation(self) -> None:
        """W3C: update the negotiation-needed flag."""
        negotiation = self._negotiation
        if self._loop is None or negotiation.signaling_state != "stable":
            return
        if not negotiation.needs_negotiation:
            self._negotiation_told = False
        elif not self._negotiation_told:
            self._negotiation_told = True
            self._loop.call_soon(self._tell_negotiation)

    def _tell_negotiation(self) -> None:
        negotiation = self._negotiation
        if not self._closed and negotiation.signaling_state == "stable" and negotiation.needs_negotiation:
            self._happened("negotiationneeded", NegotiationNeededEvent())

    # Candidates

    async def gathered(self) -> None:
        """Waits until all local candidates are in `local_description`, for signaling without trickle.
        `OperationError` if gathering is not possible, `ConnectionFailedError` if the connection closes."""
        while self.ice_gathering_state != "complete":
            if self._gather_error is not None:
                raise self._gather_error
            if self._closed:
                raise ConnectionFailedError("the connection is closed")
            await self._waiters.change()

    def _gather(self) -> None:
        """When the local description has a section that needs candidates, once per generation."""
        transport = self._negotiation.transport
        if transport is None or self._negotiation.transport_position is None:
            return
        if self._gathered_for == transport.ufrag:
            return
        self._gathered_for = transport.ufrag
        if all(server.numeric for server in self._servers):
            self._asked = [server.url for server in self._servers]
            self._gather_from([(server.host, server.port) for server in self._servers])
            if self._gather_error is not None:
                raise self._gather_error
        else:
            self._spawn(self._gather_from_names())

    async def _gather_from_names(self) -> None:
        found = await asyncio.gather(*(resolve(server.host, server.port) for server in self._servers))
        for server, address in zip(self._servers, found, strict=True):
            if address is None:
                self._server_failed(server.url, NOT_REACHED, f"the name {server.host} was not resolved")
        known = [(s.url, a) for s, a in zip(self._servers, found, strict=True) if a is not None]
        self._asked = [url for url, _ in known]
        self._gather_from([address for _, address in known])

    def _gather_from(self, servers: Sequence[tuple[str, int]]) -> None:
        try:
            self._transport.gather(servers)
        except (OSError, ValueError) as error:
            self._gather_error = OperationError(f"candidates cannot be gathered: {error}")
            self._gather_error.__cause__ = error
            self._waiters.wake()

    def _feed_candidates(self) -> None:
        """Candidates of the other end, as far as they are agreed on, to the peer."""
        texts, ended = self._negotiation.take_remote_candidates()
        for text in texts:
            try:
                candidate = _parse_candidate(text)
            except SdpError:
                self._ignored_candidates += 1
                continue
            if candidate.component != 1:
                continue  # rtcp-mux: there is one component
            if candidate.is_numeric:
                self._transport.peer.add_remote_candidate(candidate)
            else:
                self._resolving += 1
                self._spawn(self._resolve_candidate(candidate))
        self._remote_end_due = self._remote_end_due or ended
        self._tell_remote_end()

    async def _resolve_candidate(self, candidate: Candidate) -> None:
        try:
            found = await resolve_candidate(candidate)
        finally:
            self._resolving -= 1
        if self._closed:
            return
        if found is None:
            self._ignored_candidates += 1
        else:
            self._transport.peer.add_remote_candidate(found)
        self._tell_remote_end()

    def _tell_remote_end(self) -> None:
        if self._remote_end_due and not self._resolving:
            self._remote_end_due = False
            self._transport.peer.end_of_remote_candidates()

    # Data channels

    def create_data_channel(
        self,
        label: str,
        *,
        protocol: str = "",
        ordered: bool = True,
        negotiated: bool = False,
        id: int | None = None,
        max_retransmits: int | None = None,
        max_packet_life_time: int | None = None,
        priority: str | int = "low",
    ) -> DataChannel:
        """A channel, which opens when the connection is up; the other end hears of it by "datachannel",
        unless it is `negotiated`: then both ends make it, with the same `id`.

        max_retransmits or max_packet_life_time (milliseconds) make it unreliable; priority is "very-low",
        "low", "medium" or "high". `ValueError` and `TypeError` say what was expected.
        """
        return self._add_channel(
            ChannelOptions(
                label,
                protocol=protocol,
                ordered=ordered,
                negotiated=negotiated,
                id=id,
                max_retransmits=max_retransmits,
                max_packet_life_time=max_packet_life_time,
                priority=priority,
            )
        )

    def _add_channel(self, options: ChannelOptions) -> DataChannel:
        self._require_open()
        channel = self._transport.add(options)
        self._negotiation.want_data()
        self._check_negotiation()
        return channel

    # Audio and video

    @property
    def _media(self) -> MediaTransport:
        """Made and imported when audio or video first comes up: PyAV, numpy and the codecs come with it."""
        if self._media_in_use is None:
            from .media_transport import MediaTransport

            self._media_in_use = MediaTransport(
                self, self._negotiation, self._transport, cname=self._negotiation.cname, **self._media_options
            )
        return self._media_in_use

    def _transceivers(self) -> Sequence[RtpTransceiver]:
        return self._media_in_use.transceivers if self._media_in_use is not None else ()

    def add_track(self, track: MediaTrack, *streams: MediaStream | str) -> RtpSender:
        """Sends a track from the next negotiation on; "negotiationneeded" asks for it. `streams`: those that
        the other end finds it in. `InvalidAccessError` if it is sent already; a track has one reader: for
        several connections, use `rtcore.media.MediaRelay`."""
        self._require_open()
        sender = self._media.add_track(track, streams)
        self._check_negotiation()
        return sender

    def remove_track(self, sender: RtpSender) -> None:
        """Sends its track no more. The transceiver stays, and may go on receiving."""
        self._require_open()
        self._media.remove_track(sender)
        self._check_negotiation()

    def add_transceiver(
        self,
        track_or_kind: MediaTrack | str,
        *,
        direction: str = "sendrecv",
        streams: Sequence[MediaStream | str] = (),
        send_encodings: Sequence[RtpEncoding | Mapping[str, Any]] = (),
        receive_rids: Sequence[str] = (),
        codecs: Sequence[RtpCodec] = (),
    ) -> RtpTransceiver:
        """A new section, for a track, or for "audio" or "video" to be received or sent later.

        send_encodings: several with rids are simulcast. receive_rids: asks the other end for simulcast.
        codecs: as `RtpTransceiver.set_codec_preferences`. `ValueError`, `TypeError` and `InvalidAccessError`
        say what was expected.
        """
        self._require_open()
        transceiver = self._media.add_transceiver(
            track_or_kind,
            direction=direction,
            streams=streams,
            send_encodings=send_encodings,
            receive_rids=receive_rids,
            preferences=codecs,
        )
        self._check_negotiation()
        return transceiver

    def get_transceivers(self) -> list[RtpTransceiver]:
        """Those that are not stopped, in the order in which they were made."""
        return list(self._transceivers())

    def get_senders(self) -> list[RtpSender]:
        """Those of the transceivers."""
        return [transceiver.sender for transceiver in self._transceivers()]

    def get_receivers(self) -> list[RtpReceiver]:
        """Those of the transceivers."""
        return [transceiver.receiver for transceiver in self._transceivers()]

    # Waiting, events, statistics

    async def connected(self) -> None:
        """Waits until the connection is up. `ConnectionFailedError` says why it is not going to be."""
        while self._connection_state != "connected":
            if self._connection_state in ("failed", "closed"):
                failure = self._transport.failure
                raise ConnectionFailedError(
                    str(failure) if failure else f"the connection is {self._connection_state}"
                )
            await self._waiters.change()

    async def closed(self) -> None:
        """Waits until the connection is closed, by whichever side."""
        while not self._closed:
            await self._waiters.change()

    def events(self) -> EventStream[Event]:
        """What happens, in its order, to iterate over; ends when the connection is closed. The first call
        gives everything since construction that no handler was called for, each further one what happens from
        then on. A stream holds 1,024 events; when a slow reader lets it fill up, the oldest are dropped, and
        `EventsDroppedEvent` says so.
        """
        stream, self._backlog = self._backlog or EventStream(EVENT_LIMIT), None
        self._streams.append(ref(stream, self._streams.remove))
        if self._closed:
            stream.close()
        return stream

    async def get_stats(self) -> stats.Report:
        """W3C statistics (webrtc-stats): objects by their ids, in the standard's spelling. After `close()`
        only those of the connection itself and its certificate."""
        return self._report()

    def _report(self) -> stats.Report:
        transport, generation = self._transport, self._negotiation.transport
        return stats.report(
            transport.native_stats(),
            channels=tuple(transport.all_channels()),
            opened=transport.channels_opened,
            closed=transport.channels_closed,
            role=transport.dtls_role,
            dtls_state=transport.dtls_state,
            ice_state=transport.ice_state,
            local_ufrag=generation.ufrag if generation is not None else "",
            urls=self._asked,
            local_certificate=self._certificate.der,
            ignored_candidates=self._ignored_candidates,
            media=self._media_in_use.native_stats() if self._media_in_use is not None else {},
            transceivers=self._transceivers(),
        )

    async def close(self) -> None:
        """Says good-bye and frees everything at once; what is still queued is not sent (close the channels
        first to be sure of it). Idempotent."""
        self._shut()

    async def __aenter__(self) -> Self:
        self._bind()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    def __del__(self) -> None:
        if getattr(self, "_loop", None) is not None and not self._closed:
            warnings.warn(f"unclosed {self!r}", ResourceWarning, source=self, stacklevel=1)

    def __repr__(self) -> str:
        return f"<PeerConnection {self._connection_state} signaling={self.signaling_state}>"

    def _shut(self) -> None:
        if self._closed:
            return
        self._closed = True
        for task in self._tasks:
            task.cancel()
        self._negotiation.close()
        if self._media_in_use is not None:
            self._media_in_use.close()
        self._transport.close()
        if self._loop is not None:
            self._happened("signalingstatechange", SignalingStateEvent("closed"), "closed")
            self._happened("iceconnectionstatechange", IceConnectionStateEvent("closed"), "closed")
        self._update_connection_state()
        for stream in (self._backlog, *(held() for held in self._streams)):
            if stream is not None:
                stream.close()

    def _spawn(self, work: Any) -> None:
        task: asyncio.Task[None] = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _happened(self, name: str, event: Event, *values: Any) -> None:
        if self._backlog is not None and not self._handles(name):
            self._backlog.put(event)
        for held in self._streams:
            stream = held()
            if stream is not None:
                stream.put(event)
        self._emit(name, *values)

    # From the transport

    def _candidate_gathered(self, candidate: Candidate | None) -> None:
        transport, position = self._negotiation.transport, self._negotiation.transport_position
        if self._closed or transport is None or position is None:
            return
        if candidate is not None:
            self._negotiation.add_local_candidate(candidate.to_sdp())
        event = CandidateEvent(candidate, *position, transport.ufrag)
        self._happened("icecandidate", event, event)

    def _candidate_failed(self, server: int, code: int, text: str) -> None:
        self._server_failed(self._asked[server] if server < len(self._asked) else "", code, text)

    def _server_failed(self, url: str, code: int, text: str) -> None:
        event = CandidateErrorEvent(url, code, text)
        self._happened("icecandidateerror", event, event)

    def _gathering_changed(self, state: str) -> None:
        if state == "complete":
            self._negotiation.end_local_candidates()
            self._candidate_gathered(None)
        self._happened("icegatheringstatechange", GatheringStateEvent(state), state)
        self._waiters.wake()

    def _ice_changed(self, state: str) -> None:
        self._happened("iceconnectionstatechange", IceConnectionStateEvent(state), state)
        self._update_connection_state()

    def _dtls_changed(self, state: str) -> None:
        if state == "closed" and self._loop is not None:
            self._loop.call_soon(self._shut)  # after what came with it
        if self._media_in_use is not None:
            self._media_in_use.connection_changed()
        self._update_connection_state()

    def _channel_arrived(self, channel: DataChannel) -> None:
        self._happened("datachannel", DataChannelEvent(channel), channel)

    def _update_connection_state(self) -> None:
        ice, dtls = self._transport.ice_state, self._transport.dtls_state
        if self._closed:
            state = "closed"
        elif "failed" in (ice, dtls):
            state = "failed"
        elif ice == "disconnected":
            state = "disconnected"
        elif ice in ("new", "closed") and dtls in ("new", "closed"):
            state = "new"
        elif ice in ("connected", "completed", "closed") and dtls in ("connected", "closed"):
            state = "connected"
        else:
            state = "connecting"
        if state != self._connection_state:
            self._connection_state = state
            self._happened("connectionstatechange", ConnectionStateEvent(state), state)
        self._waiters.wake()


def _usable_codecs() -> Sequence[RtpCodec]:
    from .media_transport import usable_codecs

    return usable_codecs()


def _description(value: SessionDescription | Mapping[str, str]) -> SessionDescription:
    if isinstance(value, SessionDescription):
        return value
    if isinstance(value, Mapping):
        return SessionDescription.from_dict(value)
    raise TypeError(f"a description is a SessionDescription or a mapping, not {type(value).__name__}")


def _parse_candidate(text: str) -> Candidate:
    try:
        return Candidate.from_sdp(text)
    except ValueError as error:
        raise SdpError(f"{text[:80]!r} is no candidate: {error}") from None
