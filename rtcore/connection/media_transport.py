"""The glue between a connection's transceivers and the media of its native peer.

Negotiation keeps the transceivers as plain data, the core knows sections by their number; here are the
objects that the application holds, and the way from one to the other in both directions.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

from rtcore.errors import InvalidAccessError, InvalidStateError
from rtcore.media import MediaTrack, codecs
from rtcore.native.frame import EncodedFrame
from rtcore.native.media import Encoding, Format, Media
from rtcore.native.worker import Worker
from rtcore.sdp import (
    AgreedFormat,
    AgreedSection,
    Agreement,
    Changes,
    Negotiation,
    RtpCodec,
    SendEncoding,
    Transceiver,
    default_codecs,
)

from .configuration import check_texts
from .events import TrackEvent
from .media_stream import MediaStream
from .rtp_parameters import RtpEncoding, to_encodings
from .rtp_receiver import RtpReceiver, SynchronizationSource
from .rtp_sender import RtpSender, check_kind, stream_ids
from .rtp_stats import audio_level
from .rtp_transceiver import RtpTransceiver
from .sending import Post
from .stats import Report, about

if TYPE_CHECKING:
    from .transport import Transport

__all__ = ["MediaOwner", "MediaTransport", "usable_codecs"]

Sources: TypeAlias = tuple[tuple[int, int | None], ...]

FULL_PICTURE = 2_500_000
"""Bit/s that 1280x720 is good at."""
SOURCE_SECONDS = 10.0
"""W3C: how long a synchronization source is told of after its last packet."""


class MediaOwner(Protocol):
    """Whom it tells that something is to be negotiated: a peer connection, or who plays one."""

    def _check_negotiation(self) -> None: ...
    def _report(self) -> Report: ...


class MediaTransport:
    """All media of one connection. It is the handler of the peer's `Media`."""

    def __init__(
        self,
        connection: MediaOwner,
        negotiation: Negotiation,
        transport: Transport,
        *,
        cname: str,
        bitrates: Mapping[str, int | None],
        mtu: int,
    ) -> None:
        self.cname = cname
        self._connection = connection
        self._negotiation = negotiation
        self._transport = transport
        self._options: dict[str, Any] = {"mtu": mtu, **{k: v for k, v in bitrates.items() if v is not None}}
        self._native: Media | None = None
        self._agreement: Agreement | None = None  # what the core was told
        self._transceivers: list[RtpTransceiver] = []
        self._sections: dict[int, RtpTransceiver] = {}  # those that the core knows
        self._streams: dict[str, MediaStream] = {}  # of the other end
        self._closed = False

    @property
    def transceivers(self) -> tuple[RtpTransceiver, ...]:
        return tuple(self._transceivers)

    @property
    def native(self) -> Media:
        """That of the core. `InvalidStateError` before media was negotiated."""
        if self._native is None:
            raise InvalidStateError("no audio or video was negotiated yet")
        return self._native

    @property
    def worker(self) -> Worker:
        """On which the connection lives."""
        return self._transport.worker

    @property
    def connected(self) -> bool:
        """Whether frames can be sent."""
        return self._native is not None and self._running and self._transport.dtls_state == "connected"

    @property
    def _running(self) -> bool:
        return not self._closed and self._transport.running

    # What the application wants

    def add_track(self, track: MediaTrack, streams: Sequence[MediaStream | str]) -> RtpSender:
        check_kind(track)
        if any(one.sender.track is track for one in self._transceivers):
            raise InvalidAccessError("the connection sends this track already")
        data = self._negotiation.add_track(track.kind, track.id, stream_ids(streams))
        known = self._find(data)
        if known is not None:
            known.sender._set_track(track)
            return known.sender
        return self._adopt(data, track).sender

    def remove_track(self, sender: RtpSender) -> None:
        if all(one.sender is not sender for one in self._transceivers):
            raise InvalidAccessError(
                "the sender belongs to another connection, or its transceiver was stopped"
            )
        sender._set_track(None)
        self._negotiation.remove_track(sender._data)
        sender._update()

    def add_transceiver(
        self,
        track_or_kind: MediaTrack | str,
        *,
        direction: str,
        streams: Sequence[MediaStream | str],
        send_encodings: Sequence[RtpEncoding | SendEncoding | Mapping[str, Any]],
        receive_rids: Sequence[str],
        preferences: Sequence[RtpCodec],
    ) -> RtpTransceiver:
        if isinstance(track_or_kind, str):
            kind, track = track_or_kind, None
        else:
            check_kind(track_or_kind)
            kind, track = track_or_kind.kind, track_or_kind
        check_texts("receive_rids", receive_rids)
        data = self._negotiation.add_transceiver(
            kind,
            direction=direction,
            track_id=track.id if track is not None else "",
            streams=stream_ids(streams),
            encodings=to_encodings(kind, send_encodings),
            receive_rids=receive_rids,
            codec_preferences=preferences,
        )
        return self._adopt(data, track)

    def set_direction(self, data: Transceiver, direction: str) -> None:
        self._negotiation.set_direction(data, direction)
        self._connection._check_negotiation()

    def set_streams(self, data: Transceiver, streams: Sequence[str]) -> None:
        self._negotiation.set_streams(data, streams)
        self._connection._check_negotiation()

    def set_codec_preferences(self, data: Transceiver, preferences: Sequence[RtpCodec]) -> None:
        self._negotiation.set_codec_preferences(data, preferences)
        self._connection._check_negotiation()

    def stop(self, transceiver: RtpTransceiver) -> None:
        if self._closed:
            raise InvalidStateError("the connection is closed")
        if transceiver._data.stopping or transceiver._data.stopped:
            return
        self._negotiation.stop(transceiver._data)
        self._end(transceiver)
        self._forget_stopped()
        self._connection._check_negotiation()

    def _adopt(self, data: Transceiver, track: MediaTrack | None) -> RtpTransceiver:
        made = RtpTransceiver(self, data, track)
        self._transceivers.append(made)
        return made

    def _find(self, data: Transceiver) -> RtpTransceiver | None:
        return next((one for one in self._transceivers if one._data is data), None)

    def _end(self, transceiver: RtpTransceiver) -> None:
        transceiver.sender._stop()
        transceiver.receiver._end()
        self._leave_streams(transceiver, ())

    def _forget_stopped(self) -> None:
        self._transceivers = [one for one in self._transceivers if not one.stopped]

    # What was negotiated

    def carry_out(self, changes: Changes) -> list[TrackEvent]:
        """What a description did to the transceivers; the events are to be told."""
        for data in changes.added:
            self._adopt(data, None)
        for data in changes.muted:
            transceiver = self._find(data)
            if transceiver is not None:
                transceiver.receiver._mute()
                self._leave_streams(transceiver, ())
        events = [self._received(one) for data in changes.received if (one := self._find(data)) is not None]
        for data in (*changes.removed, *changes.stopped):
            transceiver = self._find(data)
            if transceiver is not None:
                self._end(transceiver)
        gone = {id(data) for data in changes.removed}
        self._transceivers = [one for one in self._transceivers if id(one._data) not in gone]
        self._forget_stopped()
        return events

    def _received(self, transceiver: RtpTransceiver) -> TrackEvent:
        track, ids = transceiver.receiver.track, transceiver._data.remote_streams
        transceiver.receiver._received()
        self._leave_streams(transceiver, ids)
        streams = []
        for name in ids:
            stream = self._streams.setdefault(name, MediaStream(id=name))
            stream._joined(track)
            streams.append(stream)
        return TrackEvent(track, transceiver.receiver, transceiver, tuple(streams))

    def _leave_streams(self, transceiver: RtpTransceiver, but: Sequence[str]) -> None:
        for name, stream in list(self._streams.items()):
            if name not in but:
                stream._left(transceiver.receiver.track)
                if not len(stream):
                    del self._streams[name]

    def apply(self, agreement: Agreement) -> list[str]:
        """Tells the core what is new. Returns what is wrong with sections that contradict others: they carry
        nothing then, and the others do."""
        if agreement is self._agreement:
            return []
        before = {one.index: one.sources for one in self._agreement.sections} if self._agreement else {}
        self._agreement = agreement
        if self._native is None:
            if not agreement.sections:
                return []
            self._native = Media(self._transport.peer, self, cname=self.cname, **self._options)
        agreed = {section.index: section for section in agreement.sections}
        for index, transceiver in list(self._sections.items()):
            section = agreed.get(index)
            if section is None or section.transceiver is not transceiver._data:
                self._native.set_receiver(index, None)
                self._native.remove_section(index)
                transceiver.sender._agreed(None)
                transceiver.sender._update()
                del self._sections[index]
        turns: list[tuple[RtpTransceiver, AgreedSection, Sources]] = []
        for index, section in agreed.items():
            found = self._find(section.transceiver)
            if found is None:
                continue  # stopped meanwhile
            found.sender._agreed(section)
            found.receiver._agreed(section)
            self._sections[index] = found
            turns.append((found, section, section.sources))
        # A source may move from any section to any other, and the core lets no two have it at once: sections
        # that lose some do so first. The last turn of each tells whether it can be used.
        losing = [
            (one, section, kept)
            for one, section, sources in turns
            if (kept := _kept(before.get(section.index, ()), sources)) is not None
        ]
        problems: dict[str, str] = {}
        for one, section, sources in (*losing, *turns):
            problems.pop(section.mid, None)
            try:
                self._configure(one, sources)
            except ValueError as error:
                problems[section.mid] = f"the section {section.mid!r} cannot be used: {error}"
        return list(problems.values())

    def _configure(self, transceiver: RtpTransceiver, sources: Sources | None = None) -> None:
        """`sources`: others than the section's."""
        native, section = self._native, transceiver.receiver._section
        if native is None or section is None or not self._running:
            return
        form = transceiver.sender._pick()
        least, most = transceiver.receiver._delays()
        native.set_section(
            section.index,
            mid=section.mid,
            kind=section.kind,
            receive=section.receive,
            send=section.send and form is not None,
            extensions=section.extensions,
            formats=[_format(one) for one in section.formats],
            sources=section.sources if sources is None else sources,
            rids=section.rids,
            send_format=_format(transceiver.sender._tone or form) if form is not None else None,
            encodings=[_encoding(one, form, section.send_rids) for one in section.encodings],
            reduced_size=section.reduced_size,
            min_delay=least,
            max_delay=most,
            passthrough=transceiver.receiver.passthrough,
        )
        native.set_receiver(section.index, transceiver.receiver._taker())
        transceiver.sender._update()

    def configure_sender(self, sender: RtpSender) -> None:
        """Another track, other parameters."""
        transceiver = self._find(sender._data)
        if transceiver is not None and sender._data.index in self._sections:
            self._configure(transceiver)

    def configure_receiver(self, receiver: RtpReceiver) -> None:
        transceiver = self._find(receiver._data)
        if transceiver is not None and receiver._data.index in self._sections:
            self._configure(transceiver)

    def connection_changed(self) -> None:
        """DTLS is connected, or no longer."""
        for transceiver in self._transceivers:
            transceiver.sender._update()

    def close(self) -> None:
        """Everything ends. The tracks that were sent stay as they are: they are the application's."""
        if self._closed:
            return
        self._closed = True
        for transceiver in self._transceivers:
            transceiver._data.stopped = True
            self._end(transceiver)
        self._transceivers.clear()
        self._sections.clear()

    # Down

    def poster(self, data: Transceiver) -> Post:
        """What a sender hands its frames to."""
        native, index = self._native, data.index
        assert native is not None
        assert index is not None

        def post(encoding: int, frame: EncodedFrame, captured: float, timestamp: int) -> object:
            return self._running and native.send(index, encoding, frame, captured, timestamp=timestamp)

        return post

    def request_key_frame(self, data: Transceiver, encoding: int) -> None:
        if self._native is not None and self._running and data.index in self._sections:
            self._native.request_key_frame(data.index, encoding)

    def set_delay(self, data: Transceiver, least: float, most: float) -> None:
        if self._native is not None and self._running and data.index in self._sections:
            self._native.set_delay(data.index, min_delay=least, max_delay=most)

    # Up

    def on_stream(self, section: int, encoding: int, ssrc: int) -> None:
        if section in self._sections:
            self._sections[section].receiver._stream_began(encoding, ssrc)

    def on_stream_ended(self, section: int, encoding: int, ssrc: int) -> None:
        if section in self._sections:
            self._sections[section].receiver._stream_ended(encoding, ssrc)

    def on_key_frame_request(self, section: int, encoding: int) -> None:
        if section in self._sections:
            self._sections[section].sender._key_frame_needed(encoding)

    def on_bitrate(self, section: int, encoding: int, bitrate: int) -> None:
        if section in self._sections:
            self._sections[section].sender._set_target(encoding, bitrate)

    def on_frames_dropped(self, section: int, count: int) -> None:
        if section in self._sections:
            self._sections[section].receiver._frames_dropped(count)

    # Statistics

    def native_stats(self) -> dict[str, Any]:
        """Those of the core; empty while there is no media, and when the peer has gone."""
        return self._native.stats() if self._native is not None and self._running else {}

    def stats_of(self, data: Transceiver, *, outbound: bool) -> Report:
        """The part of the connection's report that is about one sender or receiver."""
        native = self.native_stats()
        side, kind = (
            ("outbound", f"OT0{data.kind[0].upper()}")
            if outbound
            else ("inbound", f"IT0{data.kind[0].upper()}")
        )
        ids = [f"{kind}{one['ssrc']}" for one in native.get(side, ()) if one["section"] == data.index]
        return about(self._connection._report(), ids)

    def sources_of(self, data: Transceiver) -> list[SynchronizationSource]:
        native = self.native_stats()
        found: list[SynchronizationSource] = []
        for stream in native.get("inbound", ()):
            ago = native["now"] - stream["last_packet"]
            if stream["section"] == data.index and stream["last_packet"] and ago <= SOURCE_SECONDS:
                level = audio_level(stream["audio_level"]) if data.kind == "audio" else None
                found.append(SynchronizationSource(stream["ssrc"], (native["wall"] - ago) * 1000, level))
        return sorted(found, key=lambda source: -source.timestamp)


def _kept(before: Sources, sources: Sources) -> Sources | None:
    """Those of a section's sources that it had before; None where it has all of them still."""
    had = {ssrc for pair in before for ssrc in pair} - {None}
    if had <= {ssrc for pair in sources for ssrc in pair}:
        return None
    return tuple((ssrc, rtx if rtx in had else None) for ssrc, rtx in sources if ssrc in had)


def _format(form: AgreedFormat) -> Format:
    codec = form.codec
    return Format(
        form.payload_type,
        codec.name,
        codec.clock_rate,
        codec.channels,
        form.rtx_payload_type,
        form.feedback,
        form.packetization_mode,
        form.ptime,
    )


def _encoding(encoding: SendEncoding, form: AgreedFormat | None, send_rid: bool) -> Encoding:
    repaired = form is not None and form.rtx_payload_type is not None
    return Encoding(
        encoding.ssrc,
        encoding.rtx_ssrc if repaired else None,
        encoding.rid if send_rid else "",
        encoding.active,
        encoding.max_bitrate or (_share(encoding) if send_rid else None),
    )


def _share(encoding: SendEncoding) -> int | None:
    """The limit of a smaller picture, where the application sets none: what it would take beyond is of more
    use to the larger ones."""
    scale = encoding.scale_resolution_down_by
    return int(FULL_PICTURE / scale**2) if scale > 1 else None


@cache
def usable_codecs() -> tuple[RtpCodec, ...]:
    """Those of `default_codecs()` that can be decoded here. Encoders are looked for when a track is sent."""
    known = (*default_codecs("audio"), *default_codecs("video"))
    return tuple(codec for codec in known if not codec.primary or codecs.can_decode(codec))
