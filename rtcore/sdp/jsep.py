"""Offer and answer (RFC 3264) as a peer connection does it (JSEP, RFC 9429), without any transport.

`Negotiation` keeps the signaling state and the four descriptions (current and pending, local and remote),
makes offers and answers, checks what comes in, and says what was agreed. It does no I/O, keeps no time, gets
its random numbers from outside, and every method either does its work or raises and changes nothing.

                    set_remote(offer)                     set_local(offer)
    have-remote-offer <------------------- stable -------------------> have-local-offer
       |          |  ---- answer, rollback -->  <-- answer, rollback ----  |         |
       pranswer   |                                                        |         pranswer
       v          v                                                        v         v
    have-local-pranswer -- answer -----> stable <-------- answer -- have-remote-pranswer
"""

import secrets
from collections.abc import Callable, Sequence
from dataclasses import replace

from rtcore.errors import InvalidModificationError, InvalidStateError, OperationError

from .candidates import RemoteCandidates
from .codecs import RtpCodec, default_codecs
from .composer import Composer, Draft, new_mid
from .held import LocalDescription, RemoteDescription, SessionDescription, same
from .model import Fingerprint, Media, Origin
from .parser import parse
from .sections import (
    Agreement,
    LocalTransport,
    accepted_sections,
    agree,
    check_answer,
    check_offer,
    check_transport,
    first_alive,
    first_data,
)
from .transceiver import Changes, SendEncoding, Transceiver
from .transceivers import Transceivers

__all__ = ["Negotiation", "SessionDescription"]


class Negotiation:
    """One peer connection's side of offer and answer.

    `session_id` goes into the o-line (below 2**62, some parsers take no more), `fingerprints` are those of
    our certificate, `max_message_size` is what we take. `codecs`: what this end can do, preferred ones first,
    or who tells it when audio or video first comes up (by default all of `default_codecs()`); `cname` names
    this end in RTCP (RFC 7022); `receive_simulcast`: whether offered simulcast is taken, else one encoding
    comes alone; `draw(bits)` gives random numbers, for SSRCs and track ids. Before anything else,
    `begin_generation()` gives the ICE credentials.

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
        codecs: Sequence[RtpCodec] | Callable[[], Sequence[RtpCodec]] | None = None,
        cname: str = "",
        receive_simulcast: bool = True,
        draw: Callable[[int], int] = secrets.randbits,
    ) -> None:
        self.agreement: Agreement | None = None
        """What the last answer (or provisional answer) agreed on."""
        self.data_refused = False
        """The last answer ended data channels, or refused them; `want_data()` asks again."""
        self._session_id = session_id
        self._state = "stable"
        self._data_wanted = False
        self._version = 0  # of the last local description that was set
        self._mids: set[str] = set()
        self._transport: LocalTransport | None = None
        self._replace_ufrag = ""
        self._current_local: LocalDescription | None = None
        self._pending_local: LocalDescription | None = None
        self._current_remote: RemoteDescription | None = None
        self._pending_remote: RemoteDescription | None = None
        self._created_offer: LocalDescription | None = None
        self._created_answer: LocalDescription | None = None
        self._outdated = False  # what was created is no longer what would be created
        self._remote_candidates = RemoteCandidates()
        if codecs is None:
            codecs = (*default_codecs("audio"), *default_codecs("video"))
        self._transceivers = Transceivers(codecs, draw)
        self.cname = cname or f"{draw(96):024x}"
        """How this end is called in RTCP and a=ssrc lines."""
        self._composer = Composer(
            self._transceivers,
            fingerprints=fingerprints,
            max_message_size=max_message_size,
            ice_lite=ice_lite,
            cname=self.cname,
            receive_simulcast=receive_simulcast,
        )

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
        return self._current_remote.current(self._remote_candidates) if self._current_remote else None

    @property
    def pending_remote(self) -> SessionDescription | None:
        return self._pending_remote.current(self._remote_candidates) if self._pending_remote else None

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
    def remote_has_data(self) -> bool:
        """Whether the other end's description has a section for data channels that is alive."""
        remote = self._pending_remote or self._current_remote
        return remote is not None and first_data(remote.description) is not None

    @property
    def data_mid(self) -> str | None:
        """Mid of the section for data channels; None: no description has one that is alive."""
        for held in (self._pending_local, self._current_local, self._pending_remote, self._current_remote):
            if held is not None and (index := first_data(held.description)) is not None:
                return held.description.media[index].mid
        return None

    @property
    def needs_negotiation(self) -> bool:
        """Whether an offer would change something (W3C WebRTC section 4.7.3)."""
        if self._replace_ufrag or self._generation_untold or (self._data_wanted and not self._data_agreed):
            return True
        return self._transceivers.unsettled(self._current_local, self._current_remote)

    @property
    def _generation_untold(self) -> bool:
        """The ICE agent has credentials that the other end does not know: a restart was rolled back."""
        current = self._current_local
        return current is not None and current.transport is not self._transport

    @property
    def _data_agreed(self) -> bool:
        return self.agreement is not None and self.agreement.sctp_port is not None

    def want_data(self) -> None:
        """From now on offers have a data section: the first data channel was made."""
        if not self._data_wanted:
            self._data_wanted = True
            self.data_refused = False
            self._outdated = True

    @property
    def transport_position(self) -> tuple[str, int] | None:
        """Mid and index of the section that carries the transport in the local description; None: it has none
        that is alive, and no candidates are needed."""
        local = self._pending_local or self._current_local
        if local is None:
            return None
        sections = local.description.media
        tag = local.description.section(self.agreement.mid) if self.agreement is not None else None
        index = first_alive(local.description) if tag is None or tag.rejected else sections.index(tag)
        return (sections[index].mid, index) if index is not None else None

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
        """What was created before is no longer what would be created now."""
        self._outdated = True

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
        ufrag = pending.ufrag
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
        self._outdated = False
        return SessionDescription("offer", made.text)

    def create_answer(self) -> SessionDescription:
        self._require("create an answer", "have-remote-offer", "have-local-pranswer")
        made = self._created_answer = self._make_answer()
        self._outdated = False
        return SessionDescription("answer", made.text)

    def _make_offer(self) -> LocalDescription:
        transport = self._local_transport()
        base = self._pending_local or self._current_local
        remote = self._current_remote
        draft = self._composer.offer(
            transport,
            base.description if base is not None else None,
            remote.description if remote is not None else None,
            self._known_mids(),
            data_wanted=self._data_wanted,
        )
        return self._finish("offer", draft, transport)

    def _make_answer(self) -> LocalDescription:
        transport = self._local_transport()
        remote = self._pending_remote
        assert remote is not None
        draft = self._composer.answer(transport, remote.description, remote.usable, self.agreement)
        return self._finish("answer", draft, transport)

    def _finish(self, type: str, draft: Draft, transport: LocalTransport) -> LocalDescription:
        """With its version (RFC 9429 section 5.2.2)."""
        description = draft.description(Origin(self._session_id, self._version + 1))
        current = self._current_local
        if current is not None and current.transport is transport:
            unchanged = replace(description, origin=current.description.origin)
            if same(unchanged, current.description):
                description = unchanged
        first = type == "offer" and self.agreement is None
        return LocalDescription(type, description, transport, draft.owners, first=first)

    def _known_mids(self) -> set[str]:
        used = set(self._mids)
        for remote in (self._current_remote, self._pending_remote):
            if remote is not None:
                used.update(media.mid for media in remote.description.media)
        return used

    # Setting descriptions

    def set_local(self, description: SessionDescription | None = None) -> Changes:
        """None, or an empty `sdp`: what was created last, or what would be created now, by the state."""
        self._require_open()
        if description is None:
            answering = self._state in ("have-remote-offer", "have-local-pranswer")
            description = SessionDescription("answer" if answering else "offer")
        kind = description.type
        if kind == "rollback":
            return self._rollback("have-local-offer")
        if kind == "offer":
            self._require("set a local offer", "stable", "have-local-offer")
            local = self._chosen(description, self._created_offer, self._make_offer)
            self._pending_local = local
            self._state = "have-local-offer"
            self._note(local)
            return Changes()
        self._require(f"set a local {kind}", "have-remote-offer", "have-local-pranswer")
        local = self._chosen(description, self._created_answer, self._make_answer)
        remote = self._pending_remote
        assert remote is not None
        agreement = agree(
            local.description, remote.description, local.transceivers, offered=False, before=self.agreement
        )
        local.type = kind
        self._note(local)
        return self._answered(kind, local, remote, agreement)

    def set_remote(self, description: SessionDescription) -> Changes:
        """An offer rolls ours back (RFC 9429 section 4.1.10.2), which perfect negotiation builds on."""
        self._require_open()
        kind = description.type
        if kind == "rollback":
            return self._rollback("have-remote-offer")
        if kind == "offer":
            self._require("set a remote offer", "stable", "have-remote-offer", "have-local-offer")
            return self._set_remote_offer(description)
        self._require(f"set a remote {kind}", "have-local-offer", "have-remote-pranswer")
        parsed, local = parse(description.sdp), self._pending_local
        assert local is not None
        check_answer(parsed, local.description)
        for answered, offered in zip(parsed.media, local.description.media, strict=True):
            answered.mid = answered.mid or offered.mid
        agreement = agree(local.description, parsed, local.transceivers, offered=True, before=self.agreement)
        remote = RemoteDescription(kind, parsed, description.sdp, [])
        changes = self._answered(kind, local, remote, agreement)
        self._collect(remote)
        return changes

    def _set_remote_offer(self, description: SessionDescription) -> Changes:
        parsed = parse(description.sdp)
        ours, theirs = self._current_local, self._current_remote
        check_offer(parsed, ours.description if ours else None, theirs.description if theirs else None)
        usable = self._composer.usable(parsed, self.agreement)
        if usable:
            check_transport(parsed, parsed.media[usable[0]])
        changes = self._rollback("have-local-offer") if self._state == "have-local-offer" else Changes()
        remote = RemoteDescription("offer", parsed, description.sdp, usable)
        self._pending_remote = remote
        self._created_offer = self._created_answer = None
        self._state = "have-remote-offer"
        mids = self._known_mids()
        self._transceivers.take_offer(parsed.media, frozenset(usable), lambda: new_mid(mids), changes)
        self._collect(remote)
        return changes

    def _chosen(
        self,
        description: SessionDescription,
        created: LocalDescription | None,
        make: Callable[[], LocalDescription],
    ) -> LocalDescription:
        if created is None or (self._outdated and not description.sdp):
            created = make()
        if description.sdp and description.sdp != created.text:
            raise InvalidModificationError(
                f"a local {description.type} is set as it was created, or left out to be created"
            )
        if any(one is not None and one.stopped for one in created.transceivers):
            raise InvalidModificationError("a transceiver was stopped since the description was created")
        return created

    def _note(self, local: LocalDescription) -> None:
        self._version = local.description.origin.version
        self._mids.update(media.mid for media in local.description.media)
        self._created_offer = self._created_answer = None
        for index, (media, one) in enumerate(zip(local.description.media, local.transceivers, strict=True)):
            if one is not None and one.mid is None:
                one.mid, one.index = media.mid, index

    def _answered(
        self,
        kind: str,
        local: LocalDescription,
        remote: RemoteDescription,
        agreement: Agreement | None,
    ) -> Changes:
        """An answer was set, of either side."""
        if kind == "answer" or remote.type != "offer":
            remote.usable = accepted_sections(local.description, remote.description)
        changes = Changes()
        agreed = {section.index: section for section in agreement.sections} if agreement is not None else {}
        for index, one in enumerate(local.transceivers):
            section = agreed.get(index)
            if one is None:
                continue
            if section is not None:
                theirs = remote.description.media[index] if remote.type != "offer" else None
                one.current_direction = section.direction
                one.sent = one.sent or section.send
                self._transceivers.hear(one, section.direction, theirs, changes)
            elif kind == "answer":
                self._transceivers.reject(one, changes)
        if kind == "answer":
            self._settle(local, remote, agreement)
        else:
            self.agreement = agreement
            self._pending_local, self._pending_remote = local, remote
            self._state = "have-remote-pranswer" if remote.type != "offer" else "have-local-pranswer"
        return changes

    def _settle(
        self, local: LocalDescription, remote: RemoteDescription, agreement: Agreement | None
    ) -> None:
        offered, had = first_data(local.description) is not None, self._data_agreed
        self.agreement = agreement
        self.data_refused = not self._data_agreed and (offered or had)
        if self.data_refused:
            self._data_wanted = False
        self._current_local, self._current_remote = local, remote
        self._pending_local = self._pending_remote = None
        self._created_offer = self._created_answer = None
        self._state = "stable"
        if self._replace_ufrag and local.transport.ufrag != self._replace_ufrag:
            self._replace_ufrag = ""
        self._transceivers.settled()
        self._forget_candidates()

    def _rollback(self, state: str) -> Changes:
        self._require("roll back", state)
        self._pending_local = self._pending_remote = None
        self._created_offer = self._created_answer = None
        self._state = "stable"
        self._forget_candidates()
        return self._transceivers.roll_back()

    def _require(self, what: str, *states: str) -> None:
        if self._state not in states:
            raise InvalidStateError(f"cannot {what} in state {self._state!r}")

    # Candidates of the other end

    def _collect(self, remote: RemoteDescription) -> None:
        self._remote_candidates.collect(remote.description, remote.ufrag)
        self._forget_candidates()

    def _forget_candidates(self) -> None:
        self._remote_candidates.keep(
            {held.ufrag for held in (self._current_remote, self._pending_remote) if held is not None}
        )

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
            known = own or remote.ufrag
        generation = self._remote_candidates.generation(known)
        if generation is None:
            sections = [
                m for r in (self._current_remote, self._pending_remote) if r for m in r.description.media
            ]
            if ufrag is not None and all(m.ice_ufrag != ufrag for m in sections):
                raise OperationError(f"no remote description has the ufrag {ufrag!r}")
            return False
        self._remote_candidates.add(generation, text)
        return True

    def take_remote_candidates(self) -> tuple[list[str], bool]:
        """Those of the agreed generation that were not taken yet, and whether their end is to be told now."""
        if self.agreement is None:
            return [], False
        return self._remote_candidates.take(self.agreement.remote_ufrag)
