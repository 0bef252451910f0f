"""What the programs do to what they receive, so that a test can tell it from what was sent: a picture comes
back with a number 2,000,000 higher, a tone an octave higher."""

import numpy as np

from benchmarks.peers import content

ADDED = 2_000_000


def picture(pixels: content.Picture) -> content.Picture:
    """Of shape (height, width, 3); unchanged if its number cannot be read."""
    number = content.read(pixels[:, :, 1])
    if number is None:
        return pixels
    changed = pixels.copy()
    content.mark(changed, number + ADDED)
    return changed


def sound(samples: content.Samples) -> content.Samples:
    """One channel. The square of a sine is a sine of twice the frequency."""
    square = (samples / 32768.0) ** 2
    return np.asarray(32768 * 1.9 * (square - square.mean()), np.int16)
