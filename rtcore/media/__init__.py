"""Audio and video: tracks, codecs, and where frames come from and go to. Codecs and files are PyAV's.

A track gives frames to whoever awaits its `recv()`: `av.VideoFrame` and `av.AudioFrame`, or `EncodedFrame`
where it is encoded already. `rtcore.media.codecs` has the encoders and decoders, `rtcore.media.pool` the
threads they run on.
"""

from rtcore.native.frame import EncodedFrame

from .devices import (
    AudioConstraints,
    Device,
    UserMedia,
    VideoConstraints,
    enumerate_devices,
    get_display_media,
    get_user_media,
)
from .pcm import PcmReader, PcmTrack
from .player import MediaPlayer, PlayerTrack
from .recorder import MediaRecorder
from .relay import MediaBlackhole, MediaRelay, RelayTrack
from .remote import RemoteTrack
from .sources import AudioSource, EncodedSource, VideoSource
from .synthetic import TestPicture, TestTone
from .taps import DecodedTrack, EncodedTrack
from .track import Kind, MediaTrack

__all__ = [
    "AudioConstraints",
    "AudioSource",
    "DecodedTrack",
    "Device",
    "EncodedFrame",
    "EncodedSource",
    "EncodedTrack",
    "Kind",
    "MediaBlackhole",
    "MediaPlayer",
    "MediaRecorder",
    "MediaRelay",
    "MediaTrack",
    "PcmReader",
    "PcmTrack",
    "PlayerTrack",
    "RelayTrack",
    "RemoteTrack",
    "TestPicture",
    "TestTone",
    "UserMedia",
    "VideoConstraints",
    "VideoSource",
    "enumerate_devices",
    "get_display_media",
    "get_user_media",
]
