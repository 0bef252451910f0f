"""Sections of offers and answers, from what is wanted and what was said before (RFC 9429 section 5)."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from .extensions import extension_ids
from .formats import Numbering, formats_of
from .media_sections import acceptable, answered_media, offered_media
from .model import Description, Fingerprint, Group, Media, Origin
from .sections import (
    Agreement,
    LocalTransport,
    answer_setup,
    first_data,
    put_data,
    rejected_section,
    shared_transport,
    transport_section,
)
from .transceiver import Transceiver
from .transceivers import Transceivers

__all__ = ["Composer", "Draft", "new_mid"]


@dataclass(slots=True)
class Draft:
    """A description that has no origin yet. `owners`: the transceivers of its sections."""

    ice_lite: bool
    sections: list[Media] = field(default_factory=list)
    owners: list[Transceiver | None] = field(default_factory=list)
    bundled: Sequence[str] = ()
    mixed: bool = False
    """a=extmap-allow-mixed (RFC 8285 section 6)."""

    def add(self, media: Media, owner: Transceiver | None = None) -> None:
        self.sections.append(media)
        self.owners.append(owner)

    def alive(self) -> list[str]:
        return [media.mid for media in self.sections if media.port and media.mid]

    def description(self, origin: Origin) -> Description:
        groups = [Group("BUNDLE", tuple(self.bundled))] if self.bundled else []
        return Description(
            origin,
            self.sections,
            ice_lite=self.ice_lite,
            groups=groups,
            extmap_allow_mixed=self.mixed and any(media.extensions for media in self.sections),
        )


class Composer:
    """What stays the same for all descriptions of one connection."""

    def __init__(
        self,
        transceivers: Transceivers,
        *,
        fingerprints: tuple[Fingerprint, ...],
        max_message_size: int,
        ice_lite: bool,
        cname: str,
        receive_simulcast: bool,
    ) -> None:
        self._transceivers = transceivers
        self._fingerprints = fingerprints
        self._max_message_size = max_message_size
        self._ice_lite = ice_lite
        self._cname = cname
        self._receive_simulcast = receive_simulcast

    def offer(
        self,
        transport: LocalTransport,
        local: Description | None,
        remote: Description | None,
        mids: set[str],
        *,
        data_wanted: bool,
    ) -> Draft:
        """`local` is the description that this one follows, `remote` the one of the last agreement; `mids`
        are not to be used again."""
        draft = Draft(self._ice_lite, mixed=True)
        before = [media for held in (local, remote) if held is not None for media in held.media]
        numbers, extensions = Numbering(before), extension_ids(before)
        free: list[int] = []

        def offered(one: Transceiver, mid: str) -> Media:
            media = self._section(one.kind, "UDP/TLS/RTP/SAVPF", mid, transport, "actpass")
            codecs = self._transceivers.codecs(one.kind, one)
            offered_media(media, one, numbers, codecs, extensions, self._cname)
            return media

        def place(media: Media, owner: Transceiver | None) -> None:
            """In the place of a rejected section (RFC 9429 section 5.2.2), else behind the others."""
            if free:
                index = free.pop(0)
                draft.sections[index], draft.owners[index] = media, owner
            else:
                draft.add(media, owner)

        data = False
        for index, ours in enumerate(local.media if local is not None else ()):
            theirs = remote.section(ours.mid) if remote is not None and ours.mid else None
            given_up = ours.rejected or (theirs is not None and theirs.rejected)
            one = None if ours.is_data else self._transceivers.find(ours, index)
            if ours.is_data and not data and not given_up:
                data = True
                draft.add(self._data(ours.mid, transport, "actpass", ours))
            elif one is not None and not one.stopping:
                draft.add(offered(one, ours.mid), one)
            else:
                draft.add(rejected_section(ours), one)
                if given_up and one is None:
                    free.append(index)
        for one in self._transceivers:
            if one.mid is None and not one.stopping:
                place(offered(one, new_mid(mids)), one)
        if data_wanted and not data:
            place(self._data(new_mid(mids), transport, "actpass", None), None)
        draft.bundled = draft.alive()
        return draft

    def answer(
        self,
        transport: LocalTransport,
        offer: Description,
        accepted: Sequence[int],
        before: Agreement | None,
    ) -> Draft:
        """`accepted`: the sections that are `usable()`. `SdpError`: the offered setup has no answer."""
        draft = Draft(self._ice_lite)
        extensions = extension_ids(offer.media[index] for index in accepted)
        setup = ""
        if accepted:
            first = offer.media[accepted[0]]
            client = before.dtls_client if before is not None else None
            setup = answer_setup(first.setup or offer.transport_of(first).setup, client)
        for index, offered in enumerate(offer.media):
            one = None if offered.is_data else self._transceivers.find(offered, index)
            media = rejected_section(offered)
            if index in accepted and offered.is_data:
                media = self._data(offered.mid, transport, setup, offered)
            elif index in accepted and one is not None and not one.stopping:
                taken = self._section(offered.kind, offered.protocol, offered.mid, transport, setup)
                codecs = self._transceivers.codecs(one.kind, one)
                simulcast = self._receive_simulcast
                if answered_media(taken, one, offered, codecs, extensions, self._cname, simulcast):
                    media = taken
            draft.add(media, one)
        bundled = {mid for media in offer.media for mid in offer.bundle_of(media)}
        draft.bundled = [mid for mid in draft.alive() if mid in bundled]
        draft.mixed = offer.extmap_allow_mixed or any(media.extmap_allow_mixed for media in offer.media)
        return draft

    def usable(self, offer: Description, before: Agreement | None) -> list[int]:
        """The sections that an answer takes, unless their transceiver is stopped or has other codecs."""
        data = first_data(offer)
        usable = [
            index
            for index, media in enumerate(offer.media)
            if (index == data if media.is_data else acceptable(media, index) and self._has_codec(media))
        ]
        return shared_transport(offer, usable, before.mid if before is not None else "")

    def _has_codec(self, media: Media) -> bool:
        known = {codec.identity for codec in self._transceivers.codecs(media.kind)}
        return any(format.codec.primary and format.codec.identity in known for format in formats_of(media))

    def _section(self, kind: str, protocol: str, mid: str, transport: LocalTransport, setup: str) -> Media:
        return transport_section(kind, protocol, mid, transport, self._fingerprints, setup)

    def _data(self, mid: str, transport: LocalTransport, setup: str, like: Media | None) -> Media:
        protocol = like.protocol if like is not None else "UDP/DTLS/SCTP"
        media = self._section("application", protocol, mid, transport, setup)
        put_data(media, self._max_message_size, like is not None and like.is_legacy_data)
        return media


def new_mid(used: set[str]) -> str:
    """The smallest number that is not used yet; it is, now."""
    number = 0
    while str(number) in used:
        number += 1
    used.add(str(number))
    return str(number)
