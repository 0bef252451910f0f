"""RTP header extensions (RFC 8285): what this end knows, and their ids, the same all over a bundle."""

from collections.abc import Iterable, Mapping
from functools import lru_cache

from .model import Extension, Media
from .transceiver import reverse

__all__ = ["DEFAULTS", "answered_extensions", "extension_ids", "offered_extensions"]

MID = "urn:ietf:params:rtp-hdrext:sdes:mid"
RID = "urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id"
REPAIRED_RID = "urn:ietf:params:rtp-hdrext:sdes:repaired-rtp-stream-id"
AUDIO_LEVEL = "urn:ietf:params:rtp-hdrext:ssrc-audio-level"
ABS_SEND_TIME = "http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time"
TRANSPORT_SEQUENCE = "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01"
ORIENTATION = "urn:3gpp:video-orientation"
PLAYOUT_DELAY = "http://www.webrtc.org/experiments/rtp-hdrext/playout-delay"
CAPTURE_TIME = "http://www.webrtc.org/experiments/rtp-hdrext/abs-capture-time"
DEPENDENCY_DESCRIPTOR = (
    "https://aomediacodec.github.io/av1-rtp-spec/#dependency-descriptor-rtp-header-extension"
)

DEFAULTS: Mapping[str, tuple[str, ...]] = {
    "audio": (AUDIO_LEVEL, ABS_SEND_TIME, TRANSPORT_SEQUENCE, MID, CAPTURE_TIME),
    "video": (
        ABS_SEND_TIME,
        ORIENTATION,
        TRANSPORT_SEQUENCE,
        PLAYOUT_DELAY,
        MID,
        RID,
        REPAIRED_RID,
        CAPTURE_TIME,
        DEPENDENCY_DESCRIPTOR,
    ),
}
"""By kind, those that the core reads and writes."""

IDS = range(1, 15)
"""What the one-byte form has room for; 15 is not an id (RFC 8285 section 4.2)."""
MAX_ID = 255


_shared = lru_cache(256)(Extension)
"""Of those that we know: the same few in each connection."""


def _usable(extension: Extension) -> bool:
    return 1 <= extension.id <= MAX_ID and extension.id != 15


def extension_ids(sections: Iterable[Media]) -> dict[str, int]:
    """The ids that these sections use, by URI; where they contradict each other, the first one counts."""
    found: dict[str, int] = {}
    taken: set[int] = set()
    for media in sections:
        for extension in media.extensions:
            if extension.uri not in found and extension.id not in taken:
                found[extension.uri] = extension.id
                taken.add(extension.id)
    return found


def offered_extensions(kind: str, known: dict[str, int]) -> list[Extension]:
    """For a section of an offer. `known` are the ids of the bundle; new ones are added to it."""
    taken = set(known.values())
    offered = []
    for uri in DEFAULTS[kind]:
        number = known.get(uri) or next((number for number in IDS if number not in taken), 0)
        if number:
            known[uri] = number
            taken.add(number)
            offered.append(_shared(number, uri))
    return [extension for extension in offered if _usable(extension)]


def answered_extensions(kind: str, offered: Media, known: Mapping[str, int]) -> list[Extension]:
    """Those that both know, with the ids of the offer; `known` are those of the offered bundle."""
    wanted = DEFAULTS[kind]
    return [
        _shared(extension.id, extension.uri, reverse(extension.direction))
        for extension in offered.extensions
        if extension.uri in wanted and _usable(extension) and known.get(extension.uri) == extension.id
    ]


def agreed_extensions(local: Media, remote: Media) -> dict[str, int]:
    """What an offer and its answer both have, with the same id."""
    theirs = {(extension.uri, extension.id) for extension in remote.extensions}
    return {
        extension.uri: extension.id
        for extension in local.extensions
        if (extension.uri, extension.id) in theirs
    }
