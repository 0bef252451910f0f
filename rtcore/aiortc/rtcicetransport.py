"""ICE: `RTCIceGatherer`, `RTCIceTransport`, and what they pass around."""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass
from typing import Any, Self

from rtcore.errors import InvalidStateError, NotSupportedError
from rtcore.native.ice import Candidate

from ._bundle import GATHERER, ICE, Bundle
from ._emitter import Emitter
from ._private import Private, attributes_of
from .rtcconfiguration import RTCIceServer, RTCIceTransportPolicy

__all__ = ["RTCIceCandidate", "RTCIceGatherer", "RTCIceParameters", "RTCIceTransport"]

__getattr__ = attributes_of(__name__)

logger = logging.getLogger(__name__)

_URI = re.compile(r"(stuns?|turns?):([^?:]+)(?::(\d+))?(?:\?transport=(.*))?")
_PORTS = {"stun": 3478, "turn": 3478, "stuns": 5349, "turns": 5349}
_TURN_TRANSPORTS = {"turn": "udp", "turns": "tcp"}


@dataclass
class RTCIceCandidate:
    """One candidate, with the fields of RFC 8839 and the section that it belongs to."""

    component: int
    foundation: str
    ip: str
    port: int
    priority: int
    protocol: str
    type: str
    relatedAddress: str | None = None
    relatedPort: int | None = None
    sdpMid: str | None = None
    sdpMLineIndex: int | None = None
    tcpType: str | None = None


@dataclass
class RTCIceParameters:
    """The credentials of one end, and whether it is ICE-lite."""

    usernameFragment: str | None = None
    password: str | None = None
    iceLite: bool = False


def _from_native(candidate: Candidate) -> RTCIceCandidate:
    return RTCIceCandidate(  # by place: it is the faster way
        candidate.component,
        candidate.foundation,
        candidate.address,
        candidate.port,
        candidate.priority,
        candidate.transport,
        candidate.type,
        candidate.related_address,
        candidate.related_port,
        None,
        None,
        candidate.tcp_type,
    )


def _to_native(candidate: Any) -> Candidate:
    """Also of aioice's `Candidate`. `ValueError` for fields that no candidate can have."""
    candidate = candidate if hasattr(candidate, "ip") else candidate_from_aioice(candidate)
    return Candidate(
        candidate.foundation,
        candidate.component,
        candidate.protocol,
        candidate.priority,
        candidate.ip,
        candidate.port,
        candidate.type,
        related_address=candidate.relatedAddress,
        related_port=candidate.relatedPort,
        tcp_type=candidate.tcpType,
    )


def candidate_from_aioice(x: Any) -> RTCIceCandidate:
    """That of an `aioice.Candidate`."""
    return RTCIceCandidate(
        component=x.component,
        foundation=x.foundation,
        ip=x.host,
        port=x.port,
        priority=x.priority,
        protocol=x.transport,
        type=x.type,
        relatedAddress=x.related_address,
        relatedPort=x.related_port,
        tcpType=x.tcptype,
    )


def candidate_to_aioice(x: RTCIceCandidate) -> Any:
    """As an `aioice.Candidate`. `ImportError` where aioice is not installed."""
    import aioice

    return aioice.Candidate(
        component=x.component,
        foundation=x.foundation,
        transport=x.protocol,
        priority=x.priority,
        host=x.ip,
        port=x.port,
        type=x.type,
        related_address=x.relatedAddress,
        related_port=x.relatedPort,
        tcptype=x.tcpType,
    )


def parse_stun_turn_uri(uri: str) -> dict[str, Any]:
    """The parts of a server's URL (RFC 7064, RFC 7065): scheme, host, port and, of TURN, transport.
    `ValueError` if it is malformed."""
    match = _URI.fullmatch(uri)
    if match is None:
        raise ValueError(f"malformed uri: expected stun: or turn:, a host and perhaps a port, got {uri!r}")
    scheme, host, port, transport = match.groups()
    parsed: dict[str, Any] = {
        "scheme": scheme,
        "host": host,
        "port": int(port) if port else _PORTS[scheme],
    }
    if scheme in _TURN_TRANSPORTS:
        parsed["transport"] = transport or _TURN_TRANSPORTS[scheme]
    elif transport is not None:
        raise ValueError(f"malformed uri: {scheme} must not contain transport")
    return parsed


def stun_urls(servers: list[RTCIceServer] | None, policy: RTCIceTransportPolicy) -> list[str]:
    """What rtcore can use of `servers`. Of the others a warning says that they are not used. `ValueError` for
    malformed URLs, `NotSupportedError` where only relayed candidates are wanted."""
    if policy is RTCIceTransportPolicy.RELAY:
        raise NotSupportedError("only relayed candidates are wanted: rtcore does not speak TURN yet")
    found = []
    for server in RTCIceGatherer.getDefaultIceServers() if servers is None else servers:
        for url in [server.urls] if isinstance(server.urls, str) else server.urls:
            parsed = parse_stun_turn_uri(url)
            if parsed["scheme"] == "stun":
                found.append(url)
            else:
                _warn_unused(parsed["scheme"], parsed["host"])
    return found


_warned: set[tuple[str, str]] = set()


def _warn_unused(scheme: str, host: str) -> None:
    """Once for each server."""
    if (scheme, host) not in _warned:
        _warned.add((scheme, host))
        logger.warning("the server %s is not used: rtcore does not speak %s: yet", host, scheme)


class _Agent:
    """What programs look for as `_connection`: the part of `aioice.Connection` that rtcore has."""

    def __init__(self, bundle: Bundle) -> None:
        self._bundle = bundle

    @property
    def ice_controlling(self) -> bool:
        """To be set before ICE starts: that two ends have different roles spares them a round trip."""
        return self._bundle.controlling

    @ice_controlling.setter
    def ice_controlling(self, controlling: bool) -> None:
        self._bundle.controlling = controlling

    @property
    def local_candidates(self) -> list[Any]:
        """As `aioice.Candidate`s."""
        return [candidate_to_aioice(_from_native(one)) for one in self._bundle.candidates("local")]

    @property
    def remote_candidates(self) -> list[Any]:
        """As `aioice.Candidate`s."""
        return [candidate_to_aioice(_from_native(one)) for one in self._bundle.candidates("remote")]

    @property
    def local_username(self) -> str:
        return self._bundle.credentials[0]

    @property
    def local_password(self) -> str:
        return self._bundle.credentials[1]


class RTCIceGatherer(Emitter, Private):
    """Finds the local candidates. Event: "statechange"."""

    _bundle: Bundle

    def __init__(
        self,
        iceServers: list[RTCIceServer] | None = None,
        iceTransportPolicy: RTCIceTransportPolicy = RTCIceTransportPolicy.ALL,
        local_username: str | None = None,
        local_password: str | None = None,
    ) -> None:
        """By hand. Credentials that are not given are drawn. `ValueError` for malformed URLs and
        credentials."""
        from ._own_bundle import OwnBundle

        bundle = OwnBundle(stun_urls(iceServers, iceTransportPolicy), local_username, local_password)
        bundle.show(RTCIceGatherer, self)
        self._attach(bundle)

    @classmethod
    def _of(cls, bundle: Bundle) -> Self:
        """That of a peer connection."""
        made = cls.__new__(cls)
        made._attach(bundle)
        return made

    def _attach(self, bundle: Bundle) -> None:
        Emitter.__init__(self)
        self._bundle = bundle
        self._connection = _Agent(bundle)
        self._state = bundle.gathering_state
        bundle.watch(GATHERER, self._look)

    def _look(self) -> None:
        state = self._bundle.gathering_state
        if state != self._state:
            self._state = state
            self.emit("statechange")

    @property
    def state(self) -> str:
        """ "new", "gathering" or "completed"."""
        return self._state

    @classmethod
    def getDefaultIceServers(cls) -> list[RTCIceServer]:
        """Those that are used where none are given."""
        return [RTCIceServer("stun:stun.l.google.com:19302")]

    async def gather(self) -> None:
        """Finds all candidates."""
        await self._bundle.gather()

    def getLocalCandidates(self) -> list[RTCIceCandidate]:
        """Those found by now."""
        return [_from_native(candidate) for candidate in self._bundle.candidates("local")]

    def getLocalParameters(self) -> RTCIceParameters:
        """For the other end."""
        return RTCIceParameters(*self._bundle.credentials)


class RTCIceTransport(Emitter, Private):
    """The path that packets take. Event: "statechange"."""

    def __init__(self, gatherer: RTCIceGatherer, *, all_states: bool = False) -> None:
        """`all_states`: as of `RTCPeerConnection`."""
        bundle = gatherer._bundle
        bundle.all_states = all_states
        bundle.show(RTCIceTransport, self)
        self._attach(bundle)

    @classmethod
    def _of(cls, bundle: Bundle) -> Self:
        """That of a peer connection."""
        made = cls.__new__(cls)
        made._attach(bundle)
        return made

    def _attach(self, bundle: Bundle) -> None:
        Emitter.__init__(self)
        self._bundle = bundle
        self._state = bundle.ice_state
        bundle.watch(ICE, self._look)

    def _look(self) -> None:
        state = self._bundle.ice_state
        if state != self._state:
            self._state = state
            self.emit("statechange")
            if state == "closed":
                self.iceGatherer.remove_all_listeners()
                self.remove_all_listeners()

    @property
    def iceGatherer(self) -> RTCIceGatherer:
        """That of the local candidates."""
        return self._bundle.view(RTCIceGatherer)

    @property
    def _connection(self) -> _Agent:
        return self.iceGatherer._connection

    @property
    def role(self) -> str:
        """ "controlling" or "controlled"."""
        return "controlling" if self._bundle.controlling else "controlled"

    @property
    def state(self) -> str:
        """ "new", "checking", "completed", "failed" or "closed"; with `all_states` also "connected" and
        "disconnected"."""
        return self._state

    async def addRemoteCandidate(self, candidate: RTCIceCandidate | None) -> None:
        """One of the other end's, also as `aioice.Candidate`; None: there are no more."""
        await self._bundle.add_candidate(None if candidate is None else _to_native(candidate))

    def getRemoteCandidates(self) -> list[RTCIceCandidate]:
        """Those of the other end that are known by now."""
        return [_from_native(candidate) for candidate in self._bundle.candidates("remote")]

    async def start(self, remoteParameters: RTCIceParameters) -> None:
        """Looks for a path until one is found, or there is none: `state` tells."""
        if self._bundle.closed:
            raise InvalidStateError("the ICE transport is closed")
        await self._bundle.start_ice(remoteParameters)

    async def stop(self) -> None:
        """Ends the transport, and all that runs on it."""
        await self._bundle.close()
