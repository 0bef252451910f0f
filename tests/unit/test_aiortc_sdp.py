"""`rtcore.aiortc.sdp` against aiortc.sdp: the same values of a text, the same text of values."""

from __future__ import annotations

import dataclasses
import enum
import re
from pathlib import Path
from typing import Any

import aiortc.sdp
import pytest
from hypothesis import given
from hypothesis import strategies as st

import rtcore.aiortc.sdp
from rtcore import SdpError

theirs, ours = aiortc.sdp, rtcore.aiortc.sdp
BOTH = pytest.mark.parametrize("module", [theirs, ours], ids=["aiortc", "rtcore"])
VECTORS = sorted((Path(__file__).resolve().parents[1] / "vectors" / "sdp").glob("*.sdp"))


def plain(value: Any) -> Any:
    """Descriptions, parameters, candidates and enumerations as builtin types."""
    if isinstance(value, enum.Enum):
        return value.name
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if dataclasses.is_dataclass(value) or type(value).__name__ in ("SessionDescription", "MediaDescription"):
        return {name: plain(item) for name, item in vars(value).items()}
    return value


@pytest.mark.parametrize("path", VECTORS, ids=lambda path: path.stem)
def test_descriptions_of_others(path: Path) -> None:
    text = normal(path.read_bytes().decode())
    their, our = theirs.SessionDescription.parse(text), ours.SessionDescription.parse(text)
    assert plain(our) == plain(their)
    assert str(our) == with_mux(str(their), their)
    assert plain(ours.SessionDescription.parse(str(our))) == plain(our)
    for their_media, our_media in zip(their.media, our.media, strict=True):
        assert our.webrtc_track_id(our_media) == their.webrtc_track_id(their_media)


def normal(text: str) -> str:
    """What rtcore reads in several forms: the protocol of candidates, what stands between ICE options."""
    text = re.sub("(?m)^a=candidate:.* (?:UDP|TCP) ", lambda match: match[0].lower(), text)
    return re.sub("(?m)^a=ice-options:.*", lambda match: match[0].replace(",", " "), text)


def with_mux(text: str, description: Any) -> str:
    """aiortc forgets a=rtcp-mux where there is no a=rtcp."""
    sections = re.split("(?=^m=)", text, flags=re.M)
    for at, media in enumerate(description.media, 1):
        if media.rtcp_mux and media.rtcp_port is None:
            after = re.compile("(?=^a=(?:ssrc|rtpmap|candidate|ice-ufrag))", re.M)
            sections[at] = after.sub("a=rtcp-mux\r\n", sections[at], count=1)
    return "".join(sections)


def everything(module: Any) -> Any:
    """A description with every field set by hand."""
    parameters = aiortc if module is theirs else rtcore.aiortc
    candidate = module.candidate_from_sdp("1 1 udp 2130706431 192.0.2.1 5000 typ host")
    related = module.candidate_from_sdp(
        "2 1 tcp 1694498815 198.51.100.1 9 typ srflx raddr 10.0.0.1 rport 4 tcptype active"
    )
    audio = module.MediaDescription("audio", 9, "UDP/TLS/RTP/SAVPF", [111, 0])
    audio.host = "::"
    audio.direction = "sendonly"
    audio.msid = "stream track"
    audio.rtcp_port, audio.rtcp_host, audio.rtcp_mux = 9, "0.0.0.0", True
    audio.ssrc = [
        module.SsrcDescription(1, cname="c", msid="stream track", mslabel="stream", label="track"),
        module.SsrcDescription(2, cname="c"),
    ]
    audio.ssrc_group = [module.GroupDescription("FID", [1, 2])]
    audio.rtp = parameters.RTCRtpParameters(
        muxId="a",
        codecs=[
            parameters.RTCRtpCodecParameters(
                "audio/opus",
                48000,
                2,
                111,
                [feedback_of(parameters, "nack", "pli")],
                {"minptime": 10, "x": None},
            ),
            parameters.RTCRtpCodecParameters("audio/PCMU", 8000, 1, 0),
        ],
        headerExtensions=[parameters.RTCRtpHeaderExtensionParameters(1, "urn:x")],
    )
    data = module.MediaDescription("application", 0, "DTLS/SCTP", ["5000"])
    data.sctpmap = {5000: "webrtc-datachannel 1024"}
    data.sctp_port = 5000
    data.sctpCapabilities = parameters.RTCSctpCapabilities(65536)
    data.rtp.muxId = "d"
    data.direction = "inactive"
    for media in (audio, data):
        media.dtls = parameters.RTCDtlsParameters(
            [parameters.RTCDtlsFingerprint("sha-256", ":".join(["AB"] * 32))], "server"
        )
        media.ice = parameters.RTCIceParameters("ufrag", "p" * 22, True)
        media.ice_candidates = [candidate, related]
        media.ice_candidates_complete = True
        media.ice_options = "trickle renomination"
    session = module.SessionDescription()
    session.origin = "- 1 2 IN IP4 127.0.0.1"
    session.name = "name"
    session.host = "192.0.2.7"
    session.group = [module.GroupDescription("BUNDLE", ["a", "d"])]
    session.msid_semantic = [module.GroupDescription("WMS", ["*"])]
    session.media = [audio, data]
    return session


def feedback_of(parameters: Any, type_: str, parameter: str) -> Any:
    from importlib import import_module

    return import_module(f"{parameters.__name__}.rtcrtpparameters").RTCRtcpFeedback(type_, parameter)


def test_every_field() -> None:
    their, our = everything(theirs), everything(ours)
    assert plain(our) == plain(their)
    assert str(our) == str(their)
    assert [str(media) for media in our.media] == [str(media) for media in their.media]
    assert plain(ours.SessionDescription.parse(str(our))) == plain(
        theirs.SessionDescription.parse(str(their))
    )


def test_lines_at_session_level_count_for_all_sections() -> None:
    text = str(everything(ours))
    head, *sections = re.split("(?=^m=)", text, flags=re.M)
    moved = re.findall("a=(?:ice-ufrag|ice-pwd|fingerprint|setup).*\r\n", sections[0])
    bare = head + "".join(moved) + "".join(sections)
    for line in moved:
        bare = bare.replace(line, "") if line not in head else bare
    whole = bare.replace("t=0 0\r\n", "t=0 0\r\n" + "".join(moved))
    assert plain(ours.SessionDescription.parse(whole)) == plain(theirs.SessionDescription.parse(whole))


@pytest.mark.parametrize(
    "text",
    ["", "v=0\r\nmalformed", "v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\nm=audio 9 RTP/SAVPF 72\r\n"],
)
def test_malformed(text: str) -> None:
    with pytest.raises(ValueError, match=r"SDP|RTCP"):
        ours.SessionDescription.parse(text)


@given(st.data())
def test_nothing_but_value_errors(data: st.DataObject) -> None:
    lines = data.draw(st.sampled_from(VECTORS)).read_bytes().decode().splitlines(keepends=True)
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(lines) - 1))
        cut = data.draw(st.integers(0, len(lines[at])))
        lines[at] = lines[at][:cut] + data.draw(st.text(max_size=3)) + lines[at][cut + 1 :]
    try:
        description = ours.SessionDescription.parse("".join(lines))
        str(description)
    except ValueError:
        return
    assert description.origin


@pytest.mark.parametrize("end", ["\x0b", "\x0c", "\x1c", "\x1d", "\x1e", "\x85", "\u2028", "\u2029"])
def test_only_line_feeds_end_lines(end: str) -> None:
    """What Python, but not SDP, takes for the end of a line stays where it is."""
    text = str(everything(ours)).replace("s=name", f"s=na{end}me")
    text = text.replace("cname:", f"cname:a{end}b")
    assert text.count(end) > 1
    assert str(ours.SessionDescription.parse(text)) == text


def test_malformed_line_has_its_number() -> None:
    with pytest.raises(SdpError) as raised:
        ours.SessionDescription.parse(str(everything(ours)).replace("a=ice-ufrag:ufrag", "a=ice-ufrag:", 1))
    assert raised.value.line > 5


def test_what_cannot_be_written() -> None:
    session = ours.SessionDescription()
    with pytest.raises(ValueError, match="origin"):
        str(session)
    with pytest.raises(ValueError, match="not of this description"):
        session.webrtc_track_id(ours.MediaDescription("audio", 9, "RTP/AVP", []))


CANDIDATES = [
    "6815297761 1 udp 659136 1.2.3.4 31102 typ host",
    "1 2 udp 659136 1.2.3.4 31102 typ srflx raddr 10.0.0.1 rport 5",
    "0 1 tcp 1509957375 192.168.99.7 9 typ host tcptype active",
    "1 1 udp 2122260223 4ba1b1ec-5e0a-4a09-8a5c-0b3b7d9d7ac6.local 5000 typ host",
    "1 1 udp 2122260223 2001:db8::1 5000 typ relay raddr 2001:db8::2 rport 9",
]


@pytest.mark.parametrize("text", CANDIDATES)
def test_candidates(text: str) -> None:
    their, our = theirs.candidate_from_sdp(text), ours.candidate_from_sdp(text)
    assert plain(our) == plain(their)
    assert ours.candidate_to_sdp(our) == theirs.candidate_to_sdp(their) == text


def test_extensions_of_candidates_are_passed_over() -> None:
    text = CANDIDATES[0] + " generation 0 ufrag abcd network-id 1"
    assert plain(ours.candidate_from_sdp(text)) == plain(theirs.candidate_from_sdp(text))


@pytest.mark.parametrize("text", ["", "1 1 udp", "1 1 udp x 1.2.3.4 5 typ host"])
@BOTH
def test_malformed_candidates(module: Any, text: str) -> None:
    with pytest.raises((ValueError, AssertionError)):
        module.candidate_from_sdp(text)


@given(
    st.dictionaries(
        st.sampled_from(["apt", "minptime", "profile-level-id", "x"]),
        st.none() | st.integers(0, 9999),
        max_size=4,
    )
)
def test_parameters(parameters: dict[str, int | None]) -> None:
    text = theirs.parameters_to_sdp(parameters)
    assert ours.parameters_to_sdp(parameters) == text
    assert ours.parameters_from_sdp(text) == theirs.parameters_from_sdp(text)


@pytest.mark.parametrize("address", ["192.0.2.1", "::1", "2001:db8::1"])
def test_addresses(address: str) -> None:
    text = theirs.ipaddress_to_sdp(address)
    assert ours.ipaddress_to_sdp(address) == text
    assert ours.ipaddress_from_sdp(text) == theirs.ipaddress_from_sdp(text) == address
    with pytest.raises(ValueError, match="IP4"):
        ours.ipaddress_from_sdp(address)


def test_h264_profiles() -> None:
    for profile_idc in (0x42, 0x4D, 0x58, 0x64, 0xF4, 0x11):
        for profile_iop in range(256):
            for level in (10, 11, 31, 52):
                text = f"{profile_idc:02x}{profile_iop:02X}{level:02x}"
                try:
                    expected = plain(theirs.parse_h264_profile_level_id(text))
                except ValueError:
                    with pytest.raises(ValueError, match="profile_idc"):
                        ours.parse_h264_profile_level_id(text)
                else:
                    assert plain(ours.parse_h264_profile_level_id(text)) == expected


@BOTH
@pytest.mark.parametrize("text", ["", "42e0", "42e01g", "42e0ff", None, 0x42E01F])
def test_no_h264_profile(module: Any, text: Any) -> None:
    with pytest.raises(ValueError, match=r"hexadecimal|H264Level"):
        module.parse_h264_profile_level_id(text)


@given(st.text("x01", min_size=8, max_size=8), st.integers(0, 255))
def test_bit_patterns(pattern: str, value: int) -> None:
    assert ours.BitPattern(pattern).matches(value) == theirs.BitPattern(pattern).matches(value)
