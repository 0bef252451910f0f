"""Audio and video: tracks, codecs, and where frames come from and go to. Codecs and files are PyAV's.

A track gives frames to whoever awaits its `recv()`: `av.VideoFrame` and `av.AudioFrame`, or `EncodedFrame`
where it is encoded already. `rtcore.media.codecs` has the encoders and decoders, `rtcore.media.pool` the
threads they run on.
"""

from rtcore.native.frame import EncodedFrame

from .pcm import PcmReader, PcmTrack
from .remote import RemoteTrack
from .synthetic import TestPicture, TestTone
from .taps import DecodedTrack, EncodedTrack
from .track import Kind, MediaTrack

__all__ = [
    "DecodedTrack",
    "EncodedFrame",
    "EncodedTrack",
    "Kind",
    "MediaTrack",
    "PcmReader",
    "PcmTrack",
    "RemoteTrack",
    "TestPicture",
    "TestTone",
]
