"""Payload types: numbers for the codecs of an offer, and what remains of them in its answer."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from .agreed import AgreedFormat
from .codec_table import Codec, CodecTable, remembered
from .codecs import STATIC, RtpCodec, answered, codec_of, with_feedback
from .model import Media

__all__ = ["Numbering", "agreed_formats", "answered_formats", "formats_of", "put_formats"]

RTCP_RANGE = range(64, 96)
"""With rtcp-mux, these would be taken for RTCP (RFC 5761 section 4)."""
DYNAMIC = (*range(96, 128), *range(35, RTCP_RANGE.start))
_POSSIBLE = frozenset((*DYNAMIC, *STATIC))
_USUAL = {
    **{(name.lower(), rate, channels): number for number, (name, rate, channels) in STATIC.items()},
    ("opus", 48000, 2): 111,
    ("red", 48000, 2): 63,
    ("telephone-event", 48000, 1): 110,
    ("telephone-event", 8000, 1): 126,
}


def formats_of(media: Media) -> tuple[AgreedFormat, ...]:
    """The codecs of an audio or video section in its order, each with its RTX, which is not listed by itself
    (RFC 4588). Other sections have none that we know."""
    return _formats(media.kind, media.codecs, _ptime(media)) if media.kind in ("audio", "video") else ()


@remembered
def _formats(kind: str, table: CodecTable, ptime: int) -> tuple[AgreedFormat, ...]:
    rtx: dict[str, int] = {}
    found: dict[int, RtpCodec] = {}
    for number, written in table.items():
        codec = codec_of(kind, written, table.feedback_for_all)
        if codec is None or number in RTCP_RANGE:
            continue
        if codec.name.lower() == "rtx":
            rtx.setdefault(codec.parameter_map.get("apt", ""), number)
        else:
            found[number] = codec
    return tuple(AgreedFormat(number, codec, rtx.get(str(number)), ptime) for number, codec in found.items())


def _ptime(media: Media) -> int:
    """a=ptime (RFC 8866 section 6.4) in whole milliseconds; 0: it is not there, or makes no sense."""
    text = next((value for name, value in media.attributes if name == "ptime"), None) or ""
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 4 else 0


def put_formats(media: Media, formats: Iterable[AgreedFormat]) -> None:
    """Writes them into a section, each RTX behind its codec."""
    media.codecs = _table(tuple(formats))
    media.formats = [str(number) for number in media.codecs]


@remembered
def _table(formats: tuple[AgreedFormat, ...]) -> CodecTable:
    codecs = []
    for format in formats:
        codec, number = format.codec, format.payload_type
        channels = codec.channels if codec.channels > 1 else None
        codecs.append(Codec(number, codec.name, codec.clock_rate, channels, codec.parameters, codec.feedback))
        if format.rtx_payload_type is not None:
            rtx = format.rtx_payload_type
            codecs.append(Codec(rtx, "rtx", codec.clock_rate, None, f"apt={number}"))
    return CodecTable(codecs)


class Numbering:
    """The payload types of a bundle, where a codec has the same number in all sections (RFC 9143 section
    9.1). Those of earlier descriptions stay as they are."""

    def __init__(self, sections: Iterable[Media]) -> None:
        self._numbers: dict[tuple[str | int, ...], int] = {}
        self._rtx: dict[int, int] = {}
        self._taken: set[int] = set()
        for media in sections:
            for format in formats_of(media):
                number, key = format.payload_type, format.codec.identity
                if key not in self._numbers and number not in self._taken:
                    self._numbers[key] = number
                    rtx = format.rtx_payload_type
                    if rtx is not None and rtx not in self._taken:
                        self._rtx[number] = rtx
            self._taken.update(media.codecs)

    def offered(self, codecs: Sequence[RtpCodec]) -> list[AgreedFormat]:
        """Codecs with numbers; when they run out, RTX and then the last codecs are left out."""
        found: list[AgreedFormat] = []
        numbers: set[int] = set()
        for codec in codecs:
            if codec.name.lower() == "red":
                carried = self._carried(codec, codecs)
                if carried is None:
                    continue
                codec = replace(codec, parameters=f"{carried}/{carried}")
            number = self._number(codec)
            if number is not None and number not in numbers:
                numbers.add(number)
                rtx = self._rtx_number(number) if codec.kind == "video" else None
                found.append(AgreedFormat(number, codec, rtx))
        return found

    def _carried(self, red: RtpCodec, codecs: Sequence[RtpCodec]) -> int | None:
        """The payload type of the codec that RED carries: the first one with its clock and channels."""
        for codec in codecs:
            if codec.primary and (codec.clock_rate, codec.channels) == (red.clock_rate, red.channels):
                return self._number(codec)
        return None

    def _number(self, codec: RtpCodec) -> int | None:
        key = codec.identity
        if key not in self._numbers:
            number = self._free(_USUAL.get((codec.name.lower(), codec.clock_rate, codec.channels)))
            if number is None:
                return None
            self._numbers[key] = number
        return self._numbers[key]

    def _rtx_number(self, number: int) -> int | None:
        if number not in self._rtx:
            rtx = self._free(number + 1)
            if rtx is None:
                return None
            self._rtx[number] = rtx
        return self._rtx[number]

    def _free(self, usual: int | None) -> int | None:
        """`usual` if it can be had."""
        found = usual
        if found not in _POSSIBLE or found in self._taken:
            found = next((number for number in DYNAMIC if number not in self._taken), None)
        if found is not None:
            self._taken.add(found)
        return found


def answered_formats(offered: Media, codecs: Sequence[RtpCodec], ordered: bool) -> tuple[AgreedFormat, ...]:
    """What an answer accepts, with the numbers of the offer. Its order is that of the offer, or that of
    `codecs` if `ordered`."""
    return _answered(offered.kind, offered.codecs, tuple(codecs), ordered)


@remembered
def _answered(
    kind: str, offered: CodecTable, codecs: tuple[RtpCodec, ...], ordered: bool
) -> tuple[AgreedFormat, ...]:
    found: list[tuple[int, AgreedFormat]] = []
    places = {codec.identity: place for place, codec in reversed([*enumerate(codecs)])}
    for format in _formats(kind, offered, 0):
        place = places.get(format.codec.identity)
        if place is not None:
            rtx = format.rtx_payload_type if kind == "video" else None
            kept = AgreedFormat(format.payload_type, answered(codecs[place], format.codec), rtx)
            found.append((place, kept))
    if ordered:
        found.sort(key=lambda item: item[0])
    formats = tuple(format for _, format in found)
    return formats if any(format.codec.primary for format in formats) else ()


def agreed_formats(
    local: Media, remote: Media, *, offered: bool
) -> tuple[tuple[AgreedFormat, ...], tuple[AgreedFormat, ...]]:
    """(what we may receive, what we may send), both in the order of the answer: `remote` if we `offered`."""
    return _agreed(local.kind, local.codecs, remote.codecs, (_ptime(local), _ptime(remote)), offered)


@remembered
def _agreed(
    kind: str, local: CodecTable, remote: CodecTable, ptimes: tuple[int, int], offered: bool
) -> tuple[tuple[AgreedFormat, ...], tuple[AgreedFormat, ...]]:
    ours, theirs = _formats(kind, local, ptimes[0]), _formats(kind, remote, ptimes[1])
    receive = _meeting(ours, theirs)
    send = _meeting(theirs, ours)
    answer = theirs if offered else ours
    order = {format.codec.identity: place for place, format in reversed([*enumerate(answer)])}
    for formats in (receive, send):
        formats.sort(key=lambda format: order[format.codec.identity])
    return tuple(receive), tuple(send)


def _meeting(formats: Iterable[AgreedFormat], others: Iterable[AgreedFormat]) -> list[AgreedFormat]:
    """Those that the other side has, too, with the feedback of both, and RTX if both have it."""
    by_identity: dict[tuple[str | int, ...], AgreedFormat] = {}
    for one in others:
        by_identity.setdefault(one.codec.identity, one)
    found = []
    for format in formats:
        other = by_identity.get(format.codec.identity)
        if other is not None:
            rtx = format.rtx_payload_type if other.rtx_payload_type is not None else None
            codec = with_feedback(format.codec, other.codec)
            found.append(AgreedFormat(format.payload_type, codec, rtx, format.ptime))
    return found
