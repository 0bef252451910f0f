"""`RtpReceiver`: what the other end sends in one section, as a track; with simulcast, as several."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

from rtcore.media import RemoteTrack
from rtcore.native.frame import EncodedFrame
from rtcore.sdp import AgreedSection, Transceiver

from .configuration import check_number
from .rtp_parameters import RtpReceiveParameters

if TYPE_CHECKING:
    from .media_transport import MediaTransport
    from .stats import Report

__all__ = ["RtpReceiver", "SynchronizationSource"]

MAX_DELAY = 2.0
"""Seconds up to which the jitter buffer may grow by itself."""
MOST_TARGET = 4000
"""Milliseconds (W3C webrtc-extensions: jitterBufferTarget)."""


@dataclass(slots=True, frozen=True)
class SynchronizationSource:
    """W3C RTCRtpSynchronizationSource: a stream of which packets came in the last ten seconds. `timestamp`:
    when the last one did, milliseconds since 1970; `audio_level`: 0 (silence) to 1, None if the other end
    does not tell."""

    source: int
    timestamp: float
    audio_level: float | None


class RtpReceiver:
    """W3C RTCRtpReceiver, one per transceiver.

    `track` is there from the beginning, muted until something comes. Where the other end was asked for
    simulcast (`add_transceiver(receive_rids=...)`), or offered it, `tracks` has one track per rid, and
    `track` is the first of them.
    """

    def __init__(self, media: MediaTransport, data: Transceiver) -> None:
        self._media = media
        self._data = data
        self._section: AgreedSection | None = None
        self._target: int | None = None
        self._passthrough = False
        self._paused = False
        self._live: set[int] = set()  # SSRCs
        self._ended = False
        self._tracks: dict[str, RemoteTrack] = {}
        self._track = self._make_track("")
        self._by_encoding = [self._track]

    def _make_track(self, rid: str) -> RemoteTrack:
        name = self._data.remote_track_id or None
        track = RemoteTrack(
            "audio" if self._data.kind == "audio" else "video",
            id=f"{name} {rid}" if name and rid else name,
            request_key_frame=lambda: self._request_key_frame(track),
        )
        track._set_muted(True)
        return track

    def _request_key_frame(self, track: RemoteTrack) -> None:
        if track in self._by_encoding:
            self._media.request_key_frame(self._data, self._by_encoding.index(track))

    @property
    def kind(self) -> str:
        """ "audio" or "video"."""
        return self._data.kind

    @property
    def track(self) -> RemoteTrack:
        """What comes."""
        return self._track

    @property
    def tracks(self) -> Mapping[str, RemoteTrack]:
        """With simulcast: a track for each rid, in the other end's order. Empty without."""
        return MappingProxyType(self._tracks)

    @property
    def jitter_buffer_target(self) -> int | None:
        """Milliseconds that frames are to wait at the least, so that late ones are in time (W3C
        jitterBufferTarget), 0 to 4000, to be set at any time.

        None: sound waits as little as the network lets it without gaps; pictures come as soon as they can be
        decoded, since a program wants them soon and not evenly, as an eye does. With 0 they are smoothed."""
        return self._target

    @jitter_buffer_target.setter
    def jitter_buffer_target(self, target: int | None) -> None:
        if target is not None:
            check_number("jitter_buffer_target", target, 0, MOST_TARGET)
        self._target = target
        self._media.set_delay(self._data, *self._delays())

    @property
    def passthrough(self) -> bool:
        """Whether frames come as soon as they are whole, without waiting for the time of their playout: for
        relays and recorders. To be set when "track" tells of it: it counts for streams that begin then."""
        return self._passthrough

    @passthrough.setter
    def passthrough(self, passthrough: bool) -> None:
        self._passthrough = passthrough
        self._media.configure_receiver(self)

    @property
    def paused(self) -> bool:
        """Whether what comes is dropped as soon as it is whole, without a word to the other end, which sends
        on. To be set at any time; pictures go on with a key frame."""
        return self._paused

    @paused.setter
    def paused(self, paused: bool) -> None:
        if paused != self._paused:
            self._paused = paused
            self._media.configure_receiver(self)
            for track in self._by_encoding:
                track._restart()

    def _delays(self) -> tuple[float, float]:
        if self._target is None:
            return 0.0, MAX_DELAY if self.kind == "audio" else 0.0
        least = self._target / 1000
        return least, max(MAX_DELAY, least)

    def get_parameters(self) -> RtpReceiveParameters:
        """What was negotiated; empty before."""
        section = self._section
        if section is None:
            return RtpReceiveParameters({}, {})
        return RtpReceiveParameters(
            {form.payload_type: form.codec for form in section.formats},
            dict(section.extensions),
            section.rids,
            section.mid,
        )

    def get_synchronization_sources(self) -> list[SynchronizationSource]:
        """Those that sent in the last ten seconds, the latest first."""
        return self._media.sources_of(self._data)

    async def get_stats(self) -> Report:
        """Those objects of `PeerConnection.get_stats()` that are about what this receives."""
        return self._media.stats_of(self._data, outbound=False)

    # From the transport

    def _agreed(self, section: AgreedSection) -> None:
        self._section = section
        if section.receive and (*self._tracks,) != section.rids:
            self._take_rids(section.rids)
        payload_types = {form.payload_type: form.codec for form in section.formats}
        for track in self._by_encoding:
            track._set_codecs(payload_types)

    def _take_rids(self, rids: Sequence[str]) -> None:
        """A track for each, in their order. Those of rids that are no more end, but for `track`, which goes
        on with what is new."""
        before, free = dict(self._tracks), [self._track]
        if any(before.get(rid) is self._track for rid in rids):
            free.clear()
        self._tracks.clear()
        for rid in rids:
            self._tracks[rid] = before.get(rid) or (free.pop() if free else self._make_track(rid))
        self._by_encoding = [*self._tracks.values()] or [self._track]
        for track in before.values():
            if track not in self._by_encoding:
                track._end()

    def _taker(self) -> Callable[[EncodedFrame], object] | None:
        """Who takes the frames from the core: for one track, the track itself."""
        if self._paused:
            return None
        if len(self._by_encoding) == 1:
            return self._track._deliver
        return self._deliver

    def _track_of(self, encoding: int) -> RemoteTrack:
        return self._by_encoding[encoding] if encoding < len(self._by_encoding) else self._track

    def _deliver(self, frame: EncodedFrame) -> None:
        if frame.encoding < len(self._by_encoding):
            self._by_encoding[frame.encoding]._deliver(frame)

    def _stream_began(self, encoding: int, ssrc: int) -> None:
        self._live.add(ssrc)
        if encoding < len(self._by_encoding):
            self._by_encoding[encoding]._set_muted(False)

    def _stream_ended(self, encoding: int, ssrc: int) -> None:
        self._live.discard(ssrc)
        if len(self._by_encoding) > 1 and encoding < len(self._by_encoding):
            self._by_encoding[encoding]._set_muted(True)
        elif not self._live:
            self._track._set_muted(True)

    def _frames_dropped(self, count: int) -> None:
        for track in self._by_encoding:  # of which of them is not known: all begin anew
            track._dropped(count)

    def _received(self) -> None:
        """The other end sends (again). A stream that did not end meanwhile goes on without a word."""
        if self._live:
            self._track._set_muted(False)

    def _mute(self) -> None:
        """The other end sends no more, for now."""
        for track in self._by_encoding:
            track._set_muted(True)

    def _end(self) -> None:
        for track in self._by_encoding:
            track._end()

    def __repr__(self) -> str:
        return f"<RtpReceiver {self.kind} mid={self._data.mid} {self._track!r}>"
