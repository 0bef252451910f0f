"""Peers in memory behind the contract of `rtcore.native.worker`: for tests of what the connection makes of
events, without packets, timers or luck. Two peers that were told each other's credentials are connected by
the next `run()`; `FakePeer.happens()` makes anything else happen.
"""

import asyncio
import contextlib
import os
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest

import rtcore
from rtcore.connection import driver, media_transport, peer_connection, transport
from rtcore.native.ice import Candidate

BUFFER = 64 * 1024
"""Bytes sent and not yet released by the other end, before `send` refuses."""


class FakeWorker:
    def __init__(self, *, threaded: bool = False, timer_in_fd: bool = True) -> None:
        self.threaded = threaded
        self.timer_in_fd = timer_in_fd
        self.closed = False
        self.peers: dict[str, FakePeer] = {}
        self._events: deque[tuple[FakePeer, str, tuple[Any, ...]]] = deque()
        self._fd = os.eventfd(0, os.EFD_NONBLOCK)

    def fileno(self) -> int:
        return self._fd

    def post(self, peer: "FakePeer", name: str, *values: Any) -> None:
        self._events.append((peer, name, values))
        os.eventfd_write(self._fd, 1)

    def run(self) -> int:
        if self.closed:
            return 0
        try:
            os.eventfd_read(self._fd)
        except BlockingIOError:
            return 0
        done = 0
        while self._events:
            peer, name, values = self._events.popleft()
            if not peer.closed:
                peer.hear(name, *values)
                done += 1
        return done

    def timeout(self) -> float | None:
        return 0.001

    def close(self) -> None:
        if not self.closed:
            self.closed = True
            for peer in list(self.peers.values()):
                peer.closed = True
            os.close(self._fd)


class FakePeer:
    made = 0

    def __init__(self, worker: FakeWorker, handler: Any, certificate: Any, **options: Any) -> None:
        FakePeer.made += 1
        self.number = FakePeer.made
        self.worker = worker
        self.handler = handler
        self.certificate = certificate
        self.options = options
        self.generation = 0
        self.controlling = options.get("controlling", True)
        self.remote_lite = False
        self.role = ""
        self.remote: tuple[str, str] | None = None
        self.remote_candidates: list[Candidate] = []
        self.remote_ended = False
        self.fingerprints: list[tuple[str, bytes]] = []
        self.gathers: list[dict[str, Any]] = []
        self.sctp: tuple[int, int] | None = None
        self.other: FakePeer | None = None
        self.up = False
        self.closed = False
        self.channels: dict[int, dict[str, Any]] = {}
        self.outstanding = 0
        self.refused = False
        self.thresholds: dict[int, int] = {}
        self.receivers: dict[int, Callable[[Any, int], bool] | None] = {}
        self.media: FakeMedia | None = None
        self._register()

    def _register(self) -> None:
        self.local_ufrag = f"fake{self.number}g{self.generation}"
        self.local_pwd = f"passwordof{self.local_ufrag}".ljust(22, "x")
        self.worker.peers[self.local_ufrag] = self

    def happens(self, name: str, *values: Any) -> None:
        self.worker.post(self, name, *values)

    def hear(self, name: str, *values: Any) -> None:
        if name == "on_message":
            self.on_message(*values)
        elif self.media is not None and hasattr(self.media.handler, name):
            getattr(self.media.handler, name)(*values)
        else:
            getattr(self.handler, name)(*values)

    def _command(self) -> None:
        if self.closed:
            raise ConnectionError("the peer is closed")

    # ICE

    def set_controlling(self, controlling: bool) -> None:
        self.controlling = controlling

    def set_remote_lite(self, lite: bool) -> None:
        self.remote_lite = lite

    def gather(self, **options: Any) -> None:
        self._command()
        self.gathers.append(options)
        self.happens("on_gathering_state", "gathering")
        address = f"192.0.2.{self.number % 250 + 1} 4000"
        text = f"candidate:1 1 udp 2130706431 {address} typ host ufrag {self.local_ufrag}"
        self.happens("on_candidate", Candidate.from_sdp(text))
        self.happens("on_gathering_state", "complete")

    def restart_ice(self) -> None:
        self._command()
        self.generation += 1
        self._register()
        self.happens("on_gathering_state", "new")

    def set_remote_credentials(self, ufrag: str, pwd: str) -> None:
        self._command()
        restarted = self.remote is not None and self.remote != (ufrag, pwd)
        self.remote = (ufrag, pwd)
        self.happens("on_ice_state", "checking")
        other = self.worker.peers.get(ufrag)
        if other is None or other.remote is None or other.remote[0] != self.local_ufrag:
            return
        self.other, other.other = other, self
        for one in (self, other):
            one.happens("on_ice_state", "connected")
            if not restarted:
                one.happens("on_dtls_state", "connecting", "")
                one.happens("on_dtls_state", "connected", "")
                one.happens("on_sctp_connected", 65535)
                one.up = True
        for one in (self, other):
            for handle in list(one.channels):
                one._announce(handle)

    def add_remote_candidate(self, candidate: Candidate) -> None:
        self._command()
        self.remote_candidates.append(candidate)

    def end_of_remote_candidates(self) -> None:
        self.remote_ended = True

    # DTLS and SCTP

    def add_fingerprint(self, algorithm: str, digest: bytes) -> None:
        self.fingerprints.append((algorithm, digest))

    def set_dtls_role(self, role: str) -> None:
        assert role in ("client", "server")
        self.role = role

    def start_sctp(self, remote_port: int, remote_max_message_size: int, *, local_port: int) -> None:
        assert self.sctp is None, "once"
        assert local_port == 5000
        self.sctp = (remote_port, remote_max_message_size)

    # Channels

    def open_channel(self, label: str, **options: Any) -> int:
        self._command()
        if self.sctp is None:
            raise ConnectionError("there are no data channels before start_sctp()")
        handle = len(self.channels) + 1 + 1000 * self.number
        if options["id"] is None:
            options["id"] = 2 * len(self.channels) + (self.role == "server")
        elif any(options["id"] == info["id"] for info in self.channels.values()):
            raise ValueError("the id is in use")
        counters = dict.fromkeys(("messages_sent", "messages_received", "bytes_sent", "bytes_received"), 0)
        fixed = {"label": label, "state": "connecting", "incoming": False}
        self.channels[handle] = {**fixed, **options, **counters}
        self._announce(handle)
        return handle

    def _announce(self, handle: int) -> None:
        info = self.channels[handle]
        if not self.up or self.other is None or "peer_handle" in info:
            return
        if info["negotiated"]:
            for handle_there, there in self.other.channels.items():
                if there["negotiated"] and there["id"] == info["id"]:
                    info["peer_handle"], there["peer_handle"] = handle_there, handle
                    self.happens("on_channel_open", handle)
                    self.other.happens("on_channel_open", handle_there)
            return
        twin = len(self.other.channels) + 1 + 1000 * self.other.number
        self.other.channels[twin] = {**info, "incoming": True, "peer_handle": handle}
        info["peer_handle"] = twin
        self.other.happens("on_channel", twin)
        self.happens("on_channel_open", handle)

    def channel_info(self, handle: int) -> dict[str, Any]:
        return self.channels[handle]

    def send(self, handle: int, data: Any) -> bool:
        self._command()
        message = data if isinstance(data, str) else bytes(memoryview(data))
        size = len(message.encode() if isinstance(message, str) else message) or 1
        assert self.sctp is not None
        if self.sctp[1] and size > self.sctp[1]:
            raise ValueError("message too large")
        if self.outstanding and self.outstanding + size > BUFFER:
            self.refused = True
            return False
        self.outstanding += size
        assert self.other is not None
        self.other.happens("on_message", self.channels[handle]["peer_handle"], message, size)
        return True

    def set_receiver(self, handle: int, receiver: Callable[[Any, int], bool] | None) -> None:
        self.receivers[handle] = receiver

    def on_message(self, handle: int, message: bytes | str, charge: int) -> None:
        receiver = self.receivers.get(handle)
        if receiver is None:
            self.handler.on_message(handle, message, charge)
        elif receiver(message, charge) and charge:
            self.release(charge)

    def release(self, size: int) -> None:
        self._command()
        other = self.other
        assert other is not None
        assert 0 < size <= other.outstanding, "released more than was received"
        other.outstanding -= size
        if other.refused and other.outstanding <= BUFFER // 2:
            other.refused = False
            other.happens("on_send_room")

    def buffered_amount(self, handle: int) -> int:
        return self.outstanding

    def set_buffered_amount_low_threshold(self, handle: int, threshold: int) -> None:
        self.thresholds[handle] = threshold

    def close_channel(self, handle: int) -> None:
        self._command()
        info = self.channels[handle]
        if self.other is not None and "peer_handle" in info:
            self.other.happens("on_channel_closing", info["peer_handle"])
            self.other.happens("on_channel_closed", info["peer_handle"], 0, "")
        self.happens("on_channel_closed", handle, 0, "")

    def forget_channel(self, handle: int) -> None:
        del self.channels[handle]
        self.receivers.pop(handle, None)

    # All

    def stats(self) -> dict[str, Any]:
        return {}

    def close(self) -> None:
        if self.closed:
            return
        self.closed = True
        if self.other is not None and not self.other.closed:
            other = self.other
            for handle in list(other.channels):
                other.happens("on_channel_closed", handle, 0, "")
            other.happens("on_dtls_state", "closed", "the other end said good-bye")


class FakeMedia:
    """Remembers what it is told; `happens()` makes anything else happen."""

    def __init__(self, peer: FakePeer, handler: Any, *, cname: str, **options: Any) -> None:
        assert peer.media is None, "once"
        peer.media = self
        self.peer = peer
        self.handler = handler
        self.cname = cname
        self.options = options
        self.sections: dict[int, dict[str, Any]] = {}
        self.receivers: dict[int, Any] = {}
        self.calls: list[tuple[Any, ...]] = []
        self.sent: list[tuple[int, int, Any, float, int]] = []
        self.refuses: set[str] = set()
        """Sections that contradict another, by their mid."""

    def set_section(self, section: int, **settings: Any) -> None:
        self.peer._command()
        if settings["mid"] in self.refuses:
            raise ValueError("an SSRC belongs to another section")
        told = {ssrc for pair in settings["sources"] for ssrc in pair} - {None}
        for index, other in self.sections.items():
            if index != section and not told.isdisjoint(ssrc for pair in other["sources"] for ssrc in pair):
                raise ValueError("a source belongs to another section")
        self.sections[section] = settings

    def remove_section(self, section: int) -> None:
        self.calls.append(("remove_section", section))
        self.sections.pop(section, None)

    def set_receiver(self, section: int, receiver: Any) -> None:
        self.receivers[section] = receiver

    def send(self, section: int, encoding: int, frame: Any, captured: float, *, timestamp: int) -> bool:
        self.peer._command()
        self.sent.append((section, encoding, frame, captured, timestamp))
        return True

    def request_key_frame(self, section: int, encoding: int) -> None:
        self.calls.append(("request_key_frame", section, encoding))

    def set_delay(self, section: int, *, min_delay: float, max_delay: float) -> None:
        self.calls.append(("set_delay", section, min_delay, max_delay))

    def happens(self, name: str, *values: Any) -> None:
        self.peer.worker.post(self.peer, name, *values)

    def stats(self) -> dict[str, Any]:
        return {}


# Connections over them


@contextlib.contextmanager
def installed(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeWorker]:
    """In the place of the real ones; gives one worker."""
    monkeypatch.setattr(driver, "Worker", FakeWorker)
    monkeypatch.setattr(peer_connection, "Worker", FakeWorker)
    monkeypatch.setattr(transport, "Peer", FakePeer)
    monkeypatch.setattr(media_transport, "Media", FakeMedia)
    worker = FakeWorker()
    yield worker
    worker.close()


def peer_of(pc: rtcore.PeerConnection) -> Any:
    return pc._transport.peer


def media_of(pc: rtcore.PeerConnection) -> Any:
    return pc._transport.peer.media


async def exchange(a: rtcore.PeerConnection, b: rtcore.PeerConnection) -> None:
    await a.set_local_description()
    await b.set_remote_description(a.local_description)
    await b.set_local_description()
    await a.set_remote_description(b.local_description)


@contextlib.asynccontextmanager
async def pair(
    worker: Any, **options: Any
) -> AsyncIterator[tuple[rtcore.PeerConnection, rtcore.PeerConnection]]:
    async with (
        rtcore.PeerConnection(worker=worker, **options) as a,
        rtcore.PeerConnection(worker=worker, **options) as b,
    ):
        yield a, b


@contextlib.asynccontextmanager
async def channels(
    worker: Any, **options: Any
) -> AsyncIterator[tuple[rtcore.DataChannel, rtcore.DataChannel]]:
    async with pair(worker, **options) as (a, b):
        one = a.create_data_channel("one")
        arrived: asyncio.Future[rtcore.DataChannel] = asyncio.get_running_loop().create_future()
        b.on("datachannel", arrived.set_result)
        await exchange(a, b)
        await one.opened()
        yield one, await arrived


async def turns(count: int = 5) -> None:
    for _ in range(count):
        await asyncio.sleep(0)
