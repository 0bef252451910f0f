"""Audio and video: tracks, codecs, and where frames come from and go to. Codecs and files are PyAV's."""

from .track import Kind, MediaTrack

__all__ = ["Kind", "MediaTrack"]
