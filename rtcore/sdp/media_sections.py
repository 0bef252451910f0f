"""Audio and video sections of offers and answers, and what an offer and its answer agree on (RFC 9429).

Pure functions over the model; `jsep.Negotiation` decides when they are used.
"""

from collections.abc import Iterable, Sequence

from .agreed import AgreedSection
from .codecs import RtpCodec
from .extensions import RID, agreed_extensions, answered_extensions, offered_extensions
from .formats import Numbering, agreed_formats, answered_formats, put_formats
from .model import Media, Msid, Rid, RidChoice, Simulcast, SourceGroup
from .transceiver import SendEncoding, Transceiver, direction_of, receives, reverse, sends

__all__ = [
    "acceptable",
    "agreed_section",
    "answered_media",
    "offered_media",
    "remote_msids",
    "requested_rids",
]

PROTOCOLS = frozenset(
    f"{transport}RTP/{profile}"
    for transport in ("UDP/TLS/", "TCP/DTLS/", "TCP/TLS/", "")
    for profile in ("SAVPF", "SAVP")
)
"""What an offer may say; all of them mean SRTP with keys from DTLS (RFC 9429 section 5.1.2)."""
MAX_TEXT = 16
"""Bytes of a MID or RID: what the one-byte form of their header extensions carries (RFC 8852, 9143)."""
MAX_ENCODINGS = 8
MAX_SOURCES = 16
MAX_INDEX = 255
"""The core numbers its sections with a byte."""


def wanted_direction(media: Media) -> str:
    """The direction of a section of the other end's, as we see it."""
    return reverse(media.direction or "sendrecv")


# Offers


def offered_media(
    media: Media,
    one: Transceiver,
    numbers: Numbering,
    codecs: Sequence[RtpCodec],
    extensions: dict[str, int],
    cname: str,
) -> None:
    """Fills a section that has its transport with what `one` wants."""
    put_formats(media, numbers.offered(codecs))
    media.extensions = offered_extensions(one.kind, extensions)
    send = [encoding.rid for encoding in one.encodings] if len(one.encodings) > 1 else []
    _put_streams(media, one, one.direction, cname, send, list(one.receive_rids))


def _put_streams(
    media: Media, one: Transceiver, direction: str, cname: str, send: list[str], receive: list[str]
) -> None:
    media.direction = direction
    media.rtcp_mux = media.rtcp_rsize = True
    send = send if sends(direction) else []
    receive = receive if receives(direction) else []
    media.rids = [Rid(rid, "send") for rid in send] + [Rid(rid, "recv") for rid in receive]
    if send or receive:
        media.simulcast = Simulcast(_choices(send), _choices(receive))
    if sends(one.direction):  # wanted, though the other end may not: else it would be offered again and again
        media.msids = [Msid(stream, one.track_id) for stream in one.streams or ("-",)]
    if sends(direction) and not send:
        first = one.encodings[0]
        sources = [first.ssrc]
        if first.rtx_ssrc and any(codec.name == "rtx" for codec in media.codecs.values()):
            sources.append(first.rtx_ssrc)
            media.source_groups = [SourceGroup("FID", tuple(sources))]
        media.sources = {ssrc: {"cname": cname} for ssrc in sources}


def _choices(rids: Iterable[str]) -> tuple[tuple[RidChoice, ...], ...]:
    return tuple((RidChoice(rid),) for rid in rids)


# Answers


def acceptable(media: Media, index: int) -> bool:
    """Whether a section that is offered could be taken at all, its codecs apart."""
    return (
        media.kind in ("audio", "video")
        and not media.rejected
        and media.protocol in PROTOCOLS
        and media.rtcp_mux
        and len(media.mid) <= MAX_TEXT
        and index <= MAX_INDEX
    )


def answered_media(
    media: Media,
    one: Transceiver,
    offered: Media,
    codecs: Sequence[RtpCodec],
    extensions: dict[str, int],
    cname: str,
    simulcast: bool,
) -> bool:
    """Fills a section of an answer. False: there is no codec that both have."""
    formats = answered_formats(offered, codecs, bool(one.codec_preferences))
    if not formats:
        return False
    put_formats(media, formats)
    media.extensions = answered_extensions(one.kind, offered, extensions)
    direction = wanted_direction(offered)
    direction = direction_of(
        send=sends(direction) and sends(one.direction),
        receive=receives(direction) and receives(one.direction),
    )
    by_rid = any(extension.uri == RID for extension in media.extensions)
    asked = requested_rids(offered) if by_rid else []
    ours = [encoding.rid for encoding in one.encodings if encoding.rid in asked]
    theirs = offered_rids(offered) if by_rid and simulcast else []
    _put_streams(media, one, direction, cname, ours, theirs)
    _keep_restrictions(media, offered)
    media.rtcp_rsize = offered.rtcp_rsize
    return True


def offered_rids(offered: Media) -> list[str]:
    """Simulcast that the other end would send: of each stream the first alternative that it describes."""
    return _rids(offered, "send", offered.simulcast.send if offered.simulcast else ())


def requested_rids(offered: Media) -> list[str]:
    """Simulcast that the other end would take."""
    return _rids(offered, "recv", offered.simulcast.receive if offered.simulcast else ())


def _rids(media: Media, direction: str, streams: tuple[tuple[RidChoice, ...], ...]) -> list[str]:
    described = {rid.id for rid in media.rids if rid.direction == direction and len(rid.id) <= MAX_TEXT}
    found: dict[str, None] = {}
    for choices in streams:
        for choice in choices:
            if choice.id in described and choice.id not in found:
                found[choice.id] = None
                break
    return list(found)[:MAX_ENCODINGS]


def _keep_restrictions(media: Media, offered: Media) -> None:
    """An answer repeats the restrictions that it accepts (RFC 8851 section 6.3); of payload types those that
    it has."""
    restrictions = {(rid.id, rid.direction): rid.restrictions for rid in offered.rids}
    for place, rid in enumerate(media.rids):
        kept = []
        for item in restrictions[rid.id, "send" if rid.direction == "recv" else "recv"].split(";"):
            name, _, value = item.partition("=")
            if name == "pt":
                numbers = [number for number in value.split(",") if number in media.formats]
                item = f"pt={','.join(numbers)}" if numbers else ""
            if item:
                kept.append(item)
        media.rids[place] = Rid(rid.id, rid.direction, ";".join(kept))


# What the other end says of its streams


def remote_msids(media: Media) -> tuple[tuple[str, ...], str]:
    """(ids of the streams, id of the track); older descriptions have them in a=ssrc (RFC 8830, appendix)."""
    msids = media.msids
    if not msids:
        texts = (attributes.get("msid", "") for attributes in media.sources.values())
        found = dict.fromkeys(text.partition(" ")[::2] for text in texts if text)
        msids = [Msid(stream, track.strip()) for stream, track in found]
    streams = tuple(dict.fromkeys(msid.stream for msid in msids if msid.stream != "-"))
    return streams, next((msid.track for msid in msids if msid.track), "")


def remote_sources(media: Media) -> tuple[tuple[int, int | None], ...]:
    """(SSRC, SSRC of its RTX) of the streams that a section names (RFC 5576, RFC 4588 section 8.3)."""
    repairs: dict[int, int] = {}
    others: set[int] = set()
    for group in media.source_groups:
        if group.semantics in ("FID", "FEC-FR", "FEC") and len(group.sources) == 2:
            first, second = group.sources
            others.add(second)
            if group.semantics == "FID":
                repairs.setdefault(first, second)
    return tuple((ssrc, repairs.get(ssrc)) for ssrc in media.sources if ssrc and ssrc not in others)[
        :MAX_SOURCES
    ]


# Agreeing


def agreed_section(
    index: int, one: Transceiver, local: Media, remote: Media, ssrcs: set[int], *, offered: bool
) -> AgreedSection:
    """What `local` and `remote` say together; `offered`: the offer is `local`. SSRCs that are in `ssrcs`,
    ours and those of other sections, are not taken for this one's; its own are added."""
    formats, send_formats = agreed_formats(local, remote, offered=offered)
    encodings = _agreed_encodings(one, local, remote)
    ours, theirs = local.direction or "sendrecv", wanted_direction(remote)
    direction = direction_of(
        send=sends(ours) and sends(theirs) and bool(send_formats),
        receive=receives(ours) and receives(theirs) and bool(formats),
    )
    return AgreedSection(
        index=index,
        mid=local.mid or one.mid or "",
        transceiver=one,
        direction=direction,
        formats=formats,
        send_formats=send_formats,
        extensions=agreed_extensions(local, remote),
        sources=_new_sources(remote, ssrcs) if receives(direction) else (),
        rids=_agreed_rids(local, remote) if receives(direction) else (),
        encodings=encodings or tuple(one.encodings[:1]),
        send_rids=bool(encodings),
        reduced_size=local.rtcp_rsize and remote.rtcp_rsize,
    )


def _new_sources(remote: Media, ssrcs: set[int]) -> tuple[tuple[int, int | None], ...]:
    found = []
    for ssrc, rtx in remote_sources(remote):
        if ssrc not in ssrcs:
            rtx = rtx if rtx not in ssrcs else None
            found.append((ssrc, rtx))
            ssrcs.add(ssrc)
            if rtx is not None:
                ssrcs.add(rtx)
    return tuple(found)


def _agreed_rids(local: Media, remote: Media) -> tuple[str, ...]:
    offered = offered_rids(remote)
    return tuple(rid for rid in requested_rids(local) if rid in offered)


def _agreed_encodings(one: Transceiver, local: Media, remote: Media) -> tuple[SendEncoding, ...]:
    ours, asked = offered_rids(local), requested_rids(remote)
    return tuple(encoding for encoding in one.encodings if encoding.rid in ours and encoding.rid in asked)
