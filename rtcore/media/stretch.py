"""Audio made longer, shorter, or up: by whole periods of its own pitch, overlapped, so that it is hardly
heard.

A voice repeats itself every 2.5 to 15 ms. Leaving out one such period, or playing it twice, changes the
length and not the pitch; playing the last one again and again, softer and softer, fills the place of what
was lost (as in ITU-T G.711 appendix I).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Stretcher"]

SHORTEST, LONGEST = 0.0025, 0.015  # seconds: 400 to 67 Hz
KEPT = 0.045
FADE = 0.1  # seconds until what is made up is silent
SIMILAR = 0.5  # of the correlation, from which on a period may be left out or repeated
QUIET = 1e-4  # mean square (of full scale 1) below which any cut is unheard

Block = NDArray[np.int16]


class Stretcher:
    """Of one stream of int16 samples, shape (samples, channels). All that is played goes through it."""

    def __init__(self, rate: int, channels: int) -> None:
        self._rate, self.channels = rate, channels
        self._shortest, self._longest = round(SHORTEST * rate), round(LONGEST * rate)
        self._past: Block = np.zeros((round(KEPT * rate), channels), np.int16)
        self._made_up = 0  # samples since the last real one

    def pass_on(self, block: Block, change: int = 0) -> Block:
        """`block` as it is to be played: about `change` samples longer, or shorter where it is negative. As
        it is where there is no period to cut at: then the next block may have one."""
        if self._made_up and len(block):
            block = self._joined(block)
        self._made_up = 0
        if change and len(block) > 2 * self._shortest:
            block = self._longer(block, change) if change > 0 else self._shorter(block, -change)
        self._remember(block)
        return block

    def conceal(self, count: int) -> Block:
        """`count` samples that go on from what was played last."""
        made = self._continuation(count)
        self._made_up += count
        self._remember(made)
        return made

    def _continuation(self, count: int) -> Block:
        period = self._period(self._past, self._longest)[0]
        cycle = self._past[-period:].astype(np.float32)
        phase = np.arange(count) % period
        fade = FADE * self._rate
        gain = np.clip(1.0 - (np.arange(count) + self._made_up) / fade, 0.0, 1.0).astype(np.float32)
        made: Block = np.rint(cycle[phase] * gain[:, None]).astype(np.int16)
        return made

    def _joined(self, block: Block) -> Block:
        """Its beginning cross-faded with what was made up."""
        count = min(len(block), self._shortest * 2)
        ramp = np.linspace(0.0, 1.0, count, dtype=np.float32)[:, None]
        begin = self._continuation(count) * (1 - ramp) + block[:count] * ramp
        return np.concatenate((np.rint(begin).astype(np.int16), block[count:]))

    def _shorter(self, block: Block, change: int) -> Block:
        longest = min(self._longest, len(block) // 2, max(change, self._shortest))
        period, similar = self._period(block, longest)
        if not similar:
            return block
        end = len(block)  # the last two periods become one
        return np.concatenate(
            (block[: end - 2 * period], _faded(block[-2 * period : -period], block[-period:]))
        )

    def _longer(self, block: Block, change: int) -> Block:
        longest = min(self._longest, len(block) // 2, max(change, self._shortest))
        period, similar = self._period(block, longest)
        if not similar:
            return block
        first, second = block[-2 * period : -period], block[-period:]
        return np.concatenate((block[:-period], _faded(second, first), second))

    def _period(self, block: Block, longest: int) -> tuple[int, bool]:
        """The lag at which the end of `block` is most like itself, and whether that may be cut at."""
        mono = block[-2 * longest :].astype(np.float32).sum(axis=1) / (32768.0 * block.shape[1])
        shortest = min(self._shortest, longest)
        end = mono[-longest:]
        energy = float(np.dot(end, end))
        if energy <= QUIET * longest:
            return longest, True
        lags = np.arange(shortest, longest + 1)
        size = len(mono) - longest
        target = mono[-size:]
        windows: NDArray[Any] = np.lib.stride_tricks.sliding_window_view(mono, size)
        candidates = windows[len(mono) - size - lags]
        norm = np.sqrt((candidates * candidates).sum(axis=1) * float(np.dot(target, target))) + 1e-9
        likeness = candidates @ target / norm
        best = int(np.argmax(likeness))
        return int(lags[best]), bool(likeness[best] >= SIMILAR)

    def _remember(self, block: Block) -> None:
        kept = len(self._past)
        self._past = (
            block[-kept:] if len(block) >= kept else np.concatenate((self._past[len(block) :], block))
        )


def _faded(before: Block, after: Block) -> Block:
    """From the one into the other."""
    ramp = np.linspace(0.0, 1.0, len(before), dtype=np.float32)[:, None]
    return np.rint(before * (1 - ramp) + after * ramp).astype(np.int16)
