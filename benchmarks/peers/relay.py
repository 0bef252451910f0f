"""A bad network between two peers on one machine: a UDP relay that loses, delays and reorders.

Each end is told the relay's address in the place of the other's candidates:

    us  ->  relay.ours    relay.theirs  ->  them
    us  <-  relay.ours    relay.theirs  <-  them
"""

from __future__ import annotations

import asyncio
import random
import re
from types import TracebackType

from .signaling import ADDRESS

Address = tuple[str, int]


class Relay:
    """`async with Relay(loss=0.05) as relay:` `loss`: share of datagrams lost each way; `delay` and `jitter`:
    seconds, each way; jitter reorders. Change them at any time."""

    def __init__(self, *, loss: float = 0.0, delay: float = 0.0, jitter: float = 0.0, seed: int = 1) -> None:
        self.loss, self.delay, self.jitter = loss, delay, jitter
        self.passed = self.lost = 0
        self._random = random.Random(seed)
        self._ours, self._theirs = Side(self), Side(self)
        self._ours.other, self._theirs.other = self._theirs, self._ours

    async def __aenter__(self) -> Relay:
        loop = asyncio.get_running_loop()
        for side in (self._ours, self._theirs):
            await loop.create_datagram_endpoint(lambda side=side: side, local_addr=(ADDRESS, 0))  # type: ignore[misc]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for side in (self._ours, self._theirs):
            side.transport.close()

    def to_them(self, sdp: str) -> str:
        """Our description, as they get it."""
        return self._theirs.replace(sdp, self._ours)

    def to_us(self, sdp: str) -> str:
        """Their description, as we get it."""
        return self._ours.replace(sdp, self._theirs)

    def forward(self, data: bytes, side: Side) -> None:
        """To the peer of `side`, with luck."""
        if side.peer is None:
            return
        if self._random.random() < self.loss:
            self.lost += 1
            return
        self.passed += 1
        wait = self.delay + self.jitter * self._random.random()
        if wait:
            asyncio.get_running_loop().call_later(wait, side.send, data, side.peer)
        else:
            side.send(data, side.peer)


class Side(asyncio.DatagramProtocol):
    """One socket of the relay, and the peer that it talks to."""

    other: Side
    transport: asyncio.DatagramTransport

    def __init__(self, relay: Relay) -> None:
        self.relay = relay
        self.peer: Address | None = None

    def connection_made(self, transport: asyncio.DatagramTransport) -> None:  # type: ignore[override]
        self.transport = transport

    def datagram_received(self, data: bytes, addr: Address) -> None:
        self.peer = addr  # a browser has several sockets; it goes on with the one that works
        self.relay.forward(data, self.other)

    def send(self, data: bytes, to: Address) -> None:
        if not self.transport.is_closing():
            self.transport.sendto(data, to)

    def replace(self, sdp: str, behind: Side) -> str:
        """The UDP candidates of a description lead here; the first of them is who stands `behind`."""
        host, port = self.transport.get_extra_info("sockname")
        pattern = re.compile(r"^(a=candidate:\S+ 1 udp \d+) (127\.0\.0\.1) (\d+)", re.M | re.I)
        first = pattern.search(sdp)
        assert first, "no candidate on the loopback address"
        behind.peer = (first[2], int(first[3]))
        lines = []
        for line in sdp.splitlines():
            if not line.startswith("a=candidate:"):
                lines.append(line)
            elif line.split()[4:6] == [first[2], first[3]]:
                lines.append(pattern.sub(rf"\1 {host} {port}", line))
        return "\r\n".join(lines) + "\r\n"
