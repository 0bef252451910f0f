"""The lines of a section about its codecs: payload types of the m-line, a=rtpmap, a=fmtp and a=rtcp-fb.

They are most of a description with audio and video, and the same in each one that a browser makes. So they
are taken together, and those that came before are known by their text.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from .codec_table import REMEMBERED, USUAL_SIZE, Codec, CodecTable

__all__ = ["MAX_VALUES", "PREFIXES", "CodecLineError", "CodecLines", "codec_lines"]

PREFIXES = ("a=rtpmap:", "a=fmtp:", "a=rtcp-fb:")
"""How such a line begins."""
MAX_VALUES = 64
"""Kinds of feedback of one codec."""

_ENCODING = re.compile(r"([^/ ]+)/([0-9]{1,10})(?:/([0-9]{1,3}))? *")
_VALUE = re.compile(r"([0-9]{1,3}|\*) +(.+)")


class CodecLineError(ValueError):
    """What is wrong with the line `index`; -1: with the m-line."""

    def __init__(self, message: str, index: int) -> None:
        super().__init__(message)
        self.index = index


@dataclass(slots=True, frozen=True)
class CodecLines:
    """What they say. `others`: names and values of those about payload types that the m-line has not."""

    formats: tuple[str, ...]
    table: CodecTable
    others: tuple[tuple[str, str], ...]


def codec_lines(formats: str, lines: Sequence[str]) -> CodecLines:
    """`formats` is the end of the m-line, `lines` begin with one of `PREFIXES`. `CodecLineError`: a line is
    malformed."""
    text = "\n".join(lines)
    return (_remembered if len(formats) + len(text) <= USUAL_SIZE else _read)(formats, text)


@dataclass(slots=True)
class _Draft:
    """A codec while its lines are read."""

    name: str = ""
    clock_rate: int = 0
    channels: int | None = None
    parameters: str = ""
    feedback: list[str] = field(default_factory=list)


def _read(formats: str, text: str) -> CodecLines:
    words = tuple(formats.split())
    feedback_for_all: list[str] = []
    others: list[tuple[str, str]] = []
    index = -1
    try:
        drafts = {_payload_type(word): _Draft() for word in words}
        for line in text.split("\n") if text else ():
            index += 1
            name, _, value = line.rstrip("\r")[2:].partition(":")
            if not _take(name, value, drafts, feedback_for_all):
                others.append((name, value))
    except ValueError as error:
        raise CodecLineError(str(error), index) from None
    codecs = [
        Codec(number, one.name, one.clock_rate, one.channels, one.parameters, tuple(one.feedback))
        for number, one in drafts.items()
    ]
    return CodecLines(words, CodecTable(codecs, feedback_for_all), tuple(others))


def _take(name: str, value: str, drafts: dict[int, _Draft], feedback_for_all: list[str]) -> bool:
    """False: it is of no payload type of the m-line."""
    match = _VALUE.fullmatch(value)
    if match is None:
        if name == "fmtp":
            return False  # formats other than RTP's have other values
        raise ValueError(f"expected a={name}:<payload type> <value>")
    draft = drafts.get(int(match[1])) if match[1] != "*" else None
    if name == "rtpmap":
        encoding = _encoding(match[2])
        if draft is not None:
            draft.name, draft.clock_rate, draft.channels = encoding
    elif name == "rtcp-fb" and (draft is not None or match[1] == "*"):
        known = draft.feedback if draft is not None else feedback_for_all
        known.append(match[2])
        if len(known) > MAX_VALUES:
            raise ValueError(f"a codec has more than {MAX_VALUES} kinds of feedback")
        return True
    elif draft is not None:
        draft.parameters = match[2]
    return draft is not None


_remembered = lru_cache(REMEMBERED)(_read)


def _payload_type(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) < 4 and int(text) < 128):
        raise ValueError(f"expected a payload type from 0 to 127, got {text[:30]!r}")
    return int(text)


def _encoding(text: str) -> tuple[str, int, int | None]:
    """Name, clock rate and channels of a=rtpmap."""
    match = _ENCODING.fullmatch(text)
    if match is None:
        raise ValueError("expected a=rtpmap:<payload type> <name>/<clock rate>[/<channels>]")
    clock_rate = int(match[2])
    if not 0 < clock_rate < 2**32:
        raise ValueError(f"expected a clock rate from 1 to {2**32 - 1}, got {clock_rate}")
    return match[1], clock_rate, int(match[3]) if match[3] else None
