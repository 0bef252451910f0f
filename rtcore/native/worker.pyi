"""Peers on a worker: the native core as `rtcore.connection` (and nobody else above) sees it.

A `Worker` owns sockets and peers. Threaded, it runs by itself and `fileno()` turns readable when events
wait; driven, `fileno()` turns readable when `run()` is due. In both cases an event loop does the same on
readability: `worker.run()`, which runs one iteration if the worker is driven, and then calls the handlers
of all peers with what happened.

Commands on a `Peer` send what they produce before they return. Times are in seconds.
"""

from collections.abc import Callable, Sequence
from typing import Any, Protocol, final

from typing_extensions import Buffer

from rtcore.native.dtls import Certificate
from rtcore.native.ice import Candidate
from rtcore.native.worker_loop import Endpoint as Endpoint
from rtcore.native.worker_loop import Worker as Worker

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
    def on_message(self, handle: int, data: bytes | str, charge: int) -> None:
        """`charge` is for `Peer.release()` when the message has been consumed: its size as it came, 1 for an
        empty one. (A str may have another size: invalid UTF-8 has been replaced.)"""
    def on_buffered_amount_low(self, handle: int) -> None: ...
    def on_send_room(self) -> None: ...

@final
class Peer:
    """One peer connection's transport: ICE, DTLS, SCTP and data channels on sockets of `worker`.

    `handler` (see the stub's `Handler`) hears what happens, from `Worker.run()`. The worker keeps the peer
    alive until `close()`, which is idempotent; afterwards commands raise `ConnectionError`. Commands send
    what they produce before they return, but for small messages (`send()`) and the receive window
    (`release()`).

    `mtu`: largest datagram in bytes, UDP payload; `max_mtu`: how far path MTU discovery may raise it. Buffers
    and sizes in bytes, times in seconds; `srtp_profiles`: up to four IANA numbers. `flush_later`: called,
    from `send()`, when the first message is queued that is not sent at once; whoever gives it calls `flush()`
    soon, and the worker is not woken for that.
    """

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
        flush_later: Callable[[], object] | None = None,
    ) -> None: ...

    # ICE
    @property
    def local_ufrag(self) -> str: ...
    @property
    def local_pwd(self) -> str: ...
    def set_local_credentials(self, ufrag: str, pwd: str) -> None:
        """Others than those that were drawn, before gathering: `ConnectionError` afterwards. `ValueError`
        unless they are 4 to 256 and 22 to 256 letters, digits, + and / (RFC 8839 section 5.4), or if another
        peer of the worker has this ufrag."""
    @property
    def controlling(self) -> bool: ...
    def set_controlling(self, controlling: bool) -> None:
        """Before the first check; `ConnectionError` afterwards: then roles change by conflict only."""
    def set_remote_lite(self, lite: bool) -> None:
        """Whether the other end is ICE-lite: then it never checks, and this one is controlling."""
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
        STUN `servers`, (numeric address, port) each, for server-reflexive ones.

        `interfaces`: names or addresses to use. `port_range`: lowest and highest port. `announced`: the
        address to tell instead of the bound one, for a 1:1 NAT. `loopback`: None uses 127.0.0.1 and ::1 only
        when there is no other address. After `restart_ice()` the same sockets are told of again. `OSError`
        when no socket can be bound, `ValueError` for wrong arguments.
        """
    def restart_ice(self) -> None:
        """New local credentials; `gather()` again to be told of the candidates. The old path stays in use
        until the next one is found."""
    def set_remote_credentials(self, ufrag: str, pwd: str) -> None:
        """Checks begin with the first ones; others are the other end's restart. `ValueError` unless they are
        4 to 256 and 22 to 256 characters (RFC 8839 section 5.4)."""
    def add_remote_candidate(self, candidate: Candidate) -> None:
        """`ValueError` when its address is a name: resolve it first. Candidates that the agent does not use
        (TCP, or beyond its limit) are counted in the statistics."""
    def end_of_remote_candidates(self) -> None:
        """The other end has no more of them: ICE may fail without waiting for others."""

    # DTLS and SCTP
    def add_fingerprint(self, algorithm: str, digest: bytes) -> None:
        """One of the peer's certificate fingerprints; one must match. `algorithm` as in SDP ("sha-256",
        "sha-384", "sha-512"), `digest` its raw bytes."""
    def set_certificate(self, certificate: Certificate) -> None:
        """Another one than that of the construction. `ConnectionError` after `set_dtls_role()`."""
    def set_dtls_role(self, role: str) -> None:
        """Either "client" or "server"; `ConnectionError` when it is the other one already."""
    def start_sctp(self, remote_port: int, remote_max_message_size: int, *, local_port: int = 5000) -> None:
        """Once; SCTP starts when DTLS is up. `remote_max_message_size` 0: no limit. `local_port`: our own
        (RFC 8841 a=sctp-port). `ValueError` the second time."""
    def export_keying_material(self, label: str, size: int) -> bytes:
        """RFC 5705, without a context. `ConnectionError` before DTLS is connected."""

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
        """Returns the channel's handle. `max_packet_life_time` is in milliseconds, and excludes
        `max_retransmits`. `ValueError` for wrong arguments or an id in use, `OverflowError` when no id is
        free, `ConnectionError` before `start_sctp()`."""
    def channel_info(self, handle: int) -> dict[str, Any]:
        """label, protocol, ordered, negotiated, incoming, id (None: not yet), max_retransmits,
        max_packet_life_time (None: not set), priority, state, messages_sent, messages_received, bytes_sent,
        bytes_received. `ValueError` for an unknown handle."""
    def send(self, handle: int, data: Buffer | str) -> bool:
        """Queues one message; str is sent as a string message, any buffer as a binary one. False when the
        send buffer is full: wait for `on_send_room`.

        When nothing was queued or in flight, or 56 KiB have come together, it is on the wire when this
        returns. Else it leaves with the worker's next iteration or `flush()`, in company: one packet carries
        many small messages. `ConnectionError` unless the channel is open, `ValueError` when the peer takes no
        message so large."""
    def flush(self) -> None:
        """Sends what `send()` has queued, in the caller's thread. Nothing when the peer is closed."""
    def buffered_amount(self, handle: int) -> int:
        """Bytes of the channel's messages that were not yet handed to the network for the first time."""
    def set_buffered_amount_low_threshold(self, handle: int, threshold: int) -> None:
        """From now on, `on_buffered_amount_low` tells when the amount falls to `threshold` bytes or below.
        `ValueError` for an unknown handle."""
    def release(self, size: int) -> None:
        """The application has consumed messages charged with `size`: opens the receive window again.
        Collected until there is a good part of the window, or the end of `Worker.run()`."""
    def set_receiver(self, handle: int, receiver: Callable[[Any, int], bool] | None) -> None:
        """Messages of the channel go to `receiver(data, charge)`, and no longer to `on_message` (None: there
        again). If it returns True, they are consumed: no `release()` is needed. `ValueError` for an unknown
        handle."""
    def close_channel(self, handle: int) -> None:
        """Delivers what is queued, then closes; `on_channel_closed` follows. Idempotent."""
    def forget_channel(self, handle: int) -> None:
        """After `on_channel_closed`: frees what is kept for statistics."""

    # All
    def stats(self) -> dict[str, Any]:
        """All at one moment, as nested plain dicts; counters as ints, times in seconds, None for what is not
        there:

        transport: packets_sent, packets_received, bytes_sent, bytes_received (datagrams of the peer),
        unknown, early, foreign (dropped or held back).
        ice: state, gathering_state, controlling, local_ufrag, selected_pair (id), selected_pair_changes,
        malformed, unauthenticated, unexpected, candidates_refused.
        local_candidates, remote_candidates: lists of {candidate: Candidate}; local ones with server (index as
        in gather(), of server-reflexive ones).
        pairs: list of {id, local, remote (indexes of the lists above), state, nominated, selected, priority,
        packets_sent, packets_received, bytes_sent, bytes_received, requests_sent, requests_received,
        responses_sent, responses_received, consent_requests_sent, last_packet_sent, last_packet_received (on
        the clock of "now"), current_round_trip, total_round_trip}.
        dtls (None before the role is set): state, cipher, group, srtp_profile, local_certificate,
        remote_certificate (DER bytes, None before), records_sent, records_received, bytes_sent,
        bytes_received, malformed, unauthenticated, replayed, unexpected, flights_retransmitted.
        sctp (None before start_sctp): state, streams_in, streams_out, packets_*, bytes_*, messages_*,
        payload_* (sent and received), chunks_retransmitted, fast_retransmits, timeouts, tail_probes,
        spurious_retransmits, messages_abandoned, duplicate_chunks, malformed, bad_checksum, bad_tag,
        unexpected, out_of_window, congestion_window, slow_start_threshold, peer_window, bytes_in_flight,
        unsent, mtu, smoothed_round_trip, rto, receive_buffered, zero_checksum_in, zero_checksum_out,
        interleaving, partial_reliability, stream_reset, channels_opened, channels_closed, channels_refused,
        channel_messages_malformed, channel_messages_unexpected.
        channels: {handle: as channel_info(), and buffered_amount}.
        now: the core's clock, in seconds of no particular origin.
        """
    def close(self) -> None:
        """Says good-bye, frees the machines and closes the peer's own sockets. No handler is called any
        more."""
