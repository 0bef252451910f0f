"""ICE: candidates as values, and the agent (RFC 8445) sans-IO."""

from collections.abc import Iterable
from typing import Any, Literal, TypeAlias, final

from typing_extensions import Buffer

Address: TypeAlias = tuple[str, int] | tuple[str, int, int, int]
Event: TypeAlias = (
    tuple[Literal["candidate"], Candidate]
    | tuple[Literal["gathering", "state"], str]
    | tuple[Literal["selected"], tuple[int, Address] | None]
    | tuple[Literal["role"], bool]
    | tuple[Literal["candidate_error"], tuple[int, int, str]]
)

@final
class Candidate:
    """One ICE candidate, immutable, with the fields of RFC 8839 section 5.1 and the W3C's RTCIceCandidate.

    `address` is numeric in canonical form, or a host name (`is_mdns` tells names of RFC 8828). `extensions`
    holds the attributes that have no field of their own, as (name, value) pairs in their order.
    `ValueError` for anything that the grammar does not allow, `TypeError` for the wrong Python type.
    """

    def __init__(
        self,
        foundation: str,
        component: int,
        transport: str,
        priority: int,
        address: str,
        port: int,
        type: str,
        *,
        related_address: str | None = None,
        related_port: int | None = None,
        tcp_type: str | None = None,
        generation: int | None = None,
        ufrag: str | None = None,
        extensions: Iterable[tuple[str, str]] = (),
    ) -> None: ...
    @staticmethod
    def from_sdp(text: str) -> Candidate:
        """Parses "candidate:...", with or without "a=" before or the trailing end of line.

        Unknown extension attributes are kept; host names are accepted (RFC 8839 section 5.1).
        """
    def to_sdp(self) -> str:
        """The value of an a=candidate line, beginning with "candidate:"."""
    @property
    def foundation(self) -> str: ...
    @property
    def component(self) -> int: ...
    @property
    def transport(self) -> str:
        """'udp' or 'tcp'."""
    @property
    def protocol(self) -> str:
        """The same as `transport`, under the W3C's name."""
    @property
    def priority(self) -> int: ...
    @property
    def address(self) -> str: ...
    @property
    def ip(self) -> str:
        """The same as `address`."""
    @property
    def port(self) -> int: ...
    @property
    def type(self) -> str:
        """'host', 'srflx', 'prflx' or 'relay'."""
    @property
    def related_address(self) -> str | None: ...
    @property
    def related_port(self) -> int | None: ...
    @property
    def tcp_type(self) -> str | None:
        """'active', 'passive' or 'so' (RFC 6544); None for UDP."""
    @property
    def generation(self) -> int | None: ...
    @property
    def ufrag(self) -> str | None: ...
    @property
    def extensions(self) -> tuple[tuple[str, str], ...]: ...
    @property
    def is_mdns(self) -> bool:
        """Whether the address is a multicast DNS name, which hides a host's address."""
    @property
    def is_numeric(self) -> bool:
        """Whether the address is an IP address rather than a name."""
    def __eq__(self, other: object) -> bool: ...
    def __hash__(self) -> int: ...

@final
class Agent:
    """A full or lite ICE agent for one component, sans-IO.

    `socket` is a number of the caller's for each of his sockets; addresses are as `socket.recvfrom()` gives
    them. `now` is in seconds on any monotonic clock. After each call, drain `transmit()` and `events()`;
    call `expire()` when `deadline` has come. Not thread-safe.
    """

    def __init__(
        self,
        *,
        controlling: bool = True,
        lite: bool = False,
        max_pairs: int = 100,
        max_remote_candidates: int = 64,
        pacing: float = 0.05,
        rto: float = 0.5,
        keepalive_interval: float = 5.0,
        disconnected_timeout: float = 5.0,
        failed_timeout: float = 30.0,
        candidates_timeout: float = 15.0,
        seed: int | None = None,
    ) -> None:
        """Times in seconds. `seed` makes credentials and timing the same each time: for tests alone."""
    @property
    def local_ufrag(self) -> str:
        """The user name fragment for the peer, until the next restart."""
    @property
    def local_pwd(self) -> str:
        """The password for the peer, until the next restart."""
    @property
    def controlling(self) -> bool:
        """The role; assign before the remote credentials are set, later only a conflict changes it.

        `ConnectionError` when it is too late, `ValueError` for a controlling lite agent.
        """
    @controlling.setter
    def controlling(self, value: bool) -> None: ...
    def set_remote_lite(self, lite: bool = True) -> None:
        """The peer is ICE-lite: it never checks, and this agent takes the controlling role."""
    def add_host(self, socket: int, address: Address, now: float, *, preference: int = 65535) -> None:
        """A socket of the caller's, bound to `address`. The higher `preference` (0 to 65535), the better.

        `ValueError` when the address cannot be a candidate or was added before, `BlockingIOError` beyond 64.
        """
    def add_server(self, server: int, address: Address, now: float) -> None:
        """A STUN server with a number of the caller's, at a numeric `address`.

        `ValueError` when the address is none or was added before, `BlockingIOError` beyond 16.
        """
    def end_of_local(self, now: float) -> None:
        """No more hosts and servers will come: gathering completes when the servers are done."""
    def set_local_credentials(self, ufrag: str, pwd: str) -> None:
        """Others than those that were drawn: before the first candidate and the remote credentials, then
        `ConnectionError`.

        `ValueError` unless they are 4 to 256 and 22 to 256 letters, digits, + and / (RFC 8839 section 5.4).
        """
    def set_remote_credentials(self, ufrag: str, pwd: str, now: float) -> None:
        """Checks begin with the first credentials; others are the peer's restart.

        `ValueError` unless they are 4 to 256 and 22 to 256 printable characters.
        """
    def add_remote(self, candidate: Candidate, now: float) -> None:
        """A candidate of the peer. TCP ones are kept and not paired.

        `ValueError` when its address is a name or cannot be one, `BlockingIOError` beyond the limit.
        """
    def end_of_remote(self, now: float) -> None:
        """The peer has no more candidates."""
    def restart(self, now: float) -> None:
        """New local credentials and a new check list; data keeps its path until the new one is ready.

        Add the hosts and servers again.
        """
    def receive(self, data: Buffer, source: Address, socket: int, now: float) -> bool:
        """One STUN datagram; True if it was taken, False if it was dropped (and counted)."""
    def transmit(self, now: float) -> list[tuple[bytes, int, Address]]:
        """What to send now, as (datagram, socket, address)."""
    @property
    def deadline(self) -> float | None:
        """When `expire()` is due, on the clock of `now`; None when nothing is waited for."""
    def expire(self, now: float) -> None:
        """The deadline has come."""
    def events(self) -> list[Event]:
        """What happened since the last call, as (name, value).

        "candidate" (`Candidate`), "gathering" and "state" (the new state), "selected" ((socket, address) or
        None), "role" (whether controlling), "candidate_error" ((server, code, text)).
        """
    @property
    def path(self) -> tuple[int, Address] | None:
        """Where data goes now, as (socket, address); None while there is nowhere."""
    def knows(self, source: Address, socket: int) -> bool:
        """Whether data may be accepted from there."""
    def count_data(self, address: Address, socket: int, size: int, now: float, *, sent: bool) -> None:
        """One datagram of `size` bytes of data was sent to or received from `address`: for statistics."""
    @property
    def state(self) -> str:
        """new, checking, connected, completed, disconnected or failed (W3C RTCIceTransportState)."""
    @property
    def gathering_state(self) -> str:
        """new, gathering or complete (W3C RTCIceGathererState)."""
    @property
    def local_candidates(self) -> list[Candidate]:
        """All local candidates of this generation, by their index in `pairs()`."""
    @property
    def remote_candidates(self) -> list[Candidate]:
        """All remote candidates of this generation, by their index in `pairs()`."""
    def pairs(self) -> list[dict[str, Any]]:
        """The check list: one dict per pair, with its state, counters, and times in seconds (or None)."""
    def stats(self) -> dict[str, int]:
        """Counters: datagrams dropped by reason, candidates refused, changes of the selected pair."""
