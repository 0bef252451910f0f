"""Audio made a little longer, shorter, or up: pitch-synchronous time stretching and concealment of int16
PCM."""

from typing import final

import numpy as np
from numpy.typing import NDArray
from typing_extensions import Buffer

@final
class Stretcher:
    """Of one stream of int16 samples. All that is played goes through it, in order. Not to be used by two
    threads at once."""

    rate: int
    """Samples per second."""
    channels: int
    """How many; 1 is mono."""

    def __init__(self, rate: int, channels: int = 1) -> None:
        """`rate` from 8000 to 192000, up to 8 channels; `ValueError` beyond."""
    def pass_on(self, block: Buffer | NDArray[np.int16], change: int = 0) -> NDArray[np.int16]:
        """`block` as it is to be played: `change` samples longer, or shorter where it is negative.

        `block`: int16, shape (samples, channels), or interleaved in one dimension; contiguous. Returns an
        array of shape (samples, channels). Only whole periods of the pitch come or go, so the length is the
        wish to within 15 ms, and the rest is kept for the next block (`owed`). `ValueError` for other shapes
        and types."""
    def conceal(self, count: int) -> NDArray[np.int16]:
        """`count` samples that go on from what was played last: at full level for 20 ms, silent after 120 ms.
        An array of shape (samples, channels)."""
    @property
    def owed(self) -> int:
        """How many samples of all wishes so far were not met yet; longer is positive."""
