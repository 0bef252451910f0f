"""What all m-sections of offers and answers have, the data section, and what two descriptions agree on.

Pure functions over the model; `jsep.Negotiation` decides when they are used.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from rtcore.errors import InvalidAccessError, SdpError

from .agreed import AgreedSection
from .media_sections import agreed_section
from .model import DEFAULT_MAX_MESSAGE_SIZE, Description, Fingerprint, Media
from .transceiver import Transceiver

__all__ = [
    "Agreement",
    "LocalTransport",
    "accepted_sections",
    "agree",
    "answer_setup",
    "check_answer",
    "check_offer",
    "check_transport",
    "first_alive",
    "first_data",
    "place_candidates",
    "put_data",
    "rejected_section",
    "shared_transport",
    "transport_section",
]

ICE_OPTIONS = ("trickle", "ice2")
"""RFC 8840 section 4.1, RFC 8445 section 10."""

SCTP_PORT = 5000
UNUSED_PORT = 9
UNSPECIFIED = "IN IP4 0.0.0.0"
STRONG_HASHES = frozenset({"sha-256", "sha-384", "sha-512"})
"""What a fingerprint must be made with to count (RFC 8122 section 5; RFC 8827 asks for SHA-256)."""


@dataclass(slots=True)
class LocalTransport:
    """Our end of the transport in one ICE generation. Candidates are added as they are gathered."""

    ufrag: str
    pwd: str
    candidates: list[str]
    ended: bool = False


@dataclass(slots=True, frozen=True)
class Agreement:
    """What the two ends agreed on: all that a peer must be told. It begins with the first (provisional)
    answer that accepts a section, and later ones replace it."""

    mid: str
    """Of the section that carries the transport: the first one of the bundle."""
    local_ufrag: str
    remote_ufrag: str
    remote_pwd: str
    remote_lite: bool
    controlling: bool
    fingerprints: tuple[Fingerprint, ...]
    dtls_client: bool
    sctp_port: int | None = None
    """None: no data channels."""
    max_message_size: int = DEFAULT_MAX_MESSAGE_SIZE
    """The largest message that the other end takes, in bytes; 0: no limit."""
    sections: tuple[AgreedSection, ...] = ()
    """Audio and video, in their order; those that are rejected or stopped are not here."""


def transport_section(
    kind: str,
    protocol: str,
    mid: str,
    transport: LocalTransport,
    fingerprints: tuple[Fingerprint, ...],
    setup: str,
) -> Media:
    """A section with its transport, and nothing of its content yet."""
    media = Media(kind, UNUSED_PORT, protocol)
    media.connection = UNSPECIFIED
    media.mid = mid
    media.ice_ufrag, media.ice_pwd, media.ice_options = transport.ufrag, transport.pwd, ICE_OPTIONS
    media.fingerprints = fingerprints
    media.setup = setup
    return media


def put_data(media: Media, max_message_size: int, legacy: bool) -> None:
    """Data channels (RFC 8841), in the older form where that was offered."""
    if legacy:
        media.formats = [str(SCTP_PORT)]
        media.sctpmap = f"{SCTP_PORT} webrtc-datachannel 65535"
    else:
        media.formats = ["webrtc-datachannel"]
        media.sctp_port = SCTP_PORT
    media.max_message_size = max_message_size


def rejected_section(offered: Media) -> Media:
    """The answer "no" to a section, or its remains in later offers (RFC 9429 sections 5.2.2 and 5.3.1)."""
    media = Media(offered.kind, 0, offered.protocol, list(offered.formats))
    media.connection = UNSPECIFIED
    media.mid = offered.mid
    if offered.kind != "application":
        media.direction = "inactive"
    return media


def first_data(description: Description) -> int | None:
    """The index of the data section; there is one SCTP association, so any further one is refused."""
    for index, media in enumerate(description.media):
        if media.is_data and not media.rejected and media.remote_sctp_port != 0:
            return index
    return None


def first_alive(description: Description) -> int | None:
    """The index of the first section that is not rejected."""
    return next((index for index, media in enumerate(description.media) if not media.rejected), None)


def shared_transport(offer: Description, usable: Iterable[int], mid: str) -> list[int]:
    """Those of the `usable` sections that one transport can carry: a bundle, or a section that is in none. It
    is the one that has the section `mid`, which carries the transport already, or else most sections."""
    groups: dict[tuple[str, ...] | int, list[int]] = {}
    for index in usable:
        groups.setdefault(offer.bundle_of(offer.media[index]) or index, []).append(index)

    def worth(indexes: list[int]) -> tuple[bool, int]:
        return any(offer.media[index].mid == mid for index in indexes), len(indexes)

    return max(groups.values(), key=worth, default=[])


def answer_setup(offered: str, client: bool | None) -> str:
    """Our a=setup in an answer. `client` is the role that we have already, if any."""
    if offered == "active":
        return "passive"
    if offered == "passive":
        return "active"
    if offered == "holdconn":
        raise SdpError("setup:holdconn is not possible in WebRTC (RFC 9429 section 5.8.3)")
    return "passive" if client is False else "active"  # active saves a round trip (RFC 8842 section 5.3)


def check_offer(offer: Description, local: Description | None, remote: Description | None) -> None:
    """What an offer must fulfil beyond its grammar; `local` and `remote` are those agreed on before."""
    if local is None or remote is None:
        return
    if len(offer.media) < len(local.media):
        raise SdpError(f"the offer has {len(offer.media)} sections, {len(local.media)} were negotiated")
    for index, (ours, theirs) in enumerate(zip(local.media, remote.media, strict=True)):
        if not ours.rejected and not theirs.rejected:  # else another one may take its place
            _check_same("offer", index, offer.media[index], ours)


def _check_same(what: str, index: int, media: Media, before: Media) -> None:
    if media.kind != before.kind:
        raise SdpError(f"section {index} is {media.kind} in the {what}, and was {before.kind} before")
    if media.mid and before.mid and media.mid != before.mid:
        raise SdpError(f"section {index} has the mid {media.mid!r} in the {what}, and had {before.mid!r}")


def check_answer(answer: Description, offer: Description) -> None:
    """An answer has the sections of its offer, in order (RFC 3264 section 6, RFC 9429 section 5.7)."""
    if len(answer.media) != len(offer.media):
        raise SdpError(f"the answer has {len(answer.media)} sections, the offer has {len(offer.media)}")
    bundled = {mid for group in offer.groups if group.semantics == "BUNDLE" for mid in group.mids}
    for index, (answered, offered) in enumerate(zip(answer.media, offer.media, strict=True)):
        _check_same("answer", index, answered, offered)
        if answered.rejected:
            continue
        if offered.rejected:
            raise SdpError(f"the answer accepts section {index}, which the offer gives up")
        if answered.setup in ("actpass", "holdconn"):
            raise SdpError(f"setup:{answered.setup} in an answer (RFC 8842 section 5.3)")
        if not answered.is_data and not answered.rtcp_mux:
            raise SdpError(f"the answer has no rtcp-mux in section {index}, and there is no second port")
    for group in answer.groups:
        if group.semantics == "BUNDLE" and not bundled.issuperset(group.mids):
            raise SdpError("the answer bundles sections that the offer does not (RFC 9143 section 7.3)")


def check_transport(description: Description, media: Media) -> None:
    transport = description.transport_of(media)
    if not transport.ice_ufrag:
        raise SdpError(f"section {media.mid!r} has no ice-ufrag and ice-pwd")
    if not STRONG_HASHES.intersection(f.algorithm for f in transport.fingerprints):
        raise SdpError(f"section {media.mid!r} has no fingerprint by SHA-256, SHA-384 or SHA-512")


def accepted_sections(local: Description, remote: Description) -> list[int]:
    """The indexes of those that neither an offer nor its answer reject; of data sections the first."""
    data = first_data(local)
    found = []
    for index, (ours, theirs) in enumerate(zip(local.media, remote.media, strict=True)):
        if ours.rejected or theirs.rejected:
            continue
        if ours.is_data and (index != data or not theirs.is_data or theirs.remote_sctp_port == 0):
            continue
        found.append(index)
    return found


def agree(
    local: Description,
    remote: Description,
    transceivers: Sequence[Transceiver | None],
    *,
    offered: bool,
    before: Agreement | None,
) -> Agreement | None:
    """What `local` and `remote`, an offer with its answer, agree on; None: nothing, and there was nothing
    before. `offered`: the offer is ours. Roles of ICE and DTLS stay as they were `before`, and so does the
    transport when its last section is given up. `transceivers` are those of the sections."""
    accepted = accepted_sections(local, remote)
    if not accepted:
        return replace(before, sctp_port=None, sections=()) if before is not None else None
    tag = remote.media[accepted[0]]
    _check_shared(remote if offered else local, local, accepted)
    check_transport(remote, tag)
    transport = remote.transport_of(tag)
    fingerprints = tuple(f for f in transport.fingerprints if f.algorithm in STRONG_HASHES)
    if before is not None:
        controlling, client = before.controlling, before.dtls_client
        if not set(fingerprints) & set(before.fingerprints):
            raise InvalidAccessError("another certificate needs another connection: its fingerprint changed")
    else:
        controlling = offered if remote.ice_lite == local.ice_lite else remote.ice_lite
        setup = local.media[accepted[0]].setup
        client = (tag.setup or transport.setup) == "passive" if offered else setup == "active"
    data = next((remote.media[index] for index in accepted if local.media[index].is_data), None)
    size = data.max_message_size if data is not None else None
    sections = []
    known = {ssrc for one in transceivers if one is not None for ssrc in one.ssrcs}
    for index in accepted:
        one = transceivers[index]
        if one is not None:
            ours, theirs = local.media[index], remote.media[index]
            sections.append(agreed_section(index, one, ours, theirs, known, offered=offered))
    return Agreement(
        mid=local.media[accepted[0]].mid,
        local_ufrag=local.media[accepted[0]].ice_ufrag,
        remote_ufrag=transport.ice_ufrag,
        remote_pwd=transport.ice_pwd,
        remote_lite=remote.ice_lite,
        controlling=controlling,
        fingerprints=fingerprints,
        dtls_client=client,
        sctp_port=data.remote_sctp_port if data is not None else None,
        max_message_size=DEFAULT_MAX_MESSAGE_SIZE if size is None else min(size, 2**32 - 1),
        sections=tuple(sections),
    )


def _check_shared(answer: Description, local: Description, accepted: Sequence[int]) -> None:
    """There is one transport: an answer that accepts several sections bundles them (RFC 9143)."""
    if len(accepted) > 1:
        bundle = answer.bundle_of(answer.media[accepted[0]])
        for index in accepted:
            if not local.media[index].mid or local.media[index].mid not in bundle:
                raise SdpError(f"section {index} is accepted outside of the bundle: there is one transport")


_PREFERENCE = {"relay": 0, "srflx": 1, "prflx": 2, "host": 3}


def place_candidates(media: Media, transport: LocalTransport) -> None:
    """Puts the candidates into a section, and the default one of them into its m- and c-lines: the likeliest
    to be reached, IPv4 before IPv6 (RFC 8839 section 4.2.1.2, RFC 8421)."""
    media.candidates = list(transport.candidates)
    media.end_of_candidates = transport.ended
    default: tuple[tuple[int, bool], str, str] | None = None
    for candidate in transport.candidates:
        words = candidate.split()
        if len(words) < 8 or words[2].lower() != "udp":
            continue
        rank = (_PREFERENCE.get(words[7], 4), ":" in words[4])
        if default is None or rank < default[0]:
            default = rank, words[4], words[5]
    if default is not None:
        media.port = int(default[2])
        media.connection = f"IN {'IP6' if default[0][1] else 'IP4'} {default[1]}"
