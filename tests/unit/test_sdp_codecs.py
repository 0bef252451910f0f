"""Codecs: what matches what, what an answer says, and the payload types of a bundle."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rtcore.sdp import AgreedFormat, Codec, Media, RtpCodec, default_codecs, parse
from rtcore.sdp.codec_table import USUAL_SIZE
from rtcore.sdp.codecs import answered, codec_of, h264_profile, matches
from rtcore.sdp.formats import Numbering, agreed_formats, answered_formats, formats_of, put_formats


def video(name: str, parameters: str = "") -> RtpCodec:
    return RtpCodec("video", name, 90000, 1, parameters)


def h264(level: str, mode: int | None = 1, *, asymmetry: bool = True) -> RtpCodec:
    words = [f"profile-level-id={level}"] if level else []
    words += [f"packetization-mode={mode}"] if mode is not None else []
    words += ["level-asymmetry-allowed=1"] if asymmetry else []
    return RtpCodec("video", "H264", 90000, 1, ";".join(words))


def section(kind: str, *formats: AgreedFormat) -> Media:
    media = Media(kind, protocol="UDP/TLS/RTP/SAVPF")
    put_formats(media, formats)
    return media


def test_defaults() -> None:
    audio = [(codec.name, codec.clock_rate) for codec in default_codecs("audio")]
    assert audio == [
        ("opus", 48000),
        ("red", 48000),
        ("G722", 8000),
        ("PCMU", 8000),
        ("PCMA", 8000),
        ("telephone-event", 48000),
        ("telephone-event", 8000),
    ]
    assert default_codecs("audio")[0].parameter_map == {"minptime": "10", "useinbandfec": "1"}
    assert default_codecs("video")[0].mime_type == "video/VP8"
    assert {codec.name for codec in default_codecs("video")} == {"VP8", "VP9", "H264", "H265", "AV1"}
    for kind in ("audio", "video"):
        codecs = default_codecs(kind)
        assert not any(matches(a, b) for a in codecs for b in codecs if a is not b)
    with pytest.raises(ValueError, match="kind"):
        default_codecs("text")


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (video("VP8"), video("vp8"), True),
        (video("VP8"), video("VP8", "max-fs=12288;max-fr=60"), True),
        (video("VP8"), video("VP9"), False),
        (video("VP9"), video("VP9", "profile-id=0"), True),
        (video("VP9", "profile-id=0"), video("VP9", "profile-id=2"), False),
        (video("AV1"), video("AV1", "level-idx=8;profile=0;tier=1"), True),
        (video("AV1"), video("AV1", "profile=1"), False),
        (h264("42e01f"), h264("42E034"), True),
        (h264("42e01f"), h264("42001f"), False),
        (h264("42e01f"), h264("42e01f", 0), False),
        (h264("42e01f", 0), h264("42e01f", None), True),
        (h264("420010", 0), h264("", None), True),
        (h264("42e01f"), h264("4d801f"), True),
        (h264("640c1f"), h264("64001f"), False),
        (h264("42e01f"), h264("nonsense"), False),
        (video("H265", "profile-id=1"), video("H265"), True),
        (video("H265", "profile-id=2"), video("H265"), False),
        (video("H265"), video("H265", "tx-mode=MRST"), False),
        (RtpCodec("audio", "opus", 48000, 2, "stereo=1"), RtpCodec("audio", "opus", 48000, 2), True),
        (RtpCodec("audio", "opus", 48000, 2), RtpCodec("audio", "opus", 48000, 1), False),
        (
            RtpCodec("audio", "telephone-event", 8000),
            RtpCodec("audio", "telephone-event", 48000),
            False,
        ),
    ],
)
def test_matching(one: RtpCodec, other: RtpCodec, same: bool) -> None:
    assert matches(one, other) is same
    assert matches(other, one) is same


@pytest.mark.parametrize(
    ("text", "profile"),
    [
        ("42e01f", "constrained-baseline"),
        ("42f00b", "constrained-baseline"),
        ("4d801f", "constrained-baseline"),
        ("58f01f", "constrained-baseline"),
        ("42a01f", "baseline"),
        ("58a01f", "baseline"),
        ("4d001f", "main"),
        ("64001f", "high"),
        ("640c1f", "constrained-high"),
        ("f4001f", "high-444"),
        ("2a001f", "2a00"),
        ("42e0", "42e0"),
        ("", ""),
        ("-2e01f", "-2e0"),
    ],
)
def test_h264_profiles(text: str, profile: str) -> None:
    """RFC 6184 section 8.1, table 5."""
    assert h264_profile(text) == profile


def test_the_answer_has_our_level_where_both_allow_it() -> None:
    """RFC 6184 section 8.2.2."""
    assert answered(h264("42e01f"), h264("42e034")).parameter_map["profile-level-id"] == "42e01f"
    assert answered(h264("42e034"), h264("42e01f")).parameter_map["profile-level-id"] == "42e034"


@pytest.mark.parametrize("ours", [True, False])
def test_the_answer_has_the_lower_level_where_one_does_not_allow_another(ours: bool) -> None:
    mine = h264("42e034", asymmetry=ours)
    theirs = h264("42e01f", asymmetry=not ours)
    parameters = answered(mine, theirs).parameter_map
    assert parameters == {"profile-level-id": "42e01f", "packetization-mode": "1"}
    assert answered(h264("42e01f", asymmetry=False), mine).parameter_map["profile-level-id"] == "42e01f"


@pytest.mark.parametrize(("offered", "level"), [("180", "93"), ("63", "63"), ("", "93"), ("x" * 9, "93")])
def test_the_level_of_h265(offered: str, level: str) -> None:
    """RFC 7798 section 7.2.2: the level of an answer is not above that of the offer."""
    ours = next(codec for codec in default_codecs("video") if codec.name == "H265")
    theirs = video("H265", f"level-id={offered};profile-id=1")
    assert answered(ours, theirs).parameter_map["level-id"] == level


def test_feedback_of_both() -> None:
    ours = RtpCodec("video", "VP8", 90000, 1, "", ("nack", "nack pli", "transport-cc"))
    theirs = RtpCodec("video", "VP8", 90000, 1, "max-fs=1", ("ccm fir", "transport-cc", "nack"))
    assert answered(ours, theirs) == RtpCodec("video", "VP8", 90000, 1, "", ("nack", "transport-cc"))


def test_static_payload_types_need_no_rtpmap() -> None:
    """RFC 3551 section 6."""
    codec = codec_of("audio", Codec(0))
    assert codec == RtpCodec("audio", "PCMU", 8000)
    assert codec_of("audio", Codec(9)) == RtpCodec("audio", "G722", 8000)
    assert codec_of("audio", Codec(111)) is None


def test_names_in_any_case_and_feedback_for_all() -> None:
    codec = codec_of("audio", Codec(96, "OPUS", 48000, 2, feedback=("nack",)), ["transport-cc", "nack"])
    assert codec == RtpCodec("audio", "opus", 48000, 2, "", ("nack", "transport-cc"))


def test_formats_with_rtx_and_ptime() -> None:
    media = section("video", AgreedFormat(96, video("VP8"), 97), AgreedFormat(98, video("VP9")))
    assert formats_of(media) == (AgreedFormat(96, video("VP8"), 97), AgreedFormat(98, video("VP9")))
    media.attributes = [("ptime", "40")]
    assert [format.ptime for format in formats_of(media)] == [40, 40]
    for nonsense in ("", "1e9", "-1", "20.5", "99999"):
        media.attributes = [("ptime", nonsense)]
        assert formats_of(media)[0].ptime == 0


def test_payload_types_that_look_like_rtcp_are_passed_over() -> None:
    """RFC 5761 section 4."""
    media = section("video", AgreedFormat(72, video("VP8"), 97), AgreedFormat(98, video("VP9"), 73))
    assert formats_of(media) == (AgreedFormat(98, video("VP9")),)


def test_numbers_of_a_first_offer() -> None:
    audio = Numbering([]).offered(default_codecs("audio"))
    assert [(f.codec.name, f.payload_type) for f in audio] == [
        ("opus", 111),
        ("red", 63),
        ("G722", 9),
        ("PCMU", 0),
        ("PCMA", 8),
        ("telephone-event", 110),
        ("telephone-event", 126),
    ]
    assert audio[1].codec.parameters == "111/111"
    assert all(f.rtx_payload_type is None for f in audio)
    formats = Numbering([]).offered(default_codecs("video"))
    assert len(formats) == len(default_codecs("video"))
    assert all(f.rtx_payload_type == f.payload_type + 1 for f in formats)


def test_red_needs_something_to_carry() -> None:
    red = default_codecs("audio")[1]
    pcmu = default_codecs("audio")[3]
    assert [f.codec.name for f in Numbering([]).offered([red, pcmu])] == ["PCMU"]


def test_numbers_stay_as_the_other_end_chose_them() -> None:
    theirs = section("video", AgreedFormat(120, video("VP8"), 124), AgreedFormat(96, video("X-OTHER")))
    formats = Numbering([theirs]).offered(default_codecs("video"))
    assert (formats[0].payload_type, formats[0].rtx_payload_type) == (120, 124)
    assert 96 not in [n for f in formats[1:] for n in (f.payload_type, f.rtx_payload_type)]


def test_numbers_run_out() -> None:
    taken = section("video", *(AgreedFormat(n, video(f"X-{n}")) for n in (*range(96, 128), *range(36, 64))))
    formats = Numbering([taken]).offered(default_codecs("video"))
    assert [(f.payload_type, f.rtx_payload_type, f.codec.name) for f in formats] == [(35, None, "VP8")]


def test_answers_keep_the_order_of_the_offer_unless_they_prefer() -> None:
    offer = section("video", AgreedFormat(98, video("VP9"), 99), AgreedFormat(96, video("VP8"), 97))
    codecs = default_codecs("video")
    assert [f.payload_type for f in answered_formats(offer, codecs, False)] == [98, 96]
    assert [f.payload_type for f in answered_formats(offer, codecs, True)] == [96, 98]
    assert [f.payload_type for f in answered_formats(offer, codecs[:1], False)] == [96]
    assert answered_formats(offer, [h264("42e01f")], False) == ()


def test_an_answer_needs_a_codec_that_carries_a_track() -> None:
    events = RtpCodec("audio", "telephone-event", 8000, 1, "0-15")
    assert answered_formats(section("audio", AgreedFormat(101, events)), [events], False) == ()


def test_each_side_receives_with_its_own_numbers() -> None:
    """RFC 3264 section 5.1: payload types are those of the receiver."""
    local = section("video", AgreedFormat(96, video("VP8"), 97), AgreedFormat(98, video("VP9"), 99))
    remote = section(
        "video", AgreedFormat(101, video("VP9", "max-fs=1")), AgreedFormat(100, video("VP8"), 102)
    )
    receive, send = agreed_formats(local, remote, offered=True)
    assert [(f.payload_type, f.rtx_payload_type) for f in receive] == [(98, None), (96, 97)]
    assert [(f.payload_type, f.rtx_payload_type) for f in send] == [(101, None), (100, 102)]
    assert send[0].codec.parameters == "max-fs=1"


def test_words_of_the_core() -> None:
    feedback = ("goog-remb", "transport-cc", "ccm fir", "nack", "nack pli", "something else")
    format = AgreedFormat(96, RtpCodec("video", "H264", 90000, 1, "packetization-mode=0", feedback))
    assert format.feedback == {"remb", "twcc", "fir", "nack", "pli"}
    assert format.packetization_mode == 0
    assert AgreedFormat(96, h264("42e01f", 1)).packetization_mode == 1
    assert AgreedFormat(96, h264("42e01f", None)).packetization_mode == 0
    assert AgreedFormat(96, video("VP8")).packetization_mode == 1


known_codecs = st.sampled_from([*default_codecs("video"), *default_codecs("audio")])


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.tuples(known_codecs, st.integers(0, 127), st.integers(0, 127)), max_size=12))
def test_numbers_are_used_once(choices: list[tuple[RtpCodec, int, int]]) -> None:
    """Whatever the other end uses: no number stands for two codecs, and none is out of range."""
    before = Media("video", protocol="UDP/TLS/RTP/SAVPF")
    put_formats(before, [AgreedFormat(number, codec, rtx) for codec, number, rtx in choices if rtx != number])
    numbers = Numbering([before])
    formats = [*numbers.offered(default_codecs("audio")), *numbers.offered(default_codecs("video"))]
    used = [n for f in formats for n in (f.payload_type, f.rtx_payload_type) if n is not None]
    assert len(set(used)) == len(used)
    assert all(0 <= n < 128 and not 64 <= n < 96 for n in used)


def offer_of(parameters: str) -> str:
    head = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n"
    lines = f"a=rtpmap:96 VP8/90000\r\na=rtcp-fb:96 nack\r\na=fmtp:96 {parameters}\r\n"
    return f"{head}m=video 9 UDP/TLS/RTP/SAVPF 96\r\n{lines}"


def test_what_came_before_is_known() -> None:
    """Connections share what a browser always says, and what was worked out from it."""
    one, two = parse(offer_of("x=1")).media[0], parse(offer_of("x=1")).media[0]
    assert one.codecs is two.codecs
    assert formats_of(one) is formats_of(two)
    assert one.formats is not two.formats, "lists are the section's own"


def test_lists_of_unusual_size_are_not_kept() -> None:
    one, two = parse(offer_of("x" * USUAL_SIZE)).media[0], parse(offer_of("x" * USUAL_SIZE)).media[0]
    assert one.codecs == two.codecs
    assert one.codecs is not two.codecs
    assert formats_of(one) == formats_of(two)
    assert formats_of(one) is not formats_of(two)
