"""Parser and writer of session descriptions: samples of other implementations, grammar, round trips."""

from pathlib import Path

import pytest
from aiortc import sdp as aiortc_sdp
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rtcore.errors import OperationError, SdpError
from rtcore.sdp import (
    Codec,
    CodecTable,
    Description,
    Extension,
    Fingerprint,
    Group,
    Media,
    Msid,
    Origin,
    Rid,
    RidChoice,
    Simulcast,
    SourceGroup,
    parse,
    write,
)

VECTORS = Path(__file__).resolve().parents[1] / "vectors" / "sdp"
SAMPLES = sorted(VECTORS.glob("*.sdp"))

PATIENT = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
"""A busy machine is not a fault of the parser's."""
MINIMAL = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n"
DATA = MINIMAL + "m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\n"
AUDIO = MINIMAL + "m=audio 9 UDP/TLS/RTP/SAVPF 111 0\r\n"


def sample(name: str) -> Description:
    return parse((VECTORS / f"{name}.sdp").read_text())


def test_samples_are_there() -> None:
    assert len(SAMPLES) >= 10


@pytest.mark.parametrize("path", SAMPLES, ids=lambda p: p.stem)
def test_samples_round_trip(path: Path) -> None:
    text = path.read_text()
    description = parse(text)
    assert description == parse(text.replace("\n", "\r\n"))
    assert parse(write(description)) == description


@pytest.mark.parametrize("path", SAMPLES, ids=lambda p: p.stem)
def test_samples_lose_no_line(path: Path) -> None:
    """Every line is written again, but for those that the parser moves from the session into its sections,
    if these have none of their own, and spellings of the same value."""
    written = write(sample(path.stem)).lower().split("\r\n")
    lines = path.read_text().lower().split("\n")
    first = next(number for number, line in enumerate(lines) if line.startswith("m="))
    for number, line in enumerate(lines):
        if number < first and line == "a=sendrecv":
            continue
        normal = line.replace("ice2,trickle", "ice2 trickle")
        assert normal in written, line


@pytest.mark.parametrize("path", SAMPLES, ids=lambda p: p.stem)
def test_samples_as_aiortc_reads_them(path: Path) -> None:
    theirs = aiortc_sdp.SessionDescription.parse(path.read_text())
    ours = parse(path.read_text())
    assert [m.kind for m in ours.media] == [m.kind for m in theirs.media]
    for our, their in zip(ours.media, theirs.media, strict=True):
        assert our.mid == their.rtp.muxId
        assert our.port == their.port
        assert our.max_message_size == (their.sctpCapabilities and their.sctpCapabilities.maxMessageSize)
        assert len(our.candidates) == len(their.ice_candidates)
        if our.ice_ufrag:
            assert (our.ice_ufrag, our.ice_pwd) == (their.ice.usernameFragment, their.ice.password)
            assert [(f.algorithm, f.digest.hex(":").upper()) for f in our.fingerprints] == [
                (f.algorithm, f.value.upper()) for f in their.dtls.fingerprints
            ]
        codecs = [c for c in our.codecs.values() if c.name]
        assert [(c.payload_type, c.name, c.clock_rate) for c in codecs] == [
            (c.payloadType, c.name, c.clockRate) for c in theirs_codecs(their, codecs)
        ]
        assert [e.uri for e in our.extensions] == [e.uri for e in their.rtp.headerExtensions]


def theirs_codecs(their: aiortc_sdp.MediaDescription, codecs: list[Codec]) -> list:
    by_type = {c.payloadType: c for c in their.rtp.codecs}
    return [by_type[c.payload_type] for c in codecs]


def test_chrome_media_section() -> None:
    audio, video, data = sample("chrome_media_offer").media
    assert audio.codecs[111] == Codec(111, "opus", 48000, 2, "minptime=10;useinbandfec=1", ("transport-cc",))
    assert audio.codecs[111].parameter_map == {"minptime": "10", "useinbandfec": "1"}
    assert audio.direction == "sendrecv"
    assert audio.rtcp_mux
    assert audio.rtcp_rsize
    assert audio.msids == [
        Msid("7f1d9d21-8f0e-4b7c-8f4a-0f6a3c9d3f11", "3b1c8a52-9d3f-4f0a-b0c8-5c2f7f6f4b90")
    ]
    assert audio.sources[2231627014]["cname"] == "q0bM3gGFyDQ1Vmdl"
    assert Extension(4, "urn:ietf:params:rtp-hdrext:sdes:mid") in audio.extensions
    assert video.codecs[96].feedback == ("goog-remb", "transport-cc", "ccm fir", "nack", "nack pli")
    assert video.codecs[103].parameter_map == {"apt": "102"}
    assert video.rids == [Rid("hi", "send"), Rid("mid", "send"), Rid("lo", "send")]
    assert video.simulcast == Simulcast(
        send=((RidChoice("hi"),), (RidChoice("mid"),), (RidChoice("lo", paused=True),))
    )
    assert data.is_data
    assert not data.is_legacy_data
    assert (data.sctp_port, data.max_message_size, data.mid) == (5000, 262144, "2")


def test_firefox_media_section() -> None:
    description = sample("firefox_media_offer")
    audio, video, data = description.media
    assert description.groups == [Group("BUNDLE", ("0", "1", "2"))]
    assert Extension(2, "urn:ietf:params:rtp-hdrext:csrc-audio-level", "recvonly") in audio.extensions
    assert audio.codecs[9].channels == 1
    assert video.source_groups == [SourceGroup("FID", (2890346185, 1403226611))]
    assert data.fingerprints == audio.fingerprints, "the session's fingerprint holds for all sections"
    assert data.ice_options == ("trickle",)
    assert data.max_message_size == 1073741823


def test_legacy_data_section() -> None:
    media = sample("chrome_legacy_data_offer").media[0]
    assert media.is_legacy_data
    assert media.remote_sctp_port == 5000
    assert media.sctpmap == "5000 webrtc-datachannel 1024"
    assert media.lines == [("b", "AS:30")]


def test_bundle_only_is_not_rejected() -> None:
    """RFC 9143 section 6; transport attributes are those of the bundle's first section."""
    description = sample("chrome_max_bundle_offer")
    audio, data = description.media
    assert data.port == 0
    assert not data.rejected
    assert description.transport_of(data) is audio


def test_libdatachannel_spells_options_with_a_comma() -> None:
    media = sample("libdatachannel_data_offer").media[0]
    assert media.ice_options == ("ice2", "trickle")
    assert media.setup == "actpass"
    assert media.end_of_candidates


def test_several_fingerprints() -> None:
    media = sample("aiortc_data_offer").media[0]
    assert [(f.algorithm, len(f.digest)) for f in media.fingerprints] == [
        ("sha-256", 32),
        ("sha-384", 48),
        ("sha-512", 64),
    ]


def test_unknown_lines_are_kept() -> None:
    text = (
        "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=x\r\ni=about\r\nb=CT:128\r\nt=0 0\r\nz=0 0\r\n"
        "a=x-flag\r\na=x-value:\r\n"
        "m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\ni=title\r\nb=AS:30\r\nk=prompt\r\n"
        "a=x-flag\r\na=x-value:with:colons\r\n"
    )
    description = parse(text)
    assert description.lines == [("i", "about"), ("b", "CT:128"), ("z", "0 0")]
    assert description.attributes == [("x-flag", None), ("x-value", "")]
    assert description.media[0].attributes == [("x-flag", None), ("x-value", "with:colons")]
    assert write(description) == text


def test_blank_lines_and_missing_time_are_forgiven() -> None:
    description = parse("\nv=0\no=- 1 1 IN IP4 127.0.0.1\ns=-\n\nm=audio 9 RTP/AVP 0\n")
    assert description.timing == "0 0"
    assert 0 in description.media[0].codecs


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("", 0, "v=0"),
        ("v=1\r\n", 1, "v=0"),
        ("s=-\r\n", 1, "v=0 first"),
        ("v=0\r\ns=-\r\nm=audio 9 RTP/AVP 0\r\n", 3, "o="),
        ("v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\n", 0, "s="),
        ("v=0\r\no=- one 1 IN IP4 127.0.0.1\r\n", 2, "o="),
        (MINIMAL + "hello\r\n", 5, "<letter>=<value>"),
        (MINIMAL + "a=group:\r\n", 5, "group"),
        (MINIMAL + "a=group:BUNDLE 0\r\n", 0, "BUNDLE names"),
        (MINIMAL + "m=audio\r\n", 5, "m="),
        (MINIMAL + "m=audio 70000 RTP/AVP 0\r\n", 5, "port"),
        (MINIMAL + "m=audio 9 UDP/TLS/RTP/SAVPF 128\r\n", 5, "payload type"),
        (DATA + "a=ice-ufrag:abc\r\n", 6, "ice-ufrag"),
        (DATA + "a=ice-ufrag:abcd\r\n", 0, "only one"),
        (DATA + "a=ice-pwd:short\r\n", 6, "ice-pwd"),
        (DATA + "a=fingerprint:sha-256 00:11\r\n", 6, "32 bytes"),
        (DATA + "a=fingerprint:sha-256 hello\r\n", 6, "hexadecimal"),
        (DATA + "a=fingerprint:sha-256\r\n", 6, "hexadecimal"),
        (DATA + "a=setup:both\r\n", 6, "actpass"),
        (DATA + "a=sctp-port:65536\r\n", 6, "SCTP port"),
        (DATA + "a=sctp-port:\r\n", 6, "SCTP port"),
        (DATA + "a=max-message-size:-1\r\n", 6, "size"),
        (DATA + "a=max-message-size:٣\r\n", 6, "size"),
        (DATA + "a=mid:two words\r\n", 6, "mid"),
        (DATA + "a=mid:0\r\n" + "m=audio 9 RTP/AVP 0\r\na=mid:0\r\n", 0, "two sections"),
        (DATA + "a=candidate:1\r\n" * 300, 262, "candidates"),
        (AUDIO + "a=rtpmap:111 opus\r\n", 6, "rtpmap"),
        (AUDIO + "a=rtcp-fb:nack\r\n", 6, "rtcp-fb"),
        (AUDIO + "a=extmap:x urn:y\r\n", 6, "extmap"),
        (AUDIO + "a=ssrc:4294967296 cname:x\r\n", 6, "SSRC"),
        (AUDIO + "a=ssrc-group:FID\r\n", 6, "ssrc-group"),
        (AUDIO + "a=rid:hi both\r\n", 6, "rid"),
        (AUDIO + "a=simulcast:send\r\n", 6, "simulcast"),
        (AUDIO + "a=msid:\r\n", 6, "msid"),
        (MINIMAL + "m=audio 9 RTP/AVP 0\r\n" * 600, 517, "sections"),
        (MINIMAL + "a=group:BUNDLE\r\n" * 600, 517, "groups"),
        (AUDIO + "a=rtcp-fb:* nack\r\n" * 70, 70, "feedback"),
        (AUDIO + "a=rtcp-fb:111 nack\r\n" * 70, 70, "feedback"),
    ],
)
def test_errors_say_what_and_where(text: str, line: int, words: str) -> None:
    with pytest.raises(SdpError) as caught:
        parse(text)
    assert caught.value.line == line
    assert words in str(caught.value)
    assert isinstance(caught.value, OperationError)


def test_bundled_twice() -> None:
    text = MINIMAL + "a=group:BUNDLE 0\r\na=group:BUNDLE 0\r\nm=audio 9 RTP/AVP 0\r\na=mid:0\r\n"
    with pytest.raises(SdpError, match="bundled twice"):
        parse(text)


def test_size_is_bounded() -> None:
    with pytest.raises(SdpError, match="characters"):
        parse(MINIMAL + "a=x\r\n" * 300_000)


def test_wrong_type() -> None:
    with pytest.raises(TypeError, match="bytes"):
        parse(b"v=0")  # type: ignore[arg-type]


# Round trips

token = st.from_regex(r"[A-Za-z0-9_-]{1,12}", fullmatch=True)
word = st.from_regex(r"[!-~]{1,20}", fullmatch=True)
text_value = st.from_regex(r"[!-~]([ -~]{0,30}[!-~])?", fullmatch=True)
unknown = st.tuples(token.map(lambda t: "x-" + t), st.none() | text_value)
fingerprints = st.builds(
    lambda digests: tuple(Fingerprint(name, digest) for name, digest in digests),
    st.lists(
        st.one_of(
            st.tuples(st.just("sha-256"), st.binary(min_size=32, max_size=32)),
            st.tuples(st.just("sha-512"), st.binary(min_size=64, max_size=64)),
        ),
        max_size=3,
    ),
)
ice = st.none() | st.tuples(
    st.from_regex(r"[A-Za-z0-9+/]{4,32}", fullmatch=True),
    st.from_regex(r"[A-Za-z0-9+/]{22,40}", fullmatch=True),
)
port = st.integers(0, 65535)
ssrc = st.integers(0, 2**32 - 1)


@st.composite
def media_sections(draw: st.DrawFn, mid: str) -> Media:
    data = draw(st.booleans())
    media = Media("application" if data else draw(st.sampled_from(["audio", "video"])))
    media.port = draw(port)
    media.mid = mid
    media.connection = draw(st.sampled_from(["", "IN IP4 0.0.0.0", "IN IP6 ::1"]))
    media.direction = draw(st.sampled_from(["", "sendrecv", "sendonly", "recvonly", "inactive"]))
    media.bundle_only = draw(st.booleans())
    media.lines = draw(st.lists(st.tuples(st.sampled_from("ibk"), text_value), max_size=2))
    media.lines.sort(key=lambda line: line[0] != "i")
    media.attributes = draw(st.lists(unknown, max_size=3))
    credentials = draw(ice)
    if credentials:
        media.ice_ufrag, media.ice_pwd = credentials
    media.ice_options = tuple(draw(st.lists(token, max_size=2)))
    media.candidates = draw(st.lists(text_value.map(lambda t: "candidate:" + t), max_size=3))
    media.end_of_candidates = draw(st.booleans())
    media.fingerprints = draw(fingerprints)
    media.setup = draw(st.sampled_from(["", "actpass", "active", "passive"]))
    media.tls_id = draw(st.just("") | token)
    if data:
        media.formats = ["webrtc-datachannel"]
        media.sctp_port = draw(st.none() | port)
        media.max_message_size = draw(st.none() | st.integers(0, 2**64 - 1))
        media.sctpmap = draw(st.just("") | text_value)
        return media
    media.protocol = "UDP/TLS/RTP/SAVPF"
    types = draw(st.lists(st.integers(0, 127), unique=True, min_size=1, max_size=4))
    media.formats = [str(t) for t in types]
    feedback = st.lists(text_value, max_size=2)
    unnamed = st.just(("", 0, None))
    named = st.tuples(token, st.integers(1, 2**32 - 1), st.none() | st.integers(1, 8))
    media.codecs = CodecTable(
        [
            Codec(t, *draw(unnamed | named), draw(st.just("") | text_value), tuple(draw(feedback)))
            for t in types
        ],
        draw(feedback),
    )
    media.rtcp = draw(st.just("") | st.builds("{} IN IP4 0.0.0.0".format, port))
    media.rtcp_mux = draw(st.booleans())
    media.rtcp_mux_only = draw(st.booleans())
    media.rtcp_rsize = draw(st.booleans())
    media.extmap_allow_mixed = draw(st.booleans())
    media.extensions = draw(
        st.lists(
            st.builds(
                Extension, st.integers(1, 255), word, st.sampled_from(["", "recvonly"]), st.just("") | word
            ),
            max_size=2,
        )
    )
    media.msids = draw(st.lists(st.builds(Msid, token, st.just("") | token), max_size=2))
    media.sources = draw(
        st.dictionaries(
            ssrc, st.dictionaries(token, st.just("") | text_value, min_size=1, max_size=2), max_size=2
        )
    )
    media.source_groups = draw(
        st.lists(st.builds(SourceGroup, token, st.lists(ssrc, min_size=1, max_size=3).map(tuple)), max_size=2)
    )
    media.rids = draw(
        st.lists(st.builds(Rid, token, st.sampled_from(["send", "recv"]), st.just("") | word), max_size=2)
    )
    streams = st.lists(
        st.lists(st.builds(RidChoice, token, st.booleans()), min_size=1, max_size=2).map(tuple), max_size=3
    ).map(tuple)
    simulcast = draw(st.none() | st.builds(Simulcast, streams, streams))
    media.simulcast = simulcast if simulcast and (simulcast.send or simulcast.receive) else None
    return media


@st.composite
def descriptions(draw: st.DrawFn) -> Description:
    mids = draw(st.lists(token, unique=True, max_size=3))
    number = st.integers(0, 2**63 - 1)
    description = Description(Origin(draw(number), draw(number)))
    description.media = [draw(media_sections(mid)) for mid in mids]
    if mids:
        description.groups = [Group("BUNDLE", tuple(draw(st.permutations(mids))))]
    description.name = draw(st.just("-") | text_value)
    description.connection = draw(st.just("") | st.just("IN IP4 192.0.2.1"))
    description.ice_lite = draw(st.booleans())
    description.extmap_allow_mixed = draw(st.booleans())
    description.attributes = draw(st.lists(unknown, max_size=3))
    return description


@PATIENT
@given(descriptions())
def test_what_is_written_is_read(description: Description) -> None:
    assert parse(write(description)) == description


@PATIENT
@given(st.text(alphabet=st.sampled_from("vostmacib=:-/ 019\r\nABUNDLE")) | st.text())
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        description = parse(text)
    except SdpError:
        return
    assert parse(write(description)) == description


@PATIENT
@given(st.sampled_from(SAMPLES), st.data())
def test_damaged_samples_are_read_or_refused(path: Path, data: st.DataObject) -> None:
    text = path.read_text()
    at = data.draw(st.integers(0, len(text) - 1))
    size = data.draw(st.integers(0, 20))
    damaged = text[:at] + data.draw(st.text(max_size=6)) + text[at + size :]
    try:
        description = parse(damaged)
    except SdpError:
        return
    assert parse(write(description)) == description
