"""`rtcore.aiortc.RTCPeerConnection` beside aiortc's: the same script must tell the same story."""

import asyncio
import re
import threading
from typing import Any, Generic, TypeVar

import aioice
import aiortc
import pytest

import rtcore
import rtcore.aiortc
from aiortc_sides import MODULES, as_of, connect, each, live, paired, peer, until

STATES = {
    "signalingstatechange": "signalingState",
    "icegatheringstatechange": "iceGatheringState",
    "iceconnectionstatechange": "iceConnectionState",
    "connectionstatechange": "connectionState",
}
EVENTS = (*STATES, "track", "datachannel")


def story(pc: Any) -> list[tuple[str, str]]:
    """What its events tell, with the state that each leaves."""
    told: list[tuple[str, str]] = []

    def listen(name: str) -> None:
        def hear(*values: Any) -> None:
            what = getattr(pc, STATES[name]) if name in STATES else getattr(values[0], "kind", "")
            told.append((name, what))

        pc.on(name, hear)

    for name in EVENTS:
        listen(name)
    return told


def of(told: list[tuple[str, str]], name: str) -> list[str]:
    return [what for event, what in told if event == name]


@paired
@live
async def test_states_of_a_call(sides: tuple[Any, Any]) -> None:
    one, other = peer(sides[0]), peer(sides[1])
    first, second = story(one), story(other)
    states = [getattr(one, attribute) for attribute in STATES.values()]
    assert states == ["stable", "new", "new", "new"]
    assert (one.localDescription, one.remoteDescription, one.sctp) == (None, None, None)
    one.addTrack(sides[0].AudioStreamTrack())
    channel = one.createDataChannel("chat")
    other.addTrack(sides[1].AudioStreamTrack())
    await connect(sides, one, other)
    await until(lambda: one.connectionState == other.connectionState == "connected")
    await until(lambda: channel.readyState == "open" and of(second, "datachannel"))
    await one.close()
    await until(lambda: other.connectionState == "closed")
    await other.close()
    for told in (first, second):
        assert of(told, "icegatheringstatechange") == ["gathering", "complete"]
        assert of(told, "iceconnectionstatechange") == ["checking", "completed", "closed"]
        assert of(told, "connectionstatechange") == ["connecting", "connected", "closed"]
        assert of(told, "track") == ["audio"]
    assert of(first, "signalingstatechange") == ["have-local-offer", "stable", "closed"]
    assert of(second, "signalingstatechange") == ["have-remote-offer", "stable", "closed"]
    assert (first[0][0], second[0]) == ("signalingstatechange", ("track", "audio"))


@live
async def test_the_same_events() -> None:
    """Of each name, in their order; and all together of the end that gathers before it knows the other
    one."""
    stories = []
    for module in MODULES:
        one, other = peer(module), peer(module)
        told = (story(one), story(other))
        one.addTrack(module.VideoStreamTrack())
        await connect((module, module), one, other)
        await until(lambda: one.connectionState == other.connectionState == "connected")  # noqa: B023
        await one.close()
        await other.close()
        stories.append(told)
    assert stories[0][0] == stories[1][0]
    for name in EVENTS:
        assert of(stories[0][1], name) == of(stories[1][1], name)


@each
@live
async def test_a_connection_that_was_never_used(module: Any) -> None:
    pc = peer(module)
    told = story(pc)
    await pc.close()
    await pc.close()
    assert of(told, "signalingstatechange") == ["closed"]
    assert of(told, "iceconnectionstatechange") == ["closed"]
    assert of(told, "connectionstatechange") == ["closed"]
    assert pc.iceGatheringState == "new"
    for refused in (pc.createOffer, pc.createAnswer, pc.setLocalDescription):
        with pytest.raises(module.InvalidStateError):
            await refused()
    with pytest.raises(module.InvalidStateError):
        pc.addTrack(module.AudioStreamTrack())
    with pytest.raises(module.InvalidStateError):
        pc.addTransceiver("audio")


@each
@live
async def test_candidates_are_in_the_description(module: Any) -> None:
    pc = peer(module)
    pc.createDataChannel("chat")
    await pc.setLocalDescription()
    assert pc.localDescription.type == "offer"
    assert pc.iceGatheringState == "complete"
    lines = pc.localDescription.sdp.splitlines()
    assert any(line.startswith("a=candidate:") for line in lines)
    assert "a=end-of-candidates" in lines
    await pc.close()


@paired
@live
async def test_a_second_offer_by_the_other_end(sides: tuple[Any, Any]) -> None:
    one, other = peer(sides[0]), peer(sides[1])
    one.createDataChannel("chat")
    await connect(sides, one, other)
    await until(lambda: one.connectionState == other.connectionState == "connected")
    told = story(one)
    track = sides[1].AudioStreamTrack()
    sender = other.addTrack(track)
    await connect((sides[1], sides[0]), other, one)
    assert of(told, "track") == ["audio"]
    assert sender.track is track
    assert [t.currentDirection for t in other.getTransceivers()] == ["sendonly"]
    assert [t.currentDirection for t in one.getTransceivers()] == ["recvonly"]
    assert [t.mid for t in one.getTransceivers()] == [t.mid for t in other.getTransceivers()]
    assert one.getReceivers()[0].track.kind == "audio"
    frame = await one.getReceivers()[0].track.recv()
    assert frame.sample_rate == 48000
    await one.close()
    await other.close()


@each
@live
async def test_what_is_refused(module: Any) -> None:
    pc, other = peer(module), peer(module)
    exceptions = __import__(f"{module.__name__}.exceptions", fromlist=["InternalError"])
    with pytest.raises(exceptions.InternalError):
        pc.addTransceiver("smell")
    with pytest.raises(exceptions.InternalError):
        pc.addTransceiver("audio", direction="sideways")
    track = module.AudioStreamTrack()
    pc.addTrack(track)
    with pytest.raises(module.InvalidAccessError):
        pc.addTrack(track)
    with pytest.raises(module.InvalidAccessError):
        pc.addTransceiver(track)
    with pytest.raises(module.InvalidStateError):
        await pc.createAnswer()
    offer = await pc.createOffer()
    with pytest.raises(ValueError, match="type"):
        module.RTCSessionDescription(sdp=offer.sdp, type="bid")
    with pytest.raises(module.InvalidStateError):
        await pc.setRemoteDescription(module.RTCSessionDescription(sdp=offer.sdp, type="answer"))
    with pytest.raises(module.InvalidStateError):
        await pc.setLocalDescription(module.RTCSessionDescription(sdp=offer.sdp, type="answer"))
    await pc.setLocalDescription(offer)
    await other.setRemoteDescription(pc.localDescription)
    with pytest.raises(module.InvalidStateError):
        await other.setRemoteDescription(module.RTCSessionDescription(sdp=offer.sdp, type="answer"))
    with pytest.raises(module.InvalidStateError):  # glare
        await pc.setRemoteDescription(pc.localDescription)
    answer = await other.createAnswer()
    for spoiled in ("a=ice-ufrag:", "a=rtcp-mux"):
        lines = [line for line in answer.sdp.splitlines() if not line.startswith(spoiled)]
        text = "\r\n".join(lines) + "\r\n"
        with pytest.raises(ValueError):  # noqa: PT011
            await pc.setRemoteDescription(module.RTCSessionDescription(sdp=text, type="answer"))
    with pytest.raises(ValueError, match=r"sdpMid|sdpMLineIndex"):
        await pc.addIceCandidate(module.RTCIceCandidate(1, "1", "127.0.0.1", 9, 1, "udp", "host"))
    with pytest.raises(ValueError):  # noqa: PT011
        pc.createDataChannel("both", maxPacketLifeTime=1, maxRetransmits=1)
    with pytest.raises(ValueError):  # noqa: PT011
        pc.createDataChannel("no id", negotiated=True)
    pc.createDataChannel("taken", negotiated=True, id=7)
    with pytest.raises(ValueError):  # noqa: PT011
        pc.createDataChannel("again", negotiated=True, id=7)
    await pc.close()
    await other.close()


@paired
@live
async def test_a_description_is_edited(sides: tuple[Any, Any]) -> None:
    """As programs do before they set it: what they write is what the other end is told."""
    one, other = peer(sides[0]), peer(sides[1])
    one.addTrack(sides[0].VideoStreamTrack())
    one.createDataChannel("chat")
    offer = await one.createOffer()
    numbers = re.findall(r"a=rtpmap:(\d+) H264/90000", offer.sdp)
    text = re.sub(r"(m=video \S+ \S+) .*", r"\1 " + " ".join(numbers), offer.sdp)
    gone = set(re.findall(r"a=rtpmap:(\d+)", text)) - set(numbers)
    text = re.sub(rf"a=(rtpmap|fmtp|rtcp-fb):({'|'.join(gone)}) .*\r\n", "", text)
    await one.setLocalDescription(sides[0].RTCSessionDescription(sdp=text, type="offer"))
    told = one.localDescription.sdp
    assert "H264" in told
    assert "VP8" not in told
    assert "a=candidate:" in told
    await other.setRemoteDescription(as_of(sides[1], one.localDescription))
    await other.setLocalDescription()
    assert "VP8" not in other.localDescription.sdp
    await one.setRemoteDescription(as_of(sides[0], other.localDescription))
    await until(lambda: one.connectionState == "connected")
    assert (await other.getReceivers()[0].track.recv()).width == 640
    await one.close()
    await other.close()


@each
@live
async def test_a_malformed_description_is_refused(module: Any) -> None:
    pc = peer(module)
    pc.createDataChannel("chat")
    offer = await pc.createOffer()
    broken = module.RTCSessionDescription(sdp=offer.sdp.replace("a=ice-ufrag", "a=x-ufrag"), type="offer")
    with pytest.raises(ValueError):  # noqa: PT011
        await pc.setRemoteDescription(broken)
    assert pc.signalingState == "stable"
    await pc.setLocalDescription(offer)
    assert pc.signalingState == "have-local-offer"
    await pc.close()


def test_exceptions_have_both_names() -> None:
    assert rtcore.aiortc.InvalidStateError is rtcore.InvalidStateError
    assert rtcore.aiortc.InvalidAccessError is rtcore.InvalidAccessError
    assert issubclass(rtcore.aiortc.exceptions.InternalError, rtcore.errors.Error)


@paired
@live
async def test_trickled_candidates(sides: tuple[Any, Any]) -> None:
    """Also of aioice's class, and before the description that they belong to."""
    one, other = peer(sides[0]), peer(sides[1])
    one.createDataChannel("chat")
    await one.setLocalDescription()
    bare, trickled = [], []
    for line in one.localDescription.sdp.splitlines():
        if line.startswith("a=candidate:"):
            trickled.append(aioice.Candidate.from_sdp(line.removeprefix("a=candidate:")))
        elif line != "a=end-of-candidates":
            bare.append(line)
    rtc = __import__(f"{sides[1].__name__}.rtcicetransport", fromlist=["candidate_from_aioice"])
    offer = sides[1].RTCSessionDescription(sdp="\r\n".join(bare) + "\r\n", type="offer")
    await other.setRemoteDescription(offer)
    for candidate in trickled:
        made = rtc.candidate_from_aioice(candidate)
        made.sdpMid = "0"
        await other.addIceCandidate(made)
    unknown = rtc.candidate_from_aioice(trickled[0])
    unknown.sdpMid = "nowhere"
    await other.addIceCandidate(unknown)
    await other.addIceCandidate(None)
    await other.setLocalDescription()
    await one.setRemoteDescription(as_of(sides[0], other.localDescription))
    await until(lambda: one.connectionState == other.connectionState == "connected")
    await one.close()
    await other.close()


@live
async def test_candidates_before_the_description() -> None:
    one, other = peer(aiortc), peer(rtcore.aiortc)
    one.createDataChannel("chat")
    await one.setLocalDescription()
    parsed = aiortc.sdp.SessionDescription.parse(one.localDescription.sdp)
    for candidate in parsed.media[0].ice_candidates:
        native = aiortc.rtcicetransport.candidate_to_aioice(candidate)
        native.sdpMid = "0"
        await other.addIceCandidate(native)
    await other.addIceCandidate(None)
    bare = [line for line in one.localDescription.sdp.splitlines() if "candidate" not in line]
    offer = rtcore.aiortc.RTCSessionDescription(sdp="\r\n".join(bare) + "\r\n", type="offer")
    await other.setRemoteDescription(offer)
    await other.setLocalDescription()
    await one.setRemoteDescription(as_of(aiortc, other.localDescription))
    await until(lambda: one.connectionState == other.connectionState == "connected")
    await one.close()
    await other.close()


@each
@live
async def test_transceivers(module: Any) -> None:
    pc = peer(module)
    audio = pc.addTransceiver("audio", direction="recvonly")
    track = module.VideoStreamTrack()
    video = pc.addTransceiver(track)
    assert pc.getTransceivers() == [audio, video]
    assert pc.getSenders() == [audio.sender, video.sender]
    assert pc.getReceivers() == [audio.receiver, video.receiver]
    assert [(t.kind, t.direction, t.currentDirection, t.mid, t.stopped) for t in (audio, video)] == [
        ("audio", "recvonly", None, None, False),
        ("video", "sendrecv", None, None, False),
    ]
    assert (audio.sender.track, video.sender.track) == (None, track)
    assert video.sender.transport is video.receiver.transport
    assert audio.sender.transport.state == "new"
    assert audio.sender.transport.transport.iceGatherer.state == "new"
    audio.direction = "inactive"
    assert audio.direction == "inactive"
    video.sender.replaceTrack(None)
    assert video.sender.track is None
    again = module.VideoStreamTrack()
    assert pc.addTrack(again) is video.sender
    assert video.sender.track is again
    await video.stop()
    assert video.stopped
    await pc.close()


@each
@live
async def test_codec_preferences(module: Any) -> None:
    one, other = peer(module), peer(module)
    transceiver = one.addTransceiver("video", direction="sendonly")
    capabilities = module.RTCRtpSender.getCapabilities("video").codecs
    wanted = [codec for codec in capabilities if codec.name in ("H264", "rtx")]
    transceiver.setCodecPreferences(wanted)
    await one.setLocalDescription()
    maps = [line for line in one.localDescription.sdp.splitlines() if line.startswith("a=rtpmap:")]
    assert {line.split()[1] for line in maps} == {"H264/90000", "rtx/90000"}
    with pytest.raises(ValueError):  # noqa: PT011
        transceiver.setCodecPreferences([module.RTCRtpCodecCapability("video/none", 90000)])
    await other.setRemoteDescription(one.localDescription)
    vp8 = [codec for codec in capabilities if codec.name == "VP8"]
    other.getTransceivers()[0].setCodecPreferences([])
    transceiver.setCodecPreferences(vp8)
    await one.close()
    await other.close()


@paired
@pytest.mark.parametrize("direction", ["sendrecv", "sendonly"])
@live
async def test_the_answering_end_prepares_a_transceiver(sides: tuple[Any, Any], direction: str) -> None:
    """One made with addTransceiver before the offer comes is used for it."""
    one, other = peer(sides[0]), peer(sides[1])
    one.addTransceiver(sides[0].VideoStreamTrack(), direction=direction)
    prepared = other.addTransceiver("video", direction="recvonly")
    await connect(sides, one, other)
    assert other.getTransceivers() == [prepared]
    assert prepared.currentDirection == "recvonly"
    assert prepared.mid == one.getTransceivers()[0].mid
    await one.close()
    await other.close()


@paired
@live
async def test_a_track_is_added_within_the_track_event(sides: tuple[Any, Any]) -> None:
    one, other = peer(sides[0]), peer(sides[1])
    one.addTrack(sides[0].AudioStreamTrack())
    sent: list[Any] = []

    @other.on("track")
    def answer(track: Any) -> None:
        sent.append(other.addTrack(sides[1].AudioStreamTrack()))

    await connect(sides, one, other)
    assert [t.currentDirection for t in other.getTransceivers()] == ["sendrecv"]
    assert sent == other.getSenders()
    await until(lambda: one.connectionState == "connected")
    frame = await one.getReceivers()[0].track.recv()
    assert frame.samples == 960
    await one.close()
    await other.close()


@paired
@live
async def test_a_track_comes_later_without_negotiation(sides: tuple[Any, Any]) -> None:
    one, other = peer(sides[0]), peer(sides[1])
    one.addTransceiver("audio", direction="recvonly")
    await one.setLocalDescription()
    await other.setRemoteDescription(as_of(sides[1], one.localDescription))
    transceiver = other.getTransceivers()[0]
    transceiver.direction = "sendonly"
    transceiver.sender.replaceTrack(sides[1].AudioStreamTrack())
    await other.setLocalDescription()
    await one.setRemoteDescription(as_of(sides[0], other.localDescription))
    frame = await one.getReceivers()[0].track.recv()
    assert frame.sample_rate == 48000
    await one.close()
    await other.close()


@each
@live
async def test_closing_within_a_handler(module: Any) -> None:
    one, other = peer(module), peer(module)
    one.createDataChannel("chat")
    ended = asyncio.Event()

    @other.on("connectionstatechange")
    async def changed() -> None:
        if other.connectionState == "closed":
            await other.close()
            ended.set()

    await connect((module, module), one, other)
    await until(lambda: other.connectionState == "connected")
    await one.close()
    await ended.wait()


@each
def test_made_in_another_thread(module: Any) -> None:
    """Before a loop runs, and where none is: programs make tracks and connections so, and subclasses of
    them."""
    made: list[Any] = []

    def make() -> None:
        asyncio.set_event_loop(asyncio.new_event_loop())
        loops.append(asyncio.get_event_loop())
        made.extend(peer(module) for _ in range(2))

    loops: list[Any] = []
    thread = threading.Thread(target=make)
    thread.start()
    thread.join()

    async def use() -> None:
        made[0].createDataChannel("chat")
        await connect((module, module), *made)
        async with asyncio.timeout(20):
            await until(lambda: made[0].connectionState == "connected")
        await made[0].close()
        await made[1].close()

    asyncio.run(use())
    loops[0].close()


def test_made_without_any_loop() -> None:
    made: list[Any] = []
    thread = threading.Thread(target=lambda: made.append(peer(rtcore.aiortc)))
    thread.start()
    thread.join()
    made[0].createDataChannel("chat")
    made[0].addTransceiver("audio")
    assert asyncio.run(offered(made[0])) == "offer"


async def offered(pc: Any) -> Any:
    description = await pc.createOffer()
    await pc.close()
    return description.type


T = TypeVar("T")


@each
@live
async def test_subclasses(module: Any) -> None:
    class Mine(module.RTCPeerConnection, Generic[T]):  # type: ignore[name-defined,misc]
        def __init__(self, name: T) -> None:
            super().__init__(configuration=module.RTCConfiguration(iceServers=[]))
            self.name = name
            self.heard: list[str] = []

        async def close(self) -> None:
            self.heard.append("close")
            await super().close()

    pc = Mine[str]("mine")
    assert pc.listeners("track") == []
    pc.once("signalingstatechange", lambda: pc.heard.append(pc.signalingState))
    pc.createDataChannel("chat")
    await pc.setLocalDescription()
    await pc.close()
    assert pc.heard == ["have-local-offer", "close"]


@live
async def test_options_of_rtcore() -> None:
    certificate = rtcore.aiortc.RTCCertificate.generateCertificate()
    pc = rtcore.aiortc.RTCPeerConnection(
        rtcore.aiortc.RTCConfiguration(iceServers=[]),
        port_range=(41000, 41100),
        certificates=[certificate],
    )
    pc.createDataChannel("chat")
    await pc.setLocalDescription()
    found = pc.sctp.transport.transport.iceGatherer.getLocalCandidates()
    assert all(41000 <= one.port <= 41100 for one in found)
    assert pc.sctp.transport.getLocalParameters().fingerprints == certificate.getFingerprints()
    assert certificate.getFingerprints()[0].value in pc.localDescription.sdp
    await pc.close()


@pytest.mark.parametrize(
    ("all_states", "connection", "ice"),
    [
        (False, ["connecting", "connected", "failed"], ["checking", "completed", "failed"]),
        (
            True,
            ["connecting", "connected", "disconnected", "failed"],
            ["checking", "connected", "completed", "disconnected", "failed"],
        ),
    ],
)
@live
async def test_the_other_end_vanishes(all_states: bool, connection: list[str], ice: list[str]) -> None:
    with rtcore.Worker() as doomed:
        configuration = rtcore.aiortc.RTCConfiguration(iceServers=[])
        one = rtcore.aiortc.RTCPeerConnection(
            configuration, all_states=all_states, disconnected_timeout=0.3, failed_timeout=0.9
        )
        other = rtcore.aiortc.RTCPeerConnection(configuration, worker=doomed)
        told = story(one)
        one.createDataChannel("chat")
        await connect((rtcore.aiortc, rtcore.aiortc), one, other)
        await until(lambda: one.connectionState == other.connectionState == "connected")
        await until(lambda: one.iceConnectionState == "completed")
        asyncio.get_running_loop().remove_reader(doomed.fileno())  # it says nothing any more
        await until(lambda: one.connectionState == "failed")
        assert of(told, "connectionstatechange") == connection
        assert of(told, "iceconnectionstatechange") == ice
        await one.close()
        await other.close()


@live
async def test_the_other_end_restarts_ice() -> None:
    other = peer(rtcore.aiortc)
    async with rtcore.PeerConnection() as one:
        channel = one.create_data_channel("chat")
        heard: list[Any] = []
        other.on("datachannel", lambda theirs: theirs.on("message", heard.append))
        for restart in (False, True):
            if restart:
                one.restart_ice()
            await one.set_local_description()
            await one.gathered()
            assert one.local_description is not None
            await other.setRemoteDescription(as_of(rtcore.aiortc, one.local_description))
            before = other.localDescription
            await other.setLocalDescription()
            if restart:
                ufrags = [
                    re.findall(r"a=ice-ufrag:(\S+)", text.sdp)[0] for text in (before, other.localDescription)
                ]
                assert ufrags[0] != ufrags[1]
                assert "a=candidate:" in other.localDescription.sdp
            await one.set_remote_description(
                rtcore.connection.SessionDescription("answer", other.localDescription.sdp)
            )
            await one.connected()
            await channel.send(f"restarted: {restart}")
        await until(lambda: len(heard) == 2)
    await other.close()


@live
async def test_turn_is_warned_about_once(caplog: pytest.LogCaptureFixture) -> None:
    server = rtcore.aiortc.RTCIceServer("turn:turn.example.org", username="user", credential="secret")
    for _ in range(2):
        await rtcore.aiortc.RTCPeerConnection(rtcore.aiortc.RTCConfiguration([server])).close()
    (record,) = caplog.records
    assert "turn.example.org" in record.message
    assert "secret" not in record.message
    relay = rtcore.aiortc.RTCIceTransportPolicy.RELAY
    with pytest.raises(rtcore.NotSupportedError):
        rtcore.aiortc.RTCPeerConnection(rtcore.aiortc.RTCConfiguration([server], iceTransportPolicy=relay))
