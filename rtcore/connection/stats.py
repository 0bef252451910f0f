"""Statistics in the W3C's form (webrtc-stats), made of what the native peer counts.

A report is a dict of objects by id. Ids are stable for the life of what they name. Members have the
standard's names and units: times in seconds, `timestamp` and the like in milliseconds since 1970. What is not
known is left out, as in browsers. Members that the standard does not have are gathered under "rtcore".
"""

import base64
import hashlib
import time
import zlib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rtcore.native.ice import Candidate

from .rtp_stats import SRTP_CIPHERS, add_media

if TYPE_CHECKING:
    from .channel import DataChannel
    from .rtp_transceiver import RtpTransceiver

__all__ = ["Builder", "Report", "about", "report"]

Report = dict[str, dict[str, Any]]

CONNECTION_ID = "PC"
TRANSPORT_ID = "T0"
SCTP_ID = "SCTP0"


def report(
    native: Mapping[str, Any],
    *,
    channels: Sequence["DataChannel"],
    opened: int,
    closed: int,
    role: str,
    dtls_state: str,
    ice_state: str,
    local_ufrag: str,
    urls: Sequence[str],
    local_certificate: bytes,
    ignored_candidates: int,
    media: Mapping[str, Any] | None = None,
    transceivers: Sequence["RtpTransceiver"] = (),
) -> Report:
    """All objects of one connection. `native` is what `Peer.stats()` gives, `media` what `Media.stats()`
    does; empty before there is a peer, or media."""
    out: Report = {}
    # One clock for all: the worker's times are monotonic, and are told as wall time of now.
    now = time.time()
    builder = Builder(out, now * 1000, now - time.monotonic())
    builder.add(CONNECTION_ID, "peer-connection", dataChannelsOpened=opened, dataChannelsClosed=closed)
    for channel in channels:
        builder.channel(channel, native.get("channels", {}).get(channel._handle))
    local_id = builder.certificate(local_certificate)
    media = media or {}
    add_media(builder, media, transceivers)
    if not native:
        return out
    dtls = native["dtls"]
    remote = dtls and dtls["remote_certificate"]
    remote_id = builder.certificate(remote) if remote else None
    locals_ = [
        builder.candidate(item["candidate"], "local", _url(urls, item)) for item in native["local_candidates"]
    ]
    remotes = [builder.candidate(item["candidate"], "remote", None) for item in native["remote_candidates"]]
    for pair in native["pairs"]:
        builder.pair(pair, locals_[pair["local"]], remotes[pair["remote"]], media.get("transport"))
    ice, transport, selected = native["ice"], native["transport"], native["ice"]["selected_pair"]
    builder.add(
        TRANSPORT_ID,
        "transport",
        bytesSent=transport["bytes_sent"],
        bytesReceived=transport["bytes_received"],
        packetsSent=transport["packets_sent"],
        packetsReceived=transport["packets_received"],
        iceRole="controlling" if ice["controlling"] else "controlled",
        iceLocalUsernameFragment=local_ufrag,
        iceState=ice_state,
        dtlsState=dtls_state,
        dtlsRole=role or "unknown",
        selectedCandidatePairId=None if selected is None else _pair_id(selected),
        selectedCandidatePairChanges=ice["selected_pair_changes"],
        localCertificateId=local_id,
        remoteCertificateId=remote_id,
        tlsVersion="FEFD" if dtls_state == "connected" else None,
        dtlsCipher=(dtls and dtls["cipher"]) or None,
        srtpCipher=SRTP_CIPHERS.get(dtls["srtp_profile"]) if dtls else None,
        rtcore={
            "ignoredRemoteCandidates": ignored_candidates,
            "transport": transport,
            "ice": ice,
            "dtls": {k: v for k, v in dtls.items() if not isinstance(v, bytes)} if dtls else None,
            "media": media.get("transport"),
        },
    )
    if native["sctp"]:
        builder.association(native["sctp"])
    return out


class Builder:
    """Adds objects to a report, all of one moment."""

    transport_id = TRANSPORT_ID

    def __init__(self, out: Report, timestamp: float, offset: float) -> None:
        self._out = out
        self._timestamp = timestamp
        self._offset = offset

    def add(self, id: str, type: str, **members: Any) -> str:
        known = {name: value for name, value in members.items() if value is not None}
        self._out[id] = {"id": id, "type": type, "timestamp": self._timestamp, **known}
        return id

    def wall(self, monotonic: float | None) -> float | None:
        return None if monotonic is None else (monotonic + self._offset) * 1000

    def channel(self, channel: "DataChannel", counters: Mapping[str, Any] | None) -> None:
        counted = counters or {}
        self.add(
            f"D{channel._number}",
            "data-channel",
            label=channel.label,
            protocol=channel.protocol,
            dataChannelIdentifier=channel.id,
            state=channel.ready_state,
            messagesSent=counted.get("messages_sent", 0),
            bytesSent=counted.get("bytes_sent", 0),
            messagesReceived=counted.get("messages_received", 0),
            bytesReceived=counted.get("bytes_received", 0),
        )

    def association(self, sctp: Mapping[str, Any]) -> None:
        """Of the provisional part of the standard."""
        self.add(
            SCTP_ID,
            "sctp-transport",
            transportId=TRANSPORT_ID,
            smoothedRoundTripTime=sctp["smoothed_round_trip"],
            congestionWindow=sctp["congestion_window"],
            receiverWindow=sctp["peer_window"],
            mtu=sctp["mtu"],
            unackData=sctp["bytes_in_flight"],
            chunksRetransmitted=sctp["chunks_retransmitted"],
            rtcore=sctp,
        )

    def certificate(self, der: bytes) -> str:
        digest = hashlib.sha256(der).digest().hex(":").upper()
        return self.add(
            f"CF{digest}",
            "certificate",
            fingerprint=digest,
            fingerprintAlgorithm="sha-256",
            base64Certificate=base64.b64encode(der).decode("ascii"),
        )

    def candidate(self, candidate: Candidate, side: str, url: str | None) -> str:
        text = f"{candidate.to_sdp()} {url}"
        return self.add(
            f"I{side[0].upper()}{zlib.crc32(text.encode()):08x}",
            f"{side}-candidate",
            transportId=TRANSPORT_ID,
            address=candidate.address,
            port=candidate.port,
            protocol=candidate.transport,
            candidateType=candidate.type,
            priority=candidate.priority,
            foundation=candidate.foundation,
            relatedAddress=candidate.related_address,
            relatedPort=candidate.related_port,
            usernameFragment=candidate.ufrag,
            tcpType=candidate.tcp_type,
            url=url,
        )

    def pair(
        self, pair: Mapping[str, Any], local_id: str, remote_id: str, media: Mapping[str, Any] | None
    ) -> None:
        used = media if pair["selected"] else None
        self.add(
            _pair_id(pair["id"]),
            "candidate-pair",
            transportId=TRANSPORT_ID,
            localCandidateId=local_id,
            remoteCandidateId=remote_id,
            state=pair["state"],
            nominated=pair["nominated"],
            packetsSent=pair["packets_sent"],
            packetsReceived=pair["packets_received"],
            bytesSent=pair["bytes_sent"],
            bytesReceived=pair["bytes_received"],
            lastPacketSentTimestamp=self.wall(pair["last_packet_sent"]),
            lastPacketReceivedTimestamp=self.wall(pair["last_packet_received"]),
            totalRoundTripTime=pair["total_round_trip"],
            currentRoundTripTime=pair["current_round_trip"],
            requestsReceived=pair["requests_received"],
            requestsSent=pair["requests_sent"],
            responsesReceived=pair["responses_received"],
            responsesSent=pair["responses_sent"],
            consentRequestsSent=pair["consent_requests_sent"],
            priority=pair["priority"],
            availableOutgoingBitrate=(used and used["bandwidth"]["target"]) or None,
            availableIncomingBitrate=(used and used["available_incoming"]) or None,
        )


def _pair_id(number: int) -> str:
    return f"CP{number}"


def _url(urls: Sequence[str], item: Mapping[str, Any]) -> str | None:
    """The server that a reflexive or relayed candidate came from."""
    if item["candidate"].type not in ("srflx", "relay") or item["server"] >= len(urls):
        return None
    return urls[int(item["server"])]


def about(report: Report, ids: Sequence[str]) -> Report:
    """Those objects and all that they name, directly or by way of others (W3C: stats selection)."""
    chosen: Report = {}
    waiting = [id for id in ids if id in report]
    while waiting:
        id = waiting.pop()
        if id in chosen:
            continue
        chosen[id] = report[id]
        names = (value for member, value in report[id].items() if member.endswith("Id"))
        waiting += [name for name in names if name in report]
    return {id: report[id] for id in report if id in chosen}
