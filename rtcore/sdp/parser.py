"""Text to `Description` (RFC 8866, 8839, 8840, 8841, 8842, 9143 and the RTP attributes).

Lines that are understood must be right: a malformed one raises `SdpError` with its number. Lines that are not
understood are kept. Line ends may be CRLF or LF, and empty lines are passed over, since descriptions get
copied by hand. Size and number of sections are bounded. The lines about codecs, three of four in a
description with audio and video, are read by `codec_lines`.
"""

import re
from collections.abc import Callable
from functools import lru_cache

from rtcore.errors import SdpError

from .codec_lines import PREFIXES, CodecLineError, codec_lines
from .model import (
    Description,
    Extension,
    Fingerprint,
    Group,
    Media,
    Msid,
    Origin,
    Rid,
    RidChoice,
    Simulcast,
    SourceGroup,
)

__all__ = ["parse"]

MAX_SIZE = 1024 * 1024
MAX_SECTIONS = 512
MAX_CANDIDATES = 256
"""Candidates of one section; there is no use for so many, and no limit in the grammar."""
MAX_VALUES = 64
"""Fingerprints and ICE options of one section."""

HASH_SIZES = {"md5": 16, "sha-1": 20, "sha-224": 28, "sha-256": 32, "sha-384": 48, "sha-512": 64}

# '-', '=', '#' and '_' are not ice-chars (RFC 8839 section 5.4), but are sent by some.
_UFRAG = re.compile(r"[A-Za-z0-9+/=#_-]{4,256}")
_PWD = re.compile(r"[A-Za-z0-9+/=#_-]{22,256}")
_TOKEN = re.compile(r"[!#-'*+\-.0-9A-Z^-~]+")
_DIGEST = re.compile(r"[0-9A-Fa-f]{2}(?::[0-9A-Fa-f]{2})*")
_EXTMAP = re.compile(r"(\d{1,4})(?:/(sendrecv|sendonly|recvonly|inactive))? +(\S+)(?: +(.*))?")
_SSRC = re.compile(r"(\d{1,10}) +([^: ]+)(?::(.*))?")
_RID = re.compile(r"([A-Za-z0-9_-]+) +(send|recv)(?: +(.*))?")
_MEDIA_LINE = re.compile(r"(\S+) +(\d{1,5})(?:/(\d{1,5}))? +(\S+)(?: +(.*))?")
_ORIGIN = re.compile(r"(\S+) +(\d{1,20}) +(\d{1,20}) +(\S+ +\S+ +\S+)")


def parse(text: str) -> Description:
    """The description that `text` gives. `SdpError` tells what is wrong with it, and where."""
    if not isinstance(text, str):
        raise TypeError(f"a session description is a str, not {type(text).__name__}")
    if len(text) > MAX_SIZE:
        raise SdpError(f"{len(text)} characters are more than {MAX_SIZE}")
    number = 0
    try:
        session = _Session()
        media: Media | None = None
        about_codecs: _AboutCodecs | None = None
        for raw in text.split("\n"):
            number += 1
            if about_codecs is not None and raw.startswith(PREFIXES):
                about_codecs.lines.append(raw)
                about_codecs.numbers.append(number)
                continue
            line = raw.rstrip("\r")
            if not line:
                continue
            if line[1:2] != "=":
                raise ValueError(f"expected <letter>=<value>, got {line[:40]!r}")
            letter, value = line[0], line[2:]
            if letter == "a":
                name, colon, value = value.partition(":")
                if media is None:
                    session.attribute(name, value if colon else None)
                elif (handler := _MEDIA_ATTRIBUTES.get(name)) is not None:
                    handler(media, value)
                else:
                    media.attributes.append((name, value if colon else None))
            elif letter == "m":
                session.complete()
                if about_codecs is not None:
                    about_codecs.complete()
                media, about_codecs = _media_line(value, number)
                session.media.append(media)
                if len(session.media) > MAX_SECTIONS:
                    raise ValueError(f"more than {MAX_SECTIONS} sections")
            elif media is None:
                session.line(letter, value)
            elif letter == "c":
                media.connection = value
            else:
                media.lines.append((letter, value))
        if about_codecs is not None:
            about_codecs.complete()
        number = 0
        return session.finish()
    except SdpError:
        raise
    except ValueError as error:
        raise SdpError(str(error), number) from None


class _AboutCodecs:
    """The lines about codecs of the section that is read, which count together, at its end."""

    def __init__(self, media: Media, formats: str, number: int) -> None:
        self.lines: list[str] = []
        self.numbers = [number]  # of the m-line and those
        self._media, self._formats = media, formats

    def complete(self) -> None:
        try:
            known = codec_lines(self._formats, self.lines)
        except CodecLineError as error:
            raise SdpError(str(error), self.numbers[error.index + 1]) from None
        self._media.formats = [*known.formats]
        self._media.codecs = known.table
        self._media.attributes += known.others


class _Session:
    """The session level while it is read, and what must hold for the whole."""

    def __init__(self) -> None:
        self.origin: Origin | None = None
        self.version = self.timing = self.name = ""
        self.media: list[Media] = []
        self.connection = ""
        self.ice_lite = self.extmap_allow_mixed = False
        self.groups: list[Group] = []
        self.lines: list[tuple[str, str]] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.shared: Media | None = None  # transport values and direction, defaults of all sections

    def line(self, letter: str, value: str) -> None:
        if letter == "v":
            if value != "0":
                raise ValueError(f"expected v=0, got v={value[:20]}")
            self.version = value
        elif not self.version:
            raise ValueError("expected v=0 first")
        elif letter == "o":
            match = _ORIGIN.fullmatch(value.rstrip())
            if match is None:
                raise ValueError("expected o=<username> <id> <version> IN <type> <address>")
            self.origin = Origin(int(match[2]), int(match[3]), match[1], match[4])
        elif letter == "s":
            self.name = value or " "
        elif letter == "t":
            self.timing = self.timing or value
        elif letter == "c":
            self.connection = value
        else:
            self.lines.append((letter, value))

    def complete(self) -> None:
        """Before the first section (or the end): o= and s= are there. A missing t= is forgiven."""
        if not self.version:
            raise ValueError("expected v=0 first")
        if self.origin is None:
            raise ValueError("there is no o= line")
        if not self.name:
            raise ValueError("there is no s= line")

    def attribute(self, name: str, value: str | None) -> None:
        if name == "group":
            words = (value or "").split()
            if not words:
                raise ValueError("expected a=group:<semantics> <mids>")
            self.groups.append(Group(words[0], tuple(words[1:])))
            if len(self.groups) > MAX_SECTIONS:
                raise ValueError(f"more than {MAX_SECTIONS} groups")
        elif name == "ice-lite":
            self.ice_lite = True
        elif name == "extmap-allow-mixed":
            self.extmap_allow_mixed = True
        elif name in _SHARED_ATTRIBUTES:
            if self.shared is None:
                self.shared = Media("")
            _MEDIA_ATTRIBUTES[name](self.shared, value or "")
        else:
            self.attributes.append((name, value))

    def finish(self) -> Description:
        self.complete()
        assert self.origin is not None
        description = Description(
            self.origin,
            self.media,
            self.name,
            self.timing or "0 0",
            self.connection,
            self.ice_lite,
            self.groups,
            self.extmap_allow_mixed,
            self.lines,
            self.attributes,
        )
        if self.shared is not None:
            for media in self.media:
                _inherit(media, self.shared)
        mids: set[str] = set()
        for media in self.media:
            if media.mid:
                if media.mid in mids:
                    raise ValueError(f"two sections have the mid {media.mid!r}")
                mids.add(media.mid)
            if bool(media.ice_ufrag) != bool(media.ice_pwd):
                raise ValueError(f"section {media.mid!r} has only one of ice-ufrag and ice-pwd")
        self.check_bundles(mids)
        return description

    def check_bundles(self, mids: set[str]) -> None:
        bundled: set[str] = set()
        for group in self.groups:
            if group.semantics == "BUNDLE":
                for mid in group.mids:
                    if mid not in mids:
                        raise ValueError(f"BUNDLE names the mid {mid!r}, which no section has")
                    if mid in bundled:
                        raise ValueError(f"the mid {mid!r} is bundled twice")
                    bundled.add(mid)


def _inherit(media: Media, shared: Media) -> None:
    """Session-level values hold for all sections that do not have their own (RFC 8839, 8842)."""
    if not media.ice_ufrag and not media.ice_pwd:
        media.ice_ufrag, media.ice_pwd = shared.ice_ufrag, shared.ice_pwd
    media.ice_options = media.ice_options or shared.ice_options
    media.fingerprints = media.fingerprints or shared.fingerprints
    media.setup = media.setup or shared.setup
    media.tls_id = media.tls_id or shared.tls_id
    media.direction = media.direction or shared.direction
    media.end_of_candidates = media.end_of_candidates or shared.end_of_candidates


def _integer(text: str, low: int, high: int, what: str) -> int:
    text = text.strip()
    if not (text.isascii() and text.isdecimal() and len(text) <= 20 and low <= int(text) <= high):
        raise ValueError(f"expected {what} from {low} to {high}, got {text[:30]!r}")
    return int(text)


def _media_line(value: str, number: int) -> tuple[Media, _AboutCodecs | None]:
    match = _MEDIA_LINE.fullmatch(value.rstrip())
    if match is None:
        raise ValueError("expected m=<kind> <port> <protocol> <formats>")
    formats = match[5] or ""
    media = Media(match[1], _integer(match[2], 0, 65535, "a port"), match[4])
    if match[3]:
        media.port_count = _integer(match[3], 1, 65535, "a number of ports")
    if media.protocol.endswith(("RTP/AVP", "RTP/AVPF", "RTP/SAVP", "RTP/SAVPF")):
        return media, _AboutCodecs(media, formats, number)
    media.formats = formats.split()
    return media, None


def _mid(media: Media, value: str) -> None:
    media.mid = value.strip()
    if not _TOKEN.fullmatch(media.mid):
        raise ValueError(f"a mid is a token, not {value[:40]!r}")


def _ice_ufrag(media: Media, value: str) -> None:
    if not _UFRAG.fullmatch(value):
        raise ValueError("an ice-ufrag has 4 to 256 ice-chars")
    media.ice_ufrag = value


def _ice_pwd(media: Media, value: str) -> None:
    if not _PWD.fullmatch(value):
        raise ValueError("an ice-pwd has 22 to 256 ice-chars")
    media.ice_pwd = value


def _ice_options(media: Media, value: str) -> None:
    media.ice_options += tuple(value.replace(",", " ").split())  # a comma is not the grammar's, but is sent
    if len(media.ice_options) > MAX_VALUES:
        raise ValueError(f"a section has more than {MAX_VALUES} ice-options")


def _candidate(media: Media, value: str) -> None:
    if len(media.candidates) >= MAX_CANDIDATES:
        raise ValueError(f"a section has more than {MAX_CANDIDATES} candidates")
    media.candidates.append("candidate:" + value)


def _fingerprint(media: Media, value: str) -> None:
    algorithm, _, text = value.strip().partition(" ")
    text = text.strip()
    if not _DIGEST.fullmatch(text):
        raise ValueError("expected a=fingerprint:<hash> <hexadecimal bytes with colons>")
    algorithm, digest = algorithm.lower(), bytes.fromhex(text.replace(":", ""))
    if HASH_SIZES.get(algorithm, len(digest)) != len(digest):
        raise ValueError(f"a {algorithm} fingerprint has {HASH_SIZES[algorithm]} bytes, not {len(digest)}")
    media.fingerprints += (Fingerprint(algorithm, digest),)
    if len(media.fingerprints) > MAX_VALUES:
        raise ValueError(f"a section has more than {MAX_VALUES} fingerprints")


def _setup(media: Media, value: str) -> None:
    media.setup = value.strip().lower()
    if media.setup not in ("actpass", "active", "passive", "holdconn"):
        raise ValueError(f"expected actpass, active, passive or holdconn, got {value[:30]!r}")


def _tls_id(media: Media, value: str) -> None:
    media.tls_id = value.strip()


def _sctp_port(media: Media, value: str) -> None:
    media.sctp_port = _integer(value, 0, 65535, "an SCTP port")


def _max_message_size(media: Media, value: str) -> None:
    media.max_message_size = _integer(value, 0, 2**64 - 1, "a size")


def _sctpmap(media: Media, value: str) -> None:
    media.sctpmap = value


def _rtcp(media: Media, value: str) -> None:
    _integer(value.partition(" ")[0], 0, 65535, "a port")
    media.rtcp = value


def _extmap(media: Media, value: str) -> None:
    media.extensions.append((_known_extension if len(value) < USUAL_EXTENSION else _extension)(value))


def _extension(value: str) -> Extension:
    match = _EXTMAP.fullmatch(value)
    if match is None:
        raise ValueError("expected a=extmap:<id>[/<direction>] <URI>")
    # 4096 and up only stand in for ids that are still to be chosen (RFC 8285 section 6)
    return Extension(int(match[1]), match[3], match[2] or "", match[4] or "")


_known_extension = lru_cache(256)(_extension)
USUAL_EXTENSION = 256
"""Characters of one that is remembered, as the same come with each connection."""


def _msid(media: Media, value: str) -> None:
    stream, _, track = value.strip().partition(" ")
    if not stream:
        raise ValueError("expected a=msid:<stream> [<track>]")
    media.msids.append(Msid(stream, track))


def _ssrc(media: Media, value: str) -> None:
    match = _SSRC.fullmatch(value)
    if match is None:
        raise ValueError("expected a=ssrc:<SSRC> <attribute>[:<value>]")
    media.sources.setdefault(_integer(match[1], 0, 2**32 - 1, "an SSRC"), {})[match[2]] = match[3] or ""


def _ssrc_group(media: Media, value: str) -> None:
    words = value.split()
    if len(words) < 2:
        raise ValueError("expected a=ssrc-group:<semantics> <SSRCs>")
    sources = tuple(_integer(word, 0, 2**32 - 1, "an SSRC") for word in words[1:])
    media.source_groups.append(SourceGroup(words[0], sources))


def _rid(media: Media, value: str) -> None:
    match = _RID.fullmatch(value.strip())
    if match is None:
        raise ValueError("expected a=rid:<id> send|recv [<restrictions>]")
    media.rids.append(Rid(match[1], match[2], match[3] or ""))


def _simulcast(media: Media, value: str) -> None:
    words = value.split()
    if len(words) not in (2, 4) or any(word not in ("send", "recv") for word in words[::2]):
        raise ValueError("expected a=simulcast:send <streams> recv <streams>")
    streams = dict(zip(words[::2], map(_simulcast_streams, words[1::2]), strict=True))
    media.simulcast = Simulcast(streams.get("send", ()), streams.get("recv", ()))


def _simulcast_streams(text: str) -> tuple[tuple[RidChoice, ...], ...]:
    return tuple(
        tuple(RidChoice(choice.removeprefix("~"), choice.startswith("~")) for choice in stream.split(","))
        for stream in text.split(";")
    )


def _direction(direction: str) -> Callable[[Media, str], None]:
    def apply(media: Media, value: str) -> None:
        media.direction = direction

    return apply


def _flag(name: str) -> Callable[[Media, str], None]:
    def apply(media: Media, value: str) -> None:
        setattr(media, name, True)

    return apply


_SHARED_ATTRIBUTES = frozenset(
    {
        "ice-ufrag",
        "ice-pwd",
        "ice-options",
        "end-of-candidates",
        "fingerprint",
        "setup",
        "tls-id",
        "sendrecv",
        "sendonly",
        "recvonly",
        "inactive",
    }
)

_MEDIA_ATTRIBUTES: dict[str, Callable[[Media, str], None]] = {
    "mid": _mid,
    "ice-ufrag": _ice_ufrag,
    "ice-pwd": _ice_pwd,
    "ice-options": _ice_options,
    "candidate": _candidate,
    "end-of-candidates": _flag("end_of_candidates"),
    "fingerprint": _fingerprint,
    "setup": _setup,
    "tls-id": _tls_id,
    "sctp-port": _sctp_port,
    "max-message-size": _max_message_size,
    "sctpmap": _sctpmap,
    "sendrecv": _direction("sendrecv"),
    "sendonly": _direction("sendonly"),
    "recvonly": _direction("recvonly"),
    "inactive": _direction("inactive"),
    "bundle-only": _flag("bundle_only"),
    "rtcp": _rtcp,
    "rtcp-mux": _flag("rtcp_mux"),
    "rtcp-mux-only": _flag("rtcp_mux_only"),
    "rtcp-rsize": _flag("rtcp_rsize"),
    "extmap": _extmap,
    "extmap-allow-mixed": _flag("extmap_allow_mixed"),
    "msid": _msid,
    "ssrc": _ssrc,
    "ssrc-group": _ssrc_group,
    "rid": _rid,
    "simulcast": _simulcast,
}
