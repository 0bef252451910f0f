"""DTLS: `RTCDtlsTransport`, certificates and their fingerprints."""

from __future__ import annotations

import datetime
from dataclasses import dataclass, field
from typing import Self

from rtcore.errors import InvalidStateError
from rtcore.native.dtls import Certificate

from ._bundle import DTLS, Bundle
from ._emitter import Emitter
from ._own_bundle import OwnBundle
from ._private import Private, attributes_of
from .rtcicetransport import RTCIceTransport
from .stats import RTCStatsReport, RTCTransportStats

__all__ = ["RTCCertificate", "RTCDtlsFingerprint", "RTCDtlsParameters", "RTCDtlsTransport"]

__getattr__ = attributes_of(__name__)

_ALGORITHMS = ("sha-256", "sha-384", "sha-512")
_VALID = datetime.timedelta(days=30)


@dataclass
class RTCDtlsFingerprint:
    """The digest of a certificate: `algorithm` "sha-256" ..., `value` "AB:CD:..."."""

    algorithm: str
    value: str


@dataclass
class RTCDtlsParameters:
    """What the other end must know of a certificate, and the role: "auto", "client" or "server"."""

    fingerprints: list[RTCDtlsFingerprint] = field(default_factory=list)
    role: str = "auto"


class RTCCertificate:
    """A certificate and its private key, of `generateCertificate()` or rtcore's `Certificate`."""

    def __init__(self, certificate: Certificate) -> None:
        self._certificate = certificate

    @property
    def expires(self) -> datetime.datetime:
        """The end of its validity, in UTC."""
        return self._certificate.expires

    def getFingerprints(self) -> list[RTCDtlsFingerprint]:
        """By each algorithm."""
        return [RTCDtlsFingerprint(name, self._certificate.fingerprint(name)) for name in _ALGORITHMS]

    @classmethod
    def generateCertificate(cls) -> Self:
        """A new one."""
        return cls(Certificate.generate(valid=_VALID))


class RTCDtlsTransport(Emitter, Private):
    """Encryption of what runs on an ICE transport. Event: "statechange"."""

    def __init__(self, transport: RTCIceTransport, certificates: list[RTCCertificate]) -> None:
        """By hand, with exactly one certificate."""
        if len(certificates) != 1:
            raise ValueError(f"expected one certificate, got {len(certificates)}")
        bundle = transport._bundle
        if not isinstance(bundle, OwnBundle):
            raise InvalidStateError("the ICE transport belongs to a peer connection, which has its own")
        bundle.certificate = certificates[0]._certificate
        bundle.show(RTCDtlsTransport, self)
        self._attach(bundle)

    @classmethod
    def _of(cls, bundle: Bundle) -> Self:
        """That of a peer connection, which has its certificate."""
        made = cls.__new__(cls)
        made._attach(bundle)
        return made

    def _attach(self, bundle: Bundle) -> None:
        Emitter.__init__(self)
        self._bundle = bundle
        self._state = bundle.dtls_state
        self._role = "auto"
        bundle.watch(DTLS, self._look)

    def _look(self) -> None:
        state = self._bundle.dtls_state
        if state != self._state:
            self._state = state
            self.emit("statechange")

    @property
    def state(self) -> str:
        """ "new", "connecting", "connected", "closed" or "failed"."""
        return self._state

    @property
    def transport(self) -> RTCIceTransport:
        """What it runs on."""
        return self._bundle.view(RTCIceTransport)

    @property
    def _stats_id(self) -> str:
        return f"transport_{id(self)}"

    def getLocalParameters(self) -> RTCDtlsParameters:
        """For the other end."""
        return RTCDtlsParameters(RTCCertificate(self._bundle.certificate).getFingerprints())

    async def start(self, remoteParameters: RTCDtlsParameters) -> None:
        """Shakes hands until it is connected, or has failed: `state` tells. The end that controls ICE is the
        server. `ValueError` without a fingerprint that can be checked."""
        if self._state != "new":
            raise InvalidStateError(f"the DTLS transport is {self._state}")
        if self._role == "auto":
            self._role = "server" if self._bundle.controlling else "client"
        await self._bundle.start_dtls(remoteParameters, self._role)

    def _get_stats(self) -> RTCStatsReport:
        counted = self._bundle.transport.native_stats().get("transport", {})
        report = RTCStatsReport()
        report.add(
            RTCTransportStats(
                timestamp=datetime.datetime.now(datetime.UTC),
                type="transport",
                id=self._stats_id,
                packetsSent=counted.get("packets_sent", 0),
                packetsReceived=counted.get("packets_received", 0),
                bytesSent=counted.get("bytes_sent", 0),
                bytesReceived=counted.get("bytes_received", 0),
                iceRole=self.transport.role,
                dtlsState=self._state,
            )
        )
        return report

    async def stop(self) -> None:
        """Says good-bye."""
        await self._bundle.close()
