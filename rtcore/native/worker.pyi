"""Peers on a worker: the native core as `rtcore.connection` (and nobody else above) sees it.

A `Worker` owns sockets and peers. Threaded, it runs by itself and `fileno()` turns readable when events
wait; driven, `fileno()` turns readable when `run()` is due. In both cases an event loop does the same on
readability: `worker.run()`, which runs one iteration if the worker is driven, and then calls the handlers
of all peers with what happened.

Commands on a `Peer` send what they produce before they return. Times are in seconds.
"""

from collections.abc import Buffer, Sequence
from typing import Any, Protocol

from rtcore.native.dtls import Certificate
from rtcore.native.ice import Candidate

class Handler(Protocol):
    """What a peer calls, from `Worker.run()`, in the order in which things happened.

    An exception from a handler goes to `sys.unraisablehook`, and the rest is still delivered.
    """

    def on_candidate(self, candidate: Candidate) -> None: ...
    def on_candidate_error(self, server: int, code: int, text: str) -> None: ...
    def on_gathering_state(self, state: str) -> None: ...
    def on_ice_state(self, state: str) -> None: ...
    def on_selected_pair(self) -> None: ...
    def on_ice_role(self, controlling: bool) -> None: ...
    def on_dtls_state(self, state: str, reason: str) -> None: ...
    def on_sctp_connected(self, max_channels: int) -> None: ...
    def on_sctp_closed(self, error: int, reason: str) -> None: ...
    def on_channel(self, handle: int) -> None: ...
    def on_channel_open(self, handle: int) -> None: ...
    def on_channel_closing(self, handle: int) -> None: ...
    def on_channel_closed(self, handle: int, error: int, reason: str) -> None: ...
    def on_message(self, handle: int, data: bytes | str) -> None: ...
    def on_buffered_amount_low(self, handle: int) -> None: ...
    def on_send_room(self) -> None: ...

class Worker:
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
    def threaded(self) -> bool: ...
    @property
    def closed(self) -> bool: ...
    def fileno(self) -> int: ...
    def run(self) -> int:
        """One iteration if driven, then all waiting events to their handlers; returns how many."""
    def timeout(self) -> float | None:
        """Driven: seconds until `run()` is due without traffic; None: no timer. Only needed where `fileno()`
        does not signal timers (`timer_in_fd` is False)."""
    @property
    def timer_in_fd(self) -> bool: ...
    def bind(self, host: str, port: int = 0, *, port_range: tuple[int, int] | None = None) -> Endpoint:
        """A shared UDP socket for many peers. `OSError` as from `socket.bind`."""
    def stats(self) -> dict[str, int | bool]: ...
    def close(self) -> None: ...

class Endpoint:
    """A UDP socket that several peers of one worker share."""

    @property
    def address(self) -> tuple[str, int]: ...
    def close(self) -> None: ...

class Peer:
    """One peer connection's transport. `close()` is idempotent; afterwards commands raise `ConnectionError`."""

    def __init__(
        self,
        worker: Worker,
        handler: Handler,
        certificate: Certificate,
        *,
        controlling: bool = True,
        lite: bool = False,
        mtu: int = 1200,
        max_mtu: int | None = None,
        receive_buffer: int = 4 * 1024 * 1024,
        send_buffer: int = 4 * 1024 * 1024,
        max_message_size: int = 1024 * 1024,
        max_channels: int = 65535,
        zero_checksum: bool = True,
        interleaving: bool = True,
        disconnected_timeout: float = 5.0,
        failed_timeout: float = 30.0,
        keepalive_interval: float = 5.0,
        srtp_profiles: Sequence[int] = (),
    ) -> None: ...

    # ICE
    @property
    def local_ufrag(self) -> str: ...
    @property
    def local_pwd(self) -> str: ...
    @property
    def controlling(self) -> bool: ...
    def set_controlling(self, controlling: bool) -> None: ...
    def set_remote_lite(self, lite: bool) -> None: ...
    def gather(
        self,
        *,
        servers: Sequence[tuple[str, int]] = (),
        interfaces: Sequence[str] | None = None,
        port_range: tuple[int, int] | None = None,
        endpoints: Sequence[Endpoint] = (),
        announced: str | None = None,
        loopback: bool | None = None,
        ipv6: bool = True,
    ) -> None:
        """Opens a socket per local address (or uses `endpoints`), makes host candidates of them, and asks the
        STUN `servers` (numeric addresses) for server-reflexive ones. `interfaces`: names or addresses to use.
        `loopback`: None uses 127.0.0.1 and ::1 only when there is no other address."""
    def restart_ice(self) -> None: ...
    def set_remote_credentials(self, ufrag: str, pwd: str) -> None: ...
    def add_remote_candidate(self, candidate: Candidate) -> None: ...
    def end_of_remote_candidates(self) -> None: ...

    # DTLS and SCTP
    def add_fingerprint(self, algorithm: str, digest: bytes) -> None: ...
    def set_dtls_role(self, role: str) -> None:
        """"client" or "server"."""
    def start_sctp(self, remote_port: int, remote_max_message_size: int) -> None: ...
    def export_keying_material(self, label: str, size: int) -> bytes: ...

    # Channels
    def open_channel(
        self,
        label: str,
        *,
        protocol: str = "",
        ordered: bool = True,
        negotiated: bool = False,
        id: int | None = None,
        max_retransmits: int | None = None,
        max_packet_life_time: int | None = None,
        priority: int = 256,
    ) -> int:
        """Returns the channel's handle. ValueError, or OverflowError when no id is free."""
    def channel_info(self, handle: int) -> dict[str, Any]:
        """label, protocol, ordered, negotiated, incoming, id (None: not yet), max_retransmits,
        max_packet_life_time, priority, state, messages_sent, messages_received, bytes_sent, bytes_received."""
    def send(self, handle: int, data: Buffer | str) -> bool:
        """False when the send buffer is full: wait for `on_send_room`. str is sent as a string message."""
    def buffered_amount(self, handle: int) -> int: ...
    def set_buffered_amount_low_threshold(self, handle: int, threshold: int) -> None: ...
    def release(self, size: int) -> None:
        """The application has consumed `size` bytes of messages: opens the receive window again."""
    def close_channel(self, handle: int) -> None: ...
    def forget_channel(self, handle: int) -> None: ...

    # All
    def stats(self) -> dict[str, Any]:
        """Nested plain dicts: transport, ice, local_candidates, remote_candidates, pairs, dtls, sctp,
        channels. Counters as ints, times in seconds, certificates as DER bytes."""
    def close(self) -> None: ...
