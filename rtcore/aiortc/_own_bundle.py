"""`OwnBundle`: one transport without a peer connection, for ORTC's objects made by hand.

It plays the connection for `Transport` and `MediaTransport`. What a negotiation would agree on is given to it
step by step: ICE, DTLS, SCTP, and a section for each sender and receiver.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from rtcore.connection import DataChannel, RtpReceiver, RtpSender, RtpTransceiver, stats
from rtcore.connection.configuration import stun_addresses
from rtcore.connection.driver import Driver
from rtcore.connection.media_transport import MediaTransport
from rtcore.connection.resolve import resolve, resolve_candidate
from rtcore.connection.transport import Transport, TransportOptions
from rtcore.connection.waiters import Waiters
from rtcore.errors import InvalidStateError
from rtcore.native.dtls import Certificate
from rtcore.native.ice import Candidate
from rtcore.sdp import AgreedFormat, AgreedSection, Agreement, Negotiation

from ._bundle import Bundle
from ._parameters import is_rtx, to_codec

if TYPE_CHECKING:
    from rtcore.connection.channel import ChannelOptions
    from rtcore.native.worker import Peer

    from .rtcdtlstransport import RTCDtlsParameters
    from .rtcicetransport import RTCIceParameters
    from .rtcrtpparameters import RTCRtpParameters, RTCRtpReceiveParameters, RTCRtpSendParameters

__all__ = ["OwnBundle"]

_FAILED_AFTER = 30.0
_DISCONNECTED_AFTER = 5.0
_UFRAG = re.compile("[a-zA-Z0-9+/]{4,256}")
_PWD = re.compile("[a-zA-Z0-9+/]{22,256}")


class OwnBundle(Bundle):
    """Belongs to the event loop in which its peer is first needed."""

    def __init__(self, urls: Sequence[str], ufrag: str | None = None, pwd: str | None = None) -> None:
        """`ufrag` and `pwd`: our credentials, drawn where they are not given. `ValueError` unless they are of
        ICE's characters and lengths (RFC 8839 section 5.4)."""
        from . import rtcsctptransport  # which is a view of this

        super().__init__()
        self._waiters = Waiters()
        self._arrived: Callable[[DataChannel], None] | None = None
        self._wants_control = False
        self._servers = stun_addresses(urls)
        self._ufrag, self._pwd = _checked(ufrag, _UFRAG), _checked(pwd, _PWD)
        self._certificate: Certificate | None = None
        mtu = rtcsctptransport.path_mtu()
        sizes = {} if mtu is None else {"mtu": mtu, "max_mtu": mtu}
        peer = {
            "max_message_size": rtcsctptransport.LOCAL_MAX_MESSAGE_SIZE,
            "disconnected_timeout": _DISCONNECTED_AFTER,
            "failed_timeout": _FAILED_AFTER,
            **sizes,
        }
        self.transport = Transport(self, TransportOptions(peer=peer))
        negotiation = Negotiation(session_id=0, fingerprints=(), max_message_size=0)
        self._media = MediaTransport(
            self, negotiation, self.transport, cname=negotiation.cname, bitrates={}, mtu=mtu or 1200
        )
        self._sections: list[AgreedSection] = []
        self._gathering: asyncio.Future[None] | None = None
        self._ice_started = False
        self._dtls_role = ""
        self._early: list[Candidate | None] = []  # before ICE is started

    @property
    def media(self) -> MediaTransport:
        return self._media

    @property
    def certificate(self) -> Certificate:
        if self._certificate is None:
            self._certificate = Certificate.generate()
        return self._certificate

    @certificate.setter
    def certificate(self, certificate: Certificate) -> None:
        self._certificate = certificate
        if self.transport.running:
            self.transport.peer.set_certificate(certificate)

    def bind(self) -> Peer:
        self._require_open()
        if not self.transport.running:
            driver = Driver.attach(None)
            try:
                peer = self.transport.start(driver, self.certificate)
                if self._ufrag is not None or self._pwd is not None:
                    peer.set_local_credentials(self._ufrag or peer.local_ufrag, self._pwd or peer.local_pwd)
            except BaseException:
                driver.release()
                raise
        return self.transport.peer

    def _require_open(self) -> None:
        if self.closed:
            raise InvalidStateError("the transport is closed")

    @property
    def controlling(self) -> bool:
        return super().controlling if self._ice_started else self._wants_control

    @controlling.setter
    def controlling(self, controlling: bool) -> None:
        if self._ice_started:
            raise InvalidStateError("ICE has started: its roles change by conflict only")
        self._wants_control = controlling

    def watch_channels(self, watcher: Callable[[DataChannel], None]) -> None:
        """Called with each channel that the other end opens."""
        self._arrived = watcher

    def changed(self) -> None:
        super().changed()
        self._waiters.wake()

    # ICE

    async def gather(self) -> None:
        self.bind()
        if self._gathering is None:
            self._gathering = asyncio.get_running_loop().create_future()
            found = await asyncio.gather(*(resolve(server.host, server.port) for server in self._servers))
            self._require_open()
            self.transport.gather([address for address in found if address is not None])
        while self.gathering_state != "completed" and not self.closed:
            await self._waiters.change()

    async def add_candidate(self, candidate: Candidate | None) -> None:
        if self._ice_started:
            await self._take(candidate)
        else:
            self._early.append(candidate)

    async def _take(self, candidate: Candidate | None) -> None:
        peer = self.bind()
        if candidate is None:
            peer.end_of_remote_candidates()
            return
        found = await resolve_candidate(candidate)
        if found is not None and found.component == 1 and not self.closed:  # rtcp-mux: there is one component
            peer.add_remote_candidate(found)

    async def start_ice(self, parameters: RTCIceParameters) -> None:
        """Until a path is found, or none is. `ValueError` without credentials."""
        if not self._ice_started:
            peer = self.bind()
            peer.set_controlling(self._wants_control or parameters.iceLite)
            peer.set_remote_lite(parameters.iceLite)
            peer.set_remote_credentials(parameters.usernameFragment or "", parameters.password or "")
            self._ice_started = True
            early, self._early = self._early, []
            for candidate in early:
                await self._take(candidate)
        while self.ice_state in ("new", "checking"):
            await self._waiters.change()

    # DTLS and SCTP

    @property
    def dtls_role(self) -> str:
        return self._dtls_role

    async def start_dtls(self, parameters: RTCDtlsParameters, role: str) -> None:
        """Until it is connected, or has failed. `ValueError` without a fingerprint of a known algorithm."""
        peer = self.bind()
        known = [one for one in parameters.fingerprints if one.algorithm.lower() in _ALGORITHMS]
        if not known:
            raise ValueError(f"there is no fingerprint of {', '.join(_ALGORITHMS)}")
        for one in known:
            peer.add_fingerprint(one.algorithm.lower(), bytes.fromhex(one.value.replace(":", "")))
        peer.set_dtls_role(role)
        self._dtls_role = role
        while self.dtls_state in ("new", "connecting"):
            await self._waiters.change()

    def start_sctp(self, local_port: int, remote_port: int, max_message_size: int) -> None:
        """When DTLS is connected."""
        self.bind()
        self.transport.start_data(remote_port, max_message_size, local_port=local_port)

    def add_channel(self, options: ChannelOptions) -> DataChannel:
        self._require_open()
        return self.transport.add(options)

    # Media

    def add_sender(self, kind: str, parameters: RTCRtpSendParameters, ssrc: int, rtx_ssrc: int) -> RtpSender:
        formats = _formats(parameters)
        made = self._free(kind, parameters.muxId, receives=False)
        data = made._data
        data.encodings[0].ssrc, data.encodings[0].rtx_ssrc = ssrc, rtx_ssrc
        self._put(made, parameters, send_formats=formats, encodings=tuple(data.encodings[:1]))
        return made.sender

    def add_receiver(self, kind: str, parameters: RTCRtpReceiveParameters) -> RtpReceiver:
        sources = {one.ssrc: one.rtx.ssrc if one.rtx else None for one in parameters.encodings}
        made = self._free(kind, parameters.muxId, receives=True)
        self._put(made, parameters, formats=_formats(parameters), sources=tuple(sources.items()))
        return made.receiver

    def _free(self, kind: str, mid: str, *, receives: bool) -> RtpTransceiver:
        """A transceiver that does not do this yet: the one of the same section, or a new one."""
        for section in self._sections:
            busy = section.formats if receives else section.send_formats
            if mid and section.mid == mid and section.kind == kind and not busy:
                return next(one for one in self._media.transceivers if one._data is section.transceiver)
        made = self._media.add_transceiver(
            kind, direction="inactive", streams=(), send_encodings=(), receive_rids=(), preferences=()
        )
        made._data.mid, made._data.index = mid, len(self._sections)
        self._sections.append(AgreedSection(len(self._sections), mid, made._data, "inactive", (), (), {}))
        return made

    def _put(self, made: RtpTransceiver, parameters: RTCRtpParameters, **changes: Any) -> None:
        index = made._data.index
        assert index is not None
        section = replace(self._sections[index], **changes)
        extensions = {one.uri: one.id for one in parameters.headerExtensions}
        section = replace(
            section,
            extensions={**section.extensions, **extensions},
            direction=_direction(send=bool(section.send_formats), receive=bool(section.formats)),
        )
        self._sections[index] = section
        made._data.direction = made._data.current_direction = section.direction
        self.bind()
        for problem in self._media.apply(self._agreement()):
            raise ValueError(problem)

    def _agreement(self) -> Agreement:
        return Agreement(
            "", "", "", "", False, self._wants_control, (), False, sections=tuple(self._sections)
        )

    # As the owner of the transports

    def _candidate_gathered(self, candidate: Candidate) -> None:
        """`candidates()` has them."""

    def _candidate_failed(self, server: int, code: int, text: str) -> None:
        """There are the other ones."""

    def _gathering_changed(self, state: str) -> None:
        self.changed()

    def _ice_changed(self, state: str) -> None:
        self.changed()

    def _dtls_changed(self, state: str) -> None:
        self._media.connection_changed()
        self.changed()
        if state == "closed":
            asyncio.get_running_loop().call_soon(self._shut)

    def _channel_arrived(self, channel: DataChannel) -> None:
        if self._arrived is not None:
            self._arrived(channel)

    def _check_negotiation(self) -> None:
        """By hand, nothing is negotiated."""

    def _report(self) -> stats.Report:
        transport = self.transport
        return stats.report(
            transport.native_stats(),
            channels=tuple(transport.all_channels()),
            opened=transport.channels_opened,
            closed=transport.channels_closed,
            role=self._dtls_role,
            dtls_state=transport.dtls_state,
            ice_state=transport.ice_state,
            local_ufrag=self.credentials[0],
            urls=[server.url for server in self._servers],
            local_certificate=self.certificate.der,
            ignored_candidates=0,
            media=self._media.native_stats(),
            transceivers=self._media.transceivers,
        )

    async def close(self) -> None:
        self._shut()

    def _shut(self) -> None:
        if not self.closed:
            self.closed = True
            self._media.close()
            self.transport.close()
            self.changed()


def _checked(credential: str | None, form: re.Pattern[str]) -> str | None:
    if credential is not None and not form.fullmatch(credential):
        raise ValueError(f"a credential of ICE is of the form {form.pattern} (RFC 8839 section 5.4)")
    return credential


_ALGORITHMS = ("sha-256", "sha-384", "sha-512")


def _formats(parameters: RTCRtpParameters) -> tuple[AgreedFormat, ...]:
    """Those of the codecs, each with its RTX."""
    rtx = {one.parameters.get("apt"): one.payloadType for one in parameters.codecs if is_rtx(one)}
    return tuple(
        AgreedFormat(one.payloadType, to_codec(one), rtx.get(one.payloadType))
        for one in parameters.codecs
        if not is_rtx(one) and one.payloadType is not None
    )


def _direction(*, send: bool, receive: bool) -> str:
    if send:
        return "sendrecv" if receive else "sendonly"
    return "recvonly" if receive else "inactive"
