"""Carries descriptions and candidates between an `rtcore.PeerConnection` and a `RemoteConnection`.

Only 127.0.0.1 goes through, whatever other addresses the machine has: every path is the loopback interface.
"""

import asyncio

import rtcore
from rtcore.connection import CandidateEvent

from .process import RemoteConnection

ADDRESS = "127.0.0.1"


def loopback_only(sdp: str) -> str:
    """The description without candidates of other addresses than 127.0.0.1."""
    lines = sdp.splitlines()
    kept = (line for line in lines if not line.startswith("a=candidate:") or f" {ADDRESS} " in line)
    return "\r\n".join(kept) + "\r\n"


def offer(sdp: str) -> rtcore.SessionDescription:
    return rtcore.SessionDescription("offer", loopback_only(sdp))


def answer(sdp: str) -> rtcore.SessionDescription:
    return rtcore.SessionDescription("answer", loopback_only(sdp))


async def local_sdp(pc: rtcore.PeerConnection, gather: bool) -> str:
    """Sets the local description that is due, and returns it."""
    await pc.set_local_description()
    if gather:
        await pc.gathered()
    assert pc.local_description is not None
    return loopback_only(pc.local_description.sdp)


async def offer_to(remote: RemoteConnection, pc: rtcore.PeerConnection, *, gather: bool = True) -> None:
    """We offer, the other side answers."""
    answered = await remote.answer(await local_sdp(pc, gather), gather=gather)
    await pc.set_remote_description(answer(answered))


async def answer_to(
    remote: RemoteConnection, pc: rtcore.PeerConnection, *, gather: bool = True, restart: bool = False
) -> None:
    """The other side offers, we answer."""
    offered = await remote.offer(gather=gather, restart=restart)
    await pc.set_remote_description(offer(offered))
    await remote.accept(await local_sdp(pc, gather))


async def trickle(pc: rtcore.PeerConnection, remote: RemoteConnection) -> None:
    """Carries all candidates, both ways; both descriptions are set already."""
    async with asyncio.TaskGroup() as group:
        group.create_task(_candidates_there(pc, remote))
        group.create_task(_candidates_here(remote, pc))


async def _candidates_there(pc: rtcore.PeerConnection, remote: RemoteConnection) -> None:
    async for event in pc.events():
        if not isinstance(event, CandidateEvent):
            continue
        if event.candidate is None:
            await remote.add_candidate(None)
            return
        if event.candidate.address == ADDRESS:
            await remote.add_candidate(event.to_dict())


async def _candidates_here(remote: RemoteConnection, pc: rtcore.PeerConnection) -> None:
    async for candidate in remote.candidate_events():
        if f" {ADDRESS} " in candidate["candidate"]:
            await pc.add_ice_candidate(candidate)
    await pc.add_ice_candidate(None)
