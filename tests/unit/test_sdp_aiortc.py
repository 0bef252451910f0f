"""The same offers and answers as aiortc understands them, both ways (another implementation of RFC 9429)."""

import asyncio

import pytest
from aiortc import RTCPeerConnection, RTCSessionDescription
from aiortc.mediastreams import AudioStreamTrack, VideoStreamTrack

from rtcore.sdp import Negotiation, SessionDescription
from sdp_sides import known, sections, side

TRACKS = {"audio": AudioStreamTrack, "video": VideoStreamTrack}
COMMON = {"opus", "PCMU", "PCMA", "G722", "VP8", "H264"}


def ours(*kinds: str, data: bool = False) -> Negotiation:
    negotiation = side(1)
    for kind in kinds:
        negotiation.add_track(kind, f"our-{kind}", ["stream"])
    if data:
        negotiation.want_data()
    return negotiation


async def their_answer(peer: RTCPeerConnection, offer: SessionDescription) -> SessionDescription:
    await peer.setRemoteDescription(RTCSessionDescription(sdp=offer.sdp, type="offer"))
    await peer.setLocalDescription(await peer.createAnswer())
    return SessionDescription("answer", peer.localDescription.sdp)


async def their_offer(peer: RTCPeerConnection) -> SessionDescription:
    await peer.setLocalDescription(await peer.createOffer())
    return SessionDescription("offer", peer.localDescription.sdp)


def compare(negotiation: Negotiation, peer: RTCPeerConnection) -> None:
    """Section by section: direction, codecs with their numbers, feedback, header extensions, SSRCs."""
    theirs = {transceiver.mid: transceiver for transceiver in peer.getTransceivers()}
    assert set(theirs) == {section.mid for section in sections(negotiation)}
    for section in sections(negotiation):
        transceiver = theirs[section.mid]
        reversed_direction = {"sendonly": "recvonly", "recvonly": "sendonly"}
        assert transceiver.kind == section.kind
        assert transceiver.currentDirection == reversed_direction.get(section.direction, section.direction)
        primary = [codec for codec in transceiver._codecs if codec.name.lower() != "rtx"]
        repairs = {c.parameters["apt"]: c.payloadType for c in transceiver._codecs if c.name.lower() == "rtx"}
        assert {(f.payload_type, f.codec.name) for f in section.formats} == {
            (codec.payloadType, codec.name) for codec in primary
        }
        assert {codec.name for codec in primary} <= COMMON
        for format in section.formats:
            assert format.rtx_payload_type == repairs.get(format.payload_type)
        assert dict(section.extensions) == {e.uri: e.id for e in transceiver._headerExtensions}
        if section.receive:
            sender = transceiver.sender
            ((ssrc, rtx),) = section.sources
            assert ssrc == sender._ssrc
            assert rtx == (sender._rtx_ssrc if repairs else None)


@pytest.mark.parametrize("data", [False, True])
@pytest.mark.parametrize("kinds", [("audio",), ("video",), ("audio", "video"), ("video", "video", "audio")])
@pytest.mark.parametrize("answered", [(), ("audio",), ("audio", "video")])
def test_our_offer(kinds: tuple[str, ...], answered: tuple[str, ...], data: bool) -> None:
    answered = tuple(kind for kind in answered if kind in kinds)  # aiortc fails to answer with others

    async def main() -> None:
        peer = RTCPeerConnection()
        for kind in answered:
            peer.addTrack(TRACKS[kind]())
        negotiation = ours(*kinds, data=data)
        negotiation.set_local()
        negotiation.set_remote(await their_answer(peer, known(negotiation.local)))
        compare(negotiation, peer)
        assert negotiation.agreement is not None
        assert (negotiation.agreement.sctp_port is not None) is data
        await peer.close()

    asyncio.run(main())


@pytest.mark.parametrize("data", [False, True])
@pytest.mark.parametrize("kinds", [("audio",), ("video",), ("audio", "video"), ("video", "video", "audio")])
@pytest.mark.parametrize("answered", [(), ("video",), ("audio", "video")])
def test_their_offer(kinds: tuple[str, ...], answered: tuple[str, ...], data: bool) -> None:
    async def main() -> None:
        peer = RTCPeerConnection()
        for kind in kinds:
            peer.addTrack(TRACKS[kind]())
        if data:
            peer.createDataChannel("channel")
        negotiation = ours(*answered)
        changes = negotiation.set_remote(await their_offer(peer))
        assert [one.kind for one in changes.received] == list(kinds)
        negotiation.set_local()
        answer = known(negotiation.local)
        await peer.setRemoteDescription(RTCSessionDescription(sdp=answer.sdp, type="answer"))
        compare(negotiation, peer)
        await peer.close()

    asyncio.run(main())


def test_one_offer_after_the_other() -> None:
    async def main() -> None:
        peer = RTCPeerConnection()
        peer.addTrack(AudioStreamTrack())
        negotiation = ours("audio")
        negotiation.set_remote(await their_offer(peer))
        negotiation.set_local()
        answer = known(negotiation.local)
        await peer.setRemoteDescription(RTCSessionDescription(sdp=answer.sdp, type="answer"))
        negotiation.add_track("video", "late", ["stream"])
        negotiation.set_direction(negotiation.transceivers[0], "sendonly")
        assert negotiation.needs_negotiation
        negotiation.set_local()
        changes = negotiation.set_remote(await their_answer(peer, known(negotiation.local)))
        compare(negotiation, peer)
        assert changes.muted == [negotiation.transceivers[0]]
        peer.addTrack(VideoStreamTrack())
        negotiation.set_remote(await their_offer(peer))
        negotiation.set_local()
        answer = known(negotiation.local)
        await peer.setRemoteDescription(RTCSessionDescription(sdp=answer.sdp, type="answer"))
        compare(negotiation, peer)
        assert not negotiation.needs_negotiation
        await peer.close()

    asyncio.run(main())
