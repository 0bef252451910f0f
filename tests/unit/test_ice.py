"""rtcore.native.ice: candidates and their SDP form, and the agent by itself."""

import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtcore.native.ice import Candidate

CHROMIUM = (
    "candidate:842163049 1 udp 1677729535 203.0.113.7 46154 typ srflx raddr 0.0.0.0 rport 0 generation 0 "
    "ufrag EsAw network-id 1 network-cost 10"
)
FIREFOX_MDNS = "candidate:0 1 UDP 2122252543 1c6dd8a9-4b0a-4d6c-9b0e-1d3d3f0c2a55.local 51372 typ host"


def test_chromium_candidate() -> None:
    candidate = Candidate.from_sdp(CHROMIUM)
    assert candidate.foundation == "842163049"
    assert candidate.component == 1
    assert candidate.transport == candidate.protocol == "udp"
    assert candidate.priority == 1677729535
    assert candidate.address == candidate.ip == "203.0.113.7"
    assert candidate.port == 46154
    assert candidate.type == "srflx"
    assert (candidate.related_address, candidate.related_port) == ("0.0.0.0", 0)
    assert candidate.tcp_type is None
    assert (candidate.generation, candidate.ufrag) == (0, "EsAw")
    assert candidate.extensions == (("network-id", "1"), ("network-cost", "10"))
    assert not candidate.is_mdns
    assert candidate.is_numeric
    assert candidate.to_sdp() == CHROMIUM


def test_mdns_name_is_kept() -> None:
    candidate = Candidate.from_sdp("a=" + FIREFOX_MDNS + "\r\n")
    assert candidate.is_mdns
    assert not candidate.is_numeric
    assert candidate.address.endswith(".local")
    assert candidate.to_sdp() == FIREFOX_MDNS.replace("UDP", "udp")


def test_tcp_candidate() -> None:
    text = "candidate:1 1 tcp 1518280447 192.0.2.1 9 typ host tcptype active generation 0"
    candidate = Candidate.from_sdp(text)
    assert (candidate.transport, candidate.tcp_type, candidate.port) == ("tcp", "active", 9)
    assert candidate.to_sdp() == text


def test_ipv6_is_canonical() -> None:
    text = "candidate:1 1 udp 1 2001:DB8:0:0:0:0:0:1 9 typ host"
    assert Candidate.from_sdp(text).address == "2001:db8::1"


def test_value_semantics() -> None:
    one, two = Candidate.from_sdp(CHROMIUM), Candidate.from_sdp(CHROMIUM)
    assert one == two
    assert hash(one) == hash(two)
    assert one != Candidate.from_sdp(FIREFOX_MDNS)
    assert one != CHROMIUM
    assert len({one, two}) == 1
    assert pickle.loads(pickle.dumps(one)) == one
    with pytest.raises(AttributeError):
        one.port = 1  # type: ignore[misc]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "candidate:",
        "candidate:1 1 udp 1 192.0.2.1 9 typ",
        "candidate:1 1 udp 1 192.0.2.1 9 kind host",
        "candidate:1 1 sctp 1 192.0.2.1 9 typ host",
        "candidate:1 1 udp 1 192.0.2.1 9 typ mirror",
        "candidate:1 0 udp 1 192.0.2.1 9 typ host",
        "candidate:1 1 udp -1 192.0.2.1 9 typ host",
        "candidate:1 1 udp 4294967296 192.0.2.1 9 typ host",
        "candidate:1 1 udp 1 192.0.2.256 9 typ host",
        "candidate:1 1 udp 1 192.0.2.1 65536 typ host",
        "candidate:1 1 udp 1 192.0.2.1 nine typ host",
        "candidate:1 1 udp 1 192.0.2.1 \u0669 typ host",
        "candidate:1 1 udp 1 [::1] 9 typ host",
        "candidate:1 1 udp 1 192.0.2.1 9 typ host generation",
        "candidate:1 1 udp 1 192.0.2.1 9 typ host raddr a rport x",
        "candidate:1 1 udp 1 192.0.2.1 9 typ host ufrag a ufrag b",
        "candidate:1 1 udp 1 192.0.2.1 9 typ host tcptype active",
        "candidate:1 1 tcp 1 192.0.2.1 9 typ host tcptype fast",
        "candidate:not,allowed 1 udp 1 192.0.2.1 9 typ host",
        "candidate:" + 33 * "f" + " 1 udp 1 192.0.2.1 9 typ host",
        "v=0",
    ],
)
def test_nonsense_is_a_value_error(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - each text breaks another rule
        Candidate.from_sdp(text)


@pytest.mark.parametrize("value", [b"candidate:1", None, 7])
def test_wrong_type(value: object) -> None:
    with pytest.raises(TypeError):
        Candidate.from_sdp(value)  # type: ignore[arg-type]


TOKENS = st.text("abcdefghijklmnopqrstuvwxyz-0123456789", min_size=1, max_size=12)
CANDIDATES = st.builds(
    Candidate,
    st.text("ABCabc019+/", min_size=1, max_size=32),
    st.integers(1, 256),
    st.just("udp"),
    st.integers(0, 2**32 - 1),
    st.one_of(st.ip_addresses().map(str), st.just("f0.local"), st.just("stun.example.org")),
    st.integers(0, 65535),
    st.sampled_from(["host", "srflx", "prflx", "relay"]),
    related_address=st.one_of(st.none(), st.ip_addresses().map(str)),
    related_port=st.one_of(st.none(), st.integers(0, 65535)),
    generation=st.one_of(st.none(), st.integers(0, 9)),
    ufrag=st.one_of(st.none(), st.text("abc+/09", min_size=1, max_size=256)),
    extensions=st.lists(st.tuples(TOKENS.map("x-".__add__), TOKENS), max_size=4),
)


@given(CANDIDATES)
def test_sdp_round_trip(candidate: Candidate) -> None:
    again = Candidate.from_sdp(candidate.to_sdp())
    assert again == candidate
    assert again.to_sdp() == candidate.to_sdp()


@given(st.text(max_size=200))
def test_any_text_parses_or_raises_value_error(text: str) -> None:
    for line in (text, "candidate:" + text):
        try:
            candidate = Candidate.from_sdp(line)
        except ValueError:
            continue
        assert Candidate.from_sdp(candidate.to_sdp()) == candidate
