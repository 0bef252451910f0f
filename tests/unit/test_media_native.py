"""rtcore.native.media: frames between two peers on workers, over loopback, without any codec."""

import collections
import contextlib
import gc
import itertools
import time
import weakref
from collections.abc import Iterator
from typing import Any

import pytest

from rtcore.native.frame import EncodedFrame
from rtcore.native.media import Encoding, Format, Media
from rtcore.native.worker import Worker
from worker_sides import KINDS, Side, Wire, join, run

GCM = (7,)
MID = "urn:ietf:params:rtp-hdrext:sdes:mid"
RID = "urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id"
LEVEL = "urn:ietf:params:rtp-hdrext:ssrc-audio-level"
OPUS = Format(111, "opus", 48000, 2)
VP8 = Format(96, "VP8", 90000, rtx_payload_type=97, feedback=frozenset({"nack", "pli", "fir", "remb"}))
AUDIO, VIDEO = 0, 1
EXTENSIONS = {MID: 1, LEVEL: 2, "urn:example:unknown": 9}


def vp8(number: int, size: int = 3000, *, key: bool | None = None) -> EncodedFrame:
    """Looks like VP8 (RFC 6386 section 9.1) as far as a depacketizer looks."""
    is_key = number % 30 == 0 if key is None else key
    first_part = (size // 2) << 5 | 0x10 | (0 if is_key else 1)
    header = first_part.to_bytes(3, "little")
    if is_key:
        header += b"\x9d\x01\x2a" + (640).to_bytes(2, "little") + (480).to_bytes(2, "little")
    data = header + number.to_bytes(4, "big") + bytes(size - len(header) - 4)
    return EncodedFrame(data, codec="VP8", timestamp=3000 * number, key=is_key)


def number_of(frame: EncodedFrame) -> int:
    return int.from_bytes(bytes(frame)[10 if frame.key else 3 :][:4], "big")


def opus(number: int) -> EncodedFrame:
    """One frame of 20 ms (RFC 6716 section 3.1: configuration 31)."""
    data = b"\xf8" + number.to_bytes(4, "big") + bytes(60)
    return EncodedFrame(data, codec="opus", timestamp=960 * number, duration=960, audio_level=-30, voice=True)


class MediaSide(Side):
    """A side with audio in section 0 and video in section 1, both ways."""

    def __init__(self, worker: Worker, *, controlling: bool, **options: Any) -> None:
        super().__init__(worker, controlling=controlling, srtp_profiles=GCM)
        self.base = 1000 if controlling else 2000
        self.media = Media(self.peer, self, cname=f"side{self.base}", **options)
        self.frames: dict[int, list[EncodedFrame]] = {AUDIO: [], VIDEO: []}

    def negotiate(self, other: "MediaSide", only: int | None = None, **changes: Any) -> None:
        for section, kind, form in ((AUDIO, "audio", OPUS), (VIDEO, "video", VP8)):
            if only not in (None, section):
                continue
            video = kind == "video"
            rtx, theirs = (self.base + 10, other.base + 10) if video else (None, None)
            settings: dict[str, Any] = {
                "mid": kind,
                "kind": kind,
                "receive": True,
                "send": True,
                "extensions": EXTENSIONS,
                "formats": [form],
                "sources": [(other.base + section, theirs)],
                "send_format": form,
                "encodings": [Encoding(self.base + section, rtx)],
                **changes,
            }
            self.media.set_section(section, **settings)
            self.media.set_receiver(section, self.frames[section].append)


@pytest.fixture(params=KINDS)
def worker(request: pytest.FixtureRequest) -> Iterator[Worker]:
    with contextlib.closing(Worker(**KINDS[request.param])) as worker:
        yield worker


@pytest.fixture
def driven() -> Iterator[Worker]:
    with contextlib.closing(Worker()) as worker:
        yield worker


def media_pair(worker: Worker, wire: Wire | None = None, **options: Any) -> tuple[MediaSide, MediaSide]:
    a, b = (MediaSide(worker, controlling=controlling, **options) for controlling in (True, False))
    a.wire = b.wire = wire
    a.negotiate(b)
    b.negotiate(a)
    join(a, b)
    run([worker], lambda: a.saw("dtls_state", "connected") and b.saw("dtls_state", "connected"))
    return a, b


def until(worker: Worker, wanted: Any, action: Any, limit: float = 20) -> None:
    """`action` every 20 ms, as a source of sound would, until `wanted` holds."""
    last = 0.0

    def step() -> bool:
        nonlocal last
        if time.monotonic() - last > 0.02:
            last = time.monotonic()
            action()
        return bool(wanted())

    end = time.monotonic() + limit
    while not step():
        assert time.monotonic() < end, "timed out"
        with contextlib.suppress(AssertionError):
            run([worker], step, 0.02)


def test_frames_both_ways(worker: Worker) -> None:
    a, b = media_pair(worker)
    sent = 0

    def send() -> None:
        nonlocal sent
        for side in (a, b):
            assert side.media.send(AUDIO, 0, opus(sent))
            assert side.media.send(VIDEO, 0, vp8(sent))
        sent += 1

    until(worker, lambda: all(len(s.frames[k]) >= 30 for s in (a, b) for k in (AUDIO, VIDEO)), send)
    for side, other in ((a, b), (b, a)):
        pictures, sounds = side.frames[VIDEO], side.frames[AUDIO]
        assert [number_of(f) for f in pictures] == list(range(len(pictures)))
        assert bytes(pictures[0]) == bytes(vp8(0))
        assert pictures[0].key
        assert not pictures[1].key
        assert (pictures[0].width, pictures[0].height) == (640, 480)
        times = [frame.timestamp for frame in pictures]
        assert {later - sooner for sooner, later in itertools.pairwise(times)} == {3000}
        assert pictures[0].ssrc == other.base + VIDEO
        assert pictures[0].payload_type == 96
        assert pictures[0].packets >= 3
        assert 0 < pictures[0].arrived <= pictures[0].completed <= pictures[0].released <= time.monotonic()
        heard = [f for f in sounds if not f.lost]
        assert bytes(heard[0])[:5] == bytes(opus(int.from_bytes(bytes(heard[0])[1:5], "big")))[:5]
        assert {f.duration for f in heard} == {960}
        assert heard[0].audio_level == -30
        assert heard[0].voice
        assert side.saw("stream", VIDEO, 0, other.base + VIDEO)


def test_what_is_not_negotiated_cannot_be_sent(driven: Worker) -> None:
    a, b = media_pair(driven)
    with pytest.raises(ValueError, match="a VP8 frame in section 0"):
        a.media.send(AUDIO, 0, vp8(0))
    with pytest.raises(ValueError, match="no such section"):
        a.media.send(AUDIO, 1, opus(0))
    with pytest.raises(ValueError, match="no such section"):
        a.media.send(7, 0, opus(0))
    a.negotiate(b, send=False)
    assert not a.media.send(AUDIO, 0, opus(0))
    a.negotiate(b)
    a.media.set_encoding(AUDIO, 0, active=False)
    assert not a.media.send(AUDIO, 0, opus(0))
    a.media.set_encoding(AUDIO, 0, active=True)
    assert a.media.send(AUDIO, 0, opus(0))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"kind": "text"}, "kind"),
        ({"mid": "a-name-of-more-than-sixteen"}, "mid"),
        ({"formats": [OPUS._replace(payload_type=128)]}, "payload_type"),
        ({"formats": [OPUS._replace(codec="nothing")]}, "codec"),
        ({"formats": [OPUS._replace(feedback=frozenset({"more"}))]}, "feedback"),
        ({"encodings": [Encoding(0)]}, "ssrc"),
        ({"encodings": [Encoding(5 + i) for i in range(9)]}, "encodings"),
        ({"extensions": {MID: 0}}, "extension"),
        ({"rids": [str(i) for i in range(9)]}, "rids"),
        ({"max_delay": -1.0}, "delay|section"),
    ],
)
def test_wrong_sections_say_what_was_expected(driven: Worker, changes: Any, words: str) -> None:
    side = MediaSide(driven, controlling=True)
    with pytest.raises(ValueError, match=words):
        side.negotiate(side, **changes)


def test_a_key_frame_is_asked_for(driven: Worker) -> None:
    a, b = media_pair(driven)
    sent = 0

    def send() -> None:
        nonlocal sent
        a.media.send(VIDEO, 0, vp8(sent, key=sent == 0))
        sent += 1
        if sent == 10:
            b.media.request_key_frame(VIDEO)

    until(driven, lambda: a.saw("key_frame_request", VIDEO, 0), send)


def test_a_bitrate_is_told(driven: Worker) -> None:
    a, _ = media_pair(driven, start_bitrate=500_000)
    until(driven, lambda: a.saw("bitrate", VIDEO, 0), lambda: a.media.send(VIDEO, 0, vp8(0)))
    told = [event[3] for event in a.events if event[:2] == ("bitrate", VIDEO)]
    assert 30_000 <= told[-1] <= 1_000_000


def test_a_busy_taker_loses_the_oldest_and_is_told() -> None:
    with contextlib.closing(Worker(threaded=True)) as worker:
        a, b = media_pair(worker, max_frames=10)
        for number in range(60):
            a.media.send(AUDIO, 0, opus(number))
            time.sleep(0.01)
        run([worker], lambda: b.saw("frames_dropped", AUDIO))
        dropped = sum(event[2] for event in b.events if event[0] == "frames_dropped")
        assert dropped > 10
        assert len(b.frames[AUDIO]) <= 20


def test_nobody_takes_the_frames(driven: Worker) -> None:
    a, b = media_pair(driven)
    b.media.set_receiver(AUDIO, None)
    sent = 0

    def send() -> None:
        nonlocal sent
        a.media.send(AUDIO, 0, opus(sent))
        sent += 1

    until(driven, lambda: b.media.stats()["inbound"] and b.media.stats()["inbound"][0]["frames"] > 5, send)
    assert b.frames[AUDIO] == []


def test_a_receiver_that_raises_stops_nothing(driven: Worker, capsys: pytest.CaptureFixture[str]) -> None:
    a, b = media_pair(driven)
    seen: list[EncodedFrame] = []

    def receiver(frame: EncodedFrame) -> None:
        seen.append(frame)
        raise LookupError("of the receiver's own")

    b.media.set_receiver(AUDIO, receiver)
    with pytest.MonkeyPatch.context() as patch:
        raised: list[Any] = []
        patch.setattr("sys.unraisablehook", raised.append)
        numbers = iter(range(10_000))
        until(driven, lambda: len(seen) > 5, lambda: a.media.send(AUDIO, 0, opus(next(numbers))))
    assert len(raised) >= 5
    assert raised[0].exc_type is LookupError


def test_statistics_count_both_ends(driven: Worker) -> None:
    a, b = media_pair(driven)
    numbers = iter(range(10_000))

    def send() -> None:
        number = next(numbers)
        a.media.send(AUDIO, 0, opus(number))
        a.media.send(VIDEO, 0, vp8(number))

    until(driven, lambda: len(b.frames[VIDEO]) >= 20 and len(b.frames[AUDIO]) >= 20, send)
    sent, got = a.media.stats(), b.media.stats()
    outbound = {one["section"]: one for one in sent["outbound"]}
    inbound = {one["section"]: one for one in got["inbound"]}
    assert outbound[VIDEO]["ssrc"] == inbound[VIDEO]["ssrc"] == a.base + VIDEO
    assert outbound[VIDEO]["frames"] >= inbound[VIDEO]["frames"] >= 20
    assert outbound[AUDIO]["packets"] >= inbound[AUDIO]["packets"] >= 20
    assert inbound[VIDEO]["packets_lost"] == 0
    assert inbound[VIDEO]["width"] == 640
    assert got["transport"]["profile"] == 7
    assert got["transport"]["unauthenticated"] == 0
    assert abs(got["wall"] - time.time()) < 60
    assert got["now"] <= time.monotonic()


def test_a_removed_section_says_bye(driven: Worker) -> None:
    a, b = media_pair(driven)
    numbers = iter(range(10_000))
    until(driven, lambda: len(b.frames[AUDIO]) > 3, lambda: a.media.send(AUDIO, 0, opus(next(numbers))))
    a.media.remove_section(AUDIO)
    a.media.remove_section(AUDIO)
    with pytest.raises(ValueError, match="no such section"):
        a.media.send(AUDIO, 0, opus(0))
    run([driven], lambda: b.saw("stream_ended", AUDIO, 0, a.base + AUDIO))


def test_a_stream_that_loses_rtx_repeats_in_place(driven: Worker) -> None:
    """libsrtp lets a packet be protected twice only where it was told to before the stream's first one."""
    seen: collections.Counter[int] = collections.Counter()
    lossy = False

    def keep(datagram: bytes, sender: int) -> bool:
        if sender != 0 or not 128 <= datagram[0] < 192 or datagram[1] & 127 != 96:
            return True
        number = int.from_bytes(datagram[2:4], "big")
        seen[number] += lossy
        return not lossy or seen[number] > 1 or number % 8 > 0

    with Wire(keep) as wire:
        a, b = media_pair(driven, wire)
        numbers = iter(range(10_000))

        def send() -> None:
            a.media.send(VIDEO, 0, vp8(next(numbers)))

        until(driven, lambda: len(b.frames[VIDEO]) >= 10, send)
        plain = VP8._replace(rtx_payload_type=None)
        for one, other in ((a, b), (b, a)):
            one.negotiate(
                other,
                only=VIDEO,
                formats=[plain],
                sources=[(other.base + VIDEO, None)],
                send_format=plain,
                encodings=[Encoding(one.base + VIDEO)],
            )
        lossy = True
        until(driven, lambda: sum(count > 1 for count in seen.values()) >= 10, send)
        assert a.media.stats()["transport"]["unprotected"] == 0
        assert b.media.stats()["inbound"][0]["ssrc"] == a.base + VIDEO
        pictures = [number_of(frame) for frame in b.frames[VIDEO]]
        assert pictures == list(range(len(pictures)))


def test_another_timestamp_in_the_place_of_the_own(driven: Worker) -> None:
    a, b = media_pair(driven)
    numbers = iter(range(10_000))

    def send() -> None:
        number = next(numbers)
        a.media.send(VIDEO, 0, vp8(number), timestamp=100_000 + 1500 * number)

    until(driven, lambda: len(b.frames[VIDEO]) > 5, send)
    times = [frame.timestamp for frame in b.frames[VIDEO]]
    assert {later - sooner for sooner, later in itertools.pairwise(times)} == {1500}


def test_media_ends_with_its_peer(driven: Worker) -> None:
    a, _ = media_pair(driven)
    a.media.send(AUDIO, 0, opus(0))
    a.peer.close()
    for call in (
        lambda: a.media.send(AUDIO, 0, opus(1)),
        lambda: a.media.request_key_frame(VIDEO),
        lambda: a.media.stats(),
        lambda: a.media.set_receiver(AUDIO, None),
        lambda: a.media.remove_section(AUDIO),
    ):
        with pytest.raises(ConnectionError):
            call()
    with pytest.raises(ConnectionError):
        Media(a.peer, a, cname="again")
    assert "closed" in repr(a.media)


def test_one_media_per_peer(driven: Worker) -> None:
    side = MediaSide(driven, controlling=True)
    with pytest.raises(ValueError, match="exists"):
        Media(side.peer, side, cname="second")
    for cname in ("", "x" * 64):
        other = Side(driven, controlling=True)
        with pytest.raises(ValueError, match="cname"):
            Media(other.peer, other, cname=cname)
    with pytest.raises(ValueError, match="mtu of media"):
        Media(other.peer, other, cname="small", mtu=575)


def test_closing_in_the_middle_leaves_nothing(driven: Worker) -> None:
    a, b = media_pair(driven)
    peer = weakref.ref(b.peer)
    closed = []

    def receiver(frame: EncodedFrame, side: MediaSide = b) -> None:
        side.peer.close()
        closed.append(frame)

    b.media.set_receiver(AUDIO, receiver)
    numbers = iter(range(10_000))
    until(driven, lambda: closed, lambda: a.media.send(AUDIO, 0, opus(next(numbers))))
    assert len(closed) == 1
    a.other = None
    del b, receiver
    gc.collect()
    assert peer() is None
