"""Offer and answer: states, sections, roles, bundles, versions, rollback, restart, candidates (RFC 9429)."""

import re
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from rtcore.errors import (
    Error,
    InvalidAccessError,
    InvalidModificationError,
    InvalidStateError,
    OperationError,
    SdpError,
)
from rtcore.sdp import Fingerprint, Group, Media, Negotiation, SessionDescription, parse, write

VECTORS = Path(__file__).resolve().parents[1] / "vectors" / "sdp"
SAMPLES = sorted(VECTORS.glob("*.sdp"))
EMPTY = "v=0\r\no=- 1 3 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n"
HOST = "candidate:1 1 udp 2130706431 192.0.2.1 4000 typ host"
HOST6 = "candidate:2 1 udp 2130706430 2001:db8::1 4001 typ host"
SRFLX = "candidate:3 1 udp 1694498815 203.0.113.5 5000 typ srflx raddr 192.0.2.1 rport 4000"


def side(number: int, *, data: bool = True, lite: bool = False) -> Negotiation:
    negotiation = Negotiation(
        session_id=number,
        fingerprints=(Fingerprint("sha-256", bytes([number] * 32)),),
        max_message_size=262144,
        ice_lite=lite,
    )
    negotiation.begin_generation(*generation(number, 0))
    if data:
        negotiation.want_data()
    return negotiation


def generation(number: int, count: int) -> tuple[str, str]:
    return f"uf{number}g{count}", f"password{number}ofgeneration{count}"


def pair() -> tuple[Negotiation, Negotiation]:
    return side(1), side(2, data=False)


def connect(offerer: Negotiation, answerer: Negotiation) -> None:
    offerer.set_local()
    answerer.set_remote(known(offerer.local))
    answerer.set_local()
    offerer.set_remote(known(answerer.local))


def known(description: SessionDescription | None) -> SessionDescription:
    assert description is not None
    return description


def edited(description: SessionDescription, change) -> SessionDescription:
    parsed = parse(description.sdp)
    change(parsed)
    return SessionDescription(description.type, write(parsed))


def sample(name: str) -> SessionDescription:
    return SessionDescription("offer", (VECTORS / f"{name}.sdp").read_text())


def test_session_description() -> None:
    description = SessionDescription("offer", "v=0")
    assert SessionDescription.from_dict(description.to_dict()) == description
    assert SessionDescription.from_dict({"type": "rollback"}) == SessionDescription("rollback")
    with pytest.raises(ValueError, match="type must be"):
        SessionDescription("request", "")
    with pytest.raises(TypeError, match="sdp must be"):
        SessionDescription("offer", b"")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="mapping"):
        SessionDescription.from_dict({"sdp": ""})


def test_first_offer() -> None:
    offer = parse(side(1).create_offer().sdp)
    assert offer.origin.session_id == 1
    assert [group.mids for group in offer.groups] == [("0",)]
    (media,) = offer.media
    assert (media.kind, media.port, media.protocol) == ("application", 9, "UDP/DTLS/SCTP")
    assert media.formats == ["webrtc-datachannel"]
    assert (media.setup, media.sctp_port, media.max_message_size) == ("actpass", 5000, 262144)
    assert media.ice_options == ("trickle", "ice2")
    assert (media.ice_ufrag, media.ice_pwd) == generation(1, 0)
    assert media.fingerprints == (Fingerprint("sha-256", bytes([1] * 32)),)
    assert not media.end_of_candidates


def test_offer_and_answer_agree() -> None:
    a, b = pair()
    assert a.needs_negotiation
    connect(a, b)
    assert (a.signaling_state, b.signaling_state) == ("stable", "stable")
    assert not a.needs_negotiation
    assert not b.needs_negotiation
    assert a.agreement is not None
    assert b.agreement is not None
    assert (a.agreement.controlling, b.agreement.controlling) == (True, False)
    assert (a.agreement.dtls_client, b.agreement.dtls_client) == (False, True)
    assert (a.agreement.remote_ufrag, a.agreement.remote_pwd) == generation(2, 0)
    assert b.agreement.fingerprints == (Fingerprint("sha-256", bytes([1] * 32)),)
    assert a.agreement.sctp_port == 5000
    assert a.agreement.max_message_size == 262144
    assert a.agreement.mid == b.agreement.mid == "0"
    assert (a.current_local, a.pending_local) == (a.local, None)
    assert a.current_remote == b.current_local


def test_states() -> None:
    a, b = pair()
    assert a.signaling_state == "stable"
    a.set_local()
    assert a.signaling_state == "have-local-offer"
    assert (known(a.pending_local).type, a.current_local) == ("offer", None)
    b.set_remote(known(a.local))
    assert b.signaling_state == "have-remote-offer"
    provisional = SessionDescription("pranswer")
    b.set_local(provisional)
    assert b.signaling_state == "have-local-pranswer"
    a.set_remote(known(b.local))
    assert a.signaling_state == "have-remote-pranswer"
    assert a.agreement is not None, "a provisional answer starts the transport"
    b.set_local()
    assert b.signaling_state == "stable"
    a.set_remote(known(b.local))
    assert a.signaling_state == "stable"
    a.close()
    assert a.signaling_state == "closed"
    with pytest.raises(InvalidStateError):
        a.set_local()
    with pytest.raises(InvalidStateError):
        a.set_remote(known(b.local))
    with pytest.raises(InvalidStateError):
        a.create_offer()


@pytest.mark.parametrize("kind", ["answer", "pranswer", "rollback"])
def test_wrong_in_stable(kind: str) -> None:
    a, b = pair()
    connect(a, b)
    answer = known(b.local)
    with pytest.raises(InvalidStateError, match="stable"):
        a.set_remote(SessionDescription(kind, answer.sdp))
    with pytest.raises(InvalidStateError, match="stable"):
        a.set_local(SessionDescription(kind, ""))
    with pytest.raises(InvalidStateError, match="stable"):
        a.create_answer()
    assert a.signaling_state == "stable"


def test_wrong_in_have_local_offer() -> None:
    a, _ = pair()
    a.set_local()
    with pytest.raises(InvalidStateError):
        a.set_local(SessionDescription("answer"))
    with pytest.raises(InvalidStateError):
        a.create_answer()
    with pytest.raises(InvalidStateError):
        a.set_remote(SessionDescription("rollback"))


def test_wrong_in_have_remote_offer() -> None:
    a, b = pair()
    b.set_remote(a.create_offer())
    with pytest.raises(InvalidStateError):
        b.set_remote(SessionDescription("answer", a.create_offer().sdp))
    with pytest.raises(InvalidStateError):
        b.create_offer()
    with pytest.raises(InvalidStateError):
        b.set_local(SessionDescription("offer"))
    with pytest.raises(InvalidStateError):
        b.set_local(SessionDescription("rollback"))


def test_no_rollback_from_a_provisional_answer() -> None:
    """W3C WebRTC section 4.4.1.5."""
    a, b = pair()
    a.set_local()
    b.set_remote(known(a.local))
    b.set_local(SessionDescription("pranswer"))
    a.set_remote(known(b.local))
    with pytest.raises(InvalidStateError):
        b.set_remote(SessionDescription("rollback"))
    with pytest.raises(InvalidStateError):
        a.set_local(SessionDescription("rollback"))


def test_rollback() -> None:
    a, b = pair()
    a.set_local()
    a.set_local(SessionDescription("rollback"))
    assert (a.signaling_state, a.local) == ("stable", None)
    assert a.needs_negotiation
    a.set_local()
    b.set_remote(known(a.local))
    b.set_remote(SessionDescription("rollback"))
    assert (b.signaling_state, b.remote) == ("stable", None)
    b.set_remote(known(a.local))
    b.set_local()
    a.set_remote(known(b.local))
    assert a.agreement is not None


def test_remote_offer_rolls_ours_back() -> None:
    """Perfect negotiation: the polite side gives way."""
    polite, impolite = side(1), side(2)
    polite.set_local()
    impolite.set_local()
    polite.set_remote(known(impolite.local))
    assert polite.signaling_state == "have-remote-offer"
    assert polite.pending_local is None
    polite.set_local()
    impolite.set_remote(known(polite.local))
    assert polite.agreement is not None
    assert impolite.agreement is not None
    assert impolite.agreement.controlling
    assert not polite.needs_negotiation


def test_bad_remote_offer_leaves_ours() -> None:
    a = side(1)
    a.set_local()
    before = a.local
    with pytest.raises(SdpError):
        a.set_remote(SessionDescription("offer", "v=0"))
    assert (a.signaling_state, a.local) == ("have-local-offer", before)


def test_local_description_is_not_to_be_edited() -> None:
    a, _ = pair()
    offer = a.create_offer()
    with pytest.raises(InvalidModificationError):
        a.set_local(SessionDescription("offer", offer.sdp.replace("actpass", "active")))
    a.set_local(offer)
    assert a.local == offer


def test_a_new_remote_offer_makes_an_earlier_answer_stale() -> None:
    a, b = pair()
    b.set_remote(a.create_offer())
    b.create_answer()
    a.begin_generation(*generation(1, 1))
    b.set_remote(edited(a.create_offer(), lambda d: setattr(d.media[0], "setup", "passive")))
    b.set_local()
    assert parse(known(b.local).sdp).media[0].setup == "active"
    assert b.agreement is not None
    assert b.agreement.remote_ufrag == "uf1g1"


def test_wanting_data_makes_an_earlier_offer_stale() -> None:
    a = side(1, data=False)
    assert parse(a.create_offer().sdp).media == []
    assert not a.needs_negotiation
    a.want_data()
    a.set_local()
    assert len(parse(known(a.local).sdp).media) == 1


def test_versions_grow_with_each_change() -> None:
    """RFC 9429 section 5.2.2: the version grows with each description that differs."""
    a, b = pair()
    connect(a, b)
    first = parse(known(a.local).sdp).origin
    connect(a, b)
    assert parse(known(a.local).sdp).origin == first, "nothing changed"
    connect(b, a)
    second = parse(known(a.local).sdp).origin
    assert (second.session_id, second.version) == (first.session_id, first.version + 1)
    a.begin_generation(*generation(1, 1))
    connect(a, b)
    assert parse(known(a.local).sdp).origin.version == first.version + 2


def test_roles_stay_in_later_offers() -> None:
    a, b = pair()
    connect(a, b)
    connect(b, a)
    assert a.agreement is not None
    assert b.agreement is not None
    assert (a.agreement.controlling, b.agreement.controlling) == (True, False)
    assert (a.agreement.dtls_client, b.agreement.dtls_client) == (False, True)
    assert parse(known(b.local).sdp).media[0].setup == "actpass"
    assert parse(known(a.local).sdp).media[0].setup == "passive"


@pytest.mark.parametrize(
    ("offered", "answered", "client"),
    [
        ("actpass", "active", True),
        ("active", "passive", False),
        ("passive", "active", True),
        ("", "active", True),
    ],
)
def test_setup_roles(offered: str, answered: str, client: bool) -> None:
    a, b = pair()

    def change(description) -> None:
        description.media[0].setup = offered

    b.set_remote(edited(a.create_offer(), change))
    b.set_local()
    assert parse(known(b.local).sdp).media[0].setup == answered
    assert b.agreement is not None
    assert b.agreement.dtls_client is client


@pytest.mark.parametrize(("answered", "client"), [("passive", True), ("active", False)])
def test_setup_roles_of_the_offerer(answered: str, client: bool) -> None:
    a, b = pair()
    a.set_local()
    b.set_remote(known(a.local))

    def change(description) -> None:
        description.media[0].setup = answered

    a.set_remote(edited(b.create_answer(), change))
    assert a.agreement is not None
    assert a.agreement.dtls_client is client


def test_holdconn_is_refused() -> None:
    a, b = pair()

    def change(description) -> None:
        description.media[0].setup = "holdconn"

    b.set_remote(edited(a.create_offer(), change))
    with pytest.raises(SdpError, match="holdconn"):
        b.set_local()
    assert b.signaling_state == "have-remote-offer"


@pytest.mark.parametrize(
    ("ours", "theirs", "controlling"),
    [(False, False, True), (False, True, True), (True, False, False), (True, True, True)],
)
def test_ice_lite_decides_the_role(ours: bool, theirs: bool, controlling: bool) -> None:
    """RFC 8445 section 6.1.1: the full agent controls; between equals it is the offerer."""
    a, b = side(1, lite=ours), side(2, lite=theirs)
    connect(a, b)
    assert a.agreement is not None
    assert b.agreement is not None
    assert a.agreement.controlling is controlling
    assert b.agreement.controlling is not controlling
    assert a.agreement.remote_lite is theirs
    assert ("a=ice-lite" in known(a.local).sdp) is ours


@pytest.mark.parametrize("path", SAMPLES, ids=lambda p: p.stem)
def test_samples_are_answered(path: Path) -> None:
    offer = parse(path.read_text())
    b = side(2, data=False)
    b.set_remote(SessionDescription("offer", path.read_text()))
    b.set_local()
    answer = parse(known(b.local).sdp)
    assert len(answer.media) == len(offer.media)
    for answered, offered in zip(answer.media, offer.media, strict=True):
        assert (answered.kind, answered.mid, answered.protocol) == (
            offered.kind,
            offered.mid,
            offered.protocol,
        )
        assert set(answered.formats) <= set(offered.formats)
        assert answered.rejected is offered.rejected
        if not answered.rejected:
            assert answered.setup == "active"
            if offered.kind != "application":
                assert answered.direction in ("recvonly", "inactive")
    accepted = [media for media in offer.media if not media.rejected]
    assert [group.mids for group in answer.groups] == [tuple(media.mid for media in accepted)]
    assert b.agreement is not None
    assert b.agreement.remote_ufrag == offer.transport_of(accepted[0]).ice_ufrag
    data = next((media for media in accepted if media.is_data), None)
    if data is not None:
        assert b.agreement.sctp_port == 5000
        assert b.agreement.max_message_size == (data.max_message_size or 65536)
    else:
        assert b.agreement.sctp_port is None
    assert b.can_trickle is any("trickle" in m.ice_options for m in offer.media)
    texts, ended = b.take_remote_candidates()
    assert texts == list(dict.fromkeys(text for media in accepted for text in media.candidates))
    assert ended is any(media.end_of_candidates for media in accepted)


def test_legacy_offer_gets_a_legacy_answer() -> None:
    b = side(2, data=False)
    b.set_remote(sample("chrome_legacy_data_offer"))
    answer = b.create_answer().sdp
    assert "m=application 9 DTLS/SCTP 5000\r\n" in answer
    assert "a=sctpmap:5000 webrtc-datachannel" in answer
    assert "a=sctp-port" not in answer


def test_an_answer_bundles_only_what_was_offered_so() -> None:
    a, b = pair()
    b.set_remote(edited(a.create_offer(), lambda d: d.groups.clear()))
    assert parse(b.create_answer().sdp).groups == []


def test_an_offer_without_data_is_answered_without() -> None:
    b = side(2, data=False)
    b.set_remote(edited(sample("chrome_media_offer"), lambda d: (d.media.pop(), d.groups.clear())))
    b.set_local()
    assert b.agreement is not None
    assert b.agreement.sctp_port is None
    answer = parse(known(b.local).sdp)
    assert [media.rejected for media in answer.media] == [False, True], "one transport, and no bundle"
    assert not b.needs_negotiation
    b.want_data()
    assert b.needs_negotiation


def test_rejected_section_is_recycled() -> None:
    """RFC 9429 section 5.2.2: a rejected section makes room for a new one, with a new mid."""
    b = side(2, data=False)

    def refuse(description) -> None:
        description.media.pop()
        description.groups.clear()
        for media in description.media:
            media.port = 0

    b.set_remote(edited(sample("chrome_media_offer"), refuse))
    b.set_local()
    b.want_data()
    offer = parse(b.create_offer().sdp)
    assert [(m.kind, m.rejected) for m in offer.media] == [("application", False), ("video", True)]
    assert offer.media[0].mid not in ("0", "1")
    assert offer.groups[0].mids == (offer.media[0].mid,)


def test_rejected_data_is_offered_again_elsewhere() -> None:
    a, b = pair()
    a.set_local()
    b.set_remote(known(a.local))

    def reject(description) -> None:
        media = description.media[0]
        description.media[0] = Media("application", 0, media.protocol, media.formats, mid=media.mid)
        description.groups.clear()

    a.set_remote(edited(b.create_answer(), reject))
    assert a.agreement is None
    assert a.signaling_state == "stable"
    assert a.data_refused
    assert not a.needs_negotiation, "not before data is wanted again"
    assert parse(a.create_offer().sdp).media[0].rejected
    a.want_data()
    assert a.needs_negotiation
    offer = parse(a.create_offer().sdp)
    assert [m.mid for m in offer.media] == ["1"]


def test_sctp_port_0_closes_the_data_section() -> None:
    a, b = pair()

    def change(description) -> None:
        description.media[0].sctp_port = 0

    b.set_remote(edited(a.create_offer(), change))
    b.set_local()
    assert b.agreement is None


@pytest.mark.parametrize(("size", "expected"), [(None, 65536), (0, 0), (1, 1), (2**40, 2**32 - 1)])
def test_max_message_size(size: int | None, expected: int) -> None:
    """RFC 8841 section 6.1."""
    a, b = pair()

    def change(description) -> None:
        description.media[0].max_message_size = size

    b.set_remote(edited(a.create_offer(), change))
    b.set_local()
    assert b.agreement is not None
    assert b.agreement.max_message_size == expected


def test_fingerprints_of_weak_hashes_do_not_count() -> None:
    a, b = pair()
    weak = Fingerprint("sha-1", bytes(20))

    def add(description) -> None:
        description.media[0].fingerprints += (weak, Fingerprint("sha-512", bytes(64)))

    b.set_remote(edited(a.create_offer(), add))
    b.set_local()
    assert b.agreement is not None
    assert [f.algorithm for f in b.agreement.fingerprints] == ["sha-256", "sha-512"]

    def only_weak(description) -> None:
        description.media[0].fingerprints = (weak,)

    with pytest.raises(SdpError, match="fingerprint"):
        side(2).set_remote(edited(a.create_offer(), only_weak))


def test_credentials_are_needed() -> None:
    a, b = pair()

    def change(description) -> None:
        description.media[0].ice_ufrag = description.media[0].ice_pwd = ""

    with pytest.raises(SdpError, match="ice-ufrag"):
        b.set_remote(edited(a.create_offer(), change))


def test_another_certificate_is_refused() -> None:
    a, b = pair()
    connect(a, b)
    a.set_local()
    b.set_remote(known(a.local))

    def change(description) -> None:
        description.media[0].fingerprints = (Fingerprint("sha-256", bytes(32)),)

    with pytest.raises(InvalidAccessError, match="fingerprint"):
        a.set_remote(edited(b.create_answer(), change))
    assert a.signaling_state == "have-local-offer"


def _append(description) -> None:
    description.media.append(Media("audio", 9, "UDP/TLS/RTP/SAVPF", ["0"], mid="9"))


def _kind(description) -> None:
    description.media[0].kind = "audio"
    description.media[0].protocol = "UDP/TLS/RTP/SAVPF"
    description.media[0].formats = ["0"]


def _mid(description) -> None:
    description.media[0].mid = "7"
    description.groups.clear()


def _setup(description) -> None:
    description.media[0].setup = "actpass"


def _no_fingerprint(description) -> None:
    description.media[0].fingerprints = ()


@pytest.mark.parametrize("change", [_append, _kind, _mid, _setup, _no_fingerprint])
def test_answers_must_fit_the_offer(change) -> None:
    a, b = pair()
    a.set_local()
    b.set_remote(known(a.local))
    with pytest.raises(SdpError):
        a.set_remote(edited(b.create_answer(), change))
    assert a.signaling_state == "have-local-offer"
    assert a.agreement is None


def test_an_answer_may_leave_out_mids() -> None:
    a, b = pair()
    a.set_local()
    b.set_remote(known(a.local))

    def change(description) -> None:
        description.media[0].mid = ""
        description.groups.clear()

    a.set_remote(edited(b.create_answer(), change))
    assert a.agreement is not None


def test_offers_do_not_lose_sections() -> None:
    a, b = pair()
    connect(a, b)
    with pytest.raises(SdpError, match="sections"):
        b.set_remote(SessionDescription("offer", EMPTY))


# Restart


def test_restart() -> None:
    a, b = pair()
    connect(a, b)
    assert not a.offer_restarts()
    assert a.offer_restarts(explicitly=True)
    a.request_restart()
    assert a.needs_negotiation
    assert a.offer_restarts()
    a.begin_generation(*generation(1, 1))
    assert not a.offer_restarts(), "the generation is new already"
    a.set_local()
    b.set_remote(known(a.local))
    assert b.answer_restarts()
    b.begin_generation(*generation(2, 1))
    assert not b.answer_restarts()
    b.set_local()
    a.set_remote(known(b.local))
    assert not a.needs_negotiation
    assert a.agreement is not None
    assert b.agreement is not None
    assert (a.agreement.local_ufrag, a.agreement.remote_ufrag) == ("uf1g1", "uf2g1")
    assert (b.agreement.local_ufrag, b.agreement.remote_ufrag) == ("uf2g1", "uf1g1")


def test_restart_before_anything_is_nothing() -> None:
    a, _ = pair()
    a.set_local()
    a.set_local(SessionDescription("rollback"))
    a.request_restart()
    assert not a.offer_restarts()


def test_a_restart_that_was_rolled_back_is_still_to_be_told() -> None:
    """The agent cannot go back to its old credentials, and checks with new ones that nobody knows fail."""
    a, b = pair()
    connect(a, b)
    assert a.offer_restarts(explicitly=True)
    a.begin_generation(*generation(1, 1))
    a.set_local()
    a.set_local(SessionDescription("rollback"))
    assert a.needs_negotiation
    connect(a, b)
    assert not a.needs_negotiation
    assert b.agreement is not None
    assert b.agreement.remote_ufrag == "uf1g1"


def test_an_ordinary_offer_does_not_restart() -> None:
    a, b = pair()
    connect(a, b)
    a.set_local()
    b.set_remote(known(a.local))
    assert not b.answer_restarts()


def test_credentials_come_first() -> None:
    bare = Negotiation(session_id=1, fingerprints=(), max_message_size=0)
    for attempt in (bare.create_offer, bare.set_local, bare.end_local_candidates):
        with pytest.raises(InvalidStateError, match="credentials"):
            attempt()


# Candidates


def test_local_candidates_show_in_the_description() -> None:
    a, _ = pair()
    a.set_local()
    made = known(a.local)
    a.add_local_candidate(HOST6)
    media = parse(known(a.local).sdp).media[0]
    assert (media.port, media.connection) == (4001, "IN IP6 2001:db8::1")
    a.add_local_candidate(HOST)
    media = parse(known(a.local).sdp).media[0]
    assert (media.port, media.connection) == (4000, "IN IP4 192.0.2.1")
    a.add_local_candidate(SRFLX)
    a.end_local_candidates()
    media = parse(known(a.local).sdp).media[0]
    assert media.candidates == [HOST6, HOST, SRFLX]
    assert media.end_of_candidates
    assert (media.port, media.connection) == (5000, "IN IP4 203.0.113.5"), "the likeliest to be reached"
    assert known(a.local).sdp != made.sdp


def test_candidates_belong_to_their_generation() -> None:
    a, b = pair()
    a.add_local_candidate(HOST)
    connect(a, b)
    a.begin_generation(*generation(1, 1))
    a.set_local()
    assert parse(known(a.pending_local).sdp).media[0].candidates == []
    assert parse(known(a.current_local).sdp).media[0].candidates == [HOST]


def test_candidates_within_a_description_are_taken_once() -> None:
    a, b = pair()
    a.add_local_candidate(HOST)
    a.end_local_candidates()
    a.set_local()
    b.set_remote(known(a.local))
    assert b.take_remote_candidates() == ([], False), "nothing is agreed yet"
    b.set_local()
    assert b.take_remote_candidates() == ([HOST], True)
    assert b.take_remote_candidates() == ([], False)


def test_trickled_candidates() -> None:
    a, b = pair()
    with pytest.raises(InvalidStateError):
        b.add_remote_candidate(HOST, mid="0")
    a.set_local()
    b.set_remote(known(a.local))
    assert b.add_remote_candidate(HOST, mid="0")
    assert b.add_remote_candidate(HOST, mid="0"), "twice is once"
    assert b.add_remote_candidate(SRFLX, index=0, ufrag="uf1g0")
    b.set_local()
    assert b.take_remote_candidates() == ([HOST, SRFLX], False)
    assert b.add_remote_candidate(HOST6)
    assert b.add_remote_candidate("", mid="0")
    assert b.take_remote_candidates() == ([HOST6], True)
    media = parse(known(b.remote).sdp).media[0]
    assert media.candidates == [HOST, SRFLX, HOST6]
    assert media.end_of_candidates


def test_candidates_of_unknown_sections() -> None:
    a, b = pair()
    b.set_remote(a.create_offer())
    with pytest.raises(OperationError, match="mid"):
        b.add_remote_candidate(HOST, mid="5")
    with pytest.raises(OperationError, match="section 3"):
        b.add_remote_candidate(HOST, index=3)
    with pytest.raises(OperationError, match="ufrag"):
        b.add_remote_candidate(HOST, mid="0", ufrag="nobody")


def test_candidates_of_a_rejected_section() -> None:
    b = side(2, data=False)

    def change(description) -> None:
        description.media[0].ice_ufrag = "other"
        description.groups[0] = Group("BUNDLE", ("1", "2"))

    b.set_remote(edited(sample("chrome_media_offer"), change))
    assert not b.add_remote_candidate(HOST, mid="0"), "the audio section's own transport is not used"
    assert b.add_remote_candidate(HOST, mid="1"), "the video section shares the data section's transport"
    b.set_local()
    answer = parse(known(b.local).sdp)
    assert [media.rejected for media in answer.media] == [True, False, False]
    assert [group.mids for group in answer.groups] == [("1", "2")]


def test_candidates_of_a_restart_wait_for_the_answer() -> None:
    a, b = pair()
    connect(a, b)
    a.begin_generation(*generation(1, 1))
    a.set_local()
    b.set_remote(known(a.local))
    assert b.add_remote_candidate(HOST, mid="0")
    assert b.add_remote_candidate(SRFLX, mid="0", ufrag="uf1g0"), "a late one of the old generation"
    assert b.take_remote_candidates() == ([SRFLX], False)
    b.begin_generation(*generation(2, 1))
    b.set_local()
    assert b.take_remote_candidates() == ([HOST], False)
    with pytest.raises(OperationError, match="ufrag"):
        b.add_remote_candidate(SRFLX, mid="0", ufrag="uf1g0")


def test_candidates_are_bounded() -> None:
    a, b = pair()
    b.set_remote(a.create_offer())
    for port in range(1, 257):
        b.add_remote_candidate(f"candidate:1 1 udp 1 192.0.2.1 {port} typ host", mid="0")
    with pytest.raises(OperationError, match="more than 256"):
        b.add_remote_candidate(HOST, mid="0")


# Any order of operations


def in_step(a, b) -> bool:
    """Whether each side holds what the other one believes it does. They come apart where an answer was lost
    and its offer rolled back: sections of one are then unknown to the other, which refuses its next offer."""

    def text(description: SessionDescription | None) -> str | None:
        return description and re.sub("a=(candidate|end-of-candidates).*\r\n", "", description.sdp)

    return text(a.current_local) == text(b.current_remote) and text(b.current_local) == text(a.current_remote)


class TwoSides(RuleBasedStateMachine):
    """Whatever two sides do in whatever order: the states are those of RFC 9429 figure 2, refused operations
    change nothing, and two sides that are in step agree after a full exchange."""

    def __init__(self) -> None:
        super().__init__()
        self.sides = (side(1), side(2))
        self.wires: tuple[list[SessionDescription], list[SessionDescription]] = ([], [])

    @rule(i=st.integers(0, 1), kind=st.sampled_from(["offer", "answer", "pranswer", "rollback", None]))
    def set_local(self, i: int, kind: str | None) -> None:
        self.attempt(i, lambda s: s.set_local(SessionDescription(kind) if kind else None))
        local = self.sides[i].local
        if local is not None:
            self.wires[1 - i].append(local)

    @rule(i=st.integers(0, 1), newest=st.booleans())
    def receive(self, i: int, newest: bool) -> None:
        if self.wires[i]:
            description = self.wires[i].pop(-1 if newest else 0)
            self.attempt(i, lambda s: s.set_remote(description))

    @rule(i=st.integers(0, 1))
    def roll_back_remote(self, i: int) -> None:
        self.attempt(i, lambda s: s.set_remote(SessionDescription("rollback")))

    @rule(i=st.integers(0, 1), count=st.integers(1, 3))
    def restart(self, i: int, count: int) -> None:
        self.sides[i].request_restart()
        if self.sides[i].offer_restarts():
            self.sides[i].begin_generation(*generation(i + 1, count))

    def attempt(self, i: int, operation) -> None:
        one = self.sides[i]
        before = (one.signaling_state, one.local, one.remote, one.agreement)
        try:
            operation(one)
        except Error:
            assert (one.signaling_state, one.local, one.remote, one.agreement) == before

    @rule()
    def full_exchange(self) -> None:
        a, b = self.sides
        for one in self.sides:
            if one.signaling_state == "have-local-offer":
                one.set_local(SessionDescription("rollback"))
            elif one.signaling_state == "have-remote-offer":
                one.set_remote(SessionDescription("rollback"))
        if a.signaling_state == b.signaling_state == "stable" and in_step(a, b):
            connect(a, b)
            assert a.agreement is not None
            assert b.agreement is not None
            assert a.agreement.local_ufrag == b.agreement.remote_ufrag
            assert b.agreement.local_ufrag == a.agreement.remote_ufrag
        for wire in self.wires:
            wire.clear()

    @invariant()
    def states_fit_descriptions(self) -> None:
        for one in self.sides:
            state = one.signaling_state
            assert (one.pending_local is not None) == (
                state in ("have-local-offer", "have-local-pranswer", "have-remote-pranswer")
            )
            assert (one.pending_remote is not None) == (
                state in ("have-remote-offer", "have-local-pranswer", "have-remote-pranswer")
            )


TwoSides.TestCase.settings = settings(
    max_examples=100,
    stateful_step_count=30,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
TestTwoSides = TwoSides.TestCase
