"""Cameras, microphones and screens, as in the browser: `get_user_media`, `get_display_media`,
`enumerate_devices`.

    media = await get_user_media(audio=True, video={"width": 1280, "height": 720, "frame_rate": 30})
    pc.add_track(media.video)

FFmpeg opens them: video4linux and ALSA (PulseAudio where FFmpeg has it) on Linux, AVFoundation on macOS,
DirectShow on Windows, X11 for the screen. Fake ones, a moving picture with a counter and a tone, are there
with `fake=True`, or for a whole process with the environment variable RTCORE_FAKE_DEVICES=1: for tests, and
machines without any.
"""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypedDict

import av
from av.device import enumerate_input_devices

from rtcore.errors import NotSupportedError, OperationError

from . import pool
from .closing import Closing
from .player import MediaPlayer
from .synthetic import TestPicture, TestTone
from .track import MediaTrack

__all__ = [
    "AudioConstraints",
    "Device",
    "UserMedia",
    "VideoConstraints",
    "enumerate_devices",
    "get_display_media",
    "get_user_media",
]

FAKE_VARIABLE = "RTCORE_FAKE_DEVICES"
VIDEO_INPUTS = {"Linux": ("v4l2",), "Darwin": ("avfoundation",), "Windows": ("dshow",)}
AUDIO_INPUTS = {"Linux": ("pulse", "alsa"), "Darwin": ("avfoundation",), "Windows": ("dshow",)}
SCREENS = {"Linux": "x11grab", "Darwin": "avfoundation", "Windows": "gdigrab"}
NAMES = {"v4l2": "video4linux2,v4l2"}
"""FFmpeg's name for listing an input where it is not that for opening it."""


class VideoConstraints(TypedDict, total=False):
    """What a camera should give; `width` and `height` together. What it cannot is not an error: it gives
    what it can. `device_id`: one of `enumerate_devices()`, or what FFmpeg calls it."""

    device_id: str
    width: int
    height: int
    frame_rate: float


class AudioConstraints(TypedDict, total=False):
    """What a microphone should give."""

    device_id: str
    sample_rate: int
    channels: int


@dataclass(frozen=True, slots=True)
class Device:
    """One input. `device_id` is what constraints take; `format` is FFmpeg's."""

    kind: Literal["audioinput", "videoinput"]
    device_id: str
    label: str
    format: str
    default: bool = False


FAKE_DEVICES = (
    Device("videoinput", "fake:picture", "Moving picture", "fake", True),
    Device("audioinput", "fake:tone", "Tone of 440 Hz", "fake", True),
)


class UserMedia(Closing):
    """The tracks of a device or two: `audio` and `video`, None where not asked for. Closing it gives the
    devices back."""

    def __init__(
        self, audio: MediaTrack | None, video: MediaTrack | None, players: tuple[MediaPlayer, ...] = ()
    ) -> None:
        self.audio, self.video = audio, video
        self._players = players

    @property
    def tracks(self) -> tuple[MediaTrack, ...]:
        return tuple(track for track in (self.audio, self.video) if track is not None)

    async def close(self) -> None:
        """Ends the tracks. Idempotent."""
        for track in self.tracks:
            track.stop()
        for player in self._players:
            await player.close()


async def enumerate_devices(*, fake: bool | None = None) -> list[Device]:
    """The cameras and microphones that there are."""
    if _faked(fake):
        return list(FAKE_DEVICES)
    return await pool.run(_devices)


async def get_user_media(
    *,
    audio: bool | AudioConstraints = False,
    video: bool | VideoConstraints = False,
    fake: bool | None = None,
) -> UserMedia:
    """Opens a microphone, a camera or both. `True`: the default one, as it is.

    `fake`: True for synthetic ones, None if the environment says so. `TypeError` if nothing is asked for,
    `ValueError` for constraints out of range, `OperationError` if there is no such device or it cannot be
    opened."""
    if audio is False and video is False:
        raise TypeError("ask for audio, video or both")
    sound = _checked(audio, AudioConstraints.__annotations__)
    picture = _checked(video, VideoConstraints.__annotations__)
    if _faked(fake):
        return UserMedia(
            None if audio is False else _fake_audio(sound), None if video is False else _fake_video(picture)
        )
    devices = await enumerate_devices(fake=False)
    players: list[MediaPlayer] = []
    try:
        if video is not False:
            players.append(await _open(_chosen(devices, "videoinput", picture), _video_options(picture)))
        if audio is not False:
            players.append(await _open(_chosen(devices, "audioinput", sound), _audio_options(sound)))
    except BaseException:
        for player in players:
            await player.close()
        raise
    tracks = {
        kind: track
        for one in players
        for kind, track in (("audio", one.audio), ("video", one.video))
        if track
    }
    return UserMedia(tracks.get("audio"), tracks.get("video"), tuple(players))


async def get_display_media(
    *, video: bool | VideoConstraints = True, fake: bool | None = None, display: str | None = None
) -> UserMedia:
    """Opens the screen. `display`: which one; on X11 as in $DISPLAY (":0.0+100,200" begins there), on macOS
    the number that FFmpeg gives it. `OperationError` if there is none."""
    picture = _checked(video, VideoConstraints.__annotations__)
    if _faked(fake):
        return UserMedia(None, _fake_video(picture))
    system = platform.system()
    format = SCREENS.get(system)
    if format is None or not _has(format):
        raise NotSupportedError("FFmpeg cannot capture the screen of this system")
    if system == "Linux":
        file = display or os.environ.get("DISPLAY", "")
        if not file:
            raise OperationError("there is no X display: $DISPLAY is not set")
    else:
        file = display or ("Capture screen 0" if system == "Darwin" else "desktop")
    device = Device("videoinput", file, "Screen", format)
    player = await _open(device, _video_options(picture))
    return UserMedia(None, player.video, (player,))


def _faked(fake: bool | None) -> bool:
    return os.environ.get(FAKE_VARIABLE, "") not in ("", "0") if fake is None else fake


def _checked(constraints: Any, names: Mapping[str, Any]) -> dict[str, Any]:
    if isinstance(constraints, bool):
        return {}
    if not isinstance(constraints, Mapping):
        raise TypeError(f"constraints are a mapping, True or False, not {constraints!r}")
    value: Any
    for name, value in constraints.items():
        if name not in names:
            raise ValueError(f"there is no constraint {name!r}; there are {', '.join(names)}")
        if not isinstance(value, str if name == "device_id" else (int, float)) or isinstance(value, bool):
            raise TypeError(f"{name} must be {'a str' if name == 'device_id' else 'a number'}, not {value!r}")
        if not isinstance(value, str) and not value > 0:
            raise ValueError(f"{name} must be positive, not {value!r}")
    if ("width" in constraints) != ("height" in constraints):
        raise ValueError("width and height are given together")
    return dict(constraints)


def _fake_video(constraints: Mapping[str, Any]) -> MediaTrack:
    return TestPicture(
        width=constraints.get("width", 640),
        height=constraints.get("height", 480),
        frame_rate=constraints.get("frame_rate", 30),
    )


def _fake_audio(constraints: Mapping[str, Any]) -> MediaTrack:
    return TestTone(rate=constraints.get("sample_rate", 48_000), channels=constraints.get("channels", 1))


def _devices() -> list[Device]:
    found = []
    system = platform.system()
    inputs: tuple[tuple[Literal["audioinput", "videoinput"], tuple[str, ...]], ...] = (
        ("videoinput", VIDEO_INPUTS.get(system, ())),
        ("audioinput", AUDIO_INPUTS.get(system, ())),
    )
    for kind, formats in inputs:
        for format in formats:
            found += _devices_of(kind, format)
            if found and found[-1].kind == kind:
                break  # the same microphone would come again by another way
    return found


def _devices_of(kind: Literal["audioinput", "videoinput"], format: str) -> list[Device]:
    try:
        listed = enumerate_input_devices(NAMES.get(format, format))
    except (av.error.FFmpegError, ValueError):
        return []  # this FFmpeg does not have it, or it cannot list: the same to the caller
    wanted = kind.removesuffix("input")
    return [
        Device(kind, one.name, one.description or one.name, format, one.is_default)
        for one in listed
        if not one.media_types or wanted in one.media_types
    ]


def _chosen(devices: list[Device], kind: str, constraints: Mapping[str, Any]) -> Device:
    ours = [device for device in devices if device.kind == kind]
    name = constraints.get("device_id")
    if name is not None:
        listed = next((device for device in ours if device.device_id == name), None)
        return listed or _unlisted(kind, name)
    if not ours:
        raise OperationError(f"there is no {kind}")
    return next((device for device in ours if device.default), ours[0])


def _has(format: str) -> bool:
    """Whether FFmpeg has this input; some have several names."""
    return any(format in names.split(",") for names in av.formats_available)


def _unlisted(kind: str, name: str) -> Device:
    """A device that one names, although FFmpeg does not list it."""
    inputs = VIDEO_INPUTS if kind == "videoinput" else AUDIO_INPUTS
    format = next((one for one in inputs.get(platform.system(), ()) if _has(one)), None)
    if format is None:
        raise NotSupportedError(f"FFmpeg has no {kind} on this system")
    return Device("videoinput" if kind == "videoinput" else "audioinput", name, name, format)


def _video_options(constraints: Mapping[str, Any]) -> dict[str, str]:
    options = {}
    if "width" in constraints:
        options["video_size"] = f"{constraints['width']}x{constraints['height']}"
    if "frame_rate" in constraints:
        options["framerate"] = f"{constraints['frame_rate']:g}"
    return options


def _audio_options(constraints: Mapping[str, Any]) -> dict[str, str]:
    names = {"sample_rate": "sample_rate", "channels": "channels"}
    return {option: str(constraints[name]) for name, option in names.items() if name in constraints}


async def _open(device: Device, options: dict[str, str]) -> MediaPlayer:
    file = device.device_id
    if device.format == "avfoundation":
        file = f"{file}:" if device.kind == "videoinput" else f":{file}"
    elif device.format == "dshow":
        file = f"{device.kind.removesuffix('input')}={file}"
    try:
        return await MediaPlayer.open(file, format=device.format, options=options)
    except OperationError:
        if not options:
            raise
    return await MediaPlayer.open(file, format=device.format)  # as it is, then: constraints are wishes
