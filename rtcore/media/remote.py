"""Tracks that the other end sends. The connection makes them; encoded frames come in, and what one asks for
goes out.

    frame = await track.recv()                  # pictures or samples, decoded on the shared threads
    async for frame in track.encoded(): ...     # encoded frames, without a codec
    async with track.pcm(rate=16000) as pcm:    # numpy, for speech recognition
        async for samples in pcm: ...

All of these, any number of times, at once: each reader has all frames and a bounded queue of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, ClassVar, TypeVar

import av

from rtcore.native.frame import EncodedFrame

from . import codecs
from .pcm import PcmReader
from .samples import SampleType
from .taps import DecodedTrack, EncodedTrack, Tap
from .track import Kind, MediaTrack

if TYPE_CHECKING:
    from rtcore.sdp import RtpCodec

__all__ = ["RemoteTrack"]

T = TypeVar("T", bound=Tap)

ENCODED_LIMIT = {"audio": 250, "video": 90}
DECODED_LIMIT = {"audio": 50, "video": 16}


class RemoteTrack(MediaTrack):
    """A track that is received. Its `recv()` is one reader of it, `encoded()`, `decoded()` and `pcm()` make
    others.

    Nothing is decoded, and nothing kept for long, that nobody reads. A reader that is slow loses the oldest
    frames and is told: `frames_dropped`, event "framesdropped" with their number. Frames of `recv()` have
    the `EncodedFrame` they come from as `opaque`: its level, rotation and times.

    Events besides those of `MediaTrack`: "framesdropped"; "telephoneevent" an `EncodedFrame` (RFC 4733).
    """

    _names: ClassVar[tuple[str, ...]] = (*MediaTrack._names, "framesdropped", "telephoneevent")

    def __init__(
        self,
        kind: Kind,
        *,
        id: str | None = None,
        label: str = "",
        request_key_frame: Callable[[], object] | None = None,
    ) -> None:
        """Made by a connection. `request_key_frame` is called when a reader needs one."""
        self.kind = kind
        self.label = label
        if id is not None:
            self._id = id
        self.decoder: codecs.DecoderMaker = codecs.create_decoder
        """What makes the decoders of its readers, to be set before they read: `decoder(codec)`, for instance
        `partial(codecs.create_decoder, library="h264_cuvid")`."""
        self._request_key_frame = request_key_frame
        self._codecs: dict[int, RtpCodec] = {}
        self._encoding: int | None = None
        self._main = DecodedTrack(self, ENCODED_LIMIT[kind], DECODED_LIMIT[kind])
        self._main.on("framesdropped", lambda count: self._emit("framesdropped", count))
        self._taps: tuple[Tap, ...] = (self._main,)

    async def recv(self) -> av.VideoFrame | av.AudioFrame:
        """The next decoded frame. `RuntimeError` if another task waits in it: `decoded()` makes another
        reader."""
        return await self._main.recv()

    def encoded(self, *, limit: int | None = None) -> EncodedTrack:
        """A reader of encoded frames, which is a track: it can be sent to another connection as it is.

        Video begins with a key frame, which the sender is asked for. `limit`: how many frames may wait."""
        codec = next((one for one in self._codecs.values() if one.primary), None)
        return self._attach(EncodedTrack(self, limit or ENCODED_LIMIT[self.kind], codec))

    def decoded(self, *, limit: int | None = None) -> DecodedTrack:
        """Another reader of decoded frames, with a decoder of its own."""
        tap = DecodedTrack(self, ENCODED_LIMIT[self.kind], limit or DECODED_LIMIT[self.kind])
        self.request_key_frame()
        return self._attach(tap)

    def pcm(
        self,
        *,
        rate: int = 16000,
        channels: int = 1,
        frame_ms: float | None = None,
        frame_samples: int | None = None,
        dtype: SampleType = "int16",
    ) -> PcmReader:
        """A reader of samples: see `PcmReader`. `ValueError` for a video track."""
        if self.kind != "audio":
            raise ValueError("only audio tracks have samples")
        return PcmReader(
            self.decoded(),
            rate=rate,
            channels=channels,
            frame_ms=frame_ms,
            frame_samples=frame_samples,
            dtype=dtype,
            stop_track=True,
        )

    @property
    def frames_waiting(self) -> int:
        """How many decoded frames `recv()` would give at once."""
        return self._main.frames_waiting

    def take(self) -> av.VideoFrame | av.AudioFrame | None:
        """What `recv()` would give at once; None if nothing waits, or nobody reads yet."""
        return self._main.take()

    def clear(self) -> int:
        """Drops what waits for `recv()`, so that the next frame is one that comes from now on; how many
        decoded frames there were. They do not count as lost. What waits encoded is decoded and dropped, so
        that pictures go on without a key frame."""
        return self._main.clear()

    @property
    def frames_dropped(self) -> int:
        """How many frames `recv()` lost because they were not read in time."""
        return self._main.frames_dropped

    @property
    def frames_decoded(self) -> int:
        """How many frames were decoded for `recv()`."""
        return self._main.frames_decoded

    @property
    def decode_errors(self) -> int:
        """How many frames `recv()` could not decode."""
        return self._main.decode_errors

    @property
    def encoding(self) -> int | None:
        """Which of the sender's simulcast encodings the readers get; None: all. Setting it asks for a key
        frame."""
        return self._encoding

    @encoding.setter
    def encoding(self, encoding: int | None) -> None:
        if encoding != self._encoding:
            self._encoding = encoding
            self._restart()

    def request_key_frame(self) -> None:
        if self._request_key_frame is not None and self.kind == "video" and not self._ended:
            self._request_key_frame()

    def stop(self) -> None:
        """Ends it here: its readers, too. The other end may send on, and nobody hears it."""
        for tap in self._taps:
            tap.stop()
        super().stop()

    def _deliver(self, frame: EncodedFrame) -> None:
        """For the connection: a frame that came, in order."""
        if frame.codec == "telephone-event":
            self._emit("telephoneevent", frame)
        if self._encoding is None or frame.encoding == self._encoding:
            for tap in self._taps:
                tap._deliver(frame)

    def _restart(self) -> None:
        """For the connection: pictures go on with a key frame."""
        for tap in self._taps:
            tap._restart()

    def _dropped(self, count: int) -> None:
        """For the connection: the oldest frames that waited for the event loop went."""
        for tap in self._taps:
            tap._lost(count)
            tap._restart()

    def _set_codecs(self, codecs: Mapping[int, RtpCodec]) -> None:
        """For the connection: what was negotiated, by payload type, in order of preference."""
        self._codecs = dict(codecs)

    def _end(self) -> None:
        """For the connection: no more will come. What waits can still be read."""
        for tap in self._taps:
            tap._end()
        super()._end()

    def _codec_of(self, frame: EncodedFrame) -> RtpCodec | None:
        codec = self._codecs.get(frame.payload_type)
        name = frame.codec.lower()
        if codec is not None and codec.name.lower() == name:
            return codec
        return next((one for one in self._codecs.values() if one.name.lower() == name), None)

    def _attach(self, tap: T) -> T:
        if self._ended:
            tap._end()
        else:
            self._taps = (*self._taps, tap)
        return tap

    def _detach(self, tap: Tap) -> None:
        self._taps = tuple(other for other in self._taps if other is not tap)
