"""The transceivers of one negotiation: made, changed, associated with sections, rolled back."""

from collections.abc import Callable, Iterator, Sequence, Set
from dataclasses import dataclass, replace

from rtcore.errors import InvalidAccessError, InvalidStateError

from .codecs import RtpCodec, check_codec, matches
from .held import LocalDescription, RemoteDescription
from .media_sections import MAX_ENCODINGS, MAX_TEXT, remote_msids, requested_rids, wanted_direction
from .model import Media
from .transceiver import DIRECTIONS, Changes, SendEncoding, Transceiver, direction_of, receives, sends

__all__ = ["Transceivers"]


@dataclass(slots=True, frozen=True)
class _Stable:
    """What a rollback brings back."""

    mid: str | None = None
    index: int | None = None
    remote_direction: str = "inactive"
    remote_streams: tuple[str, ...] = ()
    remote_track_id: str = ""


class Transceivers:
    """In the order in which they were made. `codecs`: what there is, or who is asked for it when it is first
    needed; `draw(bits)` gives random numbers, for SSRCs and ids of tracks."""

    def __init__(
        self, codecs: Sequence[RtpCodec] | Callable[[], Sequence[RtpCodec]], draw: Callable[[int], int]
    ) -> None:
        self._ask = codecs if callable(codecs) else None
        self._codecs = _by_kind(()) if callable(codecs) else _by_kind(codecs)
        self._draw = draw
        self._all: list[Transceiver] = []
        self._ssrcs: set[int] = set()  # given out, never again
        self._stable: dict[Transceiver, _Stable] = {}
        self._proposed: dict[Transceiver, list[SendEncoding]] = {}  # what the other end's took the place of

    def __iter__(self) -> Iterator[Transceiver]:
        return iter(self._all)

    def codecs(self, kind: str, one: Transceiver | None = None) -> tuple[RtpCodec, ...]:
        """What a section of the kind may have, preferred ones first."""
        if one is not None and one.codec_preferences:
            return one.codec_preferences
        if self._ask is not None:
            self._codecs, self._ask = _by_kind(self._ask()), None
        return self._codecs.get(kind, ())

    # What the owner wants

    def add(
        self,
        kind: str,
        *,
        direction: str = "sendrecv",
        track_id: str = "",
        streams: Sequence[str] = (),
        encodings: Sequence[SendEncoding] = (),
        receive_rids: Sequence[str] = (),
        codec_preferences: Sequence[RtpCodec] = (),
    ) -> Transceiver:
        if kind not in ("audio", "video"):
            raise ValueError(f'kind must be "audio" or "video", not {kind!r}')
        _check_direction(direction)
        encodings = [replace(encoding) for encoding in encodings] or [SendEncoding()]
        _check_rids([encoding.rid for encoding in encodings], "encodings")
        self._check_ssrcs(
            [ssrc for encoding in encodings for ssrc in (encoding.ssrc, encoding.rtx_ssrc) if ssrc]
        )
        _check_rids(receive_rids, "receive_rids")
        one = Transceiver(
            kind,
            direction,
            track_id or f"{self._draw(128):032x}",
            tuple(streams),
            encodings,
            tuple(receive_rids),
            self._preferences(kind, codec_preferences),
            has_track=bool(track_id),
        )
        self._draw_ssrcs(one)
        self._all.append(one)
        return one

    def _check_ssrcs(self, ssrcs: Sequence[int]) -> None:
        for ssrc in ssrcs:
            if not 0 < ssrc < 2**32:
                raise ValueError(f"an SSRC is from 1 to {2**32 - 1}, not {ssrc}")
        if len(set(ssrcs)) < len(ssrcs) or not self._ssrcs.isdisjoint(ssrcs):
            raise ValueError("encodings: an SSRC is used twice in the connection")

    def _draw_ssrcs(self, one: Transceiver) -> None:
        """For those encodings that have none."""
        for encoding in one.encodings:
            encoding.ssrc = encoding.ssrc or self._ssrc()
            if one.kind == "video":
                encoding.rtx_ssrc = encoding.rtx_ssrc or self._ssrc()
            self._ssrcs.update((encoding.ssrc, encoding.rtx_ssrc))

    def _ssrc(self) -> int:
        while True:
            number = self._draw(32)
            if number and number not in self._ssrcs:
                self._ssrcs.add(number)
                return number

    def add_track(self, kind: str, track_id: str, streams: Sequence[str]) -> Transceiver:
        """W3C addTrack: an idle transceiver of the kind that never sent, else a new one."""
        for one in self._all:
            if one.kind == kind and not (one.has_track or one.sent or one.stopping):
                one.direction = direction_of(send=True, receive=receives(one.direction))
                one.track_id, one.streams = track_id, tuple(streams)
                break
        else:
            one = self.add(kind, track_id=track_id, streams=streams)
        one.has_track = one.for_track = True
        one.by_remote = False
        return one

    def remove_track(self, one: Transceiver) -> None:
        one.has_track = False
        one.direction = direction_of(send=False, receive=receives(one.direction))

    def set_direction(self, one: Transceiver, direction: str) -> None:
        _check_direction(direction)
        if one.stopping or one.stopped:
            raise InvalidStateError("the transceiver is stopped")
        one.direction = direction

    def set_codec_preferences(self, one: Transceiver, codecs: Sequence[RtpCodec]) -> None:
        one.codec_preferences = self._preferences(one.kind, codecs)

    def _preferences(self, kind: str, codecs: Sequence[RtpCodec]) -> tuple[RtpCodec, ...]:
        chosen: list[RtpCodec] = []
        known = self.codecs(kind)
        for codec in codecs:
            check_codec(codec)
            if not any(matches(codec, other) for other in known):
                raise InvalidAccessError(f"{codec.mime_type} {codec.parameters} is no known {kind} codec")
            if not any(matches(codec, other) for other in chosen):
                chosen.append(codec)
        if chosen and not any(codec.primary for codec in chosen):
            raise InvalidAccessError("codec preferences need a codec that a track can be sent with")
        return tuple(chosen)

    def stop(self, one: Transceiver) -> None:
        one.stopping = True
        if one.mid is None and not one.stopped:
            self._end(one)

    def _end(self, one: Transceiver) -> None:
        one.stopping = one.stopped = True
        one.direction, one.current_direction = "inactive", None
        self._all.remove(one)
        self._stable.pop(one, None)
        self._proposed.pop(one, None)

    # What descriptions say

    def find(self, media: Media, index: int) -> Transceiver | None:
        """The one that a section belongs to: by its mid, or, if it has none, by its place."""
        for one in self._all:
            if one.mid is not None and (one.mid == media.mid if media.mid else one.index == index):
                return one
        return None

    def take_offer(
        self, sections: Sequence[Media], usable: Set[int], new_mid: Callable[[], str], changes: Changes
    ) -> None:
        """A remote offer: its `usable` sections get transceivers (RFC 9429 section 5.10)."""
        named: set[Transceiver] = set()
        for index, media in enumerate(sections):
            one = self.find(media, index)
            if one is not None and (one.kind, one.index) != (media.kind, index):
                self._restore(one, changes)  # of another offer, which this one replaces
                one = None
            if one is None and index in usable and not media.is_data:
                one = self._taker(media)
                if one is None:
                    one = self.add(media.kind, direction="recvonly")
                    one.by_remote = True
                    changes.added.append(one)
                one.mid, one.index = media.mid or new_mid(), index
                self._propose_encodings(one, media)
            if one is not None:
                named.add(one)
                self.hear(one, "inactive" if media.rejected else wanted_direction(media), media, changes)
        for one in [one for one in self._all if one not in named and one not in self._stable]:
            self._restore(one, changes)

    def _taker(self, media: Media) -> Transceiver | None:
        """Who waits for a section in which the other end receives: one that was made for a track of ours."""
        may_send = sends(wanted_direction(media))
        for one in self._all:
            fits = one.for_offer or (one.for_track and may_send)
            if one.kind == media.kind and fits and one.mid is None:
                return one
        return None

    def _propose_encodings(self, one: Transceiver, media: Media) -> None:
        """The other end asks for simulcast, and the application did not choose encodings (W3C WebRTC section
        4.4.1.5): each half as wide and high as the next."""
        rids = requested_rids(media)
        if len(rids) > 1 and len(one.encodings) == 1 and not one.encodings[0].rid:
            self._proposed[one] = one.encodings
            first, last = one.encodings[0], len(rids) - 1
            one.encodings = [
                SendEncoding(rid, first.active, first.max_bitrate, first.max_framerate, 2.0 ** (last - i))
                for i, rid in enumerate(rids)
            ]
            self._draw_ssrcs(one)

    def unsettled(self, local: LocalDescription | None, remote: RemoteDescription | None) -> bool:
        """Whether what is wanted differs from what was agreed on (W3C WebRTC section 4.7.3)."""
        return any(_is_unsettled(one, local, remote) for one in self._all)

    def hear(self, one: Transceiver, direction: str, media: Media | None, changes: Changes) -> None:
        """The other end lets us do `direction`: its track comes, or goes (W3C "track", mute). `media` is its
        section, None if this is our own answer, which can only narrow what it said."""
        before, one.remote_direction = one.remote_direction, direction
        joined = False
        if media is not None:
            streams, track = remote_msids(media) if receives(direction) else ((), one.remote_track_id)
            joined = not set(one.remote_streams).issuperset(streams)
            one.remote_streams, one.remote_track_id = streams, track
        self._tell(one, before, joined, changes)

    def _tell(self, one: Transceiver, before: str, joined: bool, changes: Changes) -> None:
        receiving = receives(one.remote_direction)
        if not receiving:
            one.remote_streams = ()
        if one.stopping:
            return  # its tracks have ended already
        if receiving and (joined or not receives(before)):
            changes.received.append(one)
        elif receives(before) and not receiving:
            changes.muted.append(one)

    def reject(self, one: Transceiver, changes: Changes) -> None:
        """An answer of either side says no to its section: it is stopped (RFC 9429 sections 5.10, 5.11)."""
        self.hear(one, "inactive", None, changes)
        self._end(one)
        changes.stopped.append(one)

    def settled(self) -> None:
        """Stable again: what a rollback will come back to."""
        self._proposed.clear()
        self._stable = {
            one: _Stable(one.mid, one.index, one.remote_direction, one.remote_streams, one.remote_track_id)
            for one in self._all
            if one.mid is not None
        }

    def roll_back(self) -> Changes:
        changes = Changes()
        for one in list(self._all):
            self._restore(one, changes)
        return changes

    def _restore(self, one: Transceiver, changes: Changes) -> None:
        stable = self._stable.get(one, _Stable())
        before, streams = one.remote_direction, one.remote_streams
        one.mid, one.index = stable.mid, stable.index
        one.remote_direction, one.remote_track_id = stable.remote_direction, stable.remote_track_id
        one.remote_streams = stable.remote_streams
        one.encodings = self._proposed.pop(one, one.encodings)
        self._tell(one, before, not set(streams).issuperset(stable.remote_streams), changes)
        if one.mid is None and (one.by_remote or one.stopping):
            self._end(one)
            (changes.removed if one.by_remote else changes.stopped).append(one)


def _is_unsettled(one: Transceiver, local: LocalDescription | None, remote: RemoteDescription | None) -> bool:
    if one.stopping or one.index is None or local is None or remote is None:
        return True
    if one.index >= len(local.description.media):
        return True  # only described by what is still pending
    ours, theirs = local.description.media[one.index], remote.description.media[one.index]
    if sends(one.direction) and {msid.stream for msid in ours.msids} != set(one.streams or ("-",)):
        return True
    offered = wanted_direction(theirs)
    if local.type == "offer":
        return one.direction not in (ours.direction, offered)
    send, receive = sends(one.direction) and sends(offered), receives(one.direction) and receives(offered)
    return ours.direction != direction_of(send=send, receive=receive)


def _by_kind(codecs: Sequence[RtpCodec]) -> dict[str, tuple[RtpCodec, ...]]:
    return {kind: tuple(codec for codec in codecs if codec.kind == kind) for kind in ("audio", "video")}


def _check_direction(direction: str) -> None:
    if direction not in DIRECTIONS:
        raise ValueError(f"direction must be one of {', '.join(DIRECTIONS)}, not {direction!r}")


def _check_rids(rids: Sequence[str], what: str) -> None:
    """RFC 8851 section 10, as long as the header extension can carry. One alone may be empty."""
    if len(rids) > MAX_ENCODINGS:
        raise ValueError(f"{what}: more than {MAX_ENCODINGS}")
    for rid in rids if len(rids) > 1 or rids != [""] else ():
        if not (rid.isascii() and rid.isalnum() and len(rid) <= MAX_TEXT):
            raise ValueError(f"{what}: a rid is of up to {MAX_TEXT} letters and digits, not {rid!r}")
    if len(set(rids)) < len(rids):
        raise ValueError(f"{what}: two have the same rid")
