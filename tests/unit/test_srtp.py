"""SRTP sessions: known packets, pylibsrtp's Python API as reference, batches, and what the network may do."""

import random
import threading
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pylibsrtp import Error, Policy, Session

from rtcore.native.srtp import (
    TRAILER,
    AuthenticationError,
    Profile,
    ReplayError,
    Srtp,
    Status,
    key_size,
    split_keys,
)

SSRC = 0xCAFEBABE
PROFILES = list(Profile)


def keys(profile: Profile, seed: int = 0) -> bytes:
    return random.Random(seed).randbytes(key_size(profile))


def rtp(sequence: int, payload: bytes = b"\xab" * 16, ssrc: int = SSRC) -> bytes:
    return bytes([0x80, 96]) + sequence.to_bytes(2, "big") + bytes(4) + ssrc.to_bytes(4, "big") + payload


def rtcp(ssrc: int = SSRC) -> bytes:
    return bytes([0x80, 201, 0, 1]) + ssrc.to_bytes(4, "big")


def pair(profile: Profile = Profile.AEAD_AES_128_GCM, **options: int) -> tuple[Srtp, Srtp]:
    return Srtp(profile, keys(profile), outbound=True), Srtp(
        profile, keys(profile), outbound=False, **options
    )


def reference(profile: Profile, outbound: bool) -> Session:
    kind = Policy.SSRC_ANY_OUTBOUND if outbound else Policy.SSRC_ANY_INBOUND
    return Session(Policy(key=keys(profile), ssrc_type=kind, srtp_profile=int(profile)))


# The reference packets of libsrtp's own test driver, whose key is that of RFC 3711 appendix B.3.
PLAIN = bytes.fromhex("800f1234decafbadcafebabe") + b"\xab" * 16
KNOWN = {
    Profile.AES128_CM_SHA1_80: (
        "e1f97a0d3e018be0d64fa32c06de41390ec675ad498afeebb6960b3aabe6",
        "800f1234decafbadcafebabe4e55dc4ce79978d88ca4d215949d2402b78d6acc99ea179b8dbb",
    ),
    Profile.AEAD_AES_128_GCM: (
        "000102030405060708090a0b0c0d0e0fa0a1a2a3a4a5a6a7a8a9aaab",
        "800f1234decafbadcafebabec5002ede04cfdd2eb91159e0880aa06ed2976826f796b201df3131a127e8a392",
    ),
}


@pytest.mark.parametrize("profile", KNOWN, ids=lambda profile: profile.name)
def test_known_packets(profile: Profile) -> None:
    key, protected = (bytes.fromhex(text) for text in KNOWN[profile])
    assert Srtp(profile, key, outbound=True).protect(PLAIN) == protected
    assert Srtp(profile, key, outbound=False).unprotect(protected) == PLAIN


def test_keys_are_split_as_rfc_5764_section_4_2_orders_them() -> None:
    client_key, server_key = bytes([1] * 16), bytes([2] * 16)
    client_salt, server_salt = bytes([3] * 14), bytes([4] * 14)
    material = client_key + server_key + client_salt + server_salt
    assert split_keys(1, material, client=True) == client_key + client_salt
    assert split_keys(1, material, client=False) == server_key + server_salt
    with pytest.raises(ValueError, match="59 bytes"):
        split_keys(1, material[:-1], client=True)


@pytest.mark.parametrize("profile", PROFILES, ids=lambda profile: profile.name)
def test_both_ways_with_pylibsrtp(profile: Profile) -> None:
    ours_out, ours_in = pair(profile)
    theirs_out, theirs_in = reference(profile, True), reference(profile, False)
    for sequence in (*range(65500, 65536), *range(40)):
        packet = rtp(sequence, bytes(sequence % 1200))
        protected = ours_out.protect(packet)
        assert protected == theirs_out.protect(packet)
        assert theirs_in.unprotect(protected) == packet
        assert ours_in.unprotect(protected) == packet
    protected = ours_out.protect_rtcp(rtcp())
    assert protected == theirs_out.protect_rtcp(rtcp())
    assert ours_in.unprotect_rtcp(protected) == theirs_in.unprotect_rtcp(protected) == rtcp()


STEPS = st.integers(-200, 200) | st.sampled_from([-20000, 20000, 32767])  # of sequence numbers
HEADERS = st.tuples(
    st.integers(0, 15), st.none() | st.integers(0, 5), st.binary(max_size=100)
)  # CSRCs, words of header extension, payload


def with_header(sequence: int, csrcs: int, extension: int | None, payload: bytes) -> bytes:
    head = bytes([0x80 | csrcs | (extension is not None) << 4]) + rtp(sequence, b"")[1:] + bytes(4 * csrcs)
    if extension is not None:
        head += b"\xbe\xde" + extension.to_bytes(2, "big") + bytes(range(4 * extension))
    return head + payload


@settings(max_examples=300, deadline=None)
@given(
    st.sampled_from(PROFILES),
    st.booleans(),
    st.sampled_from([64, 128, 1024]),
    st.integers(0, 65535),
    st.lists(st.tuples(STEPS, HEADERS), max_size=60),
)
def test_what_leaves_is_what_pylibsrtp_sends(
    profile: Profile,
    repeats: bool,
    window: int,
    sequence: int,
    steps: list[tuple[int, tuple[int, int | None, bytes]]],
) -> None:
    """Across roll-overs, out of order, again and too late: the same bytes, the same refusals."""
    ours = Srtp(profile, keys(profile), outbound=True, window=window, repeats=repeats)
    policy = Policy(key=keys(profile), ssrc_type=Policy.SSRC_ANY_OUTBOUND, srtp_profile=int(profile))
    policy.window_size, policy.allow_repeat_tx = window, repeats
    theirs = Session(policy)
    for step, header in steps:
        sequence = (sequence + step) % 65536
        packet = with_header(sequence, *header)
        try:
            expected = theirs.protect(packet)
        except Error:
            with pytest.raises(ReplayError):
                ours.protect(packet)
        else:
            assert ours.protect(packet) == expected


@pytest.mark.parametrize("profile", PROFILES, ids=lambda profile: profile.name)
def test_headers_longer_than_their_packet(profile: Profile) -> None:
    outbound, inbound = pair(profile)
    whole = with_header(1, 2, 1, b"")
    for size in range(len(whole)):
        with pytest.raises(ValueError, match="SRTP"):
            outbound.protect(whole[:size])
    assert outbound.stats()["malformed"] == len(whole)
    assert inbound.unprotect(outbound.protect(whole)) == whole  # no number was used up


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(PROFILES), st.integers(0, 65535), st.binary(max_size=1400))
def test_round_trip(profile: Profile, sequence: int, payload: bytes) -> None:
    outbound, inbound = pair(profile)
    assert inbound.unprotect(outbound.protect(rtp(sequence, payload))) == rtp(sequence, payload)


@settings(max_examples=300, deadline=None)
@given(st.integers(0, 2**32 - 1), st.data())
def test_no_damage_passes(seed: int, data: st.DataObject) -> None:
    outbound, inbound = pair()
    packet = bytearray(outbound.protect(rtp(1, random.Random(seed).randbytes(100))))
    at = data.draw(st.integers(0, len(packet) - 1))
    packet[at] ^= 1 << data.draw(st.integers(0, 7))
    with pytest.raises((AuthenticationError, ValueError)):
        inbound.unprotect(packet)
    assert inbound.stats()["packets"] == 0


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=200), st.booleans())
def test_any_bytes(data: bytes, first_fits: bool) -> None:
    _, inbound = pair()
    if first_fits:
        data = b"\x80" + data
    for function in (inbound.unprotect, inbound.unprotect_rtcp):
        with pytest.raises((AuthenticationError, ValueError)):
            function(data)
    assert inbound.stats()["streams"] == 0


def test_replayed_and_too_old() -> None:
    outbound, inbound = pair(window=64)
    packets = [outbound.protect(rtp(sequence)) for sequence in range(200)]
    inbound.unprotect(packets[0])
    inbound.unprotect(packets[199])
    inbound.unprotect(packets[150])  # within the window
    for again in (packets[199], packets[150], packets[0], packets[100]):
        with pytest.raises(ReplayError):
            inbound.unprotect(again)
    stats = inbound.stats()
    assert (stats["packets"], stats["replayed"], stats["old"], stats["streams"]) == (3, 2, 2, 1)


def test_rollover_counter() -> None:
    outbound, inbound = pair()
    for turn in range(3):
        for sequence in range(0, 65536, 4096):
            inbound.unprotect(outbound.protect(rtp(sequence)))
        assert inbound.rollover(SSRC) == outbound.rollover(SSRC) == turn
    with pytest.raises(ValueError, match="stream 7"):
        inbound.rollover(7)


def test_streams_are_added_and_removed() -> None:
    outbound, inbound = pair()
    outbound.add_stream(5)
    with pytest.raises(ValueError, match="stream 5"):
        outbound.add_stream(5)
    packets = [outbound.protect(rtp(sequence, ssrc=5)) for sequence in (9, 10)]
    assert inbound.unprotect(packets[0]) == rtp(9, ssrc=5)
    inbound.remove_stream(5)
    with pytest.raises(ValueError, match="stream 5"):
        inbound.remove_stream(5)
    assert inbound.unprotect(packets[0]) == rtp(9, ssrc=5), "its replay window went with it"
    outbound.remove_stream(5)
    with pytest.raises(ConnectionError):
        outbound.protect(rtp(9, ssrc=5))
    with pytest.raises(ValueError, match="stream 5"):
        outbound.remove_stream(5)
    assert outbound.protect(rtp(1, ssrc=6))


def test_a_flood_of_streams_is_bounded() -> None:
    outbound = Srtp(7, keys(Profile.AEAD_AES_128_GCM), outbound=True, max_streams=1000)
    inbound = Srtp(7, keys(Profile.AEAD_AES_128_GCM), outbound=False, max_streams=10)
    inbound.unprotect(outbound.protect(rtp(1)))
    for ssrc in range(900):
        inbound.unprotect(outbound.protect(rtp(1, ssrc=ssrc)))
        inbound.unprotect(outbound.protect(rtp(2 + ssrc)))
    stats = inbound.stats()
    assert (stats["streams"], stats["evicted"]) == (10, 891)
    assert inbound.rollover(SSRC) == 0, "the one in use was kept"
    for ssrc in range(2000, 2000 + 1000 - outbound.stats()["streams"]):
        outbound.protect(rtp(1, ssrc=ssrc))
    with pytest.raises(BlockingIOError):
        outbound.protect(rtp(1, ssrc=5000))


def test_retransmission_in_place_needs_leave() -> None:
    strict, _ = pair()
    strict.protect(rtp(1))
    with pytest.raises(ConnectionError):
        strict.protect(rtp(1))
    lax = Srtp(7, keys(Profile.AEAD_AES_128_GCM), outbound=True, repeats=True)
    assert lax.protect(rtp(1)) == lax.protect(rtp(1))
    strict.add_stream(5, window=1024, repeats=True)
    again = strict.protect(rtp(1, ssrc=5))
    for sequence in range(2, 1000):
        strict.protect(rtp(sequence, ssrc=5))
    assert strict.protect(rtp(1, ssrc=5)) == again


@pytest.mark.parametrize("make", [bytes, bytearray, memoryview, lambda data: np.frombuffer(data, np.uint8)])
def test_any_buffer(make: Callable[[bytes], object]) -> None:
    outbound, inbound = pair()
    protected = outbound.protect(make(rtp(1)))  # type: ignore[arg-type]
    assert inbound.unprotect(make(protected)) == rtp(1)  # type: ignore[arg-type]


def test_into_memory_of_the_caller() -> None:
    outbound, inbound = pair()
    for packet in (rtp(1), rtcp()):
        memory = bytearray(packet + bytes(TRAILER))
        size = outbound.protect_into(memoryview(memory)[: len(packet)], memory)  # in place
        assert size > len(packet)
        out = np.zeros(size, np.uint8)
        plain = inbound.unprotect_into(memoryview(memory)[:size], out)
        assert out[:plain].tobytes() == packet
    with pytest.raises(ValueError, match="needs"):
        outbound.protect_into(rtp(2), bytearray(len(rtp(2))))
    with pytest.raises(BufferError):
        outbound.protect_into(rtp(2), bytes(100))


def lay_out(packets: list[bytes], slot: int) -> tuple[bytearray, np.ndarray, np.ndarray]:
    memory = bytearray(slot * len(packets))
    for index, packet in enumerate(packets):
        memory[index * slot : index * slot + len(packet)] = packet
    offsets = (np.arange(len(packets)) * slot).astype(np.uint32)
    return memory, offsets, np.array([len(packet) for packet in packets], np.uint32)


@pytest.mark.parametrize("profile", PROFILES, ids=lambda profile: profile.name)
def test_batch(profile: Profile) -> None:
    outbound, inbound = pair(profile)
    single = Srtp(profile, keys(profile), outbound=True)
    packets = [rtp(sequence, bytes(sequence)) if sequence % 10 else rtcp(7) for sequence in range(100)]
    memory, offsets, sizes = lay_out(packets, 200)
    status = outbound.protect_batch(memory, offsets, sizes)
    assert status.dtype == np.uint8
    assert not status.any()
    for index, packet in enumerate(packets):
        function = single.protect if index % 10 else single.protect_rtcp
        assert memory[index * 200 : index * 200 + sizes[index]] == function(packet)
    memory[5 * 200 + 20] ^= 1  # one is damaged,
    memory[7 * 200 : 7 * 200 + 200] = memory[6 * 200 : 6 * 200 + 200]  # one came twice,
    sizes[7] = sizes[6]
    sizes[8] = 3  # and one was cut off
    status = inbound.unprotect_batch(memory, offsets, sizes)
    expected = np.zeros(100, np.uint8)
    expected[5], expected[7], expected[8] = Status.UNAUTHENTICATED, Status.REPLAYED, Status.MALFORMED
    assert status.tolist() == expected.tolist()
    for index in np.flatnonzero(status == Status.OK):
        assert memory[index * 200 : index * 200 + sizes[index]] == packets[index]


def test_batch_without_room() -> None:
    outbound, _ = pair()
    packet = rtp(1)
    memory, offsets, sizes = lay_out([packet, rtp(2)], len(packet))
    assert outbound.protect_batch(memory, offsets, sizes).tolist() == [Status.TOO_LARGE] * 2
    assert sizes.tolist() == [len(packet)] * 2
    with pytest.raises(ValueError, match="overlaps"):
        outbound.protect_batch(memory, offsets, sizes + np.uint32(1))
    with pytest.raises(ValueError, match="memory"):
        outbound.protect_batch(memory, offsets + np.uint32(40), sizes)
    with pytest.raises(ValueError, match="sizes"):
        outbound.protect_batch(memory, offsets, sizes[:1])
    with pytest.raises(ValueError, match="empty"):
        outbound.protect_batch(bytearray(), offsets, sizes)
    assert outbound.protect_batch(memory, offsets[:0], sizes[:0]).shape == (0,)


def test_batches_release_the_gil() -> None:
    """Another thread gets to run while a long batch is in work."""
    outbound, _ = pair()
    memory, offsets, sizes = lay_out([rtp(sequence, bytes(1100)) for sequence in range(20000)], 1200)
    ticks, stop = [], threading.Event()

    def tick() -> None:
        while not stop.is_set():
            ticks.append(0)

    thread = threading.Thread(target=tick)
    thread.start()
    try:
        while not ticks:
            pass
        before = len(ticks)
        assert not outbound.protect_batch(memory, offsets, sizes).any()
        during = len(ticks) - before
    finally:
        stop.set()
        thread.join()
    assert during > 100


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({"profile": 3}, "3 is not a valid"),
        ({"keys": bytes(5)}, "keys must be 28 bytes"),
        ({"window": 10}, "window"),
        ({"max_streams": 0}, "max_streams"),
    ],
)
def test_wrong_arguments(arguments: dict[str, object], error: str) -> None:
    given: dict[str, object] = {"profile": 7, "keys": bytes(28), "outbound": True} | arguments
    profile, key = given.pop("profile"), given.pop("keys")
    with pytest.raises(ValueError, match=error):
        Srtp(profile, key, **given)  # type: ignore[arg-type]


def test_a_session_has_one_direction() -> None:
    outbound, inbound = pair()
    for function in (inbound.protect, inbound.protect_rtcp, outbound.unprotect, outbound.unprotect_rtcp):
        with pytest.raises(ValueError, match="only"):
            function(rtp(1))


def test_pylibsrtp_refuses_what_we_refuse() -> None:
    theirs = reference(Profile.AEAD_AES_128_GCM, False)
    _, ours = pair()
    for data in (b"", b"\x80", rtp(1), b"\x00" * 40):
        with pytest.raises(Error):
            theirs.unprotect(data)
        with pytest.raises((AuthenticationError, ValueError)):
            ours.unprotect(data)
