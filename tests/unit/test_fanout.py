"""rtcore.native.fanout: one sequence of frames to many peers, over loopback, without any codec."""

import contextlib
from collections.abc import Iterator

import pytest

from rtcore.native.fanout import Fanout
from rtcore.native.frame import EncodedFrame
from rtcore.native.worker import Worker
from test_media_native import OPUS, VIDEO, VP8, MediaSide, media_pair, number_of, opus, until, vp8
from worker_sides import KINDS, run


@pytest.fixture(params=KINDS)
def worker(request: pytest.FixtureRequest) -> Iterator[Worker]:
    with contextlib.closing(Worker(**KINDS[request.param])) as worker:
        yield worker


@pytest.fixture
def pairs(worker: Worker) -> list[tuple[MediaSide, MediaSide]]:
    return [media_pair(worker) for _ in range(3)]


Pairs = list[tuple[MediaSide, MediaSide]]


def test_frames_of_the_application(worker: Worker, pairs: Pairs) -> None:
    requests: list[bool] = []
    rates: list[int] = []
    fanout = Fanout(worker, VP8, on_key_frame_request=lambda: requests.append(True), on_bitrate=rates.append)
    for near, _ in pairs:
        fanout.add(near.media, VIDEO)
    assert len(fanout) == 3
    run([worker], lambda: bool(requests and rates))  # the peers have to begin with a key frame
    assert rates[-1] > 30_000
    sent = 0

    def send() -> None:
        nonlocal sent
        fanout.send(vp8(sent))
        sent += 1

    until(worker, lambda: all(len(far.frames[VIDEO]) >= 20 for _, far in pairs), send)
    for _, far in pairs:
        numbers = [number_of(frame) for frame in far.frames[VIDEO]]
        assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
        assert bytes(far.frames[VIDEO][0]) == bytes(vp8(numbers[0]))
        assert far.frames[VIDEO][0].key
    stats = fanout.stats()
    assert stats["consumers"] == 3
    assert stats["frames"] == sent
    assert stats["refused"] == 0
    assert stats["key_frame_requests"] >= 1
    assert stats["bitrate"] == rates[-1]


def test_from_one_peer_to_the_others(worker: Worker, pairs: Pairs) -> None:
    source, *others = pairs
    fanout = Fanout(worker, VP8)
    fanout.take_from(source[0].media, VIDEO)
    for near, _ in others:
        fanout.add(near.media, VIDEO)
    sent = 0

    def send() -> None:
        nonlocal sent
        source[1].media.send(VIDEO, 0, vp8(sent))
        sent += 1

    until(worker, lambda: all(len(far.frames[VIDEO]) >= 20 for _, far in others), send)
    assert not source[0].frames[VIDEO]  # Python has not seen them
    for _, far in others:
        numbers = [number_of(frame) for frame in far.frames[VIDEO]]
        assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
    fanout.take_from(source[0].media, VIDEO, also_receive=True)
    until(worker, lambda: len(source[0].frames[VIDEO]) >= 3, send)
    fanout.take_from(None)
    before = [len(far.frames[VIDEO]) for _, far in others]
    until(worker, lambda: len(source[0].frames[VIDEO]) >= 10, send)
    after = [len(far.frames[VIDEO]) for _, far in others]
    assert all(b - a <= 5 for a, b in zip(before, after, strict=True))  # those that were on their way


def test_peers_and_fanouts_close(worker: Worker, pairs: Pairs) -> None:
    fanout = Fanout(worker, VP8)
    for near, _ in pairs:
        fanout.add(near.media, VIDEO)
    pairs[0][0].peer.close()
    assert len(fanout) == 2
    with pytest.raises(ConnectionError):
        fanout.add(pairs[0][0].media, VIDEO)
    with pytest.raises(ConnectionError):
        fanout.take_from(pairs[0][0].media, VIDEO)
    fanout.remove(pairs[1][0].media, VIDEO)
    assert len(fanout) == 1
    with pytest.raises(ValueError, match="section"):
        fanout.remove(pairs[1][0].media, VIDEO)
    fanout.close()
    fanout.close()
    assert not fanout
    assert repr(fanout) == "<Fanout closed>"
    for call in (
        lambda: len(fanout),
        lambda: fanout.send(vp8(0)),
        lambda: fanout.add(pairs[1][0].media, VIDEO),
        fanout.stats,
    ):
        with pytest.raises(ConnectionError):
            call()
    with Fanout(worker, VP8) as another:  # what the first one gave is free again
        another.add(pairs[2][0].media, VIDEO)


def test_closed_with_its_worker() -> None:
    with contextlib.closing(Worker()) as worker:
        near, _ = media_pair(worker)
        fanout = Fanout(worker, VP8)
        fanout.add(near.media, VIDEO)
    with pytest.raises(ConnectionError):
        fanout.send(vp8(0))
    fanout.close()


def test_arguments(worker: Worker) -> None:
    near, _ = media_pair(worker)
    fanout = Fanout(worker, VP8)
    fanout.add(near.media, VIDEO)
    with pytest.raises(ValueError, match="section 1"):
        fanout.add(near.media, VIDEO)
    with pytest.raises(ValueError, match="opus frame"):
        fanout.send(opus(0))
    with pytest.raises(ValueError, match="section"):
        fanout.add(near.media, 256)
    with pytest.raises(ValueError, match="encoding"):
        fanout.take_from(near.media, VIDEO, 8)
    with pytest.raises(ValueError, match="codec"):
        Fanout(worker, OPUS._replace(codec="none such"))
    with contextlib.closing(Worker()) as other, pytest.raises(ValueError, match="another worker"):
        Fanout(other, VP8).add(near.media, VIDEO)


def test_frames_are_shared_not_kept(worker: Worker) -> None:
    near, far = media_pair(worker)
    with Fanout(worker, VP8) as fanout:
        fanout.add(near.media, VIDEO)
        frame = EncodedFrame(bytes(vp8(0)), codec="VP8", timestamp=7, key=True)
        fanout.send(frame)
        run([worker], lambda: bool(far.frames[VIDEO]))
        assert bytes(far.frames[VIDEO][0]) == bytes(frame)
