"""rtcore.native.frame: encoded frames as Python sees them."""

import copy
import gc
import math
import pickle
import threading
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtcore.native.frame import EncodedFrame

CODECS = (
    "opus", "PCMU", "PCMA", "G722", "L16", "telephone-event", "CN", "VP8", "VP9", "H264", "H265", "AV1",
)  # fmt: skip


def make(data: Any = b"payload", **fields: Any) -> EncodedFrame:
    return EncodedFrame(data, **{"codec": "VP8", "timestamp": 90_000, **fields})


def test_fields_without_a_value_tell_nothing() -> None:
    frame = make()
    assert bytes(frame) == b"payload"
    assert (frame.codec, frame.timestamp, frame.duration) == ("VP8", 90_000, 0)
    flags = ("key", "lost", "discontinuity", "recovered", "discardable", "marker", "voice")
    assert not any(getattr(frame, name) for name in flags)
    zeros = (
        "spatial", "temporal", "rotation", "width", "height", "stretch",
        "ssrc", "payload_type", "encoding", "packets",
    )  # fmt: skip
    assert [getattr(frame, name) for name in zeros] == [0] * len(zeros)
    assert (frame.arrived, frame.completed, frame.released) == (0.0, 0.0, 0.0)
    assert frame.audio_level is None
    assert frame.captured is None


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("timestamp", -5),
        ("timestamp", 2**40),
        ("duration", 2**32 - 1),
        ("key", True),
        ("discardable", True),
        ("marker", True),
        ("voice", True),
        ("discontinuity", True),
        ("spatial", 2),
        ("temporal", 3),
        ("audio_level", -127),
        ("audio_level", 0),
        ("rotation", 270),
        ("width", 1920),
        ("height", 65535),
        ("stretch", -960),
    ],
)
def test_each_field_is_kept(name: str, value: object) -> None:
    assert getattr(make(**{name: value}), name) == value


@pytest.mark.parametrize("codec", CODECS)
def test_a_codec_has_its_sdp_name(codec: str) -> None:
    assert make(codec=codec).codec == codec
    assert make(codec=codec.swapcase()).codec == codec  # RFC 4855 section 3: in any case


def test_a_lost_frame_has_no_data_and_is_true() -> None:
    frame = make(b"", codec="opus", duration=960, lost=True)
    assert frame.lost
    assert frame
    assert len(frame) == 0
    with pytest.raises(ValueError, match="no data"):
        make(b"x", lost=True)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"codec": "VP7"}, "codec"),
        ({"codec": "red"}, "red"),
        ({"codec": ""}, "codec"),
        ({"codec": None}, "codec"),
        ({"duration": -1}, "duration"),
        ({"duration": 2**32}, "duration"),
        ({"spatial": 256}, "spatial"),
        ({"temporal": -1}, "temporal"),
        ({"audio_level": 1}, "audio_level"),
        ({"audio_level": -128}, "audio_level"),
        ({"rotation": 45}, "rotation"),
        ({"width": 65536}, "width"),
        ({"height": -1}, "height"),
        ({"captured": -1.0}, "captured"),
        ({"captured": math.nan}, "captured"),
        ({"captured": 2.0**32}, "captured"),
        ({"timestamp": 2**63}, "timestamp"),
    ],
)
def test_wrong_arguments_say_what_was_expected(fields: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        make(**fields)


@pytest.mark.parametrize("data", ["text", 5, None])
def test_data_has_the_buffer_protocol(data: object) -> None:
    with pytest.raises(TypeError):
        make(data)


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_any_buffer_is_copied_once(kind: Any) -> None:
    frame = make(kind(b"abc"))
    assert bytes(make(frame)) == bytes(frame) == b"abc"


def test_later_changes_of_the_source_do_not_show() -> None:
    source = bytearray(b"before")
    frame = make(source)
    source[:] = b"after!"
    assert bytes(frame) == b"before"


def test_a_view_shares_the_memory_and_keeps_it() -> None:
    frame = make(bytes(range(200)))
    first, second = frame.data, memoryview(frame)
    assert first.readonly
    assert second.readonly
    with pytest.raises(TypeError):
        first[0] = 1
    del frame
    gc.collect()
    again = [make(b"\xff" * 200) for _ in range(50)]  # would overwrite memory that was given back
    assert first == second == bytes(range(200))
    assert len(again) == 50


def test_a_frame_cannot_be_changed() -> None:
    frame: Any = make()
    for name in ("timestamp", "key", "codec"):
        with pytest.raises(AttributeError):
            setattr(frame, name, 1)
    with pytest.raises(RuntimeError):
        frame.__init__(b"other", codec="VP8", timestamp=0)


def test_what_was_never_initialised_is_empty() -> None:
    frame = EncodedFrame.__new__(EncodedFrame)
    assert bytes(frame) == b""
    assert frame.codec is None
    assert "EncodedFrame" in repr(frame)


def test_a_frame_is_neither_pickled_nor_copied() -> None:
    for function in (pickle.dumps, copy.copy):
        with pytest.raises(TypeError):
            function(make())


def test_repr_tells_what_it_is() -> None:
    assert repr(make(key=True)) == "<EncodedFrame VP8 key timestamp=90000 7 bytes>"
    assert repr(make(b"", codec="opus", lost=True)) == "<EncodedFrame opus lost timestamp=90000 0 bytes>"


@given(st.floats(min_value=1.0, max_value=2.0e9))
def test_the_capture_time_is_exact_to_a_microsecond(captured: float) -> None:
    told = make(captured=captured).captured
    assert told is not None
    assert abs(told - captured) < 1e-6


@given(st.binary(max_size=4096), st.integers(-(2**62), 2**62))
def test_bytes_and_timestamps_come_back(data: bytes, timestamp: int) -> None:
    frame = make(data, timestamp=timestamp)
    assert bytes(frame) == data
    assert len(frame) == len(data)
    assert frame.timestamp == timestamp


def test_threads_may_share_a_frame() -> None:
    frame = make(b"x" * 1000)
    wrong: list[int] = []

    def use() -> None:
        wrong.extend(i for i in range(2000) if bytes(frame.data[:3]) != b"xxx")

    threads = [threading.Thread(target=use) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_frames_come_and_go_cheaply() -> None:
    """Not a benchmark: a bound that only a leak or a slow path would break."""
    data = bytes(1000)
    begin = time.perf_counter()
    for _ in range(10_000):
        make(data)
    assert time.perf_counter() - begin < 2.0
