"""Audio and video between two PeerConnections over loopback, judged by what is in the pictures and heard."""

import asyncio
import gc
import itertools
import time
import weakref
from collections.abc import Awaitable, Callable
from fractions import Fraction
from functools import partial
from typing import Any

import av
import numpy as np
import pytest
from aiortc import RTCPeerConnection, RTCSessionDescription
from aiortc.mediastreams import AudioStreamTrack, VideoStreamTrack

import rtcore
from rtcore.media import EncodedFrame, MediaTrack, RemoteTrack, TestPicture, TestTone, codecs
from rtcore.media.synthetic import frequency_of, read_counter
from rtcore.sdp import RtpCodec, default_codecs
from test_connection_live import LOOPBACK, exchange, pair

VP8, H264 = (next(c for c in default_codecs("video") if c.name == name) for name in ("VP8", "H264"))
PCMU = next(c for c in default_codecs("audio") if c.name == "PCMU")


def run(test: Callable[[], Awaitable[None]], limit: float = 60) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(limit):
            await test()

    asyncio.run(bounded())


async def until(condition: Callable[[], object]) -> None:
    while not condition():  # noqa: ASYNC110 (conditions are of many kinds)
        await asyncio.sleep(0.01)


def tracks_of(pc: rtcore.PeerConnection) -> dict[str, RemoteTrack]:
    return {one.kind: one.receiver.track for one in pc.get_transceivers()}


async def counters(track: Any, count: int) -> list[int]:
    """The numbers in the next pictures; one that cannot be read is -1."""
    found = []
    for _ in range(count):
        number = read_counter(await track.recv())
        found.append(-1 if number is None else number)
    return found


async def pitch(track: Any, frames: int = 25) -> float:
    """The frequency of half a second, without the jitter buffer's first moments."""
    heard: list[av.AudioFrame] = [await track.recv() for _ in range(frames + 15)][15:]
    parts = [frame.to_ndarray().reshape(-1, len(frame.layout.channels)) for frame in heard]
    return frequency_of(np.concatenate(parts).astype(np.int16), heard[0].sample_rate)


def rises(numbers: list[int]) -> bool:
    return all(sooner < later for sooner, later in itertools.pairwise(numbers))


class Encoded(MediaTrack):
    """Frames of VP8 that look whole to a depacketizer."""

    kind = "video"
    codec = VP8

    def __init__(self, size: int = 2000) -> None:
        self.size = size
        self.number = 0
        self.keys_wanted = 0

    def request_key_frame(self) -> None:
        self.keys_wanted += 1

    async def recv(self) -> EncodedFrame:
        await asyncio.sleep(0.02)
        number, self.number = self.number, self.number + 1
        key = number % 10 == 0
        header = ((self.size // 2) << 5 | 0x10 | (not key)).to_bytes(3, "little")
        if key:
            header += b"\x9d\x01\x2a\x80\x02\xe0\x01"
        data = header + number.to_bytes(4, "big") + bytes(self.size)
        return EncodedFrame(data, codec="VP8", timestamp=1800 * number, key=key, width=640, height=480)


class Failing(MediaTrack):
    kind = "video"

    def __init__(self, good: int, error: Exception) -> None:
        self.left, self.error = good, error

    async def recv(self) -> av.VideoFrame:
        await asyncio.sleep(0.02)
        self.left -= 1
        if self.left < 0:
            raise self.error
        frame = av.VideoFrame(320, 240, "yuv420p")
        frame.pts, frame.time_base = -1800 * self.left, Fraction(1, 90000)
        return frame


# ---- both ways ----


@pytest.mark.parametrize("kind", ["own", "threaded", "two"])
def test_sound_and_pictures_both_ways(kind: str) -> None:
    async def main() -> None:
        async with pair(kind) as (a, b):
            for pc, hertz in ((a, 440), (b, 660)):
                pc.add_track(TestTone(frequency=hertz))
                pc.add_track(TestPicture())
            await exchange(a, b)
            await asyncio.gather(a.connected(), b.connected())
            for pc, hertz in ((a, 660), (b, 440)):
                assert abs(await pitch(tracks_of(pc)["audio"]) - hertz) < 5
                assert rises(await counters(tracks_of(pc)["video"], 20))

    run(main)


@pytest.mark.parametrize("codec", ["VP8", "VP9", "H264", "AV1", "opus", "PCMU", "PCMA", "G722"])
def test_each_codec(codec: str) -> None:
    async def main() -> None:
        async with pair() as (a, b):
            kind = "video" if codec.isupper() and codec[0] in "VHA" else "audio"
            wanted = [one for one in default_codecs(kind) if one.name == codec][:1]
            if not rtcore.media.codecs.can_encode(wanted[0]):
                pytest.skip(f"there is no encoder for {codec}")
            track = TestPicture(width=320, height=180) if kind == "video" else TestTone()
            a.add_transceiver(track, codecs=wanted)
            await exchange(a, b)
            remote = tracks_of(b)[kind]
            if kind == "audio":
                assert abs(await pitch(remote) - 440) < 10
            else:
                assert rises(await counters(remote, 10))
            report = await b.get_stats()
            told = [one["mimeType"] for one in report.values() if one["type"] == "codec"]
            assert told == [f"{kind}/{codec}"]

    run(main)


@pytest.mark.parametrize("offers", ["rtcore", "aiortc"])
def test_aiortc_both_ways(offers: str) -> None:
    async def main() -> None:
        there = RTCPeerConnection()
        taken: list[Any] = []
        messages: list[str] = []
        there.on("track", taken.append)
        async with rtcore.PeerConnection(**LOOPBACK) as here:
            here.add_track(TestTone())
            here.add_track(TestPicture())
            there.addTrack(AudioStreamTrack())
            there.addTrack(VideoStreamTrack())
            if offers == "rtcore":
                channel = here.create_data_channel("chat")
                there.on("datachannel", lambda found: found.on("message", messages.append))
                await here.set_local_description()
                await here.gathered()
                offer = here.local_description
                assert offer is not None
                await there.setRemoteDescription(RTCSessionDescription(offer.sdp, "offer"))
                await there.setLocalDescription(await there.createAnswer())
                await here.set_remote_description({"type": "answer", "sdp": there.localDescription.sdp})
                await channel.send("hello")
            else:
                theirs = there.createDataChannel("chat")
                theirs.on("open", lambda: theirs.send("hello"))
                here.on("datachannel", lambda found: found.on("message", messages.append))
                await there.setLocalDescription(await there.createOffer())
                await here.set_remote_description({"type": "offer", "sdp": there.localDescription.sdp})
                await here.set_local_description()
                await here.gathered()
                answer = here.local_description
                assert answer is not None
                await there.setRemoteDescription(RTCSessionDescription(answer.sdp, "answer"))
            await here.connected()
            remote = {track.kind: track for track in taken}
            assert abs(await pitch(remote["audio"]) - 440) < 5
            assert rises(await counters(remote["video"], 20))
            picture = await tracks_of(here)["video"].recv()
            assert (picture.width, picture.height) == (640, 480)
            assert isinstance(await tracks_of(here)["audio"].recv(), av.AudioFrame)
            await until(lambda: messages == ["hello"])
            await there.close()

    run(main)


# ---- what the W3C says ----


def test_track_events_and_streams() -> None:
    async def main() -> None:
        async with pair() as (a, b):
            events: list[rtcore.TrackEvent] = []
            b.on("track", events.append)
            camera = rtcore.MediaStream()
            sound, picture = TestTone(), TestPicture()
            a.add_track(sound, camera)
            sender = a.add_track(picture, camera, "second")
            with pytest.raises(rtcore.InvalidAccessError):
                a.add_track(picture)
            await exchange(a, b)
            assert [event.track.kind for event in events] == ["audio", "video"]
            assert [event.track.id for event in events] == [sound.id, picture.id]
            assert [stream.id for stream in events[1].streams] == [camera.id, "second"]
            assert events[0].streams[0] is events[1].streams[0]
            assert events[0].streams[0].tracks == (events[0].track, events[1].track)
            assert events[1].receiver.track is events[1].track
            assert events[1].transceiver.receiver is events[1].receiver
            left: list[MediaTrack] = []
            events[0].streams[0].on("removetrack", left.append)
            a.remove_track(sender)
            assert sender.track is None
            await exchange(a, b)
            assert left == [events[1].track]
            assert events[1].track.muted
            assert events[1].transceiver.current_direction == "inactive"
            assert a.get_senders()[1] is sender

    run(main)


def test_negotiation_is_asked_for() -> None:
    async def main() -> None:
        async with pair() as (a, b):
            asked: list[None] = []
            a.on("negotiationneeded", lambda: asked.append(None))
            a.add_track(TestTone())
            await until(lambda: len(asked) == 1)
            await exchange(a, b)
            await asyncio.sleep(0)
            transceiver = a.get_transceivers()[0]
            assert (transceiver.mid, transceiver.current_direction) == ("0", "sendonly")
            transceiver.direction = "recvonly"
            await until(lambda: len(asked) == 2)
            await exchange(a, b)
            transceiver.sender.set_streams("another")
            await asyncio.sleep(0.01)
            transceiver.stop()
            assert transceiver.direction == "stopped"
            await until(lambda: len(asked) >= 3)
            await exchange(a, b)
            assert transceiver.stopped
            assert a.get_transceivers() == b.get_transceivers() == []
            with pytest.raises(rtcore.InvalidStateError):
                transceiver.direction = "sendrecv"
            with pytest.raises(rtcore.InvalidStateError):
                await transceiver.sender.replace_track(TestTone())

    run(main)


def test_a_track_is_muted_until_something_comes() -> None:
    async def main() -> None:
        async with pair() as (a, b):
            heard: list[str] = []

            @b.on("track")
            def _(event: rtcore.TrackEvent) -> None:
                assert event.track.muted
                for name in ("mute", "unmute", "ended"):
                    event.track.on(name, lambda name=name: heard.append(name))

            a.add_track(TestTone())
            await exchange(a, b)
            await until(lambda: heard == ["unmute"])
            a.get_transceivers()[0].direction = "inactive"
            await exchange(a, b)
            assert heard == ["unmute", "mute"]
            a.get_transceivers()[0].direction = "sendonly"
            await exchange(a, b)
            await until(lambda: heard == ["unmute", "mute", "unmute"])
            a.get_transceivers()[0].stop()
            await exchange(a, b)
            assert heard[-1] == "ended"

    run(main)


def test_replaced_tracks_go_on_without_negotiating() -> None:
    async def main() -> None:
        async with pair() as (a, b):
            first, second = TestTone(frequency=440), TestTone(frequency=880)
            sender = a.add_track(first)
            await exchange(a, b)
            remote = tracks_of(b)["audio"]
            assert abs(await pitch(remote) - 440) < 5
            await sender.replace_track(second)
            await asyncio.sleep(0.3)
            while remote._main._decoded:
                await remote.recv()
            assert abs(await pitch(remote) - 880) < 5
            assert first.ready_state == "live"
            await sender.replace_track(None)
            with pytest.raises(TypeError, match="audio"):
                await sender.replace_track(TestPicture())  # type: ignore[arg-type]
            with pytest.raises(TypeError):
                await sender.replace_track("camera")  # type: ignore[arg-type]
            assert a.signaling_state == "stable"
            packets = a._media.native_stats()["outbound"][0]["packets"]
            await asyncio.sleep(0.1)
            assert a._media.native_stats()["outbound"][0]["packets"] <= packets + 1

    run(main)


def test_timestamps_go_on_over_another_track() -> None:
    async def main() -> None:
        async with pair() as (a, b):
            sender = a.add_track(Encoded())
            await exchange(a, b)
            remote = tracks_of(b)["video"].encoded()
            times = [(await remote.recv()).timestamp for _ in range(10)]
            await sender.replace_track(Encoded(500))
            times += [(await remote.recv()).timestamp for _ in range(20)]
            assert rises(times)
            assert times[-1] - times[0] < 90_000 * 3

    run(main)


# ---- encoded ----


def test_encoded_frames_pass_as_they_are() -> None:
    async def main() -> None:
        async with pair("threaded") as (a, b):
            source = Encoded()
            a.add_track(source)
            await exchange(a, b)
            remote = tracks_of(b)["video"].encoded()
            frames = [await remote.recv() for _ in range(12)]
            assert frames[0].key
            numbers = [int.from_bytes(bytes(f)[10 if f.key else 3 :][:4], "big") for f in frames]
            assert numbers == list(range(numbers[0], numbers[0] + 12))
            assert len(frames[0]) == 2000 + 14
            wanted = source.keys_wanted
            assert wanted >= 1
            b.get_receivers()[0].track.request_key_frame()
            await until(lambda: source.keys_wanted > wanted)

    run(main)


def test_a_relay_without_a_codec() -> None:
    """From a to the middle to b: pictures are decoded at the end only."""

    async def main() -> None:
        async with pair() as (a, left), pair() as (right, b):
            a.add_track(TestPicture())
            a.add_track(TestTone())
            await exchange(a, left)
            for kind in ("video", "audio"):
                right.add_track(tracks_of(left)[kind].encoded())
            await exchange(right, b)
            assert rises(await counters(tracks_of(b)["video"], 15))
            assert abs(await pitch(tracks_of(b)["audio"]) - 440) < 5
            assert all(one.receiver.track.frames_decoded == 0 for one in left.get_transceivers())

    run(main)


def test_an_encoded_track_of_a_codec_that_was_not_negotiated() -> None:
    async def main() -> None:
        async with pair() as (a, b):
            sender = a.add_transceiver("video", codecs=[H264]).sender
            await exchange(a, b)
            with pytest.raises(rtcore.InvalidModificationError, match="VP8"):
                await sender.replace_track(Encoded())
            liar = Encoded()
            liar.codec = H264
            errors: list[Exception] = []
            sender.on("error", errors.append)
            await sender.replace_track(liar)
            await asyncio.sleep(0)
            await b.set_remote_description(a.local_description)
            await b.set_local_description()

    run(main)


# ---- parameters ----


def test_parameters_count_at_once() -> None:
    async def main() -> None:
        async with pair() as (a, b):
            sender = a.add_track(TestPicture(width=640, height=360))
            await exchange(a, b)
            remote = tracks_of(b)["video"]
            assert (await remote.recv()).width == 640
            parameters = sender.get_parameters()
            assert parameters.mid == "0"
            assert parameters.codecs[0].name == "VP8"
            parameters.encodings[0].scale_resolution_down_by = 2
            parameters.encodings[0].max_bitrate = 100_000
            sender.set_parameters(parameters)
            while (await remote.recv()).width != 320:
                pass
            assert sender._streams[0].bitrate <= 100_000
            parameters.encodings[0].active = False
            sender.set_parameters(parameters)
            await asyncio.sleep(0.1)
            frames = a._media.native_stats()["outbound"][0]["frames"]
            await asyncio.sleep(0.2)
            assert a._media.native_stats()["outbound"][0]["frames"] == frames
            parameters.encodings[0].active = True
            parameters.encodings[0].max_framerate = 5
            sender.set_parameters(parameters)
            first, later = await counters(remote, 1), await counters(remote, 3)
            assert later[-1] - first[0] >= 8  # 18 where the machine keeps up, 3 without

    run(main)


def test_wrong_parameters_are_refused() -> None:
    async def main() -> None:
        async with pair() as (a, b):
            sender = a.add_track(TestPicture())
            await exchange(a, b)
            parameters = sender.get_parameters()
            parameters.encodings.append(rtcore.RtpEncoding("more"))
            with pytest.raises(rtcore.InvalidModificationError):
                sender.set_parameters(parameters)
            parameters = sender.get_parameters()
            parameters.encodings[0].scale_resolution_down_by = 0.5
            with pytest.raises(ValueError, match="scale"):
                sender.set_parameters(parameters)
            parameters = sender.get_parameters()
            parameters.codec = PCMU
            with pytest.raises(rtcore.InvalidModificationError, match="PCMU"):
                sender.set_parameters(parameters)
            for wrong in ({"max_bitrate": 0}, {"max_framerate": -1}, {"scale_resolution_down_by": 0}):
                with pytest.raises(ValueError, match="must be"):
                    rtcore.RtpEncoding(**wrong)

    run(main)


def test_another_codec_without_negotiating() -> None:
    async def main() -> None:
        async with pair() as (a, b):
            sender = a.add_track(TestPicture(width=320, height=180))
            await exchange(a, b)
            remote = tracks_of(b)["video"]
            await remote.recv()
            parameters = sender.get_parameters()
            parameters.codec = next(codec for codec in parameters.codecs if codec.name == "VP9")
            sender.set_parameters(parameters)
            while (await remote.recv()).opaque.codec != "VP9":
                pass
            assert rises(await counters(remote, 5))

    run(main)


def test_the_jitter_buffer_waits_as_long_as_told() -> None:
    async def main() -> None:
        async with pair() as (a, b):
            a.add_track(Encoded())
            sender = a.add_track(Encoded())
            b.on(
                "track",
                lambda event: setattr(event.receiver, "passthrough", event.track.id == sender.track.id),
            )
            await exchange(a, b)
            receiver = b.get_receivers()[0]
            remote, passed = (one.track.encoded() for one in b.get_receivers())
            receiver.jitter_buffer_target = 300
            assert receiver.jitter_buffer_target == 300
            waited = [frame.released - frame.completed for frame in [await remote.recv() for _ in range(30)]]
            assert 0.2 < max(waited) < 0.5
            waited = [frame.released - frame.completed for frame in [await passed.recv() for _ in range(30)]]
            assert min(waited) < 0.01
            with pytest.raises(ValueError, match="jitter_buffer_target"):
                receiver.jitter_buffer_target = 5000
            for _ in range(40):
                frame = await passed.recv()
            assert frame.released - frame.completed < 0.05
            assert receiver.get_parameters().codecs[96].name == "VP8"

    run(main)


def test_simulcast_three_at_once() -> None:
    async def main() -> None:
        async with pair(start_bitrate=2_000_000) as (a, b):
            rids = ["q", "h", "f"]
            a.add_transceiver(
                TestPicture(width=640, height=360),
                direction="sendonly",
                send_encodings=[{"rid": rid} for rid in rids],
            )
            await exchange(a, b)
            receiver = b.get_receivers()[0]
            assert list(receiver.tracks) == rids
            assert receiver.track is receiver.tracks["q"]
            for rid, width in zip(rids, (160, 320, 640), strict=True):
                picture = await receiver.tracks[rid].recv()
                assert picture.width == width
            scales = [one.scale_resolution_down_by for one in a.get_senders()[0].get_parameters().encodings]
            assert scales == [4, 2, 1]
            report = await a.get_stats()
            sent = {one["rid"] for one in report.values() if one["type"] == "outbound-rtp"}
            assert sent == set(rids)

    run(main)


def test_a_disabled_track_is_black_and_silent() -> None:
    async def main() -> None:
        async with pair() as (a, b):
            tone, picture = TestTone(), TestPicture()
            tone.enabled = picture.enabled = False
            a.add_track(tone)
            a.add_track(picture)
            await exchange(a, b)
            seen = await tracks_of(b)["video"].recv()
            assert int(seen.reformat(format="gray").to_ndarray().max()) < 32
            heard = [await tracks_of(b)["audio"].recv() for _ in range(10)][-1]
            assert int(np.abs(heard.to_ndarray().astype(np.int32)).max()) < 64
            picture.enabled = True
            while read_counter(await tracks_of(b)["video"].recv()) is None:
                pass

    run(main)


def test_tones_of_keys() -> None:
    async def main() -> None:
        async with pair() as (a, b):
            sender = a.add_track(TestTone())
            dtmf = sender.dtmf
            assert not dtmf.can_insert_dtmf
            with pytest.raises(rtcore.InvalidStateError):
                dtmf.insert_dtmf("1")
            await exchange(a, b)
            remote = tracks_of(b)["audio"]
            heard: list[EncodedFrame] = []
            remote.on("telephoneevent", heard.append)
            await remote.recv()
            told: list[str] = []
            dtmf.on("tonechange", told.append)
            dtmf.insert_dtmf("1d#", duration=120, inter_tone_gap=40)
            assert dtmf.tone_buffer == "1D#"
            await until(lambda: told == ["1", "D", "#", ""])
            await until(lambda: len({frame.timestamp for frame in heard}) == 3)
            keys = [bytes(frame)[0] for frame in heard]
            assert [key for key, _ in itertools.groupby(keys)] == [1, 15, 11]
            ends = [frame for frame in heard if bytes(frame)[1] & 0x80]
            assert {int.from_bytes(bytes(frame)[2:], "big") for frame in ends} == {5760}
            await asyncio.sleep(0.2)
            while remote._main._decoded:
                await remote.recv()
            assert abs(await pitch(remote) - 440) < 5  # the track is heard again
            for wrong in (
                {"tones": "x"},
                {"tones": "1", "duration": 39},
                {"tones": "1", "inter_tone_gap": 1},
            ):
                with pytest.raises(ValueError, match=r"tones|duration|gap"):
                    dtmf.insert_dtmf(**wrong)
            with pytest.raises(TypeError, match="tones"):
                dtmf.insert_dtmf(5)
            dtmf.insert_dtmf("123")
            dtmf.insert_dtmf("")
            await until(lambda: told[4:] == [""])
            assert a.add_transceiver("video").sender.dtmf is None

    run(main)


# ---- what goes wrong ----


def test_a_source_that_fails_ends_its_track_only() -> None:
    async def main() -> None:
        async with pair() as (a, b):
            errors: list[Exception] = []
            broken = Failing(5, LookupError("the camera is gone"))
            sender = a.add_track(broken)
            sender.on("error", errors.append)
            a.add_track(TestTone())
            await exchange(a, b)
            await until(lambda: errors)
            assert isinstance(errors[0], LookupError)
            assert sender.error is errors[0]
            assert broken.ready_state == "ended"
            assert abs(await pitch(tracks_of(b)["audio"]) - 440) < 5
            assert a.connection_state == "connected"
            await sender.replace_track(TestPicture())
            await tracks_of(b)["video"].recv()
            assert sender.error is None

    run(main)


def test_an_encoder_that_fails_is_told_of_and_the_connection_goes_on() -> None:
    async def main() -> None:
        class Wrong(TestTone):
            kind = "video"

        async with pair() as (a, b):
            told: list[dict[str, Any]] = []
            asyncio.get_running_loop().set_exception_handler(lambda loop, context: told.append(context))
            a.add_track(Wrong())
            await exchange(a, b)
            await until(lambda: told)
            assert "no longer sent" in told[0]["message"]
            assert isinstance(told[0]["exception"], TypeError)
            assert a.connection_state == "connected"

    run(main)


def test_encoders_are_chosen() -> None:
    async def main() -> None:
        made: list[tuple[str, int]] = []

        def make(codec: RtpCodec, *, bitrate: int | None = None) -> codecs.Encoder:
            made.append((codec.name, bitrate or 0))
            return codecs.create_encoder(codec, bitrate=bitrate, speed=12)

        async with pair() as (a, b):
            sender = a.add_track(TestPicture(width=320, height=180))
            assert sender.encoder is codecs.create_encoder
            sender.encoder = make
            await exchange(a, b)
            remote = tracks_of(b)["video"]
            await remote.recv()
            assert made == [("VP8", made[0][1])]
            assert made[0][1] > 0
            sender.encoder = partial(codecs.create_encoder, temporal_layers=2)
            while not (await remote.recv()).opaque.temporal:
                pass
            assert rises(await counters(remote, 5))
            assert len(made) == 1
            with pytest.raises(TypeError, match="function"):
                sender.encoder = None

    run(main)


def test_a_receiver_is_paused() -> None:
    async def main() -> None:
        async with pair() as (a, b):
            a.add_track(TestPicture(width=320, height=180))
            await exchange(a, b)
            receiver = b.get_transceivers()[0].receiver
            await receiver.track.recv()
            receiver.paused = True
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(counters(receiver.track, 12), 0.8)  # a few may have waited
            receiver.paused = False
            assert rises(await counters(receiver.track, 5))

    run(main)


def test_senders_tell_that_they_are_stopped() -> None:
    async def main() -> None:
        async with pair() as (a, b):
            told: list[str] = []
            for name in ("first", "second"):
                sender = a.add_track(TestPicture(width=320, height=180))
                sender.on("stopped", partial(told.append, name))
            await exchange(a, b)
            a.get_transceivers()[0].stop()
            assert told == ["first"]
            await a.close()
            assert told == ["first", "second"]

    run(main)


def test_a_track_that_ends_ends_quietly() -> None:
    async def main() -> None:
        async with pair() as (a, b):
            sender = a.add_track(TestPicture(count=5))
            await exchange(a, b)
            await until(lambda: sender.track.ready_state == "ended")
            await asyncio.sleep(0.05)
            assert sender.error is None
            assert tracks_of(b)["video"].ready_state == "live"

    run(main)


def test_a_slow_reader_loses_the_oldest_and_is_told() -> None:
    async def main() -> None:
        async with pair() as (a, b):
            a.add_track(Encoded(100))
            await exchange(a, b)
            tap = tracks_of(b)["video"].encoded(limit=5)
            dropped: list[int] = []
            tap.on("framesdropped", dropped.append)
            await tap.recv()
            await until(lambda: sum(dropped) >= 5)
            assert tap.frames_dropped == sum(dropped)
            newest = await tap.recv()
            assert newest.key

    run(main)


def test_a_loop_that_hangs_loses_the_oldest_frames() -> None:
    async def main() -> None:
        with rtcore.Worker(threaded=True) as worker, rtcore.Worker(threaded=True) as other:
            options = {**LOOPBACK, "worker": worker}
            async with (
                rtcore.PeerConnection(**LOOPBACK, worker=other) as a,
                rtcore.PeerConnection(**options) as b,
            ):
                a.add_track(TestTone())
                await exchange(a, b)
                remote = tracks_of(b)["audio"]
                await remote.recv()
                post = a._media.poster(a.get_senders()[0]._data)
                data = b"\xf8" + bytes(40)
                for number in range(400):
                    frame = EncodedFrame(data, codec="opus", timestamp=480_000 + 960 * number, duration=960)
                    post(0, frame, time.monotonic(), frame.timestamp)
                    time.sleep(0.005)  # noqa: ASYNC251 (the loop hangs, the workers' threads do not)
                dropped: list[int] = []
                remote.on("framesdropped", dropped.append)
                await until(lambda: dropped)

    run(main)


def test_closing_in_the_middle_of_everything() -> None:
    async def main() -> None:
        for moment in (0.0, 0.001, 0.01, 0.05, 0.2):
            async with pair("threaded") as (a, b):
                for pc in (a, b):
                    pc.add_track(TestTone())
                    pc.add_track(TestPicture())
                await exchange(a, b)
                remotes = [one.receiver.track for pc in (a, b) for one in pc.get_transceivers()]
                readers = [asyncio.create_task(read_all(track)) for track in remotes]
                sent = [sender.track for pc in (a, b) for sender in pc.get_senders()]
                await asyncio.sleep(moment)
                await a.close()
                await b.close()
                await asyncio.gather(*readers)
                assert {track.ready_state for track in remotes} == {"ended"}
                assert {track.ready_state for track in sent} == {"live"}
                for call in (lambda: a.add_track(TestTone()), lambda: a.add_transceiver("audio")):
                    with pytest.raises(rtcore.InvalidStateError):
                        call()

    async def read_all(track: RemoteTrack) -> None:
        async for _ in track:
            pass

    run(main)


def test_connections_with_media_leave_nothing() -> None:
    async def main() -> None:
        loops = []
        for _ in range(3):
            async with pair() as (a, b):
                for pc in (a, b):
                    pc.add_track(TestTone())
                    pc.add_track(Encoded())
                await exchange(a, b)
                await tracks_of(b)["audio"].recv()
                await tracks_of(a)["video"].encoded().recv()
                loops.append([weakref.ref(pc) for pc in (a, b)])
                loops[-1] += [weakref.ref(one) for pc in (a, b) for one in pc.get_transceivers()]
            del a, b, pc
        await asyncio.sleep(0.05)
        gc.collect()
        assert [held() for held in itertools.chain(*loops[:-1])] == [None] * 12
        names = {task.get_coro().__qualname__ for task in asyncio.all_tasks()}
        assert not any("Sending" in name for name in names)

    run(main)


def test_media_joins_a_connection_that_has_data() -> None:
    async def main() -> None:
        async with pair() as (a, b):
            channel = a.create_data_channel("first")
            await exchange(a, b)
            await channel.opened()
            b.add_track(TestPicture())
            await exchange(b, a)
            assert rises(await counters(tracks_of(a)["video"], 5))
            await channel.send("still here")

    run(main)


def test_an_offer_without_our_codecs_is_answered() -> None:
    async def main() -> None:
        async with pair() as (a, b):
            for one in ("audio", "video"):
                b.add_transceiver(one)
            a.add_transceiver(TestTone(), codecs=[PCMU])
            await exchange(a, b)
            assert abs(await pitch(tracks_of(b)["audio"]) - 440) < 10

    run(main)


def test_arguments_are_checked() -> None:
    async def main() -> None:
        async with pair() as (a, b):
            for wrong in (
                lambda: a.add_transceiver("text"),
                lambda: a.add_transceiver("audio", direction="both"),
                lambda: a.add_transceiver("video", send_encodings=[{"rid": "a"}, {"rid": "a"}]),
            ):
                with pytest.raises(ValueError, match=r"kind|direction|rid"):
                    wrong()
            with pytest.raises(TypeError):
                a.add_track("camera")
            for options, words in (
                ({"send_encodings": ["high"]}, "RtpEncoding"),
                ({"send_encodings": [{"maxBitrate": 5}]}, "max_bitrate, .*, not 'maxBitrate'"),
                ({"send_encodings": [{"max_bitrate": "5"}]}, "max_bitrate must be an int"),
                ({"send_encodings": [{"active": "no"}]}, "active must be a bool"),
                ({"receive_rids": "abc"}, "into a list"),
                ({"receive_rids": [1]}, "expected a str"),
                ({"streams": "abc"}, "into a list"),
                ({"streams": [5]}, "MediaStream"),
                ({"codecs": ["VP8"]}, "default_codecs"),
            ):
                with pytest.raises(TypeError, match=words):
                    a.add_transceiver("video", **options)
            with pytest.raises(TypeError, match="MediaTrack"):
                a.add_transceiver(None)
            assert a.get_transceivers() == []
            video = a.add_transceiver("video").sender
            with pytest.raises(TypeError, match="get_parameters"):
                video.set_parameters({})
            parameters = video.get_parameters()
            parameters.codec = "VP8"
            with pytest.raises(TypeError, match="default_codecs"):
                video.set_parameters(parameters)
            with pytest.raises(ValueError, match="zz"):
                video.request_key_frame("zz")
            sender = b.add_track(TestTone())
            with pytest.raises(rtcore.InvalidAccessError):
                a.remove_track(sender)

    run(main)


# ---- statistics ----

MANDATORY = {
    "codec": {"payloadType", "mimeType", "clockRate", "transportId"},
    "inbound-rtp": {
        "ssrc", "kind", "transportId", "codecId", "packetsReceived", "packetsLost", "jitter",
        "trackIdentifier", "remoteId", "nackCount", "bytesReceived", "packetsDiscarded", "mid",
    },
    "outbound-rtp": {
        "ssrc", "kind", "transportId", "codecId", "packetsSent", "bytesSent", "remoteId", "nackCount",
        "mediaSourceId", "mid", "active", "targetBitrate",
    },
    "remote-inbound-rtp": {
        "ssrc", "kind", "transportId", "codecId", "packetsLost", "packetsReceived", "jitter", "localId",
        "roundTripTime",
    },
    "remote-outbound-rtp": {
        "ssrc", "kind", "transportId", "codecId", "packetsSent", "bytesSent", "localId", "remoteTimestamp",
    },
    "media-source": {"trackIdentifier", "kind"},
    "media-playout": {"kind", "totalSamplesDuration"},
}  # fmt: skip
OF_KIND = {
    ("inbound-rtp", "audio"): {"audioLevel", "totalAudioEnergy", "totalSamplesDuration", "concealedSamples"},
    ("inbound-rtp", "video"): {"framesDecoded", "framesReceived", "firCount", "pliCount", "frameWidth"},
    ("outbound-rtp", "video"): {"framesEncoded", "framesSent", "firCount", "pliCount", "frameWidth"},
    ("media-source", "audio"): {"audioLevel", "totalAudioEnergy", "totalSamplesDuration"},
    ("media-source", "video"): {"width", "height", "framesPerSecond", "frames"},
}


def missing(report: dict[str, dict[str, Any]]) -> list[tuple[str, str, str]]:
    """Type, kind and member of what is mandatory and not there."""
    found = []
    for name, members in MANDATORY.items():
        for kind in ("audio", "video"):
            objects = [
                one for one in report.values() if one["type"] == name and one.get("kind", kind) == kind
            ]
            if not objects and (name, kind) != ("media-playout", "video"):
                found.append((name, kind, "the object"))
            wanted = members | OF_KIND.get((name, kind), set())
            found += [(name, kind, member) for one in objects for member in wanted - one.keys()]
    return found


def test_statistics_have_what_is_mandatory() -> None:
    async def main() -> None:
        async with pair() as (a, b):
            for pc in (a, b):
                pc.add_track(TestTone())
                pc.add_track(TestPicture())
            await exchange(a, b)
            for track in tracks_of(b).values():
                await track.recv()
            report: dict[str, dict[str, Any]] = {}
            end = time.monotonic() + 15  # a round trip of sound takes some reports
            while missing(report) and time.monotonic() < end:
                await asyncio.sleep(0.1)
                report = await b.get_stats()
            assert missing(report) == []
            assert all(
                value in report
                for one in report.values()
                for name, value in one.items()
                if name.endswith("Id")
            )
            transport = report["T0"]
            assert transport["srtpCipher"] == "AEAD_AES_128_GCM"
            inbound = next(
                one for one in report.values() if one["type"] == "inbound-rtp" and one["kind"] == "video"
            )
            assert inbound["framesReceived"] > 10
            assert inbound["frameWidth"] == 640
            assert inbound["jitter"] < 1
            sources = b.get_receivers()[0].get_synchronization_sources()
            assert len(sources) == 1
            assert abs(sources[0].timestamp / 1000 - time.time()) < 1
            assert 0.1 < (sources[0].audio_level or 0) < 0.3
            own = await b.get_senders()[1].get_stats()
            assert {one["type"] for one in own.values()} >= {"outbound-rtp", "media-source", "transport"}
            assert not any(one["type"] == "inbound-rtp" for one in own.values())
            theirs = await b.get_receivers()[1].get_stats()
            assert {one["kind"] for one in theirs.values() if "rtp" in one["type"]} == {"video"}
        assert {one["type"] for one in (await b.get_stats()).values()} == {"peer-connection", "certificate"}

    run(main)
