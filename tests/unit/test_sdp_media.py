"""Audio and video in offers and answers (RFC 9429), between two ends and with what browsers offer."""

from pathlib import Path

import pytest

from rtcore.errors import InvalidAccessError, InvalidModificationError, InvalidStateError, SdpError
from rtcore.sdp import (
    Extension,
    Group,
    Msid,
    Negotiation,
    RidChoice,
    RtpCodec,
    SendEncoding,
    SessionDescription,
    Simulcast,
    SourceGroup,
    default_codecs,
    parse,
)
from rtcore.sdp.extensions import AUDIO_LEVEL, MID, RID, TRANSPORT_SEQUENCE
from sdp_sides import (
    VECTORS,
    check_agreement,
    check_way,
    connect,
    edited,
    known,
    sample,
    sections,
    side,
)

SAMPLES = sorted(VECTORS.glob("*.sdp"))
ROLLBACK = SessionDescription("rollback")


def pair() -> tuple[Negotiation, Negotiation]:
    return side(1), side(2)


def media(negotiation: Negotiation, index: int = 0):
    return parse(known(negotiation.local).sdp).media[index]


# Sections


def test_an_offer_of_audio_and_video() -> None:
    a = side(1)
    a.add_track("audio", "microphone", ["stream"])
    camera = a.add_track("video", "camera", ["stream", "another"])
    a.want_data()
    offer = parse(a.create_offer().sdp)
    assert [(m.kind, m.mid, m.port, m.protocol) for m in offer.media] == [
        ("audio", "0", 9, "UDP/TLS/RTP/SAVPF"),
        ("video", "1", 9, "UDP/TLS/RTP/SAVPF"),
        ("application", "2", 9, "UDP/DTLS/SCTP"),
    ]
    assert [group.mids for group in offer.groups] == [("0", "1", "2")]
    assert offer.extmap_allow_mixed
    audio, video, data = offer.media
    assert (audio.direction, video.direction, data.direction) == ("sendrecv", "sendrecv", "")
    assert all(m.rtcp_mux and m.rtcp_rsize for m in (audio, video))
    assert audio.msids == [Msid("stream", "microphone")]
    assert video.msids == [Msid("stream", "camera"), Msid("another", "camera")]
    assert len({m.ice_ufrag for m in offer.media}) == 1
    assert len(audio.sources) == 1
    (encoding,) = camera.encodings
    assert video.source_groups == [SourceGroup("FID", (encoding.ssrc, encoding.rtx_ssrc))]
    assert list(video.sources) == [encoding.ssrc, encoding.rtx_ssrc]
    assert {value["cname"] for value in video.sources.values()} == {a.cname}
    for m in (audio, video):
        shared = {extension.uri: extension.id for extension in m.extensions}
        assert shared[MID] == {e.uri: e.id for e in audio.extensions}[MID]
    assert camera.mid is None, "only set_local associates"


def test_an_agreement_of_audio_video_and_data() -> None:
    a, b = pair()
    a.add_track("audio", "microphone", ["s"])
    a.add_track("video", "camera", ["s"])
    a.want_data()
    b.add_track("video", "other camera")
    assert a.needs_negotiation
    a.set_local()
    changes = b.set_remote(known(a.local))
    assert [one.kind for one in changes.added] == ["audio"], "the video goes to the track that waits"
    assert [one.remote_track_id for one in changes.received] == ["microphone", "camera"]
    assert [one.remote_streams for one in changes.received] == [("s",), ("s",)]
    b.set_local()
    changes = a.set_remote(known(b.local))
    assert [(one.kind, one.remote_track_id) for one in changes.received] == [("video", "other camera")]
    check_agreement(a, b)
    assert [section.direction for section in sections(a)] == ["sendonly", "sendrecv"]
    assert a.agreement is not None
    assert a.agreement.sctp_port == 5000
    video = sections(a)[1]
    assert video.send_format is not None
    assert (video.send_format.codec.name, video.send_format.rtx_payload_type) == ("VP8", 97)
    assert video.send_format.feedback == {"nack", "pli", "fir", "twcc", "remb"}
    assert not a.needs_negotiation
    assert not b.needs_negotiation


def test_media_alone_and_data_afterwards() -> None:
    a, b = pair()
    a.add_transceiver("audio")
    connect(a, b)
    assert a.agreement is not None
    assert a.agreement.sctp_port is None
    assert not a.data_refused
    b.want_data()
    assert b.needs_negotiation
    connect(b, a)
    assert a.agreement.mid == "0"
    check_agreement(a, b)
    assert [m.kind for m in parse(known(b.local).sdp).media] == ["audio", "application"]


def test_sections_stay_in_order() -> None:
    a, b = pair()
    a.add_transceiver("video")
    connect(a, b)
    b.add_transceiver("audio")
    a.add_transceiver("audio")
    connect(b, a)
    check_agreement(a, b)
    connect(a, b)
    check_agreement(a, b)
    assert [(s.mid, s.kind) for s in sections(a)] == [("0", "video"), ("1", "audio"), ("2", "audio")]
    assert [one.index for one in a.transceivers] == [0, 2, 1]


@pytest.mark.parametrize("wanted", ["sendrecv", "sendonly", "recvonly", "inactive"])
@pytest.mark.parametrize("offered", ["sendrecv", "sendonly", "recvonly", "inactive"])
def test_directions_meet(offered: str, wanted: str) -> None:
    """RFC 3264 section 6.1."""
    a, b = pair()
    one = a.add_transceiver("audio")
    connect(a, b)
    (other,) = b.transceivers
    a.set_direction(one, offered)
    b.set_direction(other, wanted)
    connect(a, b)
    check_agreement(a, b)
    send = offered in ("sendrecv", "sendonly") and wanted in ("sendrecv", "recvonly")
    receive = offered in ("sendrecv", "recvonly") and wanted in ("sendrecv", "sendonly")
    assert (sections(a)[0].send, sections(a)[0].receive) == (send, receive)


def test_no_direction_is_sendrecv() -> None:
    """RFC 8866 section 6.7."""
    a, b = pair()
    a.add_transceiver("audio")
    b.add_track("audio", "track")
    b.set_remote(edited(a.create_offer(), lambda d: setattr(d.media[0], "direction", "")))
    b.set_local()
    assert sections(b)[0].direction == "sendrecv"


def test_tracks_without_streams_have_a_msid() -> None:
    """RFC 8830 section 2."""
    a, b = pair()
    a.add_track("audio", "track")
    connect(a, b)
    assert media(a).msids == [Msid("-", "track")]
    assert b.transceivers[0].remote_streams == ()
    assert b.transceivers[0].remote_track_id == "track"


def test_streams_of_older_descriptions() -> None:
    """Where a=msid is not there, that of the a=ssrc lines counts."""
    a, b = pair()
    a.add_track("audio", "track", ["stream"])

    def change(description) -> None:
        (attributes,) = description.media[0].sources.values()
        attributes["msid"] = "old-stream old-track"
        description.media[0].msids = []

    b.set_remote(edited(a.create_offer(), change))
    assert b.transceivers[0].remote_streams == ("old-stream",)
    assert b.transceivers[0].remote_track_id == "old-track"


def test_streams_change() -> None:
    a, b = pair()
    one = a.add_track("audio", "track", ["x"])
    connect(a, b)
    a.set_streams(one, ["x", "y"])
    assert a.needs_negotiation
    a.set_local()
    changes = b.set_remote(known(a.local))
    assert [t.remote_streams for t in changes.received] == [("x", "y")], "W3C: it joins a stream"
    b.set_local()
    a.set_remote(known(b.local))
    a.set_streams(one, ["y"])
    a.set_local()
    assert b.set_remote(known(a.local)).received == []
    assert b.transceivers[0].remote_streams == ("y",)


# Transceivers of the answerer


def test_only_transceivers_of_tracks_take_a_section() -> None:
    """RFC 9429 section 5.10."""
    a, b = pair()
    a.add_transceiver("audio")
    mine = b.add_transceiver("audio")
    changes_of = b.set_remote(a.create_offer())
    assert mine.mid is None
    assert len(changes_of.added) == 1
    assert changes_of.added[0].direction == "recvonly"


def test_a_section_that_only_sends_takes_no_track() -> None:
    a, b = pair()
    a.add_transceiver("audio", direction="sendonly")
    b.add_track("audio", "track")
    assert len(b.set_remote(a.create_offer()).added) == 1
    b.set_local()
    assert b.needs_negotiation, "the track has no section yet"


def test_tracks_take_sections_of_their_kind_in_order() -> None:
    a, b = pair()
    for kind in ("video", "audio", "video"):
        a.add_transceiver(kind)
    first = b.add_track("video", "1")
    second = b.add_track("video", "2")
    third = b.add_track("video", "3")
    connect(a, b)
    assert (first.mid, second.mid, third.mid) == ("0", "2", None)
    assert b.needs_negotiation


def test_add_track_takes_an_idle_transceiver() -> None:
    """W3C WebRTC section 5.1, addTrack."""
    a, b = pair()
    a.add_transceiver("audio", direction="sendonly")
    connect(a, b)
    (one,) = b.transceivers
    assert b.add_track("audio", "track", ["s"]) is one
    assert (one.direction, one.track_id, one.by_remote) == ("sendrecv", "track", False)
    assert b.add_track("audio", "more") is not one


def test_add_track_does_not_take_one_that_sent() -> None:
    a, b = pair()
    one = a.add_track("audio", "track")
    connect(a, b)
    a.remove_track(one)
    assert one.direction == "recvonly"
    assert a.add_track("audio", "track") is not one, "another track would be heard in its place"


def test_the_section_of_a_removed_track_stays() -> None:
    a, b = pair()
    one = a.add_track("audio", "track", ["s"])
    connect(a, b)
    assert b.transceivers[0].receiving
    a.remove_track(one)
    assert a.needs_negotiation
    a.set_local()
    changes = b.set_remote(known(a.local))
    assert changes.muted == list(b.transceivers)
    assert b.transceivers[0].remote_streams == ()
    b.set_local()
    a.set_remote(known(b.local))
    check_agreement(a, b)
    assert sections(a)[0].direction == "inactive"


# Stopping and recycling


def test_stop_and_recycle() -> None:
    """RFC 9429 section 5.2.2: the section stays with port 0, until another takes its place with a new mid."""
    a, b = pair()
    one = a.add_track("video", "track")
    a.add_track("audio", "sound")
    connect(a, b)
    other = b.transceivers[0]
    a.stop(one)
    assert (one.stopping, one.stopped) == (True, False)
    assert a.needs_negotiation
    a.set_local()
    assert (media(a).port, media(a).mid, media(a).direction) == (0, "0", "inactive")
    assert parse(known(a.local).sdp).groups == [Group("BUNDLE", ("1",))]
    assert b.set_remote(known(a.local)).muted == [other]
    assert b.set_local().stopped == [other]
    assert a.set_remote(known(b.local)).stopped == [one]
    assert (one.stopped, one.current_direction, other.stopped) == (True, None, True)
    check_agreement(a, b)
    assert a.agreement is not None
    assert a.agreement.mid == "1", "the transport moves to the first section that is left"
    b.add_track("video", "new")
    connect(b, a)
    check_agreement(a, b)
    assert [(s.index, s.mid, s.kind) for s in sections(a)] == [(0, "2", "video"), (1, "1", "audio")]


def test_stop_before_anything_was_said() -> None:
    a = side(1)
    one = a.add_transceiver("audio")
    a.stop(one)
    assert one.stopped
    assert a.transceivers == ()
    a.stop(one)
    assert not a.needs_negotiation
    with pytest.raises(InvalidStateError):
        a.set_direction(one, "sendrecv")


def test_stop_while_the_offer_is_out() -> None:
    a, b = pair()
    one = a.add_transceiver("audio")
    a.set_local()
    a.stop(one)
    b.set_remote(known(a.local))
    b.set_local()
    assert a.set_remote(known(b.local)).received == []
    assert a.needs_negotiation, "the other end has to hear of it"
    connect(a, b)
    assert one.stopped
    assert sections(a) == sections(b) == ()


def test_stop_of_an_offered_section_rejects_it() -> None:
    a, b = pair()
    a.add_transceiver("audio")
    a.add_transceiver("video")
    b.set_remote(known(a.set_local() and a.local))
    b.stop(b.transceivers[0])
    assert len(b.set_local().stopped) == 1
    assert len(a.set_remote(known(b.local)).stopped) == 1
    check_agreement(a, b)
    assert [s.mid for s in sections(a)] == ["1"]


def test_all_sections_given_up_keep_the_transport() -> None:
    a, b = pair()
    one = a.add_transceiver("audio")
    connect(a, b)
    before = a.agreement
    assert before is not None
    a.stop(one)
    connect(a, b)
    assert a.agreement is not None
    assert a.agreement.sections == ()
    a.add_transceiver("video")
    connect(a, b)
    check_agreement(a, b)
    assert (a.agreement.controlling, a.agreement.dtls_client) == (before.controlling, before.dtls_client)


def test_a_stopped_transceiver_spoils_the_offer_made_before() -> None:
    a = side(1)
    one = a.add_transceiver("audio")
    offer = a.create_offer()
    a.stop(one)
    with pytest.raises(InvalidModificationError, match="stopped"):
        a.set_local(offer)


def test_an_offer_made_before_other_wishes_can_be_set() -> None:
    a, b = pair()
    a.add_transceiver("audio")
    offer = a.create_offer()
    a.add_transceiver("video")
    a.set_local(offer)
    assert len(parse(known(a.local).sdp).media) == 1
    b.set_remote(known(a.local))
    b.set_local()
    a.set_remote(known(b.local))
    assert a.needs_negotiation
    a.set_local()
    assert len(parse(known(a.local).sdp).media) == 2


# Rollback


def test_rollback_of_an_offer_of_ours() -> None:
    a = side(1)
    one = a.add_transceiver("audio")
    a.set_local()
    assert (one.mid, one.index) == ("0", 0)
    a.set_local(ROLLBACK)
    assert (one.mid, one.index) == (None, None)
    assert a.needs_negotiation
    a.set_local()
    assert one.mid == "1", "a mid is not used twice"


def test_rollback_of_a_remote_offer() -> None:
    """RFC 9429 section 4.1.10.2."""
    a, b = pair()
    a.add_track("audio", "track")
    a.add_track("video", "camera")
    mine = b.add_track("video", "other")
    changes = b.set_remote(a.create_offer())
    (made,) = changes.added
    assert mine.mid == "1"
    back = b.set_remote(ROLLBACK)
    assert back.removed == [made]
    assert set(back.muted) == {made, mine}
    assert made.stopped
    assert b.transceivers == (mine,)
    assert mine.mid is None


def test_a_transceiver_with_a_track_outlives_the_rollback() -> None:
    a, b = pair()
    a.add_transceiver("audio")
    b.set_remote(a.create_offer())
    one = b.add_track("audio", "track")
    assert b.set_remote(ROLLBACK).removed == []
    assert b.transceivers == (one,)
    assert one.mid is None
    assert b.needs_negotiation


def test_rollback_restores_what_was_agreed() -> None:
    a, b = pair()
    one = a.add_track("audio", "track", ["s"])
    connect(a, b)
    (other,) = b.transceivers
    a.set_direction(one, "inactive")
    a.set_local()
    assert b.set_remote(known(a.local)).muted == [other]
    assert b.set_remote(ROLLBACK).received == [other]
    assert (other.mid, other.receiving, other.remote_streams) == ("0", True, ("s",))


def test_glare_of_media() -> None:
    polite, impolite = pair()
    mine = polite.add_track("audio", "polite")
    impolite.add_track("audio", "impolite")
    polite.set_local()
    impolite.set_local()
    changes = polite.set_remote(known(impolite.local))
    assert mine.mid == "0"
    assert changes.received == [mine]
    polite.set_local()
    impolite.set_remote(known(polite.local))
    check_agreement(polite, impolite)
    assert sections(polite)[0].direction == "sendrecv"


def test_a_second_offer_replaces_the_first() -> None:
    a, b = pair()
    a.add_transceiver("audio")
    first = a.create_offer()
    a.add_transceiver("video")
    both = a.create_offer()
    b.set_remote(both)
    made = b.transceivers
    assert b.set_remote(first).removed == [made[1]]
    assert b.transceivers == made[:1]
    other = edited(first, lambda d: (setattr(d.media[0], "kind", "video"), setattr(d.media[0], "mid", "0")))
    assert b.set_remote(other).removed == [made[0]]
    assert [one.kind for one in b.transceivers] == []


# Codecs


def test_codec_preferences() -> None:
    a, b = pair()
    vp8, vp9, *_ = default_codecs("video")
    one = a.add_transceiver("video", codec_preferences=[vp9, vp8])
    connect(a, b)
    assert [f.codec.name for f in sections(b)[0].formats] == ["VP9", "VP8"]
    b.set_codec_preferences(b.transceivers[0], [vp8])
    connect(a, b)
    assert [f.codec.name for f in sections(a)[0].send_formats] == ["VP8"]
    a.set_codec_preferences(one, [])
    b.set_codec_preferences(b.transceivers[0], [])
    connect(a, b)
    check_agreement(a, b)
    assert len(sections(a)[0].formats) == len(default_codecs("video"))


def test_preferences_may_change_parameters() -> None:
    a, b = pair()
    stereo = RtpCodec("audio", "opus", 48000, 2, "minptime=10;stereo=1;maxaveragebitrate=96000")
    a.add_transceiver("audio", codec_preferences=[stereo])
    connect(a, b)
    send = sections(b)[0].send_formats[0].codec.parameter_map
    assert (send["stereo"], send["maxaveragebitrate"]) == ("1", "96000")


def test_preferences_are_checked() -> None:
    a = side(1)
    opus, _, _, _, _, events, _ = default_codecs("audio")
    with pytest.raises(InvalidAccessError, match="video"):
        a.add_transceiver("video", codec_preferences=[opus])
    with pytest.raises(InvalidAccessError, match="no known"):
        a.add_transceiver("video", codec_preferences=[RtpCodec("video", "VP7", 90000)])
    with pytest.raises(InvalidAccessError, match="track"):
        a.add_transceiver("audio", codec_preferences=[events])
    assert a.transceivers == ()


def test_no_codec_in_common() -> None:
    a = side(1, codecs=[default_codecs("video")[0], *default_codecs("audio")])
    b = side(2, codecs=[default_codecs("video")[1]])
    a.add_transceiver("video")
    one = a.add_transceiver("audio")
    a.set_local()
    assert b.set_remote(known(a.local)).added == [], "there is nothing to be received"
    b.set_local()
    assert [m.rejected for m in parse(known(b.local).sdp).media] == [True, True]
    assert b.agreement is None
    assert len(a.set_remote(known(b.local)).stopped) == 2
    assert one.stopped
    assert a.agreement is None


def test_preferences_with_nothing_in_common_reject() -> None:
    a, b = pair()
    vp8, vp9, *_ = default_codecs("video")
    one = a.add_transceiver("video", codec_preferences=[vp8])
    a.add_transceiver("audio")
    connect(a, b)
    b.set_codec_preferences(b.transceivers[0], [vp9])
    connect(a, b)
    assert one.stopped
    check_agreement(a, b)
    assert [s.kind for s in sections(a)] == ["audio"]


# Header extensions


def test_extensions_keep_their_ids() -> None:
    a, b = pair()
    a.add_transceiver("audio")
    renumbered = {AUDIO_LEVEL: 10, MID: 9, TRANSPORT_SEQUENCE: 12}

    def change(description) -> None:
        description.media[0].extensions = [
            *(Extension(number, uri) for uri, number in renumbered.items()),
            Extension(15, "urn:reserved"),
            Extension(3, "urn:unknown"),
            Extension(4100, RID),
        ]

    b.set_remote(edited(a.create_offer(), change))
    b.set_local()
    assert sections(b)[0].extensions == renumbered
    b.add_transceiver("video")
    offer = parse(b.create_offer().sdp)
    ids = {e.uri: e.id for m in offer.media for e in m.extensions}
    assert ids.items() >= renumbered.items()
    assert len(set(ids.values())) == len(ids)
    assert 3 not in ids.values(), "the other end uses it for something else"


def test_extensions_that_contradict_each_other() -> None:
    """RFC 8843: an id means the same all over the bundle; the first section is right."""
    a, b = pair()
    a.add_transceiver("audio")
    a.add_transceiver("video")

    def change(description) -> None:
        description.media[0].extensions = [Extension(1, MID), Extension(1, AUDIO_LEVEL)]
        description.media[1].extensions = [
            Extension(1, RID),
            Extension(2, MID),
            Extension(3, TRANSPORT_SEQUENCE),
        ]

    b.set_remote(edited(a.create_offer(), change))
    b.set_local()
    assert [dict(s.extensions) for s in sections(b)] == [{MID: 1}, {TRANSPORT_SEQUENCE: 3}]


def test_extensions_in_one_direction() -> None:
    """RFC 8285 section 7."""
    a, b = pair()
    a.add_transceiver("audio")

    def change(description) -> None:
        description.media[0].extensions = [
            Extension(1, MID, "sendonly"),
            Extension(2, AUDIO_LEVEL, "recvonly"),
        ]

    b.set_remote(edited(a.create_offer(), change))
    assert parse(b.create_answer().sdp).media[0].extensions == [
        Extension(1, MID, "recvonly"),
        Extension(2, AUDIO_LEVEL, "sendonly"),
    ]


# Simulcast


def simulcast(*rids: str) -> list[SendEncoding]:
    return [SendEncoding(rid) for rid in rids]


def test_simulcast_sent_and_received() -> None:
    """RFC 8853."""
    a, b = pair()
    one = a.add_transceiver("video", direction="sendonly", encodings=simulcast("h", "m", "l"))
    a.set_local()
    offered = media(a)
    assert [(rid.id, rid.direction) for rid in offered.rids] == [("h", "send"), ("m", "send"), ("l", "send")]
    assert offered.simulcast == Simulcast(send=tuple((RidChoice(rid),) for rid in "hml"))
    assert offered.sources == {}, "rids tell the streams apart"
    b.set_remote(known(a.local))
    b.set_local()
    a.set_remote(known(b.local))
    check_agreement(a, b)
    assert sections(b)[0].rids == ("h", "m", "l")
    assert sections(a)[0].send_rids
    assert list(sections(a)[0].encodings) == one.encodings
    assert len(set(one.ssrcs)) == 6


def test_simulcast_refused() -> None:
    a, b = side(1), side(2, receive_simulcast=False)
    one = a.add_transceiver("video", encodings=simulcast("h", "l"))
    connect(a, b)
    check_agreement_without_sources(a, b)
    assert sections(a)[0].encodings == (one.encodings[0],)
    assert not sections(a)[0].send_rids
    assert (media(b).rids, media(b).simulcast) == ([], None)


def check_agreement_without_sources(a: Negotiation, b: Negotiation) -> None:
    """Simulcast that is refused comes as a stream whose SSRC was not told."""
    assert sections(b)[0].receive
    assert sections(b)[0].sources == ()
    check_way(sections(b)[0], sections(a)[0])


def test_simulcast_asked_for() -> None:
    """W3C WebRTC section 4.4.1.5: encodings are proposed by the other end."""
    a, b = pair()
    a.add_transceiver("video", direction="recvonly", receive_rids=["x", "y", "z"])
    mine = b.add_track("video", "camera")
    ssrc = mine.encodings[0].ssrc
    connect(a, b)
    check_agreement(a, b)
    assert [(e.rid, e.scale_resolution_down_by) for e in mine.encodings] == [("x", 4), ("y", 2), ("z", 1)]
    assert ssrc not in mine.ssrcs
    assert sections(a)[0].rids == ("x", "y", "z")


def test_proposed_encodings_go_with_a_rollback() -> None:
    a, b = pair()
    a.add_transceiver("video", direction="recvonly", receive_rids=["x", "y"])
    mine = b.add_track("video", "camera")
    before = list(mine.encodings)
    b.set_remote(a.create_offer())
    assert len(mine.encodings) == 2
    b.set_remote(ROLLBACK)
    assert mine.encodings == before


def test_some_encodings_are_taken() -> None:
    a, b = pair()
    a.add_transceiver("video", encodings=simulcast("h", "m", "l"))
    a.set_local()
    b.set_remote(known(a.local))

    def change(description) -> None:
        answered = description.media[0]
        answered.rids = answered.rids[1:]
        answered.simulcast = Simulcast(receive=((RidChoice("l"),), (RidChoice("m", paused=True),)))

    a.set_remote(edited(b.create_answer(), change))
    assert [encoding.rid for encoding in sections(a)[0].encodings] == ["m", "l"]
    assert sections(a)[0].send_rids


def test_simulcast_with_alternatives_and_restrictions() -> None:
    a, b = pair()
    a.add_transceiver("video", encodings=simulcast("h", "l"))

    def change(description) -> None:
        offered = description.media[0]
        number = offered.formats[0]
        offered.rids = [
            type(offered.rids[0])("h", "send", f"pt={number},77;max-width=1280"),
            type(offered.rids[0])("l", "send", "pt=77"),
            type(offered.rids[0])("x" * 17, "send"),
        ]
        offered.simulcast = Simulcast(
            send=((RidChoice("unknown"), RidChoice("h")), (RidChoice("l"),), (RidChoice("x" * 17),))
        )

    b.set_remote(edited(a.create_offer(), change))
    b.set_local()
    answered = media(b)
    assert [(rid.id, rid.direction, rid.restrictions) for rid in answered.rids] == [
        ("h", "recv", "pt=96;max-width=1280"),
        ("l", "recv", ""),
    ]
    assert sections(b)[0].rids == ("h", "l")


@pytest.mark.parametrize(
    ("rids", "message"),
    [
        (["a", "a"], "same"),
        (["a", ""], "letters"),
        (["a-b", "c"], "letters"),
        (["x" * 17], "letters"),
        ([str(n) for n in range(9)], "more than 8"),
    ],
)
def test_rids_are_checked(rids: list[str], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        side(1).add_transceiver("video", encodings=simulcast(*rids))
    with pytest.raises(ValueError, match=message):
        side(1).add_transceiver("video", receive_rids=rids)


def test_ssrcs_of_ones_own() -> None:
    a = side(1)
    mine = [SendEncoding("h", ssrc=7, rtx_ssrc=8), SendEncoding("l", ssrc=9)]
    one = a.add_transceiver("video", encodings=mine)
    assert one.ssrcs[:3] == (7, 8, 9)
    assert mine[1].rtx_ssrc == 0, "the caller's are not changed"
    for encodings in ([SendEncoding(ssrc=8)], [SendEncoding(ssrc=5, rtx_ssrc=5)], [SendEncoding(ssrc=2**32)]):
        with pytest.raises(ValueError, match="SSRC"):
            a.add_transceiver("video", encodings=encodings)
    assert a.transceivers == (one,)


# Transports


def test_what_is_not_in_the_bundle_is_refused() -> None:
    """There is one transport: the bundle that carries most, later the one that is in use."""
    a, b = pair()
    for kind in ("audio", "video", "video"):
        a.add_transceiver(kind)
    offer = edited(a.create_offer(), lambda d: setattr(d, "groups", [Group("BUNDLE", ("1", "2"))]))
    b.set_remote(offer)
    b.set_local()
    assert [m.rejected for m in parse(known(b.local).sdp).media] == [True, False, False]
    assert b.agreement is not None
    assert b.agreement.mid == "1"


def test_an_answer_outside_of_the_bundle_is_refused() -> None:
    a, b = pair()
    a.add_transceiver("audio")
    a.add_transceiver("video")
    a.set_local()
    b.set_remote(known(a.local))
    with pytest.raises(SdpError, match="bundle"):
        a.set_remote(edited(b.create_answer(), lambda d: d.groups.clear()))
    assert a.signaling_state == "have-local-offer"


@pytest.mark.parametrize(
    "change",
    [
        lambda m: setattr(m, "rtcp_mux", False),
        lambda m: setattr(m, "protocol", "RTP/AVP"),
        lambda m: setattr(m, "mid", "m" * 17),
        lambda m: setattr(m, "kind", "text"),
        lambda m: setattr(m, "port", 0),
    ],
)
def test_sections_that_cannot_be_taken(change) -> None:
    a, b = pair()
    a.add_transceiver("audio")
    a.add_transceiver("video")

    def damage(description) -> None:
        change(description.media[0])
        description.groups = [Group("BUNDLE", tuple(m.mid for m in description.media))]

    b.set_remote(edited(a.create_offer(), damage))
    assert [one.kind for one in b.transceivers] == ["video"]
    b.set_local()
    assert [m.rejected for m in parse(known(b.local).sdp).media] == [True, False]


def test_the_answer_needs_rtcp_mux() -> None:
    a, b = pair()
    a.add_transceiver("audio")
    a.set_local()
    b.set_remote(known(a.local))
    with pytest.raises(SdpError, match="rtcp-mux"):
        a.set_remote(edited(b.create_answer(), lambda d: setattr(d.media[0], "rtcp_mux", False)))


@pytest.mark.parametrize("protocol", ["UDP/TLS/RTP/SAVP", "TCP/DTLS/RTP/SAVPF", "RTP/SAVPF"])
def test_protocols_are_echoed(protocol: str) -> None:
    """RFC 9429 section 5.1.2."""
    a, b = pair()
    a.add_transceiver("audio")
    b.set_remote(edited(a.create_offer(), lambda d: setattr(d.media[0], "protocol", protocol)))
    assert parse(b.create_answer().sdp).media[0].protocol == protocol


def test_sections_do_not_change_what_they_are() -> None:
    a, b = pair()
    a.add_transceiver("audio")
    connect(a, b)
    for change in (
        lambda m: setattr(m, "kind", "video"),
        lambda m: setattr(m, "mid", "7"),
    ):
        with pytest.raises(SdpError, match="section 0"):
            b.set_remote(edited(a.create_offer(), lambda d, c=change: (c(d.media[0]), d.groups.clear())))
    assert b.signaling_state == "stable"


def test_an_offer_without_mids() -> None:
    a, b = pair()
    a.add_transceiver("audio")
    b.set_remote(edited(a.create_offer(), lambda d: (setattr(d.media[0], "mid", ""), d.groups.clear())))
    b.set_local()
    assert parse(known(b.local).sdp).groups == []
    assert media(b).mid == ""
    (section,) = sections(b)
    assert section.mid == b.transceivers[0].mid != ""
    assert (section.index, section.transceiver) == (0, b.transceivers[0])


def test_ssrcs_that_are_taken() -> None:
    """An SSRC belongs to one section: the first that names it, and never to one that we send with."""
    a, b = pair()
    a.add_track("video", "1")
    a.add_track("video", "2")
    mine = b.add_track("video", "3")
    taken = mine.encodings[0].ssrc

    def change(description) -> None:
        first, second = description.media
        named = {"cname": "x"}
        first.sources = {7: named, 8: named, taken: named}
        first.source_groups = [SourceGroup("FID", (7, 8))]
        second.sources = {8: named, 9: named, 7: named}
        second.source_groups = [SourceGroup("FID", (9, 8))]

    b.set_remote(edited(a.create_offer(), change))
    b.set_local()
    assert [s.sources for s in sections(b)] == [((7, 8),), ((9, None),)]


def test_candidates_are_told_once_the_transport_is_known() -> None:
    """In the first offer in every section, for the other end may reject the first one; then in one."""
    candidate = "candidate:1 1 udp 2130706431 192.0.2.1 4000 typ host"
    a, b = pair()
    a.add_transceiver("audio")
    a.add_transceiver("video")
    a.set_local()
    assert a.transport_position == ("0", 0)
    a.add_local_candidate(candidate)
    b.add_local_candidate(candidate)
    assert [len(m.candidates) for m in parse(known(a.local).sdp).media] == [1, 1]
    b.set_remote(known(a.local))
    b.stop(b.transceivers[0])
    b.set_local()
    assert [len(m.candidates) for m in parse(known(b.local).sdp).media] == [0, 1]
    assert b.take_remote_candidates() == ([candidate], False)
    a.set_remote(known(b.local))
    assert a.transport_position == b.transport_position == ("1", 1)
    assert a.take_remote_candidates() == ([candidate], False)


def test_a_provisional_answer_starts_media() -> None:
    a, b = pair()
    a.add_track("audio", "track")
    a.set_local()
    b.set_remote(known(a.local))
    b.set_local(SessionDescription("pranswer"))
    a.set_remote(known(b.local))
    assert [one.direction for one in sections(a)] == ["sendonly"]
    assert a.transceivers[0].current_direction == "sendonly"
    b.set_local()
    a.set_remote(known(b.local))
    check_agreement(a, b)


def test_closed() -> None:
    a = side(1)
    one = a.add_transceiver("audio")
    a.close()
    for attempt in (
        lambda: a.add_transceiver("audio"),
        lambda: a.add_track("audio", "x"),
        lambda: a.remove_track(one),
        lambda: a.set_direction(one, "inactive"),
        lambda: a.set_streams(one, []),
        lambda: a.set_codec_preferences(one, []),
        lambda: a.stop(one),
    ):
        with pytest.raises(InvalidStateError):
            attempt()


@pytest.mark.parametrize(
    "options", [{"kind": "text"}, {"kind": "audio", "direction": "both"}, {"kind": "audio", "direction": ""}]
)
def test_arguments_are_checked(options: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="must be"):
        side(1).add_transceiver(**options)


# What others offer


@pytest.mark.parametrize("path", SAMPLES, ids=lambda p: p.stem)
def test_samples_are_answered_with_tracks(path: Path) -> None:
    offer = parse(path.read_text())
    b = side(2)
    for kind in ("audio", "video", "video"):
        b.add_track(kind, kind)
    changes = b.set_remote(SessionDescription("offer", path.read_text()))
    rtp = [m for m in offer.media if m.kind in ("audio", "video")]
    sending = [m for m in rtp if m.direction in ("sendrecv", "sendonly")]
    assert len(changes.received) == len(sending)
    assert [one.remote_track_id for one in changes.received] == [m.msids[0].track for m in sending]
    b.set_local()
    by_mid = {section.mid: section for section in sections(b)}
    for offered in rtp:
        if not offered.rejected:
            section = by_mid[offered.mid]
            assert section.receive == (offered.direction in ("sendrecv", "sendonly"))
            assert section.send == (offered.direction in ("sendrecv", "recvonly"))
            assert section.send_format is not None
            assert section.extensions.get(MID) == {e.uri: e.id for e in offered.extensions}.get(MID)


@pytest.mark.parametrize(
    ("name", "formats"),
    [
        ("chrome_av_data_offer", [(96, "VP8", 97), (102, "H264", 103)]),
        ("firefox_av_data_offer", [(120, "VP8", 124), (121, "VP9", 125), (99, "AV1", 100)]),
        ("safari_media_offer", [(96, "H264", 97), (98, "H264", 99), (100, "VP8", 101)]),
    ],
)
def test_codecs_of_browsers(name: str, formats: list[tuple[int, str, int]]) -> None:
    b = side(2)
    b.set_remote(sample(name))
    b.set_local()
    found = [(f.payload_type, f.codec.name, f.rtx_payload_type) for f in sections(b)[1].send_formats]
    assert found[: len(formats)] == formats
    opus = sections(b)[0].send_format
    assert opus is not None
    assert (opus.codec.name, opus.codec.channels) == ("opus", 2)


@pytest.mark.parametrize("name", ["chrome_simulcast_offer", "firefox_simulcast_offer"])
def test_simulcast_of_browsers(name: str) -> None:
    b = side(2)
    b.set_remote(sample(name))
    b.set_local()
    (video,) = (section for section in sections(b) if section.kind == "video")
    assert video.rids == ("h", "m", "l")
    assert video.extensions.keys() >= {RID, MID}
    assert len(video.sources) == (3 if name.startswith("firefox") else 0)


@pytest.mark.parametrize("name", ["chrome_recycled_offer", "firefox_recycled_offer"])
def test_recycled_sections_of_browsers(name: str) -> None:
    b = side(2)
    b.set_remote(sample(name))
    b.set_local()
    assert [(s.index, s.mid, s.kind) for s in sections(b)] == [(0, "4", "audio"), (1, "1", "video")]
    b.add_transceiver("video")
    offer = parse(b.create_offer().sdp)
    assert [(m.kind, m.rejected) for m in offer.media] == [
        ("audio", False),
        ("video", False),
        ("application", False),
        ("video", False),
    ]
    assert offer.media[3].mid not in ("1", "2", "3", "4")
