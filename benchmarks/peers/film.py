"""What is in a file: the numbers of its pictures, and its tone."""

from pathlib import Path

import av
import numpy as np

from . import content


def shown(path: Path) -> list[int]:
    """The numbers of the pictures in a file, those that can be read."""
    with av.open(str(path)) as container:
        numbers = [content.read(frame.to_ndarray(format="gray")) for frame in container.decode(video=0)]
    return [number for number in numbers if number is not None]


def heard(path: Path) -> float:
    """The loudest frequency in the second half of a file."""
    with av.open(str(path)) as container:
        mixer = av.AudioResampler("s16", "mono", 48000)
        parts = [part for frame in container.decode(audio=0) for part in mixer.resample(frame)]
    samples = np.concatenate([part.to_ndarray()[0] for part in parts])
    return content.loudest(samples[len(samples) // 2 :][:24000], 48000)
