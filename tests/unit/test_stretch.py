"""rtcore.native.stretch: shapes and types, lengths as asked, pitch kept."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from rtcore.native.stretch import Stretcher


def tone(frequency: float, rate: int, seconds: float, channels: int = 1) -> NDArray[np.int16]:
    wave = np.rint(12000 * np.sin(2 * np.pi * frequency * np.arange(round(rate * seconds)) / rate))
    return np.repeat(wave.astype(np.int16)[:, None], channels, axis=1)


def loudest_frequency(samples: NDArray[np.int16], rate: int) -> float:
    windowed = samples[:, 0] * np.hanning(len(samples))
    return float(np.argmax(np.abs(np.fft.rfft(windowed))) * rate / len(samples))


@pytest.mark.parametrize("change", [-240, -60, 60, 240])
@pytest.mark.parametrize("frequency", [120, 440, 1000])
def test_length_and_pitch(frequency: float, change: int) -> None:
    rate, block = 48000, 960
    stretcher = Stretcher(rate, 2)
    source = tone(frequency, rate, 4, 2)
    played = [stretcher.pass_on(source[:block])]
    played += [stretcher.pass_on(source[at : at + block], change) for at in range(block, len(source), block)]
    out = np.concatenate(played)
    asked = change * (len(source) // block - 1)
    assert len(out) - len(source) == asked - stretcher.owed
    assert abs(stretcher.owed) <= 0.015 * rate
    assert loudest_frequency(out, rate) == pytest.approx(frequency, rel=0.01)


def test_as_it_is_without_a_wish() -> None:
    stretcher = Stretcher(16000)
    source = tone(300, 16000, 0.02)
    out = stretcher.pass_on(source)
    assert out.dtype == np.int16
    assert out.shape == (320, 1)
    assert np.array_equal(out, source)
    assert np.array_equal(stretcher.pass_on(source[:, 0]), source)
    assert np.array_equal(stretcher.pass_on(source.data), source)


def test_concealment_goes_on_and_fades() -> None:
    stretcher = Stretcher(48000)
    source = tone(200, 48000, 0.1)
    stretcher.pass_on(source)
    made = [stretcher.conceal(960) for _ in range(8)]
    levels = [float(np.abs(block).mean()) for block in made]
    assert levels[0] == pytest.approx(float(np.abs(source).mean()), rel=0.1)
    assert all(after <= before for before, after in itertools.pairwise(levels))
    assert levels[-1] == 0
    assert stretcher.conceal(0).shape == (0, 1)


@settings(deadline=None, max_examples=50)
@given(
    rate=st.integers(8000, 96000),
    channels=st.integers(1, 8),
    calls=st.lists(st.tuples(st.integers(0, 3000), st.integers(-4000, 4000), st.booleans()), max_size=20),
)
def test_any_calls(rate: int, channels: int, calls: list[tuple[int, int, bool]]) -> None:
    stretcher = Stretcher(rate, channels)
    chance = np.random.default_rng(1)
    asked = got = 0
    for count, change, lost in calls:
        if lost:
            assert stretcher.conceal(count).shape == (count, channels)
            continue
        block = chance.integers(-32768, 32768, (count, channels), dtype=np.int16)
        out = stretcher.pass_on(block, change)
        assert out.shape[1] == channels
        got += len(out) - count
        asked += change
        if abs(asked) <= 0.1 * rate:  # more is not owed
            assert abs(stretcher.owed) <= 0.1 * rate + 4000


@settings(deadline=None, max_examples=60)
@given(
    channels=st.integers(1, 3),
    changes=st.lists(st.integers(-300, 300), min_size=1, max_size=20),
    seed=st.integers(0, 2**32 - 1),
)
def test_noise_keeps_its_level(channels: int, changes: list[int], seed: int) -> None:
    chance = np.random.default_rng(seed)
    stretcher = Stretcher(16000, channels)
    for change in changes:
        block = chance.integers(-3000, 3000, (320, channels)).astype(np.int16)
        made = stretcher.pass_on(block, change) if change % 7 else stretcher.conceal(320)
        assert np.abs(made.astype(int)).max(initial=0) <= 4500


def test_refuses() -> None:
    for rate, channels in [(7999, 1), (192001, 1), (48000, 0), (48000, 9)]:
        with pytest.raises(ValueError, match=r"rate|channels"):
            Stretcher(rate, channels)
    stretcher = Stretcher(48000, 2)
    for wrong in [
        np.zeros((4, 3), np.int16),
        np.zeros(5, np.int16),
        np.zeros((4, 2), np.uint16),
        np.zeros((4, 2), np.float32),
        b"1234",
    ]:
        with pytest.raises(ValueError, match=r"int16|channels|shape"):
            stretcher.pass_on(wrong)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="contiguous"):
        stretcher.pass_on(np.zeros((4, 4), np.int16)[:, ::2])
    with pytest.raises(ValueError, match="change"):
        stretcher.pass_on(np.zeros((4, 2), np.int16), 1 << 40)
    with pytest.raises(ValueError, match="count"):
        stretcher.conceal(-1)
