"""One sequence of encoded frames to any number of peers of one worker (native/io/fanout.h).

Each frame is cut into packets once, and all peers' packets leave in common batches. Python is called once
per frame, or not at all if the frames come from another peer (`take_from()`): then they never leave the
worker.
"""

from collections.abc import Callable
from typing import Any, Self, final

from rtcore.native.frame import EncodedFrame
from rtcore.native.media import Format, Media
from rtcore.native.worker import Worker

@final
class Fanout:
    """Gives frames of one `format` to sections of many peers.

    The source is the application (`send()`) or a section that a peer receives (`take_from()`). A peer gets
    frames from its first key frame on. `on_key_frame_request()`: some peer needs one, for the application's
    source; `on_bitrate(bitrate)`: the lowest target of all peers has changed, bit/s, 0 while there is none.
    Both are called from `Worker.run()`, where the peers' own handlers hear nothing of these any more. The
    worker keeps the fan-out alive until `close()`, which is idempotent; afterwards all methods raise
    `ConnectionError`. `ValueError`: a format that cannot be sent.
    """

    def __init__(
        self,
        worker: Worker,
        format: Format,
        *,
        on_key_frame_request: Callable[[], object] | None = None,
        on_bitrate: Callable[[int], object] | None = None,
    ) -> None: ...
    def __len__(self) -> int: ...
    def __bool__(self) -> bool: ...
    def add(self, media: Media, section: int, encoding: int = 0) -> None:
        """It gets the frames from the next key frame on. Over with its peer. `ValueError`: another worker,
        or it has a source already."""
    def remove(self, media: Media, section: int, encoding: int = 0) -> None:
        """`ValueError`: it does not get the frames."""
    def take_from(
        self,
        media: Media | None,
        section: int = 0,
        encoding: int | None = None,
        *,
        also_receive: bool = False,
    ) -> None:
        """Forwards what `media` receives in `section`; key frame requests go back there. Set that section up
        with `passthrough`: a jitter buffer's delay is of no use here. `encoding` None: the one that comes
        first, another once that has been silent for a second. `also_receive`: the section's receiver still
        gets the frames. `media` None: from the application again. `ValueError`: another worker."""
    def send(self, frame: EncodedFrame, captured: float | None = None) -> None:
        """One frame to all. What may leave at once has left when this returns; the pacers spread the rest.
        `captured`: when it was taken, in seconds of the core's clock; None: now. `ValueError`: not a frame
        of the format's codec."""
    def stats(self) -> dict[str, Any]:
        """consumers, bitrate (the lowest target, bit/s), frames (given out), refused (another codec, or not
        a frame), key_frame_requests."""
    def __enter__(self) -> Self: ...
    def __exit__(self, *error: object) -> None: ...
    def close(self) -> None:
        """Its peers get no more frames. Idempotent."""
