"""The worker as Python sees it, and the sockets that its peers share; peers are in rtcore.native.worker."""

from typing import Self, final

@final
class Worker:
    """Sockets and peers, with a thread of their own (`threaded`) or driven by whoever calls `run()`.

    Watch `fileno()` for reading and call `run()` each time it is readable; both kinds want the same. Where
    there is no epoll (or with `poll`), no descriptor can stand for many, and the worker is always threaded:
    see the property. `mmsg`, `gso`, `gro` false: without those ways of the kernel to move many datagrams per
    call. `OSError` when the system gives no descriptors or thread.

    May be used by several threads; `run()` belongs to one of them. Not across `fork()`.
    """

    def __init__(
        self,
        *,
        threaded: bool = False,
        poll: bool = False,
        mmsg: bool = True,
        gso: bool = True,
        gro: bool = True,
        socket_buffer: int = 4 * 1024 * 1024,
    ) -> None: ...
    @property
    def threaded(self) -> bool:
        """Whether a thread of the worker's own moves the packets."""
    @property
    def closed(self) -> bool: ...
    def fileno(self) -> int:
        """The descriptor to watch; -1 when closed."""
    def run(self) -> int:
        """If driven, one iteration or a few, then the waiting events to their handlers; returns how many.

        An exception of a handler goes to `sys.unraisablehook`; `KeyboardInterrupt` and `SystemExit` pass, and
        the next `run()` goes on where this one ended. After 1,024 events the descriptor is left readable for
        the rest.
        """
    def timeout(self) -> float | None:
        """Driven: seconds until `run()` is due without traffic; None: no timer. Only needed where `fileno()`
        does not signal timers (`timer_in_fd` is False)."""
    @property
    def timer_in_fd(self) -> bool:
        """Whether `fileno()` turns readable when a timer is due (else call `run()` after `timeout()`)."""
    def bind(self, host: str, port: int = 0, *, port_range: tuple[int, int] | None = None) -> Endpoint:
        """A shared UDP socket for many peers; `host` is numeric, "0.0.0.0" and "::" too.

        `port` 0: any of `port_range` (both ends included), else the system's choice. `OSError` as from
        `socket.bind`, `ValueError` for what is not an address or a port.
        """
    def stats(self) -> dict[str, int | bool]:
        """Counters since the worker began: datagrams_received, datagrams_sent, bytes_received, bytes_sent,
        receive_calls, send_calls (system calls), gso_runs, gro_runs, unroutable, send_errors, send_blocked,
        receive_errors, iterations, wakeups; now: peers, sockets; in use: gso, gro, mmsg, epoll, threaded
        (bool). `ConnectionError` when closed."""
    def __enter__(self) -> Self: ...
    def __exit__(self, *error: object) -> None: ...
    def close(self) -> None:
        """Closes all peers (their good-byes are sent) and sockets. Idempotent."""

@final
class Endpoint:
    """A UDP socket that several peers of one worker share. Made by `Worker.bind()`."""

    @property
    def address(self) -> tuple[str, int]:
        """(host, port), as bound."""
    def close(self) -> None:
        """Closes the socket; `ConnectionError` while peers use it. Idempotent, and done by the worker's
        close."""
