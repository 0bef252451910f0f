"""Transceivers, senders and receivers over peers in memory: what the core is told, and what its events do."""

import asyncio
import re
from collections.abc import Awaitable, Callable
from dataclasses import replace
from fractions import Fraction
from typing import Any

import av
import numpy as np
import pytest

import rtcore
from fake_worker import exchange, media_of, pair, turns
from rtcore.connection.encoding import EncodingStream, blanked
from rtcore.connection.sending import SendClock, SourceCounters
from rtcore.media import EncodedFrame, MediaTrack, RemoteTrack
from rtcore.media.codecs import create_encoder
from rtcore.sdp import SendEncoding, default_codecs

VP8, H264 = (next(c for c in default_codecs("video") if c.name == name) for name in ("VP8", "H264"))
OPUS = default_codecs("audio")[0]


def run(test: Callable[[], Awaitable[None]]) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(20):
            await test()

    asyncio.run(bounded())


def vp8(number: int, *, key: bool = False) -> EncodedFrame:
    return EncodedFrame(b"\x00" * 20, codec="VP8", timestamp=3000 * number, key=key, width=640, height=480)


class Given(MediaTrack):
    """A track whose frames the test gives."""

    def __init__(self, kind: Any = "video", codec: Any = VP8) -> None:
        self.kind = kind
        self.codec = codec
        self.frames: asyncio.Queue[Any] = asyncio.Queue()
        self.keys_wanted = 0

    def request_key_frame(self) -> None:
        self.keys_wanted += 1

    async def recv(self) -> Any:
        frame = await self.frames.get()
        if isinstance(frame, Exception):
            raise frame
        return frame

    async def give(self, *frames: Any) -> None:
        for frame in frames:
            self.frames.put_nowait(frame)
        await turns(8)


async def connected(a: rtcore.PeerConnection, b: rtcore.PeerConnection) -> None:
    await exchange(a, b)
    await asyncio.gather(a.connected(), b.connected())
    await turns()


# ---- what the core is told ----


def test_no_media_where_none_is_negotiated(worker: Any) -> None:
    async def main() -> None:
        async with pair(worker) as (a, b):
            a.create_data_channel("only")
            await connected(a, b)
            assert media_of(a) is None
            assert a.get_transceivers() == a.get_senders() == a.get_receivers() == []

    run(main)


def test_sections_as_they_were_negotiated(worker: Any) -> None:
    async def main() -> None:
        async with pair(worker, max_bitrate=2_000_000, mtu=1300) as (a, b):
            a.add_transceiver("audio", direction="recvonly")
            a.add_track(Given())
            await connected(a, b)
            media = media_of(a)
            assert media.options == {"mtu": 1300, "max_bitrate": 2_000_000}
            assert media.cname == a.get_senders()[0].get_parameters().cname
            sound, picture = media.sections[0], media.sections[1]
            assert (sound["kind"], sound["receive"], sound["send"]) == ("audio", False, False)
            assert (picture["kind"], picture["receive"], picture["send"]) == ("video", False, True)
            assert picture["send_format"].codec == "VP8"
            assert picture["send_format"].rtx_payload_type is not None
            assert {"nack", "pli", "fir"} <= picture["send_format"].feedback
            theirs = media_of(b).sections[1]
            sent = picture["encodings"][0]
            assert theirs["sources"] == ((sent.ssrc, sent.rtx_ssrc),)
            assert (theirs["receive"], theirs["send"]) == (True, False)
            assert theirs["extensions"] == picture["extensions"]
            assert media_of(b).receivers[1] == b.get_receivers()[1].track._deliver

    run(main)


def test_a_section_that_contradicts_another_is_told_of_and_the_others_work(worker: Any) -> None:
    async def main() -> None:
        async with pair(worker) as (a, b):
            a.add_track(Given())
            await connected(a, b)
            a.add_track(Given("audio", OPUS))
            media_of(a).refuses.add("0")
            await a.set_local_description()
            await b.set_remote_description(a.local_description)
            await b.set_local_description()
            states: list[str] = []
            a.on("signalingstatechange", states.append)
            with pytest.raises(rtcore.OperationError, match="'0'"):
                await a.set_remote_description(b.local_description)
            assert states == ["stable"]
            assert media_of(a).sections[1]["kind"] == "audio"

    run(main)


@pytest.mark.parametrize("moves", [(0, 1, 2), (1, 0, 2), (1, 2, 0), (2, 0, 1)], ids=str)
def test_sources_move_between_sections(worker: Any, moves: tuple[int, ...]) -> None:
    """However they do: to an earlier section, to a later one, or two change places."""

    async def main() -> None:
        async with pair(worker) as (a, b):
            for _ in moves:
                a.add_track(Given())
            await connected(a, b)
            sections = media_of(b).sections
            before = [sections[index]["sources"] for index in range(3)]
            other = {
                str(ssrc): str(theirs)
                for index, new in enumerate(moves)
                for ssrc, theirs in zip(before[index][0], before[new][0], strict=True)
            }
            await a.set_local_description()
            offer = a.local_description
            moved = re.sub(r"\b\d+\b", lambda found: other.get(found[0], found[0]), offer.sdp)
            await b.set_remote_description(replace(offer, sdp=moved))
            await b.set_local_description()
            assert [sections[index]["sources"] for index in range(3)] == [before[new] for new in moves]

    run(main)


def test_a_section_that_another_transceiver_takes_begins_anew(worker: Any) -> None:
    async def main() -> None:
        async with pair(worker) as (a, b):
            a.add_track(Given())
            await connected(a, b)
            a.get_transceivers()[0].stop()
            await exchange(a, b)
            assert ("remove_section", 0) in media_of(a).calls
            assert media_of(a).sections == {}
            a.add_track(Given("audio", OPUS))
            await exchange(a, b)
            assert media_of(a).sections[0]["kind"] == "audio"
            assert media_of(a).sections[0]["mid"] != "0"

    run(main)


def test_simulcast_is_given_shares_of_its_own(worker: Any) -> None:
    async def main() -> None:
        async with pair(worker) as (a, b):
            a.add_transceiver(Given(codec=None), send_encodings=[{"rid": rid} for rid in "qhf"])
            await connected(a, b)
            encodings = media_of(a).sections[0]["encodings"]
            assert [one.rid for one in encodings] == ["q", "h", "f"]
            assert len({one.ssrc for one in encodings} | {one.rtx_ssrc for one in encodings}) == 6
            assert [one.max_bitrate for one in encodings] == [156_250, 625_000, None]
            assert media_of(b).sections[0]["rids"] == ("q", "h", "f")
            tracks = b.get_receivers()[0].tracks
            media_of(b).happens("on_stream", 0, 1, 77)
            await turns()
            assert [track.muted for track in tracks.values()] == [True, False, True]
            media_of(b).happens("on_stream_ended", 0, 1, 77)
            await turns()
            assert tracks["h"].muted

    run(main)


def test_rids_that_change(worker: Any) -> None:
    """The core numbers encodings by the rids that are agreed now, and so does the receiver: however many
    names the other end goes through, it has as many tracks as there are rids."""

    async def main() -> None:
        async with pair(worker) as (a, b):
            a.add_transceiver(Given(codec=None), send_encodings=[{"rid": rid} for rid in "qhf"])
            await connected(a, b)
            receiver = b.get_receivers()[0]
            section = receiver._section
            assert section is not None
            q, h, f = receiver.tracks.values()
            receiver._agreed(replace(section, rids=("h", "x")))
            assert [*receiver.tracks.items()] == [("h", h), ("x", q)]
            assert receiver.track is q
            assert (q.ready_state, f.ready_state) == ("live", "ended")
            media_of(b).happens("on_stream", 0, 0, 77)
            await turns()
            assert (h.muted, q.muted) == (False, True)
            h.request_key_frame()
            assert media_of(b).calls[-1] == ("request_key_frame", 0, 0)
            receiver._agreed(replace(section, direction="inactive", rids=()))  # for a while
            assert [*receiver.tracks] == ["h", "x"]
            for number in range(50):
                receiver._agreed(replace(section, rids=(f"a{number}", f"b{number}")))
            assert [*receiver.tracks] == ["a49", "b49"]
            assert receiver._by_encoding == [*receiver.tracks.values()]
            assert receiver.track in receiver._by_encoding
            assert h.ready_state == "ended"
            receiver._agreed(replace(section, rids=()))
            assert not receiver.tracks
            assert receiver._taker() == receiver.track._deliver

    run(main)


def test_delays_and_passthrough(worker: Any) -> None:
    async def main() -> None:
        async with pair(worker) as (a, b):
            a.add_track(Given())
            b.on("track", lambda event: setattr(event.receiver, "passthrough", True))
            await connected(a, b)
            receiver = b.get_receivers()[0]
            assert media_of(b).sections[0]["passthrough"]
            receiver.jitter_buffer_target = 3000
            assert media_of(b).calls[-1] == ("set_delay", 0, 3.0, 3.0)
            receiver.jitter_buffer_target = None
            assert media_of(b).calls[-1] == ("set_delay", 0, 0.0, 0.0)
            receiver.jitter_buffer_target = 150
            await exchange(a, b)
            assert media_of(b).sections[0]["min_delay"] == 0.15
            receiver.track.request_key_frame()
            assert media_of(b).calls[-1] == ("request_key_frame", 0, 0)
            for wrong in (-1, 4001):
                with pytest.raises(ValueError, match="jitter_buffer_target"):
                    receiver.jitter_buffer_target = wrong

    run(main)


# ---- what its events do ----


def test_encoded_frames_begin_with_a_key_frame(worker: Any) -> None:
    async def main() -> None:
        async with pair(worker) as (a, b):
            track = Given()
            a.add_track(track)
            await connected(a, b)
            assert track.keys_wanted == 1
            await track.give(vp8(0), vp8(1, key=True), vp8(2))
            sent = media_of(a).sent
            assert [(frame.timestamp, frame.key) for _, _, frame, _, _ in sent] == [
                (3000, True),
                (6000, False),
            ]
            assert [(section, encoding) for section, encoding, *_ in sent] == [(0, 0), (0, 0)]
            media_of(a).happens("on_key_frame_request", 0, 0)
            await turns()
            assert track.keys_wanted == 2

    run(main)


def test_a_disabled_encoded_track_sends_nothing_until_its_next_key_frame(worker: Any) -> None:
    async def main() -> None:
        async with pair(worker) as (a, b):
            track = Given()
            a.add_track(track)
            await connected(a, b)
            await track.give(vp8(0, key=True))
            track.enabled = False
            await track.give(vp8(1))
            track.enabled = True
            await track.give(vp8(2), vp8(3, key=True))
            assert [frame.timestamp for _, _, frame, _, _ in media_of(a).sent] == [0, 9000]

    run(main)


def test_lost_frames_of_a_relay_are_not_sent(worker: Any) -> None:
    async def main() -> None:
        async with pair(worker) as (a, b):
            track = Given("audio", OPUS)
            a.add_track(track)
            await connected(a, b)
            gap = EncodedFrame(b"", codec="opus", timestamp=960, duration=960, lost=True)
            sound = EncodedFrame(b"\xf8" * 9, codec="opus", timestamp=1920, duration=960, audio_level=-20)
            await track.give(gap, sound)
            assert [frame.timestamp for _, _, frame, _, _ in media_of(a).sent] == [1920]
            source = a.get_senders()[0]._source
            assert source.audio_level == pytest.approx(0.1)
            assert source.audio_duration == pytest.approx(0.02)

    run(main)


def test_a_track_that_says_its_codec_late(worker: Any) -> None:
    async def main() -> None:
        async with pair(worker) as (a, b):
            track = Given(codec=None)
            a.add_track(track)
            await connected(a, b)
            assert media_of(a).sections[0]["send_format"].codec == "VP8"
            frame = EncodedFrame(b"\x00\x00\x00\x01\x65", codec="H264", timestamp=0, key=True)
            await track.give(frame, frame)
            assert media_of(a).sections[0]["send_format"].codec == "H264"
            assert len(media_of(a).sent) == 1  # the first one told
            errors: list[Exception] = []
            a.get_senders()[0].on("error", errors.append)
            await track.give(EncodedFrame(b"x", codec="opus", timestamp=0))
            assert isinstance(errors[0], rtcore.InvalidAccessError)
            assert a.get_senders()[0].error is errors[0]

    run(main)


def test_bitrates_reach_the_encodings(worker: Any) -> None:
    async def main() -> None:
        async with pair(worker) as (a, b):
            a.add_track(Given(codec=None))
            sender = a.get_senders()[0]
            await exchange(a, b)
            media_of(a).happens("on_bitrate", 0, 0, 700_000)  # before there are encoders
            await asyncio.gather(a.connected(), b.connected())
            await turns()
            stream = sender._streams[0]
            assert stream.bitrate == 700_000
            media_of(a).happens("on_bitrate", 0, 0, 0)
            await turns()
            assert not stream.wants(0)
            media_of(a).happens("on_bitrate", 0, 0, 900_000)
            media_of(a).happens("on_bitrate", 0, 5, 1)
            media_of(a).happens("on_bitrate", 9, 0, 1)
            await turns()
            assert stream.wants(0)
            assert stream._wants_key  # frames were left out
            parameters = sender.get_parameters()
            parameters.encodings[0].max_bitrate = 500_000
            sender.set_parameters(parameters)
            assert sender._streams == [stream]
            assert stream.bitrate == 500_000

    run(main)


def test_events_of_sections_that_have_gone_do_nothing(worker: Any) -> None:
    async def main() -> None:
        async with pair(worker) as (a, b):
            a.add_track(Given())
            await connected(a, b)
            media = media_of(a)
            for name, values in (
                ("on_stream", (5, 0, 1)),
                ("on_stream_ended", (5, 0, 1)),
                ("on_key_frame_request", (5, 0)),
                ("on_bitrate", (5, 0, 1)),
                ("on_frames_dropped", (5, 1)),
                ("on_stream_ended", (0, 7, 99)),
                ("on_key_frame_request", (0, 7)),
            ):
                media.happens(name, *values)
            await turns()
            assert a.connection_state == "connected"

    run(main)


def test_frames_and_drops_reach_the_track(worker: Any) -> None:
    async def main() -> None:
        async with pair(worker) as (a, b):
            a.add_track(Given())
            await connected(a, b)
            track = b.get_receivers()[0].track
            tap = track.encoded()
            dropped: list[int] = []
            tap.on("framesdropped", dropped.append)
            media_of(b).receivers[0](vp8(0, key=True))
            media_of(b).happens("on_frames_dropped", 0, 3)
            await turns()
            assert dropped == [3]
            assert (await tap.recv()).timestamp == 0
            media_of(b).receivers[0](vp8(4))  # needs what was dropped
            media_of(b).receivers[0](vp8(5, key=True))
            assert (await tap.recv()).timestamp == 15_000

    run(main)


def test_mute_follows_the_streams(worker: Any) -> None:
    async def main() -> None:
        async with pair(worker) as (a, b):
            a.add_track(Given())
            await connected(a, b)
            track = b.get_receivers()[0].track
            told: list[str] = []
            for name in ("mute", "unmute"):
                track.on(name, lambda name=name: told.append(name))
            assert track.muted
            for name, ssrc in (
                ("on_stream", 1),
                ("on_stream", 2),
                ("on_stream_ended", 1),
                ("on_stream_ended", 2),
            ):
                media_of(b).happens(name, 0, 0, ssrc)
                await turns()
            assert told == ["unmute", "mute"]

    run(main)


def test_the_connection_ends_with_its_worker(worker: Any) -> None:
    async def main() -> None:
        async with pair(worker) as (a, b):
            track = Given()
            sender = a.add_track(track)
            await connected(a, b)
            await track.give(vp8(0, key=True))
            worker.close()
            await track.give(vp8(1))  # nobody takes it, and nothing raises
            assert sender.error is None
            b.get_receivers()[0].track.request_key_frame()
            b.get_receivers()[0].jitter_buffer_target = 10
            assert b.get_receivers()[0].get_synchronization_sources() == []

    run(main)


def test_closing_ends_what_came_and_not_what_was_sent(worker: Any) -> None:
    async def main() -> None:
        async with pair(worker) as (a, b):
            track = Given()
            a.add_track(track)
            await connected(a, b)
            remote: RemoteTrack = b.get_receivers()[0].track
            sending = a.get_senders()[0]._sending
            assert sending is not None
            await a.close()
            await b.closed()
            await turns()
            assert remote.ready_state == "ended"
            assert track.ready_state == "live"
            assert sending._task.cancelled()
            assert a.get_transceivers() == a.get_senders() == a.get_receivers() == []
            assert not [one for one in (await a.get_stats()).values() if one["type"] == "media-source"]

    run(main)


# ---- clocks and counters ----


def test_timestamps_of_one_track_after_another() -> None:
    clock = SendClock()
    clock.rate = 90000
    assert [clock.timestamp(own, at) for own, at in ((500, 10.0), (3500, 10.033))] == [500, 3500]
    clock.begin()
    assert clock.timestamp(7_000_000, 10.133) == 3500 + 9000  # by the time that passed
    assert clock.timestamp(7_003_000, 10.166) == 3500 + 12_000
    clock.begin()
    assert clock.timestamp(0, 10.166) == 3500 + 12_000 + 1  # never the same twice


def test_times_of_capture_are_smooth() -> None:
    clock = SendClock()
    clock.rate = 90000
    clock.begin()
    late = [0.0, 0.004, 0.001, 0.009, 0.002, 0.0, 0.003] * 30
    captured = []
    for number, delay in enumerate(late):
        captured.append(clock.captured(3000 * number, 100 + number / 30 + delay))
    steps = np.diff(captured)
    assert float(np.abs(steps - 1 / 30).max()) < 0.005
    assert abs(captured[-1] - (100 + (len(late) - 1) / 30)) < 0.01
    assert clock.captured(3000 * len(late), 500.0) == 500.0  # the source stood still


@pytest.mark.parametrize(("rate", "expected"), [(None, 30), (15, 15), (10, 10), (0, 0), (60, 30)])
def test_frame_rates_are_thinned_out(rate: float | None, expected: int) -> None:
    stream = EncodingStream(VP8, SendEncoding(max_framerate=rate), 500_000, create_encoder)
    wanted = sum(stream.wants(50 + number / 30) for number in range(300))
    assert abs(wanted - 10 * expected) <= 2


def test_sound_is_not_thinned_out() -> None:
    stream = EncodingStream(OPUS, SendEncoding(max_framerate=1), 64_000, create_encoder)
    assert all(stream.wants(number / 50) for number in range(100))
    assert not EncodingStream(OPUS, SendEncoding(active=False), 64_000, create_encoder).wants(0)


def test_frames_per_second_of_a_source() -> None:
    counters = SourceCounters()
    for number in range(75):
        counters.picture(1280, 720, 20 + number / 25)
    assert counters.frames_per_second == pytest.approx(25)
    assert (counters.frames, counters.width, counters.height) == (75, 1280, 720)


def test_black_and_silence_keep_size_and_time() -> None:
    picture = av.VideoFrame(641, 361, "rgb24")
    picture.pts, picture.time_base = 77, Fraction(1, 1000)
    black = blanked(picture)
    assert isinstance(black, av.VideoFrame)
    assert (black.width, black.height, black.pts, black.time_base) == (640, 360, 77, Fraction(1, 1000))
    assert int(black.to_ndarray(format="gray").max()) <= 16
    sound = av.AudioFrame(format="fltp", layout="stereo", samples=480)
    sound.sample_rate, sound.pts, sound.time_base = 48000, 5, Fraction(1, 48000)
    silence = blanked(sound)
    assert isinstance(silence, av.AudioFrame)
    assert (silence.samples, silence.sample_rate, silence.pts) == (480, 48000, 5)
    assert not silence.to_ndarray().any()
