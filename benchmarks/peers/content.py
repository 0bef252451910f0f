"""Pictures that carry a number and sounds of one frequency: what the peers send, and recognise when decoded.

The number stands in the picture's top eighth, as in `media.js` and in `rtcore.media.synthetic`, from which
it is independent: 32 bars, black for 0 and white for 1, for 24 bits of the number and 8 to check them.
"""

import math

import numpy as np
import numpy.typing as npt

BARS = 32

Picture = npt.NDArray[np.uint8]
Samples = npt.NDArray[np.int16]


def check(number: int) -> int:
    return (number * 0x9D ^ number >> 8 ^ number >> 16 ^ 0x5A) & 0xFF


def draw(number: int, width: int = 640, height: int = 360) -> Picture:
    """RGB, shape (height, width, 3)."""
    picture = np.empty((height, width, 3), np.uint8)
    picture[:] = (40 + number * 3 % 160, 90, 200 - number * 5 % 150)
    left = number * 7 % width
    picture[height // 2 : height * 5 // 8, left : left + width // 8] = 255  # something that moves
    mark(picture, number)
    return picture


def mark(picture: Picture, number: int) -> None:
    """Draws the number into a picture."""
    height, width = picture.shape[:2]
    word = number << 8 | check(number)
    bits = np.array([word >> (BARS - 1 - bar) & 1 for bar in range(BARS)])
    picture[: height // 8] = 255 * bits[np.arange(width) * BARS // width][None, :, None]


def read(luma: Picture) -> int | None:
    """The number in a picture of shape (height, width); None if it did not survive."""
    height, width = luma.shape
    values = luma[height // 16, ((np.arange(BARS) + 0.5) * width / BARS).astype(int)].astype(int)
    if np.any(np.abs(values - 126) < 40):
        return None
    word = int("".join("1" if value > 126 else "0" for value in values), 2)
    return word >> 8 if word & 0xFF == check(word >> 8) else None


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


def level(samples: Samples) -> float | None:
    """dB of full scale; None for digital silence, whose -infinity JSON cannot say."""
    power = float(np.mean((samples / 32768.0) ** 2)) if len(samples) else 0.0
    return 10 * math.log10(power) if power else None
