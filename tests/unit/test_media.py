"""Tracks: sources, remote ones, relays, samples for voice agents, devices; and the threads under them."""

from __future__ import annotations

import asyncio
import gc
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Iterator
from fractions import Fraction

import av
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import rtcore
from media_support import asynchronous, until
from rtcore.errors import OperationError, TrackEndedError
from rtcore.media import (
    AudioSource,
    EncodedFrame,
    EncodedSource,
    MediaBlackhole,
    MediaRelay,
    MediaTrack,
    PcmReader,
    PcmTrack,
    RemoteTrack,
    TestPicture,
    TestTone,
    VideoSource,
    codecs,
    devices,
    pool,
)
from rtcore.media.queue import FrameQueue
from rtcore.media.samples import Converter, to_frame
from rtcore.media.synthetic import frequency_of, picture, read_counter
from rtcore.media.taps import ASLEEP
from rtcore.sdp import RtpCodec

VP8 = RtpCodec("video", "VP8", 90000)
OPUS = RtpCodec("audio", "opus", 48000, 2)
PCMU = RtpCodec("audio", "PCMU", 8000)


def coded(count: int, *, keys: tuple[int, ...] = (), first: int = 0) -> list[EncodedFrame]:
    with codecs.create_encoder(VP8, bitrate=800_000) as encoder:
        made = []
        for number in range(first, first + count):
            frame = picture(320, 192, number)
            frame.pts, frame.time_base = number * 3000, Fraction(1, 90000)
            made += encoder.encode(frame, key=number in keys)
    return made


def sound(count: int, codec: RtpCodec = PCMU) -> list[EncodedFrame]:
    time_of = np.arange(count * 160 + 800) / 8000
    wave = (np.sin(2 * np.pi * 440 * time_of) * 8000).astype(np.int16)
    with codecs.create_encoder(codec) as encoder:
        return encoder.encode(to_frame(wave[:, None], 8000, 0))[:count]


def remote(codec: RtpCodec, **options: object) -> RemoteTrack:
    track = RemoteTrack("video" if codec is VP8 else "audio", **options)  # type: ignore[arg-type]
    track._set_codecs({0: codec})
    return track


async def rest(track: MediaTrack) -> list:
    return [frame async for frame in track]


class Noise(MediaTrack):
    """What somebody's first own track looks like."""

    kind = "video"

    async def recv(self) -> av.VideoFrame:
        return picture(64, 32, 0)


@asynchronous
async def test_a_track_needs_only_kind_and_recv() -> None:
    track = Noise()
    happened: list[str] = []
    track.on("ended", lambda: happened.append("ended"))
    track.on("mute", lambda: happened.append("mute"))
    track.on("unmute", lambda: happened.append("unmute"))
    assert (track.ready_state, track.muted, track.enabled, track.codec) == ("live", False, True, None)
    assert track.id != Noise().id
    assert isinstance(await track.recv(), av.VideoFrame)
    track._set_muted(True)
    track._set_muted(True)
    assert track.muted
    track._set_muted(False)
    track.stop()
    track.stop()
    assert track.ready_state == "ended"
    assert happened == ["mute", "unmute", "ended"]
    with pytest.raises(ValueError, match="ended, mute, unmute"):
        track.on("nothing", print)


@asynchronous
async def test_a_track_without_recv_says_so() -> None:
    with pytest.raises(NotImplementedError, match="MediaTrack has no recv"):
        await MediaTrack().recv()


@asynchronous
async def test_leaving_a_track_stops_it() -> None:
    async with TestTone() as track:
        await track.recv()
    assert track.ready_state == "ended"
    with pytest.raises(TrackEndedError):
        await track.recv()
    assert issubclass(TrackEndedError, rtcore.InvalidStateError)


# ---- sources ----


@asynchronous
async def test_plain_generators_run_on_the_threads_in_real_time() -> None:
    threads = set()

    def draw() -> Iterator[np.ndarray]:
        for level in range(5):
            threads.add(threading.current_thread())
            yield np.full((32, 64, 3), level * 10, np.uint8)

    began = time.monotonic()
    frames = await rest(VideoSource(draw(), frame_rate=50))
    assert 0.075 < time.monotonic() - began < 5
    assert [frame.pts for frame in frames] == [0, 1800, 3600, 5400, 7200]
    assert [frame.to_ndarray()[0, 0, 0] for frame in frames] == [0, 10, 20, 30, 40]
    assert threading.main_thread() not in threads


@asynchronous
async def test_asynchronous_generators_run_on_the_loop() -> None:
    async def draw() -> AsyncIterator[av.VideoFrame]:
        for number in range(3):
            assert threading.current_thread() is threading.main_thread()
            yield picture(320, 192, number)

    assert [read_counter(frame) for frame in await rest(VideoSource(draw(), frame_rate=100))] == [0, 1, 2]


@asynchronous
async def test_what_a_generator_raises_is_the_cause_of_the_end() -> None:
    def draw() -> Iterator[np.ndarray]:
        yield np.zeros((32, 64, 3), np.uint8)
        raise ZeroDivisionError("oh")

    source = VideoSource(draw(), frame_rate=100)
    await source.recv()
    with pytest.raises(TrackEndedError) as caught:
        await source.recv()
    assert isinstance(caught.value.__cause__, ZeroDivisionError)
    assert source.ready_state == "ended"
    audio = AudioSource(iter([np.zeros(10, np.int64)]))
    with pytest.raises(TrackEndedError) as caught:
        await audio.recv()
    assert isinstance(caught.value.__cause__, ValueError)


@asynchronous
async def test_pushed_pictures_lose_the_oldest_and_tell() -> None:
    source = VideoSource(limit=2)
    lost: list[int] = []
    source.on("framesdropped", lost.append)
    for number in range(5):
        source.push(picture(320, 192, number), time_of=100 + number / 10)
    source.stop()
    frames = await rest(source)
    assert [read_counter(frame) for frame in frames] == [3, 4]
    assert [frame.pts for frame in frames] == [27000, 36000]
    assert source.frames_dropped == sum(lost) == 3
    with pytest.raises(TrackEndedError):
        source.push(picture(64, 32, 0))


@asynchronous
async def test_a_waiting_reader_gets_what_is_pushed_and_a_second_is_told() -> None:
    source = VideoSource()
    reader = asyncio.create_task(source.recv())
    await asyncio.sleep(0)
    with pytest.raises(RuntimeError, match="MediaRelay"):
        await source.recv()
    source.push(np.zeros((32, 64, 3), np.uint8))
    assert (await reader).width == 64
    cancelled = asyncio.create_task(source.recv())
    await asyncio.sleep(0)
    cancelled.cancel()
    with pytest.raises(asyncio.CancelledError):
        await cancelled
    source.push(np.zeros((32, 64, 3), np.uint8))
    await source.recv()


@asynchronous
async def test_sounds_come_from_arrays_of_any_length() -> None:
    blocks = [np.zeros(100, np.int16), np.zeros((50, 1), np.float32), np.zeros((400, 2))]
    frames = await rest(AudioSource(blocks, rate=8000))
    assert [(frame.samples, frame.pts, frame.layout.nb_channels) for frame in frames] == [
        (100, 0, 1),
        (50, 100, 1),
        (400, 150, 2),
    ]


@asynchronous
async def test_encoded_frames_are_paced_by_their_timestamps() -> None:
    frames = sound(10)
    wanted: list[int] = []
    source = EncodedSource(frames, PCMU, on_key_frame_request=lambda: wanted.append(1))
    began = time.monotonic()
    assert await rest(source) == frames
    assert 0.16 < time.monotonic() - began < 5
    assert source.codec == PCMU
    source = EncodedSource(frames, PCMU, realtime=False, on_key_frame_request=lambda: wanted.append(1))
    source.request_key_frame()
    assert wanted == [1]


@asynchronous
async def test_a_reader_that_pauses_gets_no_burst() -> None:
    tone = TestTone(frame_ms=10)
    await tone.recv()
    await asyncio.sleep(0.5)
    began = time.monotonic()
    for _ in range(20):
        await tone.recv()
    assert time.monotonic() - began > 0.15


# ---- remote tracks ----


@asynchronous
async def test_a_remote_track_decodes_what_came_before_it_was_read() -> None:
    track = remote(VP8)
    for frame in coded(5):
        track._deliver(frame)
    track_ended = asyncio.create_task(rest(track))
    await until(lambda: len(track._main._decoded) == 0 and len(track._main._encoded) == 0)
    track._end()
    frames = await track_ended
    assert [read_counter(frame) for frame in frames] == list(range(5))
    assert all(isinstance(frame.opaque, EncodedFrame) for frame in frames)


@asynchronous
async def test_all_that_waits_is_decoded_before_the_end() -> None:
    track = remote(VP8)
    reader = asyncio.create_task(rest(track))
    await asyncio.sleep(0)
    for frame in coded(10):
        track._deliver(frame)
    track._end()
    assert [read_counter(frame) for frame in await reader] == list(range(10))


@asynchronous
async def test_each_reader_has_all_frames() -> None:
    track = remote(VP8)
    encoded, decoded = track.encoded(), track.decoded()
    readers = [asyncio.create_task(rest(one)) for one in (track, encoded, decoded)]
    await asyncio.sleep(0)
    frames = coded(8)
    for frame in frames:
        track._deliver(frame)
    track._end()
    mine, raw, other = [await reader for reader in readers]
    assert [read_counter(frame) for frame in mine] == list(range(8))
    assert [read_counter(frame) for frame in other] == list(range(8))
    assert raw == frames
    assert encoded.codec == VP8
    assert encoded.ready_state == "ended"


@asynchronous
async def test_two_tasks_in_one_reader_are_told() -> None:
    track = remote(VP8)
    reader = asyncio.create_task(track.recv())
    await asyncio.sleep(0)
    with pytest.raises(RuntimeError, match="MediaRelay"):
        await track.recv()
    track.stop()
    with pytest.raises(TrackEndedError):
        await reader


@asynchronous
async def test_a_late_reader_asks_for_a_key_frame_and_begins_with_it() -> None:
    requests: list[int] = []
    track = remote(VP8, request_key_frame=lambda: requests.append(1))
    frames = coded(6, keys=(4,))
    for frame in frames[:2]:
        track._deliver(frame)
    tap = track.encoded()
    assert requests == [1]
    for frame in frames[2:]:
        track._deliver(frame)
    track._end()
    assert [frame.timestamp // 3000 for frame in await rest(tap)] == [4, 5]


@asynchronous
async def test_a_slow_reader_of_encoded_video_goes_on_with_a_key_frame() -> None:
    requests: list[int] = []
    track = remote(VP8, request_key_frame=lambda: requests.append(1))
    tap = track.encoded(limit=4)
    lost: list[int] = []
    tap.on("framesdropped", lost.append)
    frames = coded(12, keys=(8,))
    for frame in frames:
        track._deliver(frame)
    track._end()
    assert [frame.timestamp // 3000 for frame in await rest(tap)] == [8, 9, 10, 11]
    assert sum(lost) == tap.frames_dropped == 5
    assert len(requests) == 2


@asynchronous
async def test_a_slow_reader_of_sound_loses_the_oldest() -> None:
    track = remote(PCMU)
    tap = track.encoded(limit=4)
    frames = sound(10)
    for frame in frames:
        track._deliver(frame)
    track._end()
    assert await rest(tap) == frames[-4:]
    assert tap.frames_dropped == 6


@asynchronous
async def test_a_slow_reader_of_decoded_frames_loses_the_oldest_and_is_told() -> None:
    track = remote(PCMU)
    lost: list[int] = []
    track.on("framesdropped", lost.append)
    frames = sound(70)
    reader = asyncio.create_task(track.recv())
    await asyncio.sleep(0)
    for frame in frames:
        track._deliver(frame)
    first = await reader
    await until(lambda: sum(lost) == 19)
    track._end()
    left = await rest(track)
    assert first.pts == 0
    assert [frame.pts for frame in left] == [160 * index for index in range(20, 70)]
    assert track.frames_dropped == 19


@asynchronous
async def test_what_waits_is_seen_taken_and_dropped() -> None:
    track = remote(VP8)
    frames = coded(16)
    assert track.take() is None
    track._deliver(frames[0])
    await track.recv()
    for frame in frames[1:6]:
        track._deliver(frame)
    await until(lambda: track.frames_waiting == 5)
    assert read_counter(track.take()) == 1  # type: ignore[arg-type]
    assert track.clear() == 4
    assert (track.take(), track.frames_waiting, track.frames_dropped) == (None, 0, 0)
    for frame in frames[6:12]:
        track._deliver(frame)
    assert track.clear() == 0  # they are decoded, and dropped: those that follow need them
    for frame in frames[12:]:
        track._deliver(frame)
    assert [read_counter(await track.recv()) for _ in range(4)] == [12, 13, 14, 15]  # type: ignore[arg-type]
    assert (track.decode_errors, track.frames_dropped) == (0, 0)


@asynchronous
async def test_what_waits_before_anybody_reads_is_dropped_up_to_a_key_frame() -> None:
    asked: list[None] = []
    track = remote(VP8, request_key_frame=lambda: asked.append(None))
    frames = coded(6, keys=(4,))
    for frame in frames[:3]:
        track._deliver(frame)
    assert track.clear() == 0
    assert len(asked) == 1
    for frame in frames[3:]:
        track._deliver(frame)
    assert read_counter(await track.recv()) == 4  # type: ignore[arg-type]


@asynchronous
async def test_frames_that_are_lost_count_as_dropped_ones() -> None:
    track = remote(PCMU)
    frames = sound(300)
    track._deliver(frames[0])
    await track.recv()
    for frame in frames[1:200]:
        track._deliver(frame)
    track.clear()
    for frame in frames[200:]:  # more than can wait: the oldest go, which were to be dropped
        track._deliver(frame)
    track._end()
    assert [frame.pts for frame in await rest(track)] == [160 * index for index in range(200, 300)]


@asynchronous
async def test_decoders_are_chosen() -> None:
    made: list[RtpCodec] = []

    def make(codec: RtpCodec) -> codecs.Decoder:
        made.append(codec)
        return codecs.create_decoder(codec, library="libvpx")

    track = remote(VP8)
    track.decoder = make
    for frame in coded(3):
        track._deliver(frame)
    assert [read_counter(await track.recv()) for _ in range(3)] == [0, 1, 2]  # type: ignore[arg-type]
    assert made == [VP8]


@pytest.mark.parametrize("channels", [1, 2])
def test_opus_is_decoded_to_as_many_channels_as_one_wants(channels: int) -> None:
    for source in (1, 2):
        wave = (np.sin(2 * np.pi * 440 * np.arange(9600) / 48000) * 8000).astype(np.int16)
        with codecs.create_encoder(OPUS, channels=source) as encoder:
            packets = encoder.encode(to_frame(np.repeat(wave[:, None], source, axis=1), 48000, 0))
        with codecs.create_decoder(OPUS, channels=channels) as decoder:
            heard = [frame for packet in packets for frame in decoder.decode(packet)]
        assert {frame.layout.nb_channels for frame in heard} == {channels}
        samples = np.concatenate([frame.to_ndarray().reshape(-1, channels) for frame in heard])[2400:]
        assert frequency_of(samples, 48000) == pytest.approx(440, rel=0.03)
    with pytest.raises(ValueError, match="channels"):
        codecs.create_decoder(OPUS, channels=3)


@asynchronous
async def test_what_nobody_reads_is_not_decoded_and_not_kept() -> None:
    requests: list[int] = []
    track = remote(VP8, request_key_frame=lambda: requests.append(1))
    frames = coded(20, keys=(10,))
    lost: list[int] = []
    track.on("framesdropped", lost.append)
    for _ in range(20):
        for frame in frames:
            track._deliver(frame)
    assert track._main._asleep
    assert len(track._main._encoded) == 0
    assert track._main._task is None
    assert len(requests) <= 2
    reader = asyncio.create_task(track.recv())
    await asyncio.sleep(0)
    for frame in frames[5:]:
        track._deliver(frame)
    assert read_counter(await reader) == 10
    track.stop()


@asynchronous
async def test_a_reader_that_goes_away_stops_the_decoding() -> None:
    track = remote(PCMU)
    reader = asyncio.create_task(track.recv())
    await asyncio.sleep(0)
    frames = sound(20)
    for frame in frames:
        track._deliver(frame)
    await reader
    for _ in range(2 * ASLEEP):
        for frame in frames:
            track._deliver(frame)
    assert track._main._task is None
    reader = asyncio.create_task(track.recv())
    await asyncio.sleep(0)
    track._deliver(frames[3])
    assert (await reader).pts == 480
    track.stop()


@asynchronous
async def test_rubbish_is_counted_and_a_key_frame_asked_for() -> None:
    requests: list[int] = []
    track = remote(VP8, request_key_frame=lambda: requests.append(1))
    reader = asyncio.create_task(rest(track))
    await asyncio.sleep(0)
    frames = coded(6, keys=(4,))
    track._deliver(frames[0])
    track._deliver(EncodedFrame(b"", codec="H264", timestamp=2, key=True))  # not negotiated
    await until(lambda: bool(requests))
    for frame in frames[1:]:
        track._deliver(frame)
    track._end()
    assert [read_counter(frame) for frame in await reader] == [0, 4, 5]
    assert track.decode_errors == 1


@asynchronous
async def test_the_codec_may_change_in_the_middle() -> None:
    track = RemoteTrack("audio")
    track._set_codecs({0: PCMU, 8: RtpCodec("audio", "PCMA", 8000)})
    reader = asyncio.create_task(rest(track))
    await asyncio.sleep(0)
    for frame in sound(5) + sound(5, RtpCodec("audio", "PCMA", 8000)):
        track._deliver(frame)
    track._end()
    assert sum(frame.samples for frame in await reader) == 1600


@asynchronous
async def test_telephone_events_are_events_and_not_sound() -> None:
    track = remote(PCMU)
    pressed: list[EncodedFrame] = []
    track.on("telephoneevent", pressed.append)
    reader = asyncio.create_task(rest(track))
    await asyncio.sleep(0)
    event = EncodedFrame(b"\x05\x8a\x03\x20", codec="telephone-event", timestamp=0)
    track._deliver(event)
    track._deliver(sound(1)[0])
    track._end()
    assert len(await reader) == 1
    assert pressed == [event]


@asynchronous
async def test_stopping_a_remote_track_stops_its_readers_and_decoders() -> None:
    track = remote(PCMU)
    reader = asyncio.create_task(rest(track.encoded()))
    decoded = asyncio.create_task(rest(track))
    await asyncio.sleep(0)
    track._deliver(sound(1)[0])
    await asyncio.sleep(0.05)
    track.stop()
    await reader
    await decoded
    assert track.ready_state == "ended"
    assert await rest(track.decoded()) == []
    track._deliver(sound(1)[0])


# ---- relays ----


@asynchronous
async def test_a_relay_gives_each_reader_all_frames() -> None:
    async with MediaRelay(TestPicture(width=320, height=192, frame_rate=100, count=10)) as relay:
        readers = [asyncio.create_task(rest(relay.subscribe())) for _ in range(3)]
        for reader in readers:
            assert [read_counter(frame) for frame in await reader] == list(range(10))


@asynchronous
async def test_a_slow_reader_of_a_relay_does_not_hold_up_the_others() -> None:
    relay = MediaRelay(AudioSource([np.zeros(80, np.int16)] * 30, rate=8000))
    slow, fast = relay.subscribe(limit=3), relay.subscribe()
    lost: list[int] = []
    slow.on("framesdropped", lost.append)
    assert len(await rest(fast)) == 30
    assert [frame.pts for frame in await rest(slow)] == [2160, 2240, 2320]
    assert slow.frames_dropped == sum(lost) == 27


@asynchronous
async def test_a_relay_rests_when_nobody_listens() -> None:
    source = TestTone()
    async with MediaRelay(source, stop_source=True) as relay:
        reader = relay.subscribe()
        await reader.recv()
        reader.stop()
        assert relay._task is None
        assert source.ready_state == "live"
        again = relay.subscribe()
        await again.recv()
    assert source.ready_state == again.ready_state == "ended"
    with pytest.raises(TrackEndedError):
        await relay.subscribe().recv()


@asynchronous
async def test_what_a_source_raises_reaches_the_readers_of_a_relay() -> None:
    class Broken(MediaTrack):
        kind = "audio"

        async def recv(self) -> av.AudioFrame:
            raise ZeroDivisionError

    with pytest.raises(TrackEndedError) as caught:
        await MediaRelay(Broken()).subscribe().recv()
    assert isinstance(caught.value.__cause__, ZeroDivisionError)


@asynchronous
async def test_a_relay_reads_a_source_again_that_failed_once() -> None:
    class Failing(MediaTrack):
        kind = "audio"

        async def recv(self) -> av.AudioFrame:
            raise ZeroDivisionError

    relay = MediaRelay(Failing())
    for _ in range(2):
        async with asyncio.timeout(5):
            with pytest.raises(TrackEndedError):
                await relay.subscribe().recv()


@asynchronous
async def test_a_relay_of_encoded_video_begins_and_goes_on_with_key_frames() -> None:
    wanted: list[int] = []
    frames = coded(12, keys=(4, 9))[1:]
    source = EncodedSource(frames, VP8, realtime=False, on_key_frame_request=lambda: wanted.append(1))
    reader = MediaRelay(source).subscribe(limit=3)
    assert reader.codec == VP8
    await until(lambda: reader.ready_state == "ended")
    assert [frame.timestamp // 3000 for frame in await rest(reader)] == [9, 10, 11]
    assert len(wanted) == 2


@asynchronous
async def test_a_blackhole_reads_and_forgets() -> None:
    tone = TestTone(frame_ms=10)
    async with MediaBlackhole(tone) as hole:
        await until(lambda: hole.frames >= 5)
    assert tone.ready_state == "live"


# ---- samples ----


@given(
    st.sampled_from([8000, 16000, 24000, 44100, 48000]),
    st.sampled_from([8000, 16000, 24000, 48000]),
    st.integers(1, 2),
    st.integers(1, 2),
    st.sampled_from(["int16", "float32"]),
)
@settings(max_examples=40, deadline=None)
def test_tones_keep_pitch_and_level_through_any_conversion(
    source: int, rate: int, before: int, after: int, dtype: str
) -> None:
    wave = (np.sin(2 * np.pi * 1000 * np.arange(source) / source) * 10000).astype(np.int16)
    converter = Converter(rate, after, dtype)  # type: ignore[arg-type]
    size = source // 100
    blocks = [
        converter.convert(to_frame(np.repeat(wave[at : at + size, None], before, axis=1), source, at))
        for at in range(0, source, size)
    ]
    got = np.concatenate(blocks)
    assert got.shape[1] == after
    assert got.dtype == dtype
    assert rate * 0.98 <= len(got) <= rate
    assert abs(frequency_of(got[rate // 10 :], rate) - 1000) < 2
    scale = 1 if dtype == "int16" else 32768
    assert np.abs(got[rate // 10 : -rate // 10]).max() * scale == pytest.approx(10000, rel=0.05)


def test_a_converter_follows_a_source_that_changes() -> None:
    converter = Converter(16000, 1)
    count = 0
    for rate, channels in ((48000, 2), (16000, 1), (8000, 1), (48000, 1)):
        for at in range(10):
            count += len(converter.convert(to_frame(np.zeros((rate // 100, channels), np.int16), rate, at)))
    assert 16000 * 0.4 * 0.97 <= count <= 16000 * 0.4
    for arguments in ((10, 1), (16000, 0), (16000, 9)):
        with pytest.raises(ValueError, match="must be from"):
            Converter(*arguments)
    with pytest.raises(ValueError, match="dtype"):
        Converter(16000, 1, "int8")  # type: ignore[arg-type]


# ---- voice agents ----


@asynchronous
async def test_a_detector_gets_exactly_512_samples_at_16_khz() -> None:
    track = remote(OPUS)
    async with track.pcm(rate=16000, frame_samples=512, dtype="float32") as reader:
        task = asyncio.create_task(collect(reader))
        await asyncio.sleep(0)
        with codecs.create_encoder(OPUS) as encoder:
            for at in range(50):
                wave = np.sin(2 * np.pi * 440 * (np.arange(960) + at * 960) / 48000) * 0.5
                for one in encoder.encode(to_frame(wave.astype(np.float32)[:, None], 48000, at * 960)):
                    track._deliver(one)
        track._end()
        blocks = await task
    assert {block.shape for block in blocks} == {(512, 1)}
    assert {block.dtype for block in blocks} == {np.dtype(np.float32)}
    assert len(blocks) == 32
    whole = np.concatenate(blocks)[2000:12000]
    assert abs(frequency_of(whole, 16000) - 440) < 2
    assert 0.4 < np.abs(whole).max() < 0.6


async def collect(reader: PcmReader) -> list[np.ndarray]:
    return [block async for block in reader]


@asynchronous
async def test_samples_of_any_track() -> None:
    async with PcmReader(TestTone(duration=0.1), rate=8000, channels=2, frame_ms=10) as reader:
        blocks = await collect(reader)
    assert [block.shape for block in blocks] == [(80, 2)] * 10
    for options in ({"frame_ms": 10, "frame_samples": 80}, {"frame_samples": 0}):
        with pytest.raises(ValueError, match=r"frame_ms|block"):
            PcmReader(TestTone(), **options)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="audio"):
        PcmReader(TestPicture())
    with pytest.raises(ValueError, match="audio"):
        remote(VP8).pcm()


@asynchronous
async def test_what_is_written_is_played_then_silence() -> None:
    voice = PcmTrack(rate=16000)
    await voice.write(np.full(400, 1000, np.int16))
    await voice.write(np.full((100, 1), 0.5))
    assert voice.queued_duration == 500 / 16000
    frames = [await voice.recv() for _ in range(3)]
    assert [(frame.samples, frame.pts, frame.sample_rate) for frame in frames] == [
        (320, at, 16000) for at in (0, 320, 640)
    ]
    played = np.concatenate([frame.to_ndarray()[0] for frame in frames])
    assert played.tolist() == [1000] * 400 + [16384] * 100 + [0] * 460
    assert voice.queued_duration == 0


@asynchronous
async def test_playout_can_be_awaited_and_cleared() -> None:
    voice = PcmTrack(rate=8000)
    hole = MediaBlackhole(voice)
    began = time.monotonic()
    await voice.write(np.zeros(1600, np.int16))
    await voice.wait_for_playout()
    assert 0.17 < time.monotonic() - began < 5
    await voice.write(np.zeros(80_000, np.int16))
    waiting = asyncio.create_task(voice.wait_for_playout())
    await asyncio.sleep(0.05)
    assert 5 < voice.clear() < 10
    await asyncio.wait_for(waiting, 5)
    await voice.write(np.zeros(8000, np.int16))
    waiting = asyncio.create_task(voice.wait_for_playout())
    await asyncio.sleep(0)
    voice.stop()
    with pytest.raises(TrackEndedError):
        await waiting
    with pytest.raises(TrackEndedError):
        await voice.write(np.zeros(1, np.int16))
    await hole.close()


@asynchronous
async def test_who_writes_faster_than_is_spoken_waits_or_drops() -> None:
    voice = PcmTrack(rate=8000, max_duration=0.1)
    writer = asyncio.create_task(voice.write(np.arange(1600, dtype=np.int16)))
    await asyncio.sleep(0.01)
    assert not writer.done()
    assert voice.queued_duration == 0.1
    played = [await voice.recv() for _ in range(10)]
    await writer
    assert np.concatenate([frame.to_ndarray()[0] for frame in played]).tolist() == list(range(1600))
    assert voice.write_nowait(np.arange(600, dtype=np.int16)) == 0
    assert voice.write_nowait(np.arange(600, 1000, dtype=np.int16)) == 200
    assert (await voice.recv()).to_ndarray()[0, 0] == 200
    assert voice.write_nowait(np.arange(2000, dtype=np.int16)) == 1840
    assert voice.samples_dropped == 2040
    assert (await voice.recv()).to_ndarray()[0, 0] == 1200
    for samples in (np.zeros((2, 3, 1), np.int16), np.zeros((4, 2), np.int16), np.zeros(4, np.int32)):
        with pytest.raises(ValueError, match="samples must"):
            voice.write_nowait(samples)


# ---- devices ----


@asynchronous
async def test_fake_devices_give_a_picture_and_a_tone(monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = {"width": 320, "height": 192, "frame_rate": 60}
    async with await devices.get_user_media(audio={"sample_rate": 16000}, video=wanted, fake=True) as media:  # type: ignore[arg-type]
        assert [track.kind for track in media.tracks] == ["audio", "video"]
        assert media.video is not None
        assert media.audio is not None
        frames = [await media.video.recv() for _ in range(3)]
        assert [read_counter(frame) for frame in frames] == [0, 1, 2]
        assert (frames[0].width, frames[1].pts) == (320, 1500)
        assert (await media.audio.recv()).sample_rate == 16000
    assert media.video.ready_state == "ended"
    assert {one.kind for one in await devices.enumerate_devices(fake=True)} == {"audioinput", "videoinput"}
    monkeypatch.setenv("RTCORE_FAKE_DEVICES", "1")
    async with await devices.get_display_media() as media:
        assert media.audio is None
        assert media.video is not None
        await media.video.recv()


@asynchronous
async def test_what_devices_cannot_do_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.setattr(devices.platform, "system", lambda: "Linux")
    with pytest.raises(TypeError):
        await devices.get_user_media()
    with pytest.raises(ValueError, match="colour"):
        await devices.get_user_media(video={"colour": 1}, fake=True)  # type: ignore[typeddict-unknown-key]
    with pytest.raises(ValueError, match="together"):
        await devices.get_user_media(video={"width": 1}, fake=True)
    with pytest.raises(ValueError, match="positive"):
        await devices.get_user_media(audio={"sample_rate": 0}, fake=True)
    with pytest.raises(TypeError, match="mapping"):
        await devices.get_user_media(audio="yes", fake=True)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="sample_rate must be a number"):
        await devices.get_user_media(audio={"sample_rate": "high"}, fake=True)  # type: ignore[typeddict-item]
    with pytest.raises(OperationError, match="none such cannot be opened"):
        await devices.get_user_media(video={"device_id": "none such"}, fake=False)
    monkeypatch.setattr(devices, "_devices", list)
    with pytest.raises(OperationError, match="there is no audioinput"):
        await devices.get_user_media(audio=True, fake=False)
    with pytest.raises(OperationError, match="DISPLAY"):
        await devices.get_display_media(fake=False)
    monkeypatch.setattr(devices.platform, "system", lambda: "Plan 9")
    for attempt in (
        devices.get_user_media(video={"device_id": "x"}, fake=False),
        devices.get_display_media(fake=False),
    ):
        with pytest.raises(rtcore.NotSupportedError):
            await attempt


@asynchronous
async def test_a_device_is_opened_with_its_constraints(monkeypatch: pytest.MonkeyPatch) -> None:
    """A filter graph stands for the camera."""
    graph = "testsrc=size=160x120:rate=10:duration=1"
    monkeypatch.setattr(devices, "_devices", lambda: [devices.Device("videoinput", graph, "Camera", "lavfi")])
    async with await devices.get_user_media(video=True, fake=False) as media:
        assert media.video is not None
        assert (await media.video.recv()).width == 160
    wanted = devices._video_options({"width": 640, "height": 480, "frame_rate": 29.97})
    assert wanted == {"video_size": "640x480", "framerate": "29.97"}


@asynchronous
async def test_constraints_are_wishes(monkeypatch: pytest.MonkeyPatch) -> None:
    """A camera that takes none of them is opened as it is."""
    asked = []

    async def open_(file: str, **options: object) -> object:
        asked.append(options)
        if options.get("options"):
            raise OperationError("no such size")
        raise ZeroDivisionError

    monkeypatch.setattr(devices.MediaPlayer, "open", open_)
    monkeypatch.setattr(devices, "_devices", lambda: [devices.Device("videoinput", "0", "Camera", "v4l2")])
    with pytest.raises(ZeroDivisionError):
        await devices.get_user_media(video={"frame_rate": 1000}, fake=False)
    assert asked == [{"format": "v4l2", "options": {"framerate": "1000"}}, {"format": "v4l2"}]


# ---- threads and queues ----


@asynchronous
async def test_a_lane_keeps_the_order_and_others_go_on() -> None:
    order: list[int] = []
    gate = threading.Event()
    one, other = pool.Lane(), pool.Lane()
    blocked = asyncio.create_task(one.run(gate.wait, 5))
    later = [asyncio.create_task(one.run(order.append, number)) for number in range(50)]
    await asyncio.sleep(0)
    assert await other.run(lambda: 7) == 7
    assert order == []
    gate.set()
    assert await blocked
    await asyncio.gather(*later)
    assert order == list(range(50))


@asynchronous
async def test_waiting_for_a_lane_is_cancellable() -> None:
    gate, called = threading.Event(), []
    lane = pool.Lane()
    running = asyncio.create_task(lane.run(gate.wait, 5))
    waiting = asyncio.create_task(lane.run(called.append, 1))
    await asyncio.sleep(0.01)
    for task in (running, waiting):
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    gate.set()
    assert await lane.run(lambda: 5) == 5
    assert called == []


@asynchronous
async def test_what_a_call_raises_is_raised_where_it_is_awaited() -> None:
    with pytest.raises(ZeroDivisionError):
        await pool.run(lambda: 1 // 0)
    told: list[BaseException | None] = []
    hook, threading.excepthook = threading.excepthook, lambda arguments: told.append(arguments.exc_value)
    try:
        lane = pool.Lane()
        lane.post(lambda: 1 // 0)
        await lane.run(lambda: None)
    finally:
        threading.excepthook = hook
    assert isinstance(told[0], ZeroDivisionError)


@asynchronous
async def test_threads_are_few_and_end() -> None:
    pool.close()
    before = set(threading.enumerate())
    await asyncio.gather(*(pool.run(time.sleep, 0.001) for _ in range(100)))
    assert len(set(threading.enumerate()) - before) <= pool.thread_count()
    pool.close()
    assert set(threading.enumerate()) <= before
    assert await pool.run(lambda: 1) == 1
    pool.close()


def test_a_forked_process_has_threads_of_its_own() -> None:
    program = """
import asyncio, os, signal
from rtcore.media import pool
asyncio.run(pool.run(int))
child = os.fork()
if child == 0:
    signal.alarm(10)
    asyncio.run(pool.run(int))
    os._exit(0)
assert os.waitpid(child, 0)[1] == 0
"""
    subprocess.run([sys.executable, "-c", program], check=True, timeout=30)


@given(st.integers(1, 5), st.lists(st.booleans(), max_size=50))
@settings(deadline=None)
def test_a_queue_is_bounded_and_counts(limit: int, steps: list[bool]) -> None:
    async def main() -> None:
        queue: FrameQueue[int] = FrameQueue(limit)
        model: list[int] = []
        dropped = 0
        for number, put in enumerate(steps):
            if put:
                fits = queue.put(number)
                assert fits == (len(model) < limit)
                model.append(number)
                dropped += len(model) > limit
                model = model[-limit:]
            elif model:
                assert await queue.get() == model.pop(0)
            assert len(queue) == len(model)
            assert queue.dropped == dropped
        queue.close(lambda: TrackEndedError("end"))
        assert queue.put(1)
        for item in model:
            assert await queue.get() == item
        for _ in range(2):
            with pytest.raises(TrackEndedError):
                await queue.get()

    asyncio.run(main())


@asynchronous
async def test_nothing_is_left_of_tracks_that_are_gone() -> None:
    def count() -> int:
        gc.collect()
        return sum(isinstance(one, (MediaTrack, codecs.Decoder, codecs.Encoder)) for one in gc.get_objects())

    before = count()
    for _ in range(3):
        track = remote(PCMU)
        reader = asyncio.create_task(rest(track))
        relay = MediaRelay(track.decoded())
        blackhole = MediaBlackhole(relay.subscribe())
        await asyncio.sleep(0)
        for frame in sound(5):
            track._deliver(frame)
        await asyncio.sleep(0.02)
        track._end()
        await reader
        await relay.close()
        await blackhole.close()
    del track, reader, relay, blackhole, frame
    await asyncio.sleep(0.05)
    await pool.run(lambda: None)
    assert count() <= before
    assert [task for task in asyncio.all_tasks() if task is not asyncio.current_task()] == []
