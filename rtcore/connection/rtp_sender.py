"""`RtpSender`: sends one track, encoded as it was negotiated and as there is room for."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from rtcore.emitter import Emitter
from rtcore.errors import InvalidModificationError, InvalidStateError
from rtcore.media import MediaTrack, codecs
from rtcore.sdp import AgreedFormat, AgreedSection, RtpCodec, SendEncoding, Transceiver
from rtcore.sdp.codecs import check_codec, matches

from .dtmf import DtmfSender
from .encoding import EncodingStream
from .fanout import FanoutTrack, Joined
from .media_stream import MediaStream
from .rtp_parameters import RtpSendParameters, from_encoding
from .sending import Post, SendClock, Sending, SourceCounters

if TYPE_CHECKING:
    from rtcore.native.frame import EncodedFrame

    from .media_transport import MediaTransport
    from .stats import Report

__all__ = ["RtpSender"]


class RtpSender(Emitter):
    """W3C RTCRtpSender, made by `PeerConnection.add_track` or `add_transceiver`.

    It takes frames from its track while the other end receives. Pictures and samples are encoded, several
    times for simulcast, at the bitrate that the network has room for; encoded frames (a track with a `codec`)
    go out as they are. What fails while doing so ends the sending of that track, and nothing else.

    Events: "error" passes the exception with which the track or an encoder failed. A track that raised it has
    ended. "stopped" when nothing is sent any more: the transceiver was stopped, or the connection closed.
    """

    _names: ClassVar[tuple[str, ...]] = ("error", "stopped")

    def __init__(self, media: MediaTransport, data: Transceiver, track: MediaTrack | None) -> None:
        super().__init__()
        self._media = media
        self._data = data
        self._track = track
        self._error: Exception | None = None
        self._codec: RtpCodec | None = None  # that the application wants
        self._make_encoder: codecs.EncoderMaker = codecs.create_encoder
        self._given = ""  # the codec of a track that did not say it, by its frames
        self._section: AgreedSection | None = None
        self._format: AgreedFormat | None = None  # in use
        self._streams: list[EncodingStream] = []
        self._targets: dict[int, int] = {}  # bit/s by encoding, as the core says
        self._clock = SendClock()
        self._source = SourceCounters()
        self._sending: Sending | Joined | None = None
        self._hand_over: Post = _nowhere
        self._stopped = False
        self._tone: AgreedFormat | None = None  # while one is sent
        self._dtmf = DtmfSender(self) if data.kind == "audio" else None

    @property
    def kind(self) -> str:
        """ "audio" or "video"."""
        return self._data.kind

    @property
    def track(self) -> MediaTrack | None:
        """What is sent; None: nothing."""
        return self._track

    @property
    def dtmf(self) -> DtmfSender | None:
        """Sends the tones of a telephone's keys; None for video."""
        return self._dtmf

    @property
    def encoder(self) -> codecs.EncoderMaker:
        """What makes its encoders, to be set at any time: `encoder(codec, bitrate=...)`, called on one of the
        shared threads when a frame is to be encoded, again for each simulcast encoding. By default
        `rtcore.media.codecs.create_encoder`, whose options one chooses with `functools.partial`:

            sender.encoder = partial(codecs.create_encoder, library="h264_nvenc")

        From then on the encoder's `bitrate` is set to what there is room for. What it raises ends the sending
        of the track. What was encoding is closed, and the next picture can be decoded alone."""
        return self._make_encoder

    @encoder.setter
    def encoder(self, make: codecs.EncoderMaker) -> None:
        if not callable(make):
            raise TypeError(f"what makes encoders is a function, not {type(make).__name__}")
        self._make_encoder = make
        if self._streams:
            self._end_sending()
            self._close_streams()
            self._update()

    @property
    def error(self) -> Exception | None:
        """Why its track is no longer sent, if it failed."""
        return self._error

    async def replace_track(self, track: MediaTrack | None) -> None:
        """Sends another track of the same kind from now on, without negotiating; None: nothing.

        `InvalidStateError` if the transceiver is stopped, `InvalidModificationError` if the track is encoded
        with a codec that was not negotiated, `TypeError` if it is of the other kind.
        """
        self._replace_track(track)

    def _replace_track(self, track: MediaTrack | None) -> None:
        self._require_alive()
        if track is not None:
            check_kind(track, self.kind)
            if track.codec is not None and self._sends and self._choose(track) is None:
                raise InvalidModificationError(f"{track.codec.mime_type} was not negotiated")
        self._set_track(track)
        self._data.has_track = track is not None
        self._media.configure_sender(self)

    def get_parameters(self) -> RtpSendParameters:
        """How it sends now; a copy, to be changed and given to `set_parameters()`."""
        section = self._section
        return RtpSendParameters(
            encodings=[from_encoding(encoding) for encoding in self._data.encodings],
            codec=self._codec,
            codecs=tuple(form.codec for form in section.send_formats) if section else (),
            header_extensions=dict(section.extensions) if section else {},
            mid=self._data.mid,
            cname=self._media.cname,
        )

    def set_parameters(self, parameters: RtpSendParameters) -> None:
        """Counts at once, without negotiating. `InvalidModificationError` if encodings were added, removed or
        renamed, or the codec was not negotiated; `ValueError` for what is out of range."""
        self._require_alive()
        if not isinstance(parameters, RtpSendParameters):
            raise TypeError(f"parameters are those of get_parameters(), not {type(parameters).__name__}")
        before = self._data.encodings
        if [one.rid for one in parameters.encodings] != [one.rid for one in before]:
            raise InvalidModificationError("encodings cannot be added, removed or renamed")
        for encoding in parameters.encodings:
            encoding.check()
        codec = parameters.codec
        if codec is not None:
            check_codec(codec)
            offered = self._section.send_formats if self._section else ()
            if not any(matches(form.codec, codec) for form in offered):
                raise InvalidModificationError(f"{codec.mime_type} was not negotiated")
        for known, encoding in zip(before, parameters.encodings, strict=True):
            scale = encoding.scale_resolution_down_by
            known.active = encoding.active
            known.max_bitrate = encoding.max_bitrate
            known.max_framerate = encoding.max_framerate
            known.scale_resolution_down_by = 1.0 if scale is None else scale
        self._codec = codec
        self._media.configure_sender(self)

    def set_streams(self, *streams: MediaStream | str) -> None:
        """The streams that the other end finds the track in, from the next negotiation on."""
        self._require_alive()
        self._media.set_streams(self._data, stream_ids(streams))

    def request_key_frame(self, rid: str | None = None) -> None:
        """The next picture of this encoding, or of all, can be decoded alone. `ValueError` if there is none
        of that rid."""
        if rid is not None and all(encoding.rid != rid for encoding in self._data.encodings):
            raise ValueError(f"no encoding has the rid {rid!r}")
        for place, encoding in enumerate(self._encodings()):
            if rid in (None, encoding.rid):
                self._key_frame_needed(place)

    async def get_stats(self) -> Report:
        """Those objects of `PeerConnection.get_stats()` that are about what this sends."""
        return self._media.stats_of(self._data, outbound=True)

    # What was negotiated

    @property
    def _sends(self) -> bool:
        return self._section is not None and self._section.send and not self._stopped

    def _agreed(self, section: AgreedSection | None) -> None:
        self._section = section

    def _encodings(self) -> Sequence[SendEncoding]:
        """Those in use, by their number in the core."""
        return self._section.encodings if self._section is not None else ()

    def _pick(self) -> AgreedFormat | None:
        """The format to be used from now on, by the track and what was asked for."""
        self._format = self._choose(self._track) if self._sends else None
        return self._format

    def _choose(self, track: MediaTrack | None) -> AgreedFormat | None:
        assert self._section is not None
        formats = [form for form in self._section.send_formats if form.codec.primary]
        wanted = track.codec if track is not None and track.codec is not None else None
        if wanted is not None:
            return next((form for form in formats if matches(form.codec, wanted)), None)
        if self._given:
            return next((form for form in formats if form.codec.name.lower() == self._given), None)
        chosen = self._codec
        if chosen is not None:
            formats.sort(key=lambda form: not matches(form.codec, chosen))  # a stable sort: it comes first
        return next((form for form in formats if codecs.can_encode(form.codec)), None)

    # Running

    def _update(self) -> None:
        """Starts, changes or ends the sending, as things are now."""
        track, form = self._track, self._format
        encodings = self._encodings()
        runs = self._sends and self._media.connected and form is not None and track is not None
        running = self._sending
        same = [stream.options for stream in self._streams] == list(encodings)
        if form is None or not same or (running is not None and running.codec != form.codec.name):
            self._end_sending()
            self._close_streams()
        elif running is not None and (running.track is not track or not runs):
            self._end_sending()
        if not runs or self._sending is not None:
            return
        assert form is not None
        assert track is not None
        self._error = None
        if isinstance(track, FanoutTrack):
            assert self._data.index is not None
            try:
                self._sending = Joined(track, form.codec.name, self._media, self._data.index)
            except (ValueError, InvalidStateError) as error:
                self._failed(track, error, False)
            return
        if not self._streams:
            self._streams = [
                EncodingStream(form.codec, encoding, self._targets.get(place), self._make_encoder)
                for place, encoding in enumerate(encodings)
            ]
        self._clock.rate = form.codec.clock_rate
        self._clock.begin()
        self._hand_over = self._media.poster(self._data)
        track._sent_as(form.codec)
        self._sending = Sending(
            track,
            form.codec.name,
            self._streams,
            self._clock,
            self._source,
            self._post,
            self._failed,
            self._switch,
        )

    def _end_sending(self) -> None:
        sending, self._sending = self._sending, None
        if sending is not None:
            sending.cancel()

    def _close_streams(self) -> None:
        streams, self._streams = self._streams, []
        for stream in streams:
            stream.close()

    def _set_track(self, track: MediaTrack | None) -> None:
        self._track = track
        self._given = ""
        self._source = SourceCounters()
        for stream in self._streams:  # another size perhaps, and another picture for certain
            stream.request_key_frame()

    def _stop(self) -> None:
        """For good."""
        told, self._stopped = self._stopped, True
        if self._dtmf is not None:
            self._dtmf._stop()
        self._end_sending()
        self._close_streams()
        if not told:
            self._emit("stopped")

    def _failed(self, track: MediaTrack, error: Exception, ended: bool) -> None:
        self._error = error
        if ended:
            track.stop()
        if self._handles("error"):
            self._emit("error", error)
        else:
            message = f"the {self.kind} track {track.id} is no longer sent"
            asyncio.get_running_loop().call_exception_handler({"message": message, "exception": error})

    def _switch(self, name: str) -> bool:
        """The track's frames are of another codec than it said, or none that it said."""
        self._given = name.lower()
        before = self._format
        self._media.configure_sender(self)
        return self._format is not None and self._format is not before

    def _post(self, encoding: int, frame: EncodedFrame, captured: float, timestamp: int) -> None:
        if self._tone is None:  # it is not heard while a tone is
            self._hand_over(encoding, frame, captured, timestamp)

    # Tones (RFC 4733): another format in the place of the track's, for as long as they last

    def _tone_format(self) -> AgreedFormat | None:
        """That goes with the track's: timestamps count on."""
        if not (self._sends and self._media.connected) or self._section is None or self._format is None:
            return None
        rate = self._format.codec.clock_rate
        return next(
            (
                form
                for form in self._section.send_formats
                if form.codec.name.lower() == "telephone-event" and form.codec.clock_rate == rate
            ),
            None,
        )

    def _begin_tone(self, now: float) -> int:
        """Returns its timestamp."""
        self._tone = self._tone_format()
        assert self._format is not None
        self._clock.rate = self._format.codec.clock_rate
        self._media.configure_sender(self)
        return self._clock.at(now)

    def _post_tone(self, frame: EncodedFrame, begin: float) -> None:
        if self._tone is not None:
            self._media.poster(self._data)(0, frame, begin, frame.timestamp)

    def _end_tone(self) -> None:
        self._tone = None
        self._media.configure_sender(self)

    def _set_target(self, encoding: int, bitrate: int) -> None:
        self._targets[encoding] = bitrate
        if encoding < len(self._streams):
            self._streams[encoding].set_target(bitrate)

    def _key_frame_needed(self, encoding: int) -> None:
        if self._track is not None and self._track.codec is not None:
            self._track.request_key_frame()
        elif encoding < len(self._streams):
            self._streams[encoding].request_key_frame()

    def _require_alive(self) -> None:
        if self._stopped or self._data.stopping:
            raise InvalidStateError("the transceiver is stopped")

    def __repr__(self) -> str:
        return f"<RtpSender {self.kind} mid={self._data.mid} {self._track!r}>"


def _nowhere(encoding: int, frame: EncodedFrame, captured: float, timestamp: int) -> None:
    """Before anything is agreed."""


def check_kind(track: MediaTrack, kind: str | None = None) -> None:
    if not isinstance(track, MediaTrack):
        raise TypeError(f"expected a MediaTrack, got {type(track).__name__}")
    if kind is not None and track.kind != kind:
        raise TypeError(f"expected {'an' if kind == 'audio' else 'a'} {kind} track, got one of {track.kind}")


def stream_ids(streams: Sequence[MediaStream | str]) -> tuple[str, ...]:
    """Each once, in their order."""
    if isinstance(streams, str):
        raise TypeError(f"streams is a sequence: put {streams!r} into a list")
    for stream in streams:
        if not isinstance(stream, str | MediaStream):
            raise TypeError(f"a stream is a MediaStream or an id, not {type(stream).__name__}")
    return tuple(dict.fromkeys(stream if isinstance(stream, str) else stream.id for stream in streams))
