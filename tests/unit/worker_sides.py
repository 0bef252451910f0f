"""Peers on real workers over loopback, with handlers that remember: for tests of rtcore.native."""

import hashlib
import selectors
import socket
import threading
import time
from collections.abc import Callable
from typing import Any

from rtcore.native.dtls import Certificate
from rtcore.native.ice import Candidate
from rtcore.native.worker import Peer, Worker

KINDS = {
    "driven": {},
    "threaded": {"threaded": True},
    "portable": {"poll": True, "mmsg": False, "gso": False, "gro": False},
}
CERTIFICATE = Certificate.generate()
FINGERPRINT = hashlib.sha256(CERTIFICATE.der).digest()


class Side:
    """One peer with a handler that remembers; events of interest can be waited for."""

    def __init__(self, worker: Worker, *, controlling: bool, **options: Any) -> None:
        self.events: list[tuple[Any, ...]] = []
        self.messages: list[bytes | str] = []
        self.candidates: list[Candidate] = []
        self.other: Side | None = None
        self.wire: Wire | None = None
        self.release = True
        self.controlling = controlling
        self.peer = Peer(worker, self, CERTIFICATE, controlling=controlling, **options)

    def __getattr__(self, name: str) -> Callable[..., None]:
        if not name.startswith("on_"):
            raise AttributeError(name)
        return lambda *arguments: self.events.append((name[3:], *arguments))

    def on_candidate(self, candidate: Candidate) -> None:
        self.candidates.append(candidate)
        if self.other is not None:
            known = self.wire.between(int(not self.controlling), candidate) if self.wire else candidate
            self.other.peer.add_remote_candidate(known)

    def on_message(self, handle: int, data: bytes | str, charge: int) -> None:
        self.messages.append(data)
        if self.release:
            self.peer.release(charge)

    def saw(self, name: str, *arguments: Any) -> bool:
        return any(e[0] == name and e[1 : 1 + len(arguments)] == arguments for e in self.events)

    def handle(self) -> int:
        return int(next(e[1] for e in self.events if e[0] in ("channel", "channel_open")))


def run(workers: list[Worker], until: Callable[[], bool], limit: float = 20) -> None:
    """What an event loop does: waits for the descriptors and calls run()."""
    end = time.monotonic() + limit
    with selectors.DefaultSelector() as selector:
        for worker in workers:
            selector.register(worker.fileno(), selectors.EVENT_READ, worker)
        while not until():
            left = end - time.monotonic()
            assert left > 0, "timed out"
            for key, _ in selector.select(left):
                key.data.run()


def join(a: Side, b: Side, ports: tuple[int, int] = (5000, 5000), **gather: Any) -> None:
    """`ports`: of SCTP, those of `a` and `b`; the rest is told to `a.peer.gather()`."""
    a.other, b.other = b, a
    for one, other, role, own, remote in ((a, b, "client", *ports), (b, a, "server", *reversed(ports))):
        one.peer.add_fingerprint("sha-256", FINGERPRINT)
        one.peer.set_dtls_role(role)
        one.peer.start_sctp(remote, 0, local_port=own)
        one.peer.set_remote_credentials(other.peer.local_ufrag, other.peer.local_pwd)
    a.peer.gather(**gather or {"interfaces": ["127.0.0.1"]})
    b.peer.gather(interfaces=["127.0.0.1"])


class Wire:
    """What lies between two sides on loopback: a datagram for which `keep(datagram, number of its sender)` is
    False gets lost. A context; `join()` the sides within it."""

    def __init__(self, keep: Callable[[bytes, int], bool]) -> None:
        self._keep = keep
        self._sockets = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2)]
        for one in self._sockets:
            one.bind(("127.0.0.1", 0))
        self._targets: list[tuple[str, int] | None] = [None, None]
        self._ended, self._end = socket.socketpair()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> "Wire":
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._end.close()
        self._thread.join()
        for one in (*self._sockets, self._ended):
            one.close()

    def between(self, number: int, candidate: Candidate) -> Candidate:
        """The candidate of side `number` as the other one is to know it."""
        self._targets[number] = (candidate.address, candidate.port)
        port = self._sockets[1 - number].getsockname()[1]
        return Candidate("1", 1, "udp", candidate.priority, "127.0.0.1", port, "host")

    def _run(self) -> None:
        with selectors.DefaultSelector() as selector:
            for number, one in enumerate(self._sockets):
                selector.register(one, selectors.EVENT_READ, number)
            selector.register(self._ended, selectors.EVENT_READ)
            while True:
                for key, _ in selector.select():
                    if key.data is None:
                        return
                    datagram, target = self._sockets[key.data].recv(65536), self._targets[1 - key.data]
                    if target is not None and self._keep(datagram, key.data):
                        self._sockets[1 - key.data].sendto(datagram, target)


def pair(wa: Worker, wb: Worker | None = None, **options: Any) -> tuple[Side, Side]:
    """Two connected sides with a channel between them."""
    wb = wb or wa
    a, b = Side(wa, controlling=True, **options), Side(wb, controlling=False, **options)
    join(a, b)
    a.peer.open_channel("chat")
    run([wa, wb] if wb is not wa else [wa], lambda: a.saw("channel_open") and b.saw("channel"))
    return a, b
