"""An `rtcore.PeerConnection` connected to a peer: what the interoperability tests are written with."""

from __future__ import annotations

import asyncio
import hashlib
import os
import re
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import rtcore

from . import signaling
from .process import Remote, RemoteChannel, RemoteConnection
from .stacks import Stack

Pair = tuple[rtcore.DataChannel, RemoteChannel]

MESSAGE = 64 << 10
LARGEST = 256 << 10


class Session:
    """A `PeerConnection` here and one over there, about to be connected."""

    def __init__(self, stack: Stack, pc: rtcore.PeerConnection, remote: RemoteConnection) -> None:
        self.stack, self.pc, self.remote = stack, pc, remote
        self._arrived: dict[str, asyncio.Future[rtcore.DataChannel]] = {}
        pc.on("datachannel", lambda channel: self._arrival(channel.label).set_result(channel))

    @property
    def largest(self) -> int:
        """Bytes of the largest message to try: what the other side takes, up to 256 KiB. Where its
        description says nothing, as before RFC 8841, what fits 16 bits."""
        assert self.pc.remote_description is not None
        said = re.search(r"^a=max-message-size:(\d+)", self.pc.remote_description.sdp, re.M)
        return min(int(said[1]) if said else 0xFFFF, LARGEST) or LARGEST

    def _arrival(self, label: str) -> asyncio.Future[rtcore.DataChannel]:
        return self._arrived.setdefault(label, asyncio.get_running_loop().create_future())

    async def arrived(self, label: str) -> rtcore.DataChannel:
        """The channel with this label that the other side made."""
        return await self._arrival(label)

    async def offer(self, *, gather: bool = True) -> None:
        await signaling.offer_to(self.remote, self.pc, gather=gather)

    async def answer(self, *, gather: bool = True, restart: bool = False) -> None:
        await signaling.answer_to(self.remote, self.pc, gather=gather, restart=restart)

    async def connect(
        self, by: str = "us", label: str = "first", *, mode: str = "report", trickle: bool = False
    ) -> Pair:
        """Connects with a first channel, made by who offers: "us" or "them"."""
        if by == "us":
            ours = self.pc.create_data_channel(label)
            await self.offer(gather=not trickle)
        else:
            theirs = await self.remote.channel(label, mode=mode)
            await self.answer(gather=not trickle)
        if trickle:
            await signaling.trickle(self.pc, self.remote)
        if by == "us":
            await ours.opened()
            theirs = await self.remote.arrived(label)
            await theirs.mode(mode)
        else:
            ours = await self.arrived(label)
            await theirs.open()
        return ours, theirs

    async def channel(self, by: str, label: str, *, mode: str = "report", **options: Any) -> Pair:
        """One more channel, of W3C `options` by their names in JavaScript."""
        if by == "us":
            names = {"maxRetransmits": "max_retransmits", "maxPacketLifeTime": "max_packet_life_time"}
            ours = self.pc.create_data_channel(
                label, **{names.get(name, name): value for name, value in options.items()}
            )
            await ours.opened()
            theirs = await self.remote.arrived(label)
            await theirs.mode(mode)
        else:
            theirs = await self.remote.channel(label, mode=mode, **options)
            ours = await self.arrived(label)
            await theirs.open()
        return ours, theirs


Open = Callable[..., AbstractAsyncContextManager[Session]]


@asynccontextmanager
async def session_with(remote: Remote, *, incoming: str = "report", **options: Any) -> AsyncIterator[Session]:
    """Both ends, closed afterwards. `options` are those of `PeerConnection`."""
    if "endpoints" not in options:
        options["interfaces"] = [signaling.ADDRESS]
    async with rtcore.PeerConnection(**options) as pc:
        connection = await remote.open(incoming=incoming)
        try:
            yield Session(remote.stack, pc, connection)
        finally:
            if remote.alive:
                await connection.close()


async def pour(channel: rtcore.DataChannel, total: int) -> str:
    """Sends `total` random bytes; returns their SHA-256."""
    digest = hashlib.sha256()
    for sent in range(0, total, MESSAGE):
        message = os.urandom(min(MESSAGE, total - sent))
        digest.update(message)
        await channel.send(message)
    return digest.hexdigest()


async def collect(channel: rtcore.DataChannel, total: int) -> str:
    """Takes `total` bytes; returns their SHA-256."""
    digest, taken = hashlib.sha256(), 0
    while taken < total:
        message = await channel.receive()
        assert isinstance(message, bytes)
        digest.update(message)
        taken += len(message)
    assert taken == total
    return digest.hexdigest()
