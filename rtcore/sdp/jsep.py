"""Offer and answer (RFC 3264) as a peer connection does it (JSEP, RFC 9429), without any transport.

`Negotiation` keeps the signaling state and the four descriptions (current and pending, local and remote),
makes offers and answers, checks what comes in, and says what was agreed. It does no I/O, keeps no time and
draws no random numbers, and every method either does its work or raises and changes nothing.

                    set_remote(offer)                     set_local(offer)
    have-remote-offer <------------------- stable -------------------> have-local-offer
       |          |  ---- answer, rollback -->  <-- answer, rollback ----  |         |
       pranswer   |                                                        |         pranswer
       v          v                                                        v         v
    have-local-pranswer -- answer -----> stable <-------- answer -- have-remote-pranswer
"""

import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Self

from rtcore.errors import InvalidModificationError, InvalidStateError, OperationError

from .codecs import RtpCodec
from .model import Description, Fingerprint, Group, Media, Origin
from .parser import MAX_CANDIDATES, parse
from .sections import (
    Agreement,
    LocalTransport,
    agree,
    answer_setup,
    check_answer,
    check_offer,
    data_section,
    first_data,
    place_candidates,
    rejected_section,
)
from .transceiver import Changes, SendEncoding, Transceiver
from .transceivers import Transceivers
from .writer import write

__all__ = ["Negotiation", "RemoteCandidates", "SessionDescription"]

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


@dataclass(slots=True)
class RemoteCandidates:
    """Candidates of one ICE generation of the other end; `taken` of them have been handed on."""

    texts: list[str]
    ended: bool = False
    taken: int = 0
    end_taken: bool = False


class _Local:
    """A local description that was made, and its text, with the candidates known by now."""

    __slots__ = ("_known", "_text", "description", "text", "transport", "type")

    def __init__(self, type: str, description: Description, transport: LocalTransport) -> None:
        self.type = type
        self.description = description
        self.transport = transport
        self.text = self._text = write(description)  # `text`: as made
        self._known = (0, False)

    def current(self) -> SessionDescription:
        transport = self.transport
        known = (len(transport.candidates), transport.ended)
        if known != self._known:
            for media in self.description.media:
                if media.ice_ufrag == transport.ufrag:
                    place_candidates(media, transport)
            self._text = write(self.description)
            self._known = known
        return SessionDescription(self.type, self._text)


class _Remote:
    __slots__ = ("description", "text", "type")

    def __init__(self, type: str, description: Description, text: str) -> None:
        self.type = type
        self.description = description
        self.text = text

    def ufrag(self) -> str:
        """The credentials of its data section, empty if it has none."""
        index = first_data(self.description)
        if index is None:
            return ""
        return self.description.transport_of(self.description.media[index]).ice_ufrag


class Negotiation:
    """One peer connection's side of offer and answer.

    `session_id` goes into the o-line (below 2**62, some parsers take no more), `fingerprints` are those of
    our certificate, `max_message_size` is what we take. `codecs`: what this end can do, preferred ones first
    (by default all of `default_codecs()`); `cname` names this end in RTCP (RFC 7022); `receive_simulcast`:
    whether offered simulcast is taken, else one encoding comes alone; `draw(bits)` gives random numbers, for
    SSRCs and track ids. Before anything else, `begin_generation()` gives the ICE credentials.

    The connection's part: change what is wanted by `want_data()`, `add_transceiver()`, `add_track()` and the
    methods around them, then ask `needs_negotiation`; after `set_local()` and `set_remote()` carry out the
    `Changes` that they return, and tell the peer what is new in `agreement`.
    """

    def __init__(
        self,
        *,
        session_id: int,
        fingerprints: tuple[Fingerprint, ...],
        max_message_size: int,
        ice_lite: bool = False,
        codecs: Sequence[RtpCodec] | None = None,
        cname: str = "",
        receive_simulcast: bool = True,
        draw: Callable[[int], int] = secrets.randbits,
    ) -> None:
        self.agreement: Agreement | None = None
        """What the last answer (or provisional answer) agreed on."""
        self.data_refused = False
        """The last answer ended data channels, or refused them; `want_data()` asks again."""
        self._session_id = session_id
        self._fingerprints = fingerprints
        self._max_message_size = max_message_size
        self._ice_lite = ice_lite
        self._state = "stable"
        self._data_wanted = False
        self._version = 0  # of the last local description that was set
        self._mids: set[str] = set()
        self._transport: LocalTransport | None = None
        self._replace_ufrag = ""
        self._current_local: _Local | None = None
        self._pending_local: _Local | None = None
        self._current_remote: _Remote | None = None
        self._pending_remote: _Remote | None = None
        self._created_offer: _Local | None = None
        self._created_answer: _Local | None = None
        self._remote_candidates: dict[str, RemoteCandidates] = {}
        self._transceivers = Transceivers(draw)

    # State

    @property
    def signaling_state(self) -> str:
        return self._state

    def close(self) -> None:
        self._state = "closed"

    @property
    def current_local(self) -> SessionDescription | None:
        return self._current_local.current() if self._current_local else None

    @property
    def pending_local(self) -> SessionDescription | None:
        return self._pending_local.current() if self._pending_local else None

    @property
    def local(self) -> SessionDescription | None:
        return self.pending_local or self.current_local

    @property
    def current_remote(self) -> SessionDescription | None:
        return _with_candidates(self._current_remote, self._remote_candidates)

    @property
    def pending_remote(self) -> SessionDescription | None:
        return _with_candidates(self._pending_remote, self._remote_candidates)

    @property
    def remote(self) -> SessionDescription | None:
        return self.pending_remote or self.current_remote

    @property
    def can_trickle(self) -> bool | None:
        """Whether the other end takes candidates one by one (W3C canTrickleIceCandidates)."""
        remote = self._pending_remote or self._current_remote
        if remote is None:
            return None
        return any("trickle" in media.ice_options for media in remote.description.media)

    @property
    def needs_negotiation(self) -> bool:
        """Whether an offer would change something (W3C: to check if negotiation is needed)."""
        return bool(self._replace_ufrag) or (self._data_wanted and self.agreement is None)

    def want_data(self) -> None:
        """From now on offers have a data section: the first data channel was made."""
        if not self._data_wanted:
            self._data_wanted = True
            self.data_refused = False
            self._created_offer = None

    @property
    def transport_position(self) -> tuple[str, int] | None:
        """Mid and index of the section that carries the transport in the local description; None: it has none
        that is alive, and no candidates are needed."""
        local = self._pending_local or self._current_local
        index = first_data(local.description) if local is not None else None
        if local is None or index is None:
            return None
        return local.description.media[index].mid, index

    # What is wanted of audio and video

    @property
    def transceivers(self) -> tuple[Transceiver, ...]:
        """Those that are not stopped for good, in the order in which they were made."""
        return tuple(self._transceivers)

    def add_transceiver(
        self,
        kind: str,
        *,
        direction: str = "sendrecv",
        track_id: str = "",
        streams: Sequence[str] = (),
        encodings: Sequence[SendEncoding] = (),
        receive_rids: Sequence[str] = (),
        codec_preferences: Sequence[RtpCodec] = (),
    ) -> Transceiver:
        """W3C addTransceiver. Several `encodings`, each with its rid: simulcast is offered; `receive_rids`:
        it is asked for. `ValueError` says what is wrong with an argument, `InvalidAccessError` that a codec
        does not fit."""
        self._require_open()
        one = self._transceivers.add(
            kind,
            direction=direction,
            track_id=track_id,
            streams=streams,
            encodings=encodings,
            receive_rids=receive_rids,
            codec_preferences=codec_preferences,
        )
        self._wants_changed()
        return one

    def add_track(self, kind: str, track_id: str, streams: Sequence[str] = ()) -> Transceiver:
        """W3C addTrack: in a transceiver that has no track and never sent (it becomes `sendrecv` or
        `sendonly`), or a new one."""
        self._require_open()
        one = self._transceivers.add_track(kind, track_id, streams)
        self._wants_changed()
        return one

    def remove_track(self, transceiver: Transceiver) -> None:
        """W3C removeTrack: it no longer sends."""
        self._require_open()
        self._transceivers.remove_track(transceiver)
        self._wants_changed()

    def set_direction(self, transceiver: Transceiver, direction: str) -> None:
        """What is wanted from the next negotiation on. `InvalidStateError` if it is stopped."""
        self._require_open()
        self._transceivers.set_direction(transceiver, direction)
        self._wants_changed()

    def set_streams(self, transceiver: Transceiver, streams: Sequence[str]) -> None:
        """W3C setStreams: ids of the streams that the other end puts our track into."""
        self._require_open()
        transceiver.streams = tuple(streams)
        self._wants_changed()

    def set_codec_preferences(self, transceiver: Transceiver, codecs: Sequence[RtpCodec]) -> None:
        """Only these, in this order, from the next negotiation on; none: all again. `InvalidAccessError` if
        one is of another kind, or none of them carries a track."""
        self._require_open()
        self._transceivers.set_codec_preferences(transceiver, codecs)
        self._wants_changed()

    def stop(self, transceiver: Transceiver) -> None:
        """W3C stop: `stopping` from now on, and `stopped` after the next negotiation, or at once if the other
        end never heard of it. The caller ends its media now. Idempotent."""
        self._require_open()
        self._transceivers.stop(transceiver)
        self._wants_changed()

    def _wants_changed(self) -> None:
        """An offer that was made before is no longer what an offer would be."""
        self._created_offer = None

    def _require_open(self) -> None:
        if self._state == "closed":
            raise InvalidStateError("the connection is closed")

    # ICE generations of ours

    @property
    def transport(self) -> LocalTransport | None:
        return self._transport

    def begin_generation(self, ufrag: str, pwd: str) -> None:
        """The ICE agent has new credentials: at the start, and after each of its restarts."""
        self._transport = LocalTransport(ufrag, pwd, [])
        self._created_offer = self._created_answer = None

    def request_restart(self) -> None:
        """The next offer restarts ICE (W3C restartIce)."""
        if self._current_local is not None and self._current_local.transport is self._transport:
            self._replace_ufrag = self._current_local.transport.ufrag

    def offer_restarts(self, explicitly: bool = False) -> bool:
        """Whether the next offer needs a new generation."""
        current = self._current_local
        return (
            (explicitly or bool(self._replace_ufrag))
            and current is not None
            and current.transport is self._transport
        )

    def answer_restarts(self) -> bool:
        """Whether the other end restarted ICE, so that the answer must too (RFC 8839 section 4.4.1)."""
        pending, current = self._pending_remote, self._current_local
        if self.agreement is None or pending is None or current is None:
            return False
        ufrag = pending.ufrag()
        return ufrag not in ("", self.agreement.remote_ufrag) and current.transport is self._transport

    def add_local_candidate(self, text: str) -> None:
        """`text` is "candidate:..."."""
        self._local_transport().candidates.append(text)

    def end_local_candidates(self) -> None:
        self._local_transport().ended = True

    def _local_transport(self) -> LocalTransport:
        if self._transport is None:
            raise InvalidStateError("there are no ICE credentials yet")
        return self._transport

    # Making descriptions

    def create_offer(self) -> SessionDescription:
        self._require("create an offer", "stable", "have-local-offer")
        made = self._created_offer = self._make_offer()
        return SessionDescription("offer", made.text)

    def create_answer(self) -> SessionDescription:
        self._require("create an answer", "have-remote-offer", "have-local-pranswer")
        made = self._created_answer = self._make_answer()
        return SessionDescription("answer", made.text)

    def _make_offer(self) -> _Local:
        transport = self._local_transport()
        before = self._current_local.description.media if self._current_local else []
        remote = self._current_remote.description.media if self._current_remote else []
        sections: list[Media] = []
        data: int | None = None
        for index, ours in enumerate(before):
            theirs = remote[index] if index < len(remote) else ours
            if data is None and ours.is_data and not ours.rejected and not theirs.rejected:
                data = index
                sections.append(self._data(ours.mid, transport, "actpass", ours))
            else:
                sections.append(rejected_section(ours))
        if data is None and self._data_wanted:
            section = self._data(self._new_mid(), transport, "actpass", None)
            free = next((i for i, media in enumerate(sections) if media.port == 0), None)
            if free is None:
                sections.append(section)
            else:
                sections[free] = section  # recycled (RFC 9429 section 5.2.2)
        return self._finish("offer", sections, transport)

    def _make_answer(self) -> _Local:
        transport = self._local_transport()
        assert self._pending_remote is not None
        offer = self._pending_remote.description
        accepted = first_data(offer)
        sections = []
        for index, offered in enumerate(offer.media):
            if index == accepted:
                client = self.agreement.dtls_client if self.agreement else None
                setup = answer_setup(offered.setup or offer.transport_of(offered).setup, client)
                sections.append(self._data(offered.mid, transport, setup, offered))
            else:
                sections.append(rejected_section(offered))
        return self._finish("answer", sections, transport, offer)

    def _data(self, mid: str, transport: LocalTransport, setup: str, like: Media | None) -> Media:
        return data_section(mid, transport, self._fingerprints, setup, self._max_message_size, like)

    def _finish(
        self, type: str, sections: list[Media], transport: LocalTransport, offer: Description | None = None
    ) -> _Local:
        """Origin with its version (RFC 9429 section 5.2.1), and the bundle of what is alive."""
        alive = [media for media in sections if media.port and media.mid]
        if offer is not None:
            alive = [media for media in alive if offer.bundle_of(media)]
        groups = [Group("BUNDLE", tuple(media.mid for media in alive))] if alive else []
        origin = Origin(self._session_id, self._version + 1)
        description = Description(origin, sections, ice_lite=self._ice_lite, groups=groups)
        current = self._current_local
        if current is not None and current.transport is transport:
            unchanged = replace(description, origin=current.description.origin)
            if _plain(unchanged) == _plain(current.description):
                description = unchanged
        return _Local(type, description, transport)

    def _new_mid(self) -> str:
        used = set(self._mids)
        for remote in (self._current_remote, self._pending_remote):
            if remote is not None:
                used.update(media.mid for media in remote.description.media)
        number = 0
        while str(number) in used:
            number += 1
        return str(number)

    # Setting descriptions

    def set_local(self, description: SessionDescription | None = None) -> Changes:
        """None, or an empty `sdp`: what was created last, or what would be created now, by the state."""
        if self._state == "closed":
            raise InvalidStateError("the connection is closed")
        if description is None:
            answering = self._state in ("have-remote-offer", "have-local-pranswer")
            description = SessionDescription("answer" if answering else "offer")
        kind = description.type
        if kind == "rollback":
            self._rollback("have-local-offer")
        elif kind == "offer":
            self._require("set a local offer", "stable", "have-local-offer")
            self._pending_local = self._chosen(description, self._created_offer, self._make_offer)
            self._state = "have-local-offer"
            self._note(self._pending_local)
        else:
            self._require(f"set a local {kind}", "have-remote-offer", "have-local-pranswer")
            local = self._chosen(description, self._created_answer, self._make_answer)
            local.type = kind
            assert self._pending_remote is not None
            agreement = agree(
                local.description, self._pending_remote.description, offered=False, before=self.agreement
            )
            self._note(local)
            if kind == "pranswer":
                self._pending_local = local
                self._state, self.agreement = "have-local-pranswer", agreement
            else:
                self._settle(local, self._pending_remote, agreement)
        return Changes()

    def set_remote(self, description: SessionDescription) -> Changes:
        """An offer rolls ours back (RFC 9429 section 4.1.10.2), which perfect negotiation builds on."""
        if self._state == "closed":
            raise InvalidStateError("the connection is closed")
        kind = description.type
        if kind == "rollback":
            self._rollback("have-remote-offer")
            return Changes()
        if kind == "offer":
            self._require("set a remote offer", "stable", "have-remote-offer", "have-local-offer")
        else:
            self._require(f"set a remote {kind}", "have-local-offer", "have-remote-pranswer")
        remote = _Remote(kind, parse(description.sdp), description.sdp)
        if kind == "offer":
            check_offer(
                remote.description, self._current_remote.description if self._current_remote else None
            )
            if self._state == "have-local-offer":
                self._rollback("have-local-offer")
            self._pending_remote = remote
            self._created_offer = self._created_answer = None
            self._state = "have-remote-offer"
        else:
            local = self._pending_local
            assert local is not None
            check_answer(remote.description, local.description)
            for answered, offered in zip(remote.description.media, local.description.media, strict=True):
                answered.mid = answered.mid or offered.mid
            agreement = agree(local.description, remote.description, offered=True, before=self.agreement)
            if kind == "pranswer":
                self._pending_remote = remote
                self._state, self.agreement = "have-remote-pranswer", agreement
            else:
                self._settle(local, remote, agreement)
        self._collect(remote)
        return Changes()

    @staticmethod
    def _chosen(
        description: SessionDescription, created: _Local | None, make: Callable[[], _Local]
    ) -> _Local:
        local = created or make()
        if description.sdp and description.sdp != local.text:
            raise InvalidModificationError(
                f"a local {description.type} is set as it was created, or left out to be created"
            )
        return local

    def _note(self, local: _Local) -> None:
        self._version = local.description.origin.version
        self._mids.update(media.mid for media in local.description.media)
        self._created_offer = self._created_answer = None

    def _settle(self, local: _Local, remote: _Remote, agreement: Agreement | None) -> None:
        offered = first_data(local.description) is not None
        self.data_refused = agreement is None and (offered or self.agreement is not None)
        if self.data_refused:
            self._data_wanted = False
        self._current_local, self._current_remote = local, remote
        self._pending_local = self._pending_remote = None
        self._created_offer = self._created_answer = None
        self._state, self.agreement = "stable", agreement
        if self._replace_ufrag and local.transport.ufrag != self._replace_ufrag:
            self._replace_ufrag = ""
        self._forget_candidates()

    def _rollback(self, state: str) -> None:
        self._require("roll back", state)
        self._pending_local = self._pending_remote = None
        self._created_offer = self._created_answer = None
        self._state = "stable"
        self._forget_candidates()

    def _require(self, what: str, *states: str) -> None:
        if self._state not in states:
            raise InvalidStateError(f"cannot {what} in state {self._state!r}")

    # Candidates of the other end

    def _collect(self, remote: _Remote) -> None:
        """Candidates that came within a description."""
        ufrag = remote.ufrag()
        if ufrag:
            generation = self._remote_candidates.setdefault(ufrag, RemoteCandidates([]))
            for media in remote.description.media:
                if remote.description.transport_of(media).ice_ufrag == ufrag:
                    for text in media.candidates:
                        if text not in generation.texts:
                            generation.texts.append(text)
                    generation.ended = generation.ended or media.end_of_candidates
        self._forget_candidates()

    def _forget_candidates(self) -> None:
        """Of generations that no description names any more."""
        named = {r.ufrag() for r in (self._current_remote, self._pending_remote) if r is not None}
        for other in self._remote_candidates.keys() - named:
            del self._remote_candidates[other]

    def add_remote_candidate(
        self, text: str, *, mid: str | None = None, index: int | None = None, ufrag: str | None = None
    ) -> bool:
        """A trickled candidate; an empty `text` ends them (RFC 8838 section 13). False: it belongs to a
        section that we do not use, and was passed over. `OperationError` if there is no such section."""
        remote = self._pending_remote or self._current_remote
        if remote is None:
            raise InvalidStateError("a candidate needs a remote description first")
        media: Media | None = None
        if mid is not None:
            media = remote.description.section(mid)
            if media is None:
                raise OperationError(f"the remote description has no section with the mid {mid!r}")
        elif index is not None:
            if not 0 <= index < len(remote.description.media):
                raise OperationError(f"the remote description has no section {index}")
            media = remote.description.media[index]
        known = ufrag
        if known is None:
            own = remote.description.transport_of(media).ice_ufrag if media is not None else ""
            known = own or remote.ufrag()
        generation = self._remote_candidates.get(known)
        if generation is None:
            sections = [
                m for r in (self._current_remote, self._pending_remote) if r for m in r.description.media
            ]
            if ufrag is not None and all(m.ice_ufrag != ufrag for m in sections):
                raise OperationError(f"no remote description has the ufrag {ufrag!r}")
            return False
        if not text:
            generation.ended = True
        elif text not in generation.texts:
            if len(generation.texts) >= MAX_CANDIDATES:
                raise OperationError(f"more than {MAX_CANDIDATES} remote candidates")
            generation.texts.append(text)
        return True

    def take_remote_candidates(self) -> tuple[list[str], bool]:
        """Those of the agreed generation that were not taken yet, and whether their end is to be told now."""
        generation = self.agreement and self._remote_candidates.get(self.agreement.remote_ufrag)
        if not generation:
            return [], False
        texts = generation.texts[generation.taken :]
        generation.taken = len(generation.texts)
        ended = generation.ended and not generation.end_taken
        generation.end_taken = generation.ended
        return texts, ended


def _plain(description: Description) -> str:
    """The text without candidates and default addresses, which do not make another version."""
    sections = [
        replace(media, port=9 if media.port else 0, connection="", candidates=[], end_of_candidates=False)
        for media in description.media
    ]
    return write(replace(description, media=sections))


def _with_candidates(
    remote: _Remote | None, generations: dict[str, RemoteCandidates]
) -> SessionDescription | None:
    """The description as it was set, and the candidates that came since (W3C: remoteDescription)."""
    if remote is None:
        return None
    generation = generations.get(remote.ufrag())
    index = first_data(remote.description)
    if generation is None or index is None:
        return SessionDescription(remote.type, remote.text)
    media = remote.description.media[index]
    if media.candidates == generation.texts and media.end_of_candidates == generation.ended:
        return SessionDescription(remote.type, remote.text)
    sections = list(remote.description.media)
    sections[index] = replace(media, candidates=list(generation.texts), end_of_candidates=generation.ended)
    return SessionDescription(remote.type, write(replace(remote.description, media=sections)))
