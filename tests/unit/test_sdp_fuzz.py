"""Damaged and hostile descriptions: refused by `SdpError` and its kin or taken whole, in bounded time."""

import random
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rtcore.errors import Error, SdpError
from rtcore.sdp import Negotiation, SessionDescription, parse, write
from sdp_sides import VECTORS, connect, known, sections, side

SAMPLES = {path.stem: path.read_text() for path in sorted(VECTORS.glob("*.sdp"))}
LINES = sorted({line for text in SAMPLES.values() for line in text.split("\n") if line})
SECONDS = 20.0
"""For the largest description that is read at all; it takes one or two, and machines differ."""


def negotiate(offer: str) -> Negotiation:
    """Takes an offer as far as it goes. Whatever is refused changes nothing."""
    negotiation = side(2)
    negotiation.add_track("audio", "microphone", ["s"])
    negotiation.add_track("video", "camera", ["s"])
    try:
        negotiation.set_remote(SessionDescription("offer", offer))
    except SdpError:
        assert negotiation.signaling_state == "stable"
        assert len(negotiation.transceivers) == 2
        return negotiation
    try:
        negotiation.set_local()
    except SdpError:
        assert negotiation.signaling_state == "have-remote-offer"
        negotiation.set_remote(SessionDescription("rollback"))
        assert len(negotiation.transceivers) == 2
        return negotiation
    check_bounds(negotiation)
    again = parse(negotiation.create_offer().sdp)
    assert parse(write(again)) == again
    return negotiation


def check_bounds(negotiation: Negotiation) -> None:
    """What the core takes without asking."""
    ssrcs: list[int] = []
    for section in sections(negotiation):
        assert section.index < 256
        assert len(section.mid) <= 16
        for formats in (section.formats, section.send_formats):
            numbers = [format.payload_type for format in formats]
            numbers += [f.rtx_payload_type for f in formats if f.rtx_payload_type is not None]
            assert len(set(numbers)) == len(numbers)
            assert all(0 <= number < 128 and not 64 <= number < 96 for number in numbers)
        assert all(1 <= number <= 255 for number in section.extensions.values())
        assert len(set(section.extensions.values())) == len(section.extensions)
        assert len(section.rids) <= 8
        assert len(section.encodings) <= 8
        assert all(0 < len(rid) <= 16 for rid in section.rids)
        assert len(section.sources) <= 16
        ssrcs += [ssrc for source in section.sources for ssrc in source if ssrc is not None]
        ssrcs += section.transceiver.ssrcs
    assert len(set(ssrcs)) == len(ssrcs)
    assert all(0 < ssrc < 2**32 for ssrc in ssrcs)


def mutated(text: str, random: random.Random) -> str:
    """Lines doubled, lost, moved, taken from elsewhere, and characters changed."""
    lines = text.split("\n")
    for _ in range(random.randint(1, 8)):
        at = random.randrange(len(lines))
        choice = random.randrange(7)
        if choice == 0:
            del lines[at]
        elif choice == 1:
            lines.insert(at, random.choice(lines))
        elif choice == 2:
            lines.insert(at, random.choice(LINES))
        elif choice == 3:
            lines[at] = random.choice(LINES)
        elif choice == 4:
            other = random.randrange(len(lines))
            lines[at], lines[other] = lines[other], lines[at]
        else:
            line = lines[at]
            cut = random.randint(0, len(line))
            middle = random.choice(["", "0", "-1", "4294967296", " ", ":", ";", "~", "\u0660", "=", "/", ","])
            lines[at] = line[:cut] + middle + line[cut + random.randint(0, 3) :]
        if not lines:
            return ""
    return "\n".join(lines)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from(sorted(SAMPLES)), st.randoms(use_true_random=False))
def test_mutated_offers(name: str, chance: random.Random) -> None:
    negotiate(mutated(SAMPLES[name], chance))


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.randoms(use_true_random=False))
def test_mutated_answers(chance: random.Random) -> None:
    a, b = side(1), side(2)
    for kind in ("audio", "video"):
        a.add_track(kind, kind)
        b.add_track(kind, kind)
    a.want_data()
    a.set_local()
    b.set_remote(known(a.local))
    b.set_local()
    answer = mutated(known(b.local).sdp.replace("\r\n", "\n"), chance)
    try:
        a.set_remote(SessionDescription("answer", answer))
    except Error:
        assert a.signaling_state == "have-local-offer"
        assert a.agreement is None
        a.set_remote(known(b.local))
        assert len(sections(a)) == 2
    else:
        check_bounds(a)
        a.create_offer()


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.randoms(use_true_random=False))
def test_mutated_offers_of_a_running_session(chance: random.Random) -> None:
    a, b = side(1), side(2)
    a.add_track("audio", "microphone")
    b.add_track("video", "camera")
    connect(a, b)
    connect(b, a)
    before = (b.agreement, [one.mid for one in b.transceivers])
    offer = mutated(a.create_offer().sdp.replace("\r\n", "\n"), chance)
    try:
        b.set_remote(SessionDescription("offer", offer))
    except Error:
        assert b.signaling_state == "stable"
    else:
        b.set_remote(SessionDescription("rollback"))
    assert (b.agreement, [one.mid for one in b.transceivers]) == before
    connect(a, b)


HEAD = "v=0\no=- 1 1 IN IP4 127.0.0.1\ns=-\nt=0 0\n"
TRANSPORT = (
    "a=ice-ufrag:abcd\na=ice-pwd:0123456789012345678901\na=setup:actpass\n"
    f"a=fingerprint:sha-256 {':'.join(['00'] * 32)}\n"
)
MEDIA = "m=video 9 UDP/TLS/RTP/SAVPF 96\na=rtpmap:96 VP8/90000\na=rtcp-mux\n"


def many(count: int, line: str) -> str:
    return "".join(line.format(n=n) for n in range(count))


HOSTILE = {
    "sections": HEAD
    + f"a=group:BUNDLE {' '.join(map(str, range(512)))}\n"
    + many(511, MEDIA + "a=mid:{n}\n")
    + MEDIA
    + "a=mid:511\n"
    + TRANSPORT,
    "sources": HEAD + TRANSPORT + MEDIA + many(30_000, "a=ssrc:{n} cname:x\n"),
    "source groups": HEAD + TRANSPORT + MEDIA + many(30_000, "a=ssrc-group:FID {n} 9{n}\n"),
    "rids": HEAD
    + TRANSPORT
    + MEDIA
    + many(20_000, "a=rid:{n} send\n")
    + "a=simulcast:send "
    + ";".join(map(str, range(20_000)))
    + "\n",
    "extensions": HEAD + TRANSPORT + MEDIA + many(30_000, "a=extmap:1 urn:x-{n}\n"),
    "fingerprints": HEAD + many(30_000, "a=fingerprint:x 00\n") + MEDIA,
    "ice options": HEAD + many(60_000, "a=ice-options:x\n") + MEDIA,
    "feedback": HEAD + TRANSPORT + MEDIA + many(30_000, "a=rtcp-fb:* x-{n}\n"),
    "parameters": HEAD + TRANSPORT + MEDIA + "a=fmtp:96 " + many(100_000, "x{n}=1;") + "\n",
    "streams": HEAD + TRANSPORT + MEDIA + many(30_000, "a=msid:s{n} t\n"),
    "bundles": HEAD + many(20_000, "a=group:BUNDLE\n") + TRANSPORT + MEDIA + "a=mid:0\n",
    "candidates": HEAD + TRANSPORT + many(300, MEDIA + many(200, "a=candidate:x\n")),
    "spaces": HEAD + TRANSPORT + MEDIA + f"a=ssrc:1 {' ' * 900_000}x\n",
    "digits": HEAD + TRANSPORT + MEDIA + f"a=max-message-size:{'9' * 900_000}\n",
}


@pytest.mark.parametrize("what", sorted(HOSTILE))
def test_hostile_sizes(what: str) -> None:
    assert len(HOSTILE[what]) < 1024 * 1024, "more is refused unread"
    before = time.perf_counter()
    negotiate(HOSTILE[what])
    assert time.perf_counter() - before < SECONDS


@pytest.mark.parametrize("path", sorted(VECTORS.glob("*_offer.sdp")), ids=lambda p: p.stem)
def test_each_line_lost(path: Path) -> None:
    lines = path.read_text().split("\n")
    for at in range(0, len(lines), 3):
        negotiate("\n".join(lines[:at] + lines[at + 1 :]))


@pytest.mark.parametrize(
    ("line", "number"),
    [
        ("a=rtpmap:96 VP8", 11),
        ("a=rtpmap:96 VP8/0", 11),
        ("a=rtcp-fb:96", 11),
        ("a=rtpmap:97 VP8/0", 11),
        ("a=extmap:x urn:y", 11),
        ("a=ssrc:4294967296 cname:x", 11),
        ("a=ssrc-group:FID 1 x", 11),
        ("a=rid:a both", 11),
        ("a=simulcast:send", 11),
        ("a=msid:", 11),
        ("a=mid:a b", 11),
        ("m=video 9 UDP/TLS/RTP/SAVPF 128", 11),
        ("m=video x UDP/TLS/RTP/SAVPF 96", 11),
    ],
)
def test_errors_tell_the_line(line: str, number: int) -> None:
    with pytest.raises(SdpError) as caught:
        side(1).set_remote(SessionDescription("offer", HEAD + TRANSPORT + MEDIA[:30] + "\n" + line + "\n"))
    assert caught.value.line > 0
    text = HEAD + TRANSPORT + "m=video 9 UDP/TLS/RTP/SAVPF 96\n" + "a=rtcp-mux\n" + line + "\n"
    with pytest.raises(SdpError, match=f"line {number}:"):
        parse(text)


def test_payload_types_that_were_edited_out_of_the_m_line() -> None:
    """Their other lines often stay behind. They are kept, written again, and mean nothing."""
    left = "a=rtpmap:97 rtx/90000\na=rtcp-fb:97 nack\na=fmtp:97 apt=96\n"
    description = parse(HEAD + TRANSPORT + MEDIA + left)
    assert description.media[0].attributes == [
        ("rtpmap", "97 rtx/90000"),
        ("rtcp-fb", "97 nack"),
        ("fmtp", "97 apt=96"),
    ]
    assert parse(write(description)) == description
    (section,) = sections(negotiate(HEAD + TRANSPORT + MEDIA + left))
    assert [format.rtx_payload_type for format in section.formats] == [None]
