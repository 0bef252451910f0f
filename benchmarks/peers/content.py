"""Pictures that carry a number and sounds of one frequency: what tests send, and recognise after decoding.

The number stands in 16 cells across the picture's top eighth, the most significant bit first, white for 1,
and inverted in the eighth below: `media.js` draws and reads the same.
"""

import numpy as np
import numpy.typing as npt

CELLS = 16

Picture = npt.NDArray[np.uint8]
Samples = npt.NDArray[np.int16]


def draw(number: int, width: int = 640, height: int = 360) -> Picture:
    """RGB, shape (height, width, 3)."""
    picture = np.empty((height, width, 3), np.uint8)
    picture[:] = (40 + number * 3 % 160, 90, 200 - number * 5 % 150)
    left = number * 7 % width
    picture[height // 2 : height * 5 // 8, left : left + width // 8] = 255  # something that moves
    edges = [round(cell * width / CELLS) for cell in range(CELLS + 1)]
    for cell in range(CELLS):
        bit = number >> (CELLS - 1 - cell) & 1
        picture[: height // 8, edges[cell] : edges[cell + 1]] = 255 * bit
        picture[height // 8 : height // 4, edges[cell] : edges[cell + 1]] = 255 * (1 - bit)
    return picture


def read(picture: Picture) -> int | None:
    """The number in a picture of shape (height, width, 3) or (height, width); None if the rows disagree."""
    height, width = picture.shape[:2]
    number = 0
    for cell in range(CELLS):
        x = int((cell + 0.5) * width / CELLS)
        upper, lower = (float(np.mean(picture[row * height // 16, x])) for row in (1, 3))
        if abs(upper - lower) < 48:
            return None
        number = number << 1 | (upper > lower)
    return number


def tone(frequency: float, rate: int, first: int, count: int) -> Samples:
    """Samples `first` to `first + count` of a sine at `rate`, half of full scale."""
    at = np.arange(first, first + count) / rate
    return (16384 * np.sin(2 * np.pi * frequency * at)).astype(np.int16)


def loudest(samples: Samples, rate: int) -> float:
    """The loudest frequency in Hz; 0 for silence."""
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples))))
    spectrum[0] = 0
    return (
        float(np.argmax(spectrum)) * rate / len(samples) if spectrum.max() > 100 * len(samples) / 16 else 0.0
    )
