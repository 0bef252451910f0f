"""Descriptions as a negotiation holds them: the type, the text, and what it knows beside them."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Self

from .candidates import RemoteCandidates
from .model import Description
from .sections import LocalTransport, first_alive, place_candidates
from .transceiver import Transceiver
from .writer import write

__all__ = ["LocalDescription", "RemoteDescription", "SessionDescription", "same"]

TYPES = ("offer", "pranswer", "answer", "rollback")


@dataclass(slots=True, frozen=True)
class SessionDescription:
    """A description as it travels: `type` is "offer", "answer", "pranswer" or "rollback", `sdp` the text.

    `to_dict()` and `from_dict()` are the JSON form of browsers, `{"type": ..., "sdp": ...}`.
    """

    type: str
    sdp: str = ""

    def __post_init__(self) -> None:
        if self.type not in TYPES:
            raise ValueError(f"type must be one of {', '.join(TYPES)}, not {self.type!r}")
        if not isinstance(self.sdp, str):
            raise TypeError(f"sdp must be a str, not {type(self.sdp).__name__}")

    def to_dict(self) -> dict[str, str]:
        """The JSON form of browsers (W3C RTCSessionDescriptionInit)."""
        return {"type": self.type, "sdp": self.sdp}

    @classmethod
    def from_dict(cls, value: Mapping[str, str]) -> Self:
        try:
            return cls(value["type"], value.get("sdp", ""))
        except KeyError:
            raise ValueError('expected a mapping with "type" and "sdp"') from None


class LocalDescription:
    """One that was made, and its text with the candidates known by now.

    In the first offer every section has them, for the other end may choose which one carries the transport;
    later it is known (RFC 9143 section 7.3).
    """

    __slots__ = ("_known", "_text", "description", "first", "text", "transceivers", "transport", "type")

    def __init__(
        self,
        type: str,
        description: Description,
        transport: LocalTransport,
        transceivers: list[Transceiver | None],
        *,
        first: bool,
    ) -> None:
        self.type = type
        self.description = description
        self.transport = transport
        self.transceivers = transceivers  # by section
        self.first = first
        self.text = self._text = write(description)  # `text`: as made
        self._known = (0, False)

    def current(self) -> SessionDescription:
        transport = self.transport
        known = (len(transport.candidates), transport.ended)
        if known != self._known:
            alone = None if self.first else first_alive(self.description)
            for index, media in enumerate(self.description.media):
                if media.ice_ufrag == transport.ufrag and alone in (None, index):
                    place_candidates(media, transport)
            self._text = write(self.description)
            self._known = known
        return SessionDescription(self.type, self._text)


class RemoteDescription:
    """One that came. `usable`: the sections that we would take, or that were agreed on."""

    __slots__ = ("description", "text", "type", "usable")

    def __init__(self, type: str, description: Description, text: str, usable: list[int]) -> None:
        self.type = type
        self.description = description
        self.text = text
        self.usable = usable

    @property
    def tag(self) -> int | None:
        """The section that carries the transport; None: there is none that we use."""
        return self.usable[0] if self.usable else None

    @property
    def ufrag(self) -> str:
        """Of its transport; empty if it has none."""
        if self.tag is None:
            return ""
        return self.description.transport_of(self.description.media[self.tag]).ice_ufrag

    def current(self, candidates: RemoteCandidates) -> SessionDescription:
        """As it was set, and the candidates that came since (W3C: remoteDescription)."""
        generation = candidates.generation(self.ufrag)
        if generation is None or self.tag is None:
            return SessionDescription(self.type, self.text)
        media = self.description.media[self.tag]
        if media.candidates == generation.texts and media.end_of_candidates == generation.ended:
            return SessionDescription(self.type, self.text)
        sections = list(self.description.media)
        sections[self.tag] = replace(
            media, candidates=list(generation.texts), end_of_candidates=generation.ended
        )
        return SessionDescription(self.type, write(replace(self.description, media=sections)))


def same(one: Description, other: Description) -> bool:
    """Whether they differ in candidates and default addresses at the most, which make no other version."""
    return _bare(one) == _bare(other)


def _bare(description: Description) -> Description:
    sections = [
        replace(media, port=9 if media.port else 0, connection="", candidates=[], end_of_candidates=False)
        for media in description.media
    ]
    return replace(description, media=sections)
