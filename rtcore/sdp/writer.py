"""`Description` to text: `parse(write(description)) == description`, with CRLF line ends."""

from collections.abc import Iterable

from .codec_table import CodecTable, remembered
from .model import Description, Media, RidChoice

__all__ = ["codec_lines", "write"]


def write(description: Description) -> str:
    """The text: lines in the order of RFC 8866, attributes in that of RFC 9429 section 5.2."""
    origin = description.origin
    out = [
        "v=0",
        f"o={origin.username} {origin.session_id} {origin.version} {origin.network}",
        f"s={description.name}",
    ]
    add = out.append
    _lines(out, description.lines, "iuep")
    if description.connection:
        add(f"c={description.connection}")
    _lines(out, description.lines, "b")
    add(f"t={description.timing}")
    _lines(out, description.lines, None, besides="iuepb")
    for group in description.groups:
        add(" ".join(("a=group:" + group.semantics, *group.mids)))
    if description.ice_lite:
        add("a=ice-lite")
    if description.extmap_allow_mixed:
        add("a=extmap-allow-mixed")
    _attributes(out, description.attributes)
    for media in description.media:
        _media(out, media)
    add("")
    return "\r\n".join(out)


def _lines(out: list[str], lines: list[tuple[str, str]], letters: str | None, besides: str = "") -> None:
    for letter, value in lines:
        if letter in letters if letters is not None else letter not in besides:
            out.append(f"{letter}={value}")


def _attributes(out: list[str], attributes: Iterable[tuple[str, str | None]]) -> None:
    for name, value in attributes:
        out.append(f"a={name}" if value is None else f"a={name}:{value}")


def _media(out: list[str], media: Media) -> None:
    add = out.append
    ports = f"{media.port}/{media.port_count}" if media.port_count != 1 else str(media.port)
    add(" ".join((f"m={media.kind} {ports} {media.protocol}", *media.formats)))
    _lines(out, media.lines, "i")
    if media.connection:
        add(f"c={media.connection}")
    _lines(out, media.lines, None, besides="i")
    if media.mid:
        add(f"a=mid:{media.mid}")
    if media.bundle_only:
        add("a=bundle-only")
    if media.direction:
        add(f"a={media.direction}")
    if media.ice_ufrag:
        add(f"a=ice-ufrag:{media.ice_ufrag}")
        add(f"a=ice-pwd:{media.ice_pwd}")
    if media.ice_options:
        add("a=ice-options:" + " ".join(media.ice_options))
    for fingerprint in media.fingerprints:
        add(f"a=fingerprint:{fingerprint}")
    if media.setup:
        add(f"a=setup:{media.setup}")
    if media.tls_id:
        add(f"a=tls-id:{media.tls_id}")
    if media.sctp_port is not None:
        add(f"a=sctp-port:{media.sctp_port}")
    if media.sctpmap:
        add(f"a=sctpmap:{media.sctpmap}")
    if media.max_message_size is not None:
        add(f"a=max-message-size:{media.max_message_size}")
    _rtp(out, media)
    _attributes(out, media.attributes)
    for candidate in media.candidates:
        add("a=" + candidate)
    if media.end_of_candidates:
        add("a=end-of-candidates")


def _rtp(out: list[str], media: Media) -> None:
    add = out.append
    if media.rtcp:
        add(f"a=rtcp:{media.rtcp}")
    if media.rtcp_mux:
        add("a=rtcp-mux")
    if media.rtcp_mux_only:
        add("a=rtcp-mux-only")
    if media.rtcp_rsize:
        add("a=rtcp-rsize")
    if media.extmap_allow_mixed:
        add("a=extmap-allow-mixed")
    for extension in media.extensions:
        direction = f"/{extension.direction}" if extension.direction else ""
        rest = f" {extension.attributes}" if extension.attributes else ""
        add(f"a=extmap:{extension.id}{direction} {extension.uri}{rest}")
    out += _codecs(media.codecs)
    for msid in media.msids:
        add(f"a=msid:{msid.stream} {msid.track}" if msid.track else f"a=msid:{msid.stream}")
    for rid in media.rids:
        add(f"a=rid:{rid.id} {rid.direction} {rid.restrictions}".rstrip())
    if media.simulcast is not None:
        ways = (("send", media.simulcast.send), ("recv", media.simulcast.receive))
        add("a=simulcast:" + " ".join(f"{way} {_streams(streams)}" for way, streams in ways if streams))
    for group in media.source_groups:
        add(" ".join(("a=ssrc-group:" + group.semantics, *map(str, group.sources))))
    for source, attributes in media.sources.items():
        for name, value in attributes.items():
            add(f"a=ssrc:{source} {name}:{value}" if value else f"a=ssrc:{source} {name}")


@remembered
def _codecs(table: CodecTable) -> tuple[str, ...]:
    lines = [f"a=rtcp-fb:* {feedback}" for feedback in table.feedback_for_all]
    for codec in table.values():
        lines += codec_lines(
            codec.payload_type, codec.name, codec.clock_rate, codec.channels, codec.parameters, codec.feedback
        )
    return ("\r\n".join(lines),) if lines else ()


def codec_lines(
    payload_type: int,
    name: str,
    clock_rate: int,
    channels: int | None,
    parameters: str,
    feedback: Iterable[str],
) -> list[str]:
    """The lines of one payload type: what `Codec` has."""
    lines = []
    if name:
        rate = clock_rate if channels is None else f"{clock_rate}/{channels}"
        lines.append(f"a=rtpmap:{payload_type} {name}/{rate}")
    lines += [f"a=rtcp-fb:{payload_type} {line}" for line in feedback]
    if parameters:
        lines.append(f"a=fmtp:{payload_type} {parameters}")
    return lines


def _streams(streams: tuple[tuple[RidChoice, ...], ...]) -> str:
    return ";".join(",".join(("~" if c.paused else "") + c.id for c in choices) for choices in streams)
