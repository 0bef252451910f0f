"""What goes into the m-sections of offers and answers, and what two descriptions agree on.

Pure functions over the model; `jsep.Negotiation` decides when they are used.
"""

from dataclasses import dataclass

from rtcore.errors import InvalidAccessError, SdpError

from .agreed import AgreedSection
from .model import DEFAULT_MAX_MESSAGE_SIZE, Description, Fingerprint, Media

__all__ = [
    "Agreement",
    "LocalTransport",
    "agree",
    "answer_setup",
    "check_answer",
    "check_offer",
    "data_section",
    "first_data",
    "place_candidates",
    "rejected_section",
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


def data_section(
    mid: str,
    transport: LocalTransport,
    fingerprints: tuple[Fingerprint, ...],
    setup: str,
    max_message_size: int,
    offered: Media | None = None,
) -> Media:
    """The section of data channels (RFC 8841), in the older form where that was offered."""
    legacy = offered is not None and offered.is_legacy_data
    media = Media("application", UNUSED_PORT, offered.protocol if offered else "UDP/DTLS/SCTP")
    media.formats = [str(SCTP_PORT)] if legacy else ["webrtc-datachannel"]
    media.connection = UNSPECIFIED
    media.mid = mid
    media.ice_ufrag, media.ice_pwd, media.ice_options = transport.ufrag, transport.pwd, ICE_OPTIONS
    media.fingerprints = fingerprints
    media.setup = setup
    if legacy:
        media.sctpmap = f"{SCTP_PORT} webrtc-datachannel 65535"
    else:
        media.sctp_port = SCTP_PORT
    media.max_message_size = max_message_size
    return media


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


def answer_setup(offered: str, client: bool | None) -> str:
    """Our a=setup in an answer. `client` is the role that we have already, if any."""
    if offered == "active":
        return "passive"
    if offered == "passive":
        return "active"
    if offered == "holdconn":
        raise SdpError("setup:holdconn is not possible in WebRTC (RFC 9429 section 5.8.3)")
    return "passive" if client is False else "active"  # active saves a round trip (RFC 8842 section 5.3)


def check_offer(offer: Description, before: Description | None) -> None:
    """What an offer must fulfil beyond its grammar; `before` is the description that it replaces."""
    if before is not None and len(offer.media) < len(before.media):
        raise SdpError(f"the offer has {len(offer.media)} sections, {len(before.media)} were negotiated")
    index = first_data(offer)
    if index is not None:
        _check_transport(offer, offer.media[index])


def check_answer(answer: Description, offer: Description) -> None:
    """An answer has the sections of its offer, in order (RFC 3264 section 6, RFC 9429 section 5.7)."""
    if len(answer.media) != len(offer.media):
        raise SdpError(f"the answer has {len(answer.media)} sections, the offer has {len(offer.media)}")
    bundled = {mid for group in offer.groups if group.semantics == "BUNDLE" for mid in group.mids}
    for index, (answered, offered) in enumerate(zip(answer.media, offer.media, strict=True)):
        if answered.kind != offered.kind:
            raise SdpError(f"section {index} is {answered.kind} in the answer, {offered.kind} in the offer")
        if answered.mid and answered.mid != offered.mid:
            raise SdpError(f"section {index} has the mid {answered.mid!r}, the offer says {offered.mid!r}")
        if answered.rejected:
            continue
        if offered.rejected:
            raise SdpError(f"the answer accepts section {index}, which the offer gives up")
        if answered.setup in ("actpass", "holdconn"):
            raise SdpError(f"setup:{answered.setup} in an answer (RFC 8842 section 5.3)")
        if answered.is_data:
            _check_transport(answer, answered)
    for group in answer.groups:
        if group.semantics == "BUNDLE" and not bundled.issuperset(group.mids):
            raise SdpError("the answer bundles sections that the offer does not (RFC 9143 section 7.3)")


def _check_transport(description: Description, media: Media) -> None:
    transport = description.transport_of(media)
    if not transport.ice_ufrag:
        raise SdpError(f"section {media.mid!r} has no ice-ufrag and ice-pwd")
    if not STRONG_HASHES.intersection(f.algorithm for f in transport.fingerprints):
        raise SdpError(f"section {media.mid!r} has no fingerprint by SHA-256, SHA-384 or SHA-512")


def agree(
    local: Description, remote: Description, *, offered: bool, before: Agreement | None
) -> Agreement | None:
    """What `local` and `remote`, an offer with its answer, agree on; None: no data channels. `offered`: the
    offer is ours. Roles of ICE and DTLS stay as they were `before`."""
    index = first_data(local)
    if index is None or index >= len(remote.media):
        return None
    theirs = remote.media[index]
    if not theirs.is_data or theirs.rejected or theirs.remote_sctp_port == 0:
        return None
    ours, transport = local.media[index], remote.transport_of(theirs)
    fingerprints = tuple(f for f in transport.fingerprints if f.algorithm in STRONG_HASHES)
    if before is not None:
        controlling, client = before.controlling, before.dtls_client
        if not set(fingerprints) & set(before.fingerprints):
            raise InvalidAccessError("another certificate needs another connection: its fingerprint changed")
    else:
        controlling = offered if remote.ice_lite == local.ice_lite else remote.ice_lite
        client = (theirs.setup or transport.setup) == "passive" if offered else ours.setup == "active"
    size = theirs.max_message_size
    return Agreement(
        mid=ours.mid,
        local_ufrag=ours.ice_ufrag,
        remote_ufrag=transport.ice_ufrag,
        remote_pwd=transport.ice_pwd,
        remote_lite=remote.ice_lite,
        controlling=controlling,
        fingerprints=fingerprints,
        dtls_client=client,
        sctp_port=theirs.remote_sctp_port,
        max_message_size=DEFAULT_MAX_MESSAGE_SIZE if size is None else min(size, 2**32 - 1),
    )


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
