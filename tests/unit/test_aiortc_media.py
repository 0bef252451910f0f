"""Tracks, senders and receivers of rtcore.aiortc: the same script for them and for aiortc, and calls between
both, judged by what is in the pictures and heard."""

from __future__ import annotations

import asyncio
import itertools
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from fractions import Fraction
from pathlib import Path
from types import ModuleType
from typing import Any

import aiortc
import av
import numpy as np
import pytest
from aiortc.rtcrtpreceiver import RemoteStreamTrack as TheirRemoteStreamTrack

import rtcore.aiortc
from aiortc_sides import each, paired
from media_support import asynchronous, until
from rtcore.aiortc import _tracks
from rtcore.aiortc._media_options import media_options
from rtcore.aiortc.codecs import h264, vpx
from rtcore.aiortc.contrib import media
from rtcore.aiortc.rtcrtpreceiver import RemoteStreamTrack
from rtcore.media import EncodedFrame, RemoteTrack, codecs
from rtcore.media.synthetic import frequency_of, picture, read_counter
from rtcore.sdp import default_codecs
from test_aiortc_ortc import started

pytestmark = [
    pytest.mark.timeout(90),
    pytest.mark.filterwarnings("ignore::DeprecationWarning:aiortc"),
]
SIZE = (320, 240)
TONE = 1000.0
OPUS, VP8 = default_codecs("audio")[0], default_codecs("video")[0]


def counting(module: ModuleType) -> Any:
    """A track of numbered pictures."""

    class Counting(module.VideoStreamTrack):  # type: ignore[name-defined, misc]
        def __init__(self) -> None:
            super().__init__()
            self.number = 0

        async def recv(self) -> av.VideoFrame:
            pts, time_base = await self.next_timestamp()
            frame = picture(*SIZE, self.number)
            frame.pts, frame.time_base = pts, time_base
            self.number += 1
            return frame

    return Counting()


def humming(module: ModuleType) -> Any:
    """A track of one tone, 48 kHz stereo."""

    class Humming(module.MediaStreamTrack):  # type: ignore[name-defined, misc]
        kind = "audio"
        count = 0

        async def recv(self) -> av.AudioFrame:
            await asyncio.sleep(0.02)
            wave = np.sin(2 * np.pi * TONE * (self.count + np.arange(960)) / 48000) * 12000
            both = np.repeat(wave.astype(np.int16), 2)[None, :]
            frame = av.AudioFrame.from_ndarray(both, format="s16", layout="stereo")
            frame.sample_rate, frame.time_base, frame.pts = 48000, Fraction(1, 48000), self.count
            self.count += 960
            return frame

    return Humming()


@asynccontextmanager
async def call(one: ModuleType, other: ModuleType, *tracks: Any) -> AsyncIterator[tuple[Any, Any, list[Any]]]:
    """`one` calls and sends `tracks`; gives both connections and what `other` receives."""
    caller = one.RTCPeerConnection(one.RTCConfiguration(iceServers=[]))
    callee = other.RTCPeerConnection(other.RTCConfiguration(iceServers=[]))
    received: list[Any] = []
    callee.on("track", received.append)
    for track in tracks:
        caller.addTrack(track)
    try:
        await caller.setLocalDescription(await caller.createOffer())
        told = caller.localDescription
        await callee.setRemoteDescription(other.RTCSessionDescription(sdp=told.sdp, type=told.type))
        await callee.setLocalDescription(await callee.createAnswer())
        told = callee.localDescription
        await caller.setRemoteDescription(one.RTCSessionDescription(sdp=told.sdp, type=told.type))
        yield caller, callee, received
    finally:
        await caller.close()
        await callee.close()


async def numbers(track: Any, count: int) -> list[int | None]:
    return [read_counter(await track.recv()) for _ in range(count)]


async def pitch(track: Any) -> float:
    heard = [await track.recv() for _ in range(50)][20:]
    parts = [frame.to_ndarray().reshape(-1, len(frame.layout.channels)) for frame in heard]
    return frequency_of(np.concatenate(parts).astype(np.int16), heard[0].sample_rate)


# Calls


@paired
@asynchronous
async def test_pictures_and_sound_are_those_that_were_sent(sides: tuple[ModuleType, ModuleType]) -> None:
    one, other = sides
    async with call(one, other, counting(one), humming(one)) as (_, _, received):
        await until(lambda: len(received) == 2)
        tracks = {track.kind: track for track in received}
        first = await tracks["video"].recv()
        assert (first.pts, first.time_base, first.format.name) == (0, Fraction(1, 90000), "yuv420p")
        assert (first.width, first.height) == SIZE
        seen, frequency = await asyncio.gather(numbers(tracks["video"], 25), pitch(tracks["audio"]))
        assert all(sooner < later for sooner, later in itertools.pairwise(seen) if sooner and later)
        assert len([number for number in seen if number is not None]) >= 23
        assert frequency == pytest.approx(TONE, rel=0.02)


@each
@asynchronous
async def test_sound_comes_as_stereo_of_48_khz_from_pts_0(module: ModuleType) -> None:
    async with call(module, module, humming(module)) as (_, _, received):
        await until(lambda: bool(received))
        frames = [await received[0].recv() for _ in range(5)]
        for frame in frames:
            assert (frame.format.name, frame.layout.name) == ("s16", "stereo")
            assert (frame.sample_rate, frame.time_base, frame.samples) == (48000, Fraction(1, 48000), 960)
        assert [frame.pts for frame in frames] == [0, 960, 1920, 2880, 3840]


@each
@asynchronous
async def test_the_end_is_told_to_readers_and_handlers(module: ModuleType) -> None:
    ended: list[str] = []
    source = counting(module)
    source.on("ended", lambda: ended.append("source"))
    async with call(module, module, source) as (caller, callee, received):
        await until(lambda: bool(received))
        track = received[0]
        track.on("ended", lambda: ended.append("received"))
        await track.recv()
        waiting = asyncio.ensure_future(drained(track, module))
        await caller.close()
        await callee.close()
        await waiting
    assert sorted(ended) == ["received", "source"]
    assert source.readyState == track.readyState == "ended"
    with pytest.raises(module.MediaStreamError):
        await track.recv()


async def drained(track: Any, module: ModuleType) -> None:
    while True:
        try:
            await track.recv()
        except module.MediaStreamError:
            return


@each
@asynchronous
async def test_statistics_have_aiortc_s_names(module: ModuleType) -> None:
    async with call(module, module, counting(module)) as (caller, callee, received):
        await until(lambda: bool(received))
        sender, receiver = caller.getSenders()[0], callee.getReceivers()[0]
        reports = {f"remote-outbound-rtp_{id(receiver)}", f"remote-inbound-rtp_{id(sender)}"}
        sent, got = {}, {}
        while not reports <= sent.keys() | got.keys():
            await numbers(received[0], 10)
            sent, got = await sender.getStats(), await receiver.getStats()
        assert isinstance(sent, module.RTCStatsReport)
        mine = sent[f"outbound-rtp_{id(sender)}"]
        assert isinstance(mine, module.RTCOutboundRtpStreamStats)
        assert (mine.type, mine.kind, mine.trackId) == ("outbound-rtp", "video", str(id(sender.track)))
        assert mine.packetsSent > 10
        assert mine.bytesSent > 1000
        theirs = got[f"inbound-rtp_{id(receiver)}"]
        assert isinstance(theirs, module.RTCInboundRtpStreamStats)
        assert theirs.ssrc == mine.ssrc
        assert theirs.packetsReceived > 10
        assert isinstance(theirs.jitter, int)
        assert mine.transportId in sent
        assert theirs.transportId in got
        assert {key.split("_")[0] for key in got} == {"inbound-rtp", "remote-outbound-rtp", "transport"}
        assert {key.split("_")[0] for key in sent} == {"outbound-rtp", "remote-inbound-rtp", "transport"}
        heard = sent[f"remote-inbound-rtp_{id(sender)}"]
        assert heard.packetsReceived > 0
        assert heard.packetsLost == heard.fractionLost == 0
        told = got[f"remote-outbound-rtp_{id(receiver)}"]
        assert 0 < told.packetsSent <= mine.packetsSent
        assert abs(told.remoteTimestamp - told.timestamp) < timedelta(seconds=10)
        assert {one.source for one in receiver.getSynchronizationSources()} == {mine.ssrc}


@each
@asynchronous
async def test_another_track_takes_the_place_of_one(module: ModuleType) -> None:
    first, second = counting(module), counting(module)
    second.number = 5000
    async with call(module, module, first) as (caller, _, received):
        await until(lambda: bool(received))
        await numbers(received[0], 3)
        sender = caller.getSenders()[0]
        assert sender.track is first
        sender.replaceTrack(second)
        assert sender.track is second
        while (await numbers(received[0], 1))[0] not in range(5000, 6000):
            pass
        sender.replaceTrack(None)
        assert sender.track is None


@each
@asynchronous
async def test_a_receiver_that_is_not_enabled_hears_nothing(module: ModuleType) -> None:
    async with call(module, module, counting(module)) as (_, callee, received):
        await until(lambda: bool(received))
        track, receiver = received[0], callee.getReceivers()[0]
        await track.recv()
        receiver._enabled = False
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(drained(track, module), 1)
        receiver._enabled = True


@asynchronous
async def test_one_that_is_enabled_again_goes_on() -> None:
    module = rtcore.aiortc
    async with call(module, module, counting(module)) as (_, callee, received):
        await until(lambda: bool(received))
        await received[0].recv()
        callee.getReceivers()[0]._enabled = False
        assert not callee.getReceivers()[0]._enabled
        await asyncio.sleep(0.3)
        callee.getReceivers()[0]._enabled = True
        assert None not in (await numbers(received[0], 20))[10:]


class Forwarded(rtcore.aiortc.MediaStreamTrack):
    """Packets that were encoded by hand, and do not say which are key frames."""

    kind = "video"

    def __init__(self) -> None:
        super().__init__()
        self.encoder = codecs.create_encoder(VP8, bitrate=300_000)
        self.number = 0

    async def recv(self) -> av.Packet[Any]:
        await asyncio.sleep(0.03)
        frame = picture(*SIZE, self.number)
        frame.pts, frame.time_base = self.number * 3000, Fraction(1, 90000)
        coded = self.encoder.encode(frame, key=self.number % 20 == 0)[0]
        self.number += 1
        packet: av.Packet[Any] = av.Packet(bytes(coded))
        packet.pts, packet.time_base = coded.timestamp, Fraction(1, 90000)
        return packet


@asynchronous
async def test_packets_are_sent_as_they_are() -> None:
    module = rtcore.aiortc
    async with call(module, module, Forwarded()) as (_, _, received):
        await until(lambda: bool(received))
        seen = await numbers(received[0], 20)
        assert None not in seen
        assert seen == sorted(seen, key=lambda number: number or 0)


@asynchronous
async def test_a_file_s_own_frames_are_sent_whatever_their_profile(tmp_path: Path) -> None:
    file = tmp_path / "high.mp4"
    with av.open(str(file), "w") as container:
        options = {"tune": "zerolatency", "profile": "high", "g": "10"}
        stream = container.add_stream("libx264", rate=25, options=options)
        stream.width, stream.height = SIZE
        stream.pix_fmt = "yuv420p"
        for number in range(50):
            frame = picture(*SIZE, number)
            frame.pts, frame.time_base = number, Fraction(1, 25)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    module = rtcore.aiortc
    player = media.MediaPlayer(str(file), decode=False, loop=True)
    async with call(module, module, player.video) as (_, _, received):
        await until(lambda: bool(received))
        seen = await numbers(received[0], 10)
        assert [number for number in seen if number is not None] == seen
        assert received[0]._remote._main._decoder[0].name == "H264"


@asynchronous
async def test_a_track_that_fails_is_logged_and_stopped(caplog: pytest.LogCaptureFixture) -> None:
    module = rtcore.aiortc

    class Broken(module.MediaStreamTrack):
        kind = "video"

        async def recv(self) -> av.VideoFrame:
            raise LookupError("no camera")

    track = Broken()
    async with call(module, module, track):
        await until(lambda: track.readyState == "ended")
    assert "no camera" in caplog.text


# By hand


@pytest.mark.parametrize("kind", ["audio", "video"])
@paired
@asynchronous
async def test_a_sender_and_a_receiver_by_hand(sides: tuple[Any, Any], kind: str) -> None:
    one, other = await started(sides)
    track = counting(sides[0]) if kind == "video" else humming(sides[0])
    sender = sides[0].RTCRtpSender(track, one.dtls)
    receiver = sides[1].RTCRtpReceiver(kind, other.dtls)
    assert (sender.kind, sender.track, sender.transport) == (kind, track, one.dtls)
    assert receiver.transport is other.dtls
    receiver._track = sides[1].rtcrtpreceiver.RemoteStreamTrack(kind)
    await receiver.receive(receiving(sides[1], kind, sender._ssrc))
    await sender.send(sending(sides[0], kind))
    if kind == "video":
        assert None not in await numbers(receiver.track, 10)
        sender.replaceTrack(counting(sides[0]))
        while await numbers(receiver.track, 1) != [0]:
            pass
    else:
        assert await pitch(receiver.track) == pytest.approx(TONE, rel=0.02)
    assert [source.source for source in receiver.getSynchronizationSources()] == [sender._ssrc]
    last = sender.track
    await sender.stop()
    await receiver.stop()
    assert last.readyState == "ended"
    await one.stop()
    await other.stop()
    with pytest.raises(sides[0].InvalidStateError):
        sides[0].RTCRtpSender(kind, one.dtls)
    with pytest.raises(sides[1].InvalidStateError):
        sides[1].RTCRtpReceiver(kind, other.dtls)


def sending(module: Any, kind: str) -> Any:
    codec = module.codecs.CODECS[kind][0]
    return module.rtcrtpparameters.RTCRtpSendParameters(
        codecs=[codec],
        headerExtensions=module.codecs.HEADER_EXTENSIONS[kind],
        muxId="0",
        rtcp=module.RTCRtcpParameters(cname="by hand", mux=True),
    )


def receiving(module: Any, kind: str, ssrc: int) -> Any:
    codec = module.codecs.CODECS[kind][0]
    return module.rtcrtpparameters.RTCRtpReceiveParameters(
        codecs=[codec],
        headerExtensions=module.codecs.HEADER_EXTENSIONS[kind],
        muxId="0",
        rtcp=module.RTCRtcpParameters(mux=True),
        encodings=[module.rtcrtpparameters.RTCRtpDecodingParameters(ssrc, codec.payloadType)],
    )


# Codecs, bitrates and encoders


@each
def test_connections_offer_what_the_table_says(module: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    async def formats() -> list[str]:
        connection = module.RTCPeerConnection(module.RTCConfiguration(iceServers=[]))
        connection.addTransceiver("video")
        connection.addTransceiver("audio")
        lines = (await connection.createOffer()).sdp.splitlines()
        await connection.close()
        return [line.split(" ")[1] for line in lines if line.startswith("a=rtpmap")]

    video = ["VP8/90000", "rtx/90000", "H264/90000", "rtx/90000", "H264/90000", "rtx/90000"]
    audio = ["opus/48000/2", "G722/8000", "PCMU/8000", "PCMA/8000"]
    assert asyncio.run(formats()) == video + audio
    monkeypatch.setitem(module.codecs.CODECS, "video", module.codecs.CODECS["video"][2:4])
    assert asyncio.run(formats()) == video[2:4] + audio


def test_bitrates_of_connections(monkeypatch: pytest.MonkeyPatch) -> None:
    assert media_options().keys() == {"codecs", "start_bitrate"}
    assert media_options()["start_bitrate"] == 500_000
    monkeypatch.setattr(vpx, "DEFAULT_BITRATE", 800_000)
    assert media_options()["start_bitrate"] == 800_000
    monkeypatch.setattr(h264, "MIN_BITRATE", 2_000_000)
    assert media_options()["start_bitrate"] == media_options()["min_bitrate"] == 2_000_000


@asynchronous
async def test_bitrates_that_a_program_sets_are_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vpx, "MIN_BITRATE", 60_000)
    monkeypatch.setattr(vpx, "DEFAULT_BITRATE", 80_000)
    monkeypatch.setattr(vpx, "MAX_BITRATE", 90_000)
    module = rtcore.aiortc
    async with call(module, module, counting(module)) as (caller, _, received):
        await until(lambda: bool(received))
        await numbers(received[0], 30)
        sender = caller.getSenders()[0]
        encoder = sender._RTCRtpSender__encoder
        assert isinstance(encoder, vpx.Vp8Encoder)
        assert 60_000 <= encoder.target_bitrate <= 90_000
        [stream] = sender._sender._streams
        assert stream._encoder.bitrate == encoder.target_bitrate
        monkeypatch.setattr(vpx, "MAX_BITRATE", 2_000_000)
        encoder.target_bitrate = 1_200_000
        await numbers(received[0], 3)
        assert stream._encoder._inner.bitrate == 1_200_000


@asynchronous
async def test_a_program_s_own_encoder_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[Any] = []

    class Mine(aiortc.codecs.vpx.Vp8Encoder):  # a whole encoder of aiortc's: payloads, not frames
        def __init__(self) -> None:
            super().__init__()
            made.append(self)

    module = rtcore.aiortc
    monkeypatch.setattr(rtcore.aiortc.rtcrtpsender, "get_encoder", lambda codec: Mine())
    async with call(module, module, counting(module)) as (_, _, received):
        await until(lambda: bool(received))
        assert None not in (await numbers(received[0], 20))[10:]
        assert len(made) == 1


# Tracks without a connection


@each
@asynchronous
async def test_what_the_dummy_tracks_give(module: ModuleType) -> None:
    silence, green = module.AudioStreamTrack(), module.VideoStreamTrack()
    sounds = [await silence.recv() for _ in range(3)]
    assert [frame.pts for frame in sounds] == [0, 160, 320]
    assert {(one.sample_rate, one.format.name, one.layout.name, one.time_base) for one in sounds} == {
        (8000, "s16", "mono", Fraction(1, 8000))
    }
    assert not any(sounds[0].to_ndarray().reshape(-1))
    pictures = [await green.recv() for _ in range(3)]
    assert [frame.pts for frame in pictures] == [0, 3000, 6000]
    assert {(one.width, one.height, one.format.name, one.time_base) for one in pictures} == {
        (640, 480, "yuv420p", Fraction(1, 90000))
    }
    assert not pictures[0].to_ndarray().any()
    for track in (silence, green):
        track.stop()
        with pytest.raises(module.MediaStreamError):
            await track.recv()


@each
def test_tracks_are_made_on_any_thread(module: ModuleType) -> None:
    made: list[Any] = []
    thread = threading.Thread(target=lambda: made.append(counting(module)))
    thread.start()
    thread.join()

    async def read() -> int | None:
        return read_counter(await made[0].recv())

    assert asyncio.run(read()) == 0


@each
def test_a_track_ends_once_and_forgets_its_handlers(module: ModuleType) -> None:
    track = counting(module)
    ended: list[None] = []
    track.on("ended", lambda: ended.append(None))
    assert track.readyState == "live"
    track.stop()
    track.stop()
    assert track.readyState == "ended"
    assert len(ended) == 1
    assert track.listeners("ended") == []


@each
def test_kinds_without_recv_cannot_be_made(module: ModuleType) -> None:
    with pytest.raises(TypeError, match="abstract"):
        module.MediaStreamTrack()


@pytest.mark.parametrize("kind", ["audio", "video"])
def test_capabilities_are_those_of_aiortc(kind: str) -> None:
    for name in ("RTCRtpSender", "RTCRtpReceiver"):
        ours = getattr(rtcore.aiortc, name).getCapabilities(kind)
        theirs = getattr(aiortc, name).getCapabilities(kind)
        assert repr(ours) == repr(theirs)


@each
def test_there_are_no_capabilities_of_other_kinds(module: ModuleType) -> None:
    with pytest.raises(ValueError, match="smell"):
        module.RTCRtpSender.getCapabilities("smell")


# What the other end sends


def sound(number: int) -> EncodedFrame:
    encoder = codecs.create_encoder(OPUS, bitrate=32_000)
    frame = av.AudioFrame(format="s16", layout="mono", samples=960)
    frame.planes[0].update(bytes(frame.planes[0].buffer_size))
    frame.sample_rate, frame.time_base, frame.pts = 48000, Fraction(1, 48000), number * 960
    return encoder.encode(frame)[0]


def remote() -> tuple[RemoteTrack, Any]:
    track = RemoteTrack("audio", id="that one")
    track._set_codecs({111: OPUS})
    return track, _tracks.inbound(track)


@asynchronous
async def test_a_remote_track_is_one_object() -> None:
    track, seen = remote()
    assert isinstance(seen, RemoteStreamTrack)
    assert _tracks.inbound(track) is seen
    assert (seen.id, seen.kind, seen.readyState) == ("that one", "audio", "live")


@asynchronous
async def test_frames_that_wait_are_seen_as_a_queue() -> None:
    track, seen = remote()
    for number in range(100, 103):
        track._deliver(sound(number))
    assert (await seen.recv()).pts == 0
    await until(lambda: seen._queue.qsize() == 2)
    assert seen._queue.get_nowait().pts == 960
    assert not seen._queue.empty()
    while not seen._queue.empty():
        seen._queue.get_nowait()
    with pytest.raises(asyncio.QueueEmpty):
        seen._queue.get_nowait()
    track._deliver(sound(103))
    assert (await seen.recv()).pts == 3 * 960


@each
@asynchronous
async def test_readers_at_the_same_time_share_the_frames(module: ModuleType) -> None:
    async with call(module, module, counting(module)) as (_, _, received):
        await until(lambda: bool(received))
        one, other = await asyncio.gather(numbers(received[0], 8), numbers(received[0], 8))
        assert not {*one} & {*other}


@asynchronous
async def test_what_waits_can_be_dropped() -> None:
    track, seen = remote()
    track._deliver(sound(0))
    await seen.recv()
    for number in range(1, 9):
        track._deliver(sound(number))
    await until(lambda: track.frames_waiting > 0)
    assert track.clear() + track._main._skipped == 8
    track._deliver(sound(9))
    assert (await seen.recv()).pts == 9 * 960
    assert track.frames_dropped == 0


@each
@asynchronous
async def test_a_remote_track_made_by_hand(module: ModuleType) -> None:
    track = (TheirRemoteStreamTrack if module is aiortc else RemoteStreamTrack)(kind="video", id="it")
    assert (track.kind, track.id) == ("video", "it")
    assert track._queue.empty()
    track.stop()
    with pytest.raises(module.MediaStreamError):
        await track.recv()


@asynchronous
async def test_the_end_waits_for_what_is_to_be_read() -> None:
    track, seen = remote()
    ended: list[None] = []
    seen.on("ended", lambda: ended.append(None))
    for number in range(3):
        track._deliver(sound(number))
    await seen.recv()
    await until(lambda: seen._queue.qsize() == 2)
    track._end()
    assert not ended
    await seen.recv()
    await seen.recv()
    with pytest.raises(rtcore.aiortc.MediaStreamError):
        await seen.recv()
    assert len(ended) == 1
