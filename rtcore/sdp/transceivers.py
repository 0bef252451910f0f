"""The transceivers of one negotiation: made, changed, associated with sections, rolled back."""

from collections.abc import Callable, Iterator, Sequence

from rtcore.errors import InvalidAccessError, InvalidStateError

from .codecs import RtpCodec, default_codecs, matches
from .transceiver import DIRECTIONS, SendEncoding, Transceiver, direction_of, receives

__all__ = ["Transceivers"]

MAX_ENCODINGS = 16


class Transceivers:
    """In the order in which they were made. `draw(bits)` gives random numbers, for SSRCs."""

    def __init__(self, draw: Callable[[int], int]) -> None:
        self._draw = draw
        self._all: list[Transceiver] = []
        self._ssrcs: set[int] = set()  # given out, never again

    def __iter__(self) -> Iterator[Transceiver]:
        return iter(self._all)

    def __len__(self) -> int:
        return len(self._all)

    # What the owner wants

    def add(
        self,
        kind: str,
        *,
        direction: str,
        track_id: str,
        streams: Sequence[str],
        encodings: Sequence[SendEncoding],
        receive_rids: Sequence[str],
        codec_preferences: Sequence[RtpCodec],
    ) -> Transceiver:
        default_codecs(kind)
        _check_direction(direction)
        encodings = list(encodings) or [SendEncoding()]
        _check_rids([encoding.rid for encoding in encodings], "encodings")
        if receive_rids:
            _check_rids(receive_rids, "receive_rids")
        one = Transceiver(
            kind,
            direction,
            track_id,
            tuple(streams),
            encodings,
            tuple(receive_rids),
            self.checked_preferences(kind, codec_preferences),
            has_track=bool(track_id),
        )
        self.complete(one)
        self._all.append(one)
        return one

    def complete(self, one: Transceiver) -> None:
        """Draws the SSRCs that its encodings do not have."""
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
            if one.kind == kind and not (one.has_track or one.sent or one.stopping or one.stopped):
                one.direction = direction_of(send=True, receive=receives(one.direction))
                one.track_id, one.streams = track_id, tuple(streams)
                break
        else:
            one = self.add(
                kind,
                direction="sendrecv",
                track_id=track_id,
                streams=streams,
                encodings=(),
                receive_rids=(),
                codec_preferences=(),
            )
        one.has_track = one.for_track = True
        one.by_remote = False
        return one

    def remove_track(self, one: Transceiver) -> None:
        one.has_track = False
        if not one.stopped:
            one.direction = direction_of(send=False, receive=receives(one.direction))

    def set_direction(self, one: Transceiver, direction: str) -> None:
        _check_direction(direction)
        _check_alive(one)
        one.direction = direction

    def set_codec_preferences(self, one: Transceiver, codecs: Sequence[RtpCodec]) -> None:
        _check_alive(one)
        one.codec_preferences = self.checked_preferences(one.kind, codecs)

    @staticmethod
    def checked_preferences(kind: str, codecs: Sequence[RtpCodec]) -> tuple[RtpCodec, ...]:
        chosen: list[RtpCodec] = []
        for codec in codecs:
            if codec.kind != kind:
                raise InvalidAccessError(f"{codec.mime_type} is no {kind} codec")
            if not any(matches(codec, other) for other in chosen):
                chosen.append(codec)
        if chosen and not any(codec.primary for codec in chosen):
            raise InvalidAccessError("codec preferences need a codec that a track can be sent with")
        return tuple(chosen)

    def stop(self, one: Transceiver) -> None:
        one.stopping = True
        if one.mid is None and not one.stopped:
            one.stopped, one.direction, one.current_direction = True, "inactive", None
            self._all.remove(one)


def _check_direction(direction: str) -> None:
    if direction not in DIRECTIONS:
        raise ValueError(f"direction must be one of {', '.join(DIRECTIONS)}, not {direction!r}")


def _check_alive(one: Transceiver) -> None:
    if one.stopping or one.stopped:
        raise InvalidStateError("the transceiver is stopped")


def _check_rids(rids: Sequence[str], what: str) -> None:
    """RFC 8851 section 10, with the length that fits into a header extension."""
    if len(rids) > MAX_ENCODINGS:
        raise ValueError(f"{what}: more than {MAX_ENCODINGS}")
    if len(rids) > 1 or rids[0]:
        for rid in rids:
            if not (rid.isascii() and rid.replace("-", "").replace("_", "").isalnum() and len(rid) <= 255):
                raise ValueError(f"{what}: a rid is of letters, digits, - and _, not {rid!r}")
    if len(set(rids)) < len(rids):
        raise ValueError(f"{what}: two have the same rid")
