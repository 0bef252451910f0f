"""ORTC's objects of `rtcore.aiortc` by hand, against themselves and against aiortc's."""

import asyncio
import datetime
from dataclasses import dataclass, field
from typing import Any

import aiortc
import pytest

import rtcore.aiortc
from aiortc_sides import each, live, paired, until
from rtcore.errors import InvalidStateError


@dataclass
class Side:
    """One end, all of it made by hand."""

    module: Any
    credentials: tuple[str | None, str | None] = (None, None)
    gatherer: Any = field(init=False)
    ice: Any = field(init=False)
    dtls: Any = field(init=False)

    def __post_init__(self) -> None:
        name, word = self.credentials
        self.gatherer = self.module.RTCIceGatherer(iceServers=[], local_username=name, local_password=word)
        self.ice = self.module.RTCIceTransport(self.gatherer)
        certificate = self.module.RTCCertificate.generateCertificate()
        self.dtls = self.module.RTCDtlsTransport(self.ice, [certificate])

    async def start(self, other: "Side") -> None:
        for candidate in other.gatherer.getLocalCandidates():
            await self.ice.addRemoteCandidate(candidate)
        await self.ice.addRemoteCandidate(None)
        theirs = other.gatherer.getLocalParameters()
        await self.ice.start(self.module.RTCIceParameters(theirs.usernameFragment, theirs.password))
        prints = other.dtls.getLocalParameters().fingerprints
        own = [self.module.RTCDtlsFingerprint(one.algorithm, one.value) for one in prints]
        await self.dtls.start(self.module.RTCDtlsParameters(own))

    async def stop(self) -> None:
        await self.dtls.stop()
        await self.ice.stop()


async def started(sides: tuple[Any, Any]) -> tuple[Side, Side]:
    one, other = Side(sides[0]), Side(sides[1])
    await joined(one, other)
    return one, other


async def joined(one: Side, other: Side) -> None:
    """ICE and DTLS."""
    one.ice._connection.ice_controlling = True
    await asyncio.gather(one.gatherer.gather(), other.gatherer.gather())
    await asyncio.gather(one.start(other), other.start(one))
    assert [side.ice.state for side in (one, other)] == ["completed", "completed"]
    assert [side.dtls.state for side in (one, other)] == ["connected", "connected"]


@paired
@live
async def test_data_channels(sides: tuple[Any, Any]) -> None:
    one, other = await started(sides)
    assert (one.ice.role, other.ice.role) == ("controlling", "controlled")
    first, second = (side.module.RTCSctpTransport(side.dtls) for side in (one, other))
    assert (first.state, first.port, first.transport) == ("new", 5000, one.dtls)
    channels: list[Any] = []
    second.on("datachannel", channels.append)
    await asyncio.gather(
        first.start(second.getCapabilities(), second.port), second.start(first.getCapabilities(), first.port)
    )
    channel = one.module.RTCDataChannel(first, one.module.RTCDataChannelParameters(label="by hand"))
    heard: list[Any] = []
    channel.on("message", heard.append)
    await until(lambda: channel.readyState == "open" and channels)
    assert (first.state, second.state) == ("connected", "connected")
    assert channels[0].label == "by hand"
    channels[0].send("hello")
    await until(lambda: heard)
    assert heard == ["hello"]
    assert one.ice.getRemoteCandidates()
    await first.stop()
    assert channel.readyState == "closed"
    for side in (one, other):
        await side.stop()
        assert (side.ice.state, side.dtls.state) == ("closed", "closed")


@paired
@live
async def test_credentials_and_ports_of_ones_own(sides: tuple[Any, Any]) -> None:
    one, other = Side(sides[0], ("left+/09", "l" * 22)), Side(sides[1], ("right", "R" * 32))
    assert other.gatherer.getLocalParameters().usernameFragment == "right"
    await joined(one, other)
    assert one.gatherer.getLocalParameters().password == "l" * 22
    first, second = (
        one.module.RTCSctpTransport(one.dtls, 6000),
        other.module.RTCSctpTransport(other.dtls, 65535),
    )
    assert (first.port, second.port) == (6000, 65535)
    channels: list[Any] = []
    second.on("datachannel", channels.append)
    await asyncio.gather(
        first.start(second.getCapabilities(), second.port), second.start(first.getCapabilities(), first.port)
    )
    channel = one.module.RTCDataChannel(first, one.module.RTCDataChannelParameters(label="by hand"))
    heard: list[Any] = []
    channel.on("message", heard.append)
    await until(lambda: channel.readyState == "open" and channels)
    channels[0].send("hello")
    await until(lambda: heard == ["hello"])
    for side in (one, other):
        await side.stop()


@live
async def test_one_credential_of_ones_own() -> None:
    side = Side(rtcore.aiortc, ("only", None))
    drawn = side.gatherer.getLocalParameters()
    assert (drawn.usernameFragment, len(drawn.password)) == ("only", 24)
    await side.ice.stop()


@each
@live
async def test_states(module: Any) -> None:
    side = Side(module)
    told: list[str] = []
    side.gatherer.on("statechange", lambda: told.append(side.gatherer.state))
    assert (side.gatherer.state, side.ice.state, side.dtls.state) == ("new", "new", "new")
    parameters = side.gatherer.getLocalParameters()
    assert len(parameters.usernameFragment) >= 4
    assert len(parameters.password) >= 22
    assert side.gatherer.getLocalCandidates() == []
    await side.gatherer.gather()
    await side.gatherer.gather()
    assert told == ["gathering", "completed"]
    assert side.gatherer.getLocalParameters() == parameters
    assert {one.type for one in side.gatherer.getLocalCandidates()} == {"host"}
    assert side.ice.iceGatherer is side.gatherer
    assert side.dtls.transport is side.ice
    await side.ice.stop()
    assert side.ice.state == "closed"
    with pytest.raises(module.InvalidStateError):
        await side.ice.start(parameters)


@each
def test_certificates(module: Any) -> None:
    certificate = module.RTCCertificate.generateCertificate()
    left = certificate.expires - datetime.datetime.now(datetime.UTC)
    assert datetime.timedelta(days=29) < left <= datetime.timedelta(days=30)
    prints = certificate.getFingerprints()
    assert [one.algorithm for one in prints] == ["sha-256", "sha-384", "sha-512"]
    assert [len(one.value.split(":")) for one in prints] == [32, 48, 64]


@paired
@live
async def test_another_certificate_is_refused(sides: tuple[Any, Any]) -> None:
    one, other = Side(sides[0]), Side(sides[1])
    one.ice._connection.ice_controlling = True
    await asyncio.gather(one.gatherer.gather(), other.gatherer.gather())
    wrong = sides[0].RTCCertificate.generateCertificate().getFingerprints()
    told = sides[0].RTCDtlsParameters(wrong)
    for side, theirs in ((one, other), (other, one)):
        for candidate in theirs.gatherer.getLocalCandidates():
            await side.ice.addRemoteCandidate(candidate)
    parameters = [side.gatherer.getLocalParameters() for side in (one, other)]
    await asyncio.gather(one.ice.start(parameters[1]), other.ice.start(parameters[0]))
    waiting = asyncio.ensure_future(other.dtls.start(one.dtls.getLocalParameters()))
    await one.dtls.start(told)
    assert one.dtls.state == "failed"
    await one.stop()
    await other.stop()
    waiting.cancel()


@live
async def test_what_is_refused() -> None:
    for name, word in (("user", "p" * 21), ("usr", "p" * 22), ("us r", "p" * 22)):
        with pytest.raises(ValueError, match="credential"):
            rtcore.aiortc.RTCIceGatherer(iceServers=[], local_username=name, local_password=word)
    side = Side(rtcore.aiortc)
    for port in (0, 65536):
        with pytest.raises(ValueError, match="65535"):
            rtcore.aiortc.RTCSctpTransport(side.dtls, port=port)
    with pytest.raises(ValueError, match="one certificate"):
        rtcore.aiortc.RTCDtlsTransport(side.ice, [])
    await side.ice.stop()
    with pytest.raises(InvalidStateError):
        await side.gatherer.gather()


def opus(module: Any) -> Any:
    return module.RTCRtpCodecParameters(mimeType="audio/opus", clockRate=48000, channels=2, payloadType=96)


def parameters_of(module: Any, mid: str) -> tuple[Any, Any]:
    """(to send, to receive): what the two ends agreed on by themselves."""
    made = __import__(f"{module.__name__}.rtcrtpparameters", fromlist=["RTCRtpSendParameters"])
    send = made.RTCRtpSendParameters(codecs=[opus(module)], muxId=mid)
    send.rtcp.cname = "by hand"
    return send, made.RTCRtpReceiveParameters(codecs=[opus(module)], muxId=mid)


@paired
@pytest.mark.parametrize("mid", ["", "0"], ids=["alone", "named"])
@live
async def test_audio(sides: tuple[Any, Any], mid: str) -> None:
    """One sender and one receiver at each end."""
    ends = await started(sides)
    receivers, senders = [], []
    for end in ends:
        module = end.module
        send, receive = parameters_of(module, mid)
        receiver = module.RTCRtpReceiver("audio", end.dtls)
        if module is not rtcore.aiortc:  # which needs a track for what it hears
            receiver._track = aiortc.rtcrtpreceiver.RemoteStreamTrack(kind="audio")
            receiver._set_rtcp_ssrc(1234)
        sender = module.RTCRtpSender(module.AudioStreamTrack(), end.dtls)
        assert (sender.kind, sender.transport, receiver.transport) == ("audio", end.dtls, end.dtls)
        await receiver.receive(receive)
        await sender.send(send)
        receivers.append(receiver)
        senders.append(sender)
    for receiver in receivers:
        frame = await receiver.track.recv()
        assert (frame.sample_rate, frame.samples) == (48000, 960)
    statistics = await senders[0].getStats()
    (outbound,) = (one for one in statistics.values() if one.type == "outbound-rtp")
    assert outbound.packetsSent > 0
    for part in (*senders, *receivers):
        await part.stop()
    for end in ends:
        await end.stop()


@live
async def test_video_with_rtx() -> None:
    module = rtcore.aiortc
    ends = await started((module, module))
    capabilities = module.RTCRtpSender.getCapabilities("video")
    vp8 = next(codec for codec in capabilities.codecs if codec.name == "VP8")
    codecs = [
        module.RTCRtpCodecParameters(vp8.mimeType, vp8.clockRate, payloadType=97),
        module.RTCRtpCodecParameters("video/rtx", 90000, payloadType=98, parameters={"apt": 97}),
    ]
    parameters = module.rtcrtpparameters
    sender = module.RTCRtpSender(module.VideoStreamTrack(), ends[0].dtls)
    receiver = module.RTCRtpReceiver("video", ends[1].dtls)
    encoding = parameters.RTCRtpDecodingParameters(
        ssrc=sender._ssrc, payloadType=97, rtx=parameters.RTCRtpRtxParameters(ssrc=sender._rtx_ssrc)
    )
    told = parameters.RTCRtpReceiveParameters(codecs=codecs, muxId="v", encodings=[encoding])
    await receiver.receive(told)
    await sender.send(parameters.RTCRtpSendParameters(codecs=codecs, muxId="v"))
    frame = await receiver.track.recv()
    assert (frame.width, frame.height) == (640, 480)
    sender.replaceTrack(None)
    assert sender.track is None
    for end in ends:
        await end.stop()
    with pytest.raises(module.InvalidStateError):
        module.RTCRtpSender("video", ends[0].dtls)
    with pytest.raises(module.InvalidStateError):
        module.RTCSctpTransport(ends[0].dtls)
