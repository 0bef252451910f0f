"""`MediaStream`: tracks that belong together, audio and video of one camera for example."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, ClassVar
from uuid import uuid4

from rtcore.emitter import Emitter

if TYPE_CHECKING:
    from rtcore.media import MediaTrack

__all__ = ["MediaStream"]


class MediaStream(Emitter):
    """W3C MediaStream. The tracks of a stream that the other end sends are played in sync.

    Events: "addtrack" and "removetrack" pass the track, when the other end changes its stream.
    """

    _names: ClassVar[tuple[str, ...]] = ("addtrack", "removetrack")

    def __init__(self, tracks: Iterable[MediaTrack] = (), *, id: str | None = None) -> None:
        super().__init__()
        self._id = id or str(uuid4())
        self._tracks: dict[str, MediaTrack] = {track.id: track for track in tracks}

    @property
    def id(self) -> str:
        """The name that both ends know it by."""
        return self._id

    @property
    def active(self) -> bool:
        """Whether a track of it is still live."""
        return any(track.ready_state == "live" for track in self._tracks.values())

    @property
    def tracks(self) -> tuple[MediaTrack, ...]:
        """In the order in which they were added."""
        return tuple(self._tracks.values())

    def __iter__(self) -> Iterator[MediaTrack]:
        return iter(self.tracks)

    def __len__(self) -> int:
        return len(self._tracks)

    def add_track(self, track: MediaTrack) -> None:
        """Nothing if it is there already."""
        self._tracks[track.id] = track

    def remove_track(self, track: MediaTrack) -> None:
        """Nothing if it is not there."""
        self._tracks.pop(track.id, None)

    def _joined(self, track: MediaTrack) -> None:
        """By the other end."""
        if track.id not in self._tracks:
            self.add_track(track)
            self._emit("addtrack", track)

    def _left(self, track: MediaTrack) -> None:
        if track.id in self._tracks:
            self.remove_track(track)
            self._emit("removetrack", track)

    def __repr__(self) -> str:
        return f"<MediaStream {self._id} of {len(self)} tracks>"
