"""The glue between a connection and its native peer: commands down, events up, channels by their handles."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from rtcore.errors import ConnectionFailedError, OperationError
from rtcore.native.dtls import Certificate
from rtcore.native.ice import Candidate
from rtcore.native.worker import Endpoint, Peer, Worker
from rtcore.sdp import Agreement

from .channel import ChannelOptions, DataChannel, Receiver
from .driver import Driver

__all__ = ["Transport", "TransportOptions", "TransportOwner"]

USER_INITIATED_ABORT = 12
"""RFC 9260 section 3.3.10.12: how some stacks close a connection. A close, then, not a failure."""
CHANNEL_FAILED = 0xFFFE
"""The error of a channel that failed alone."""
SRTP_PROFILES = (7, 8, 1)
"""AEAD_AES_128_GCM, AEAD_AES_256_GCM, AES128_CM_SHA1_80 (RFC 5764, 7714). Offered without media, too: some
stacks end a handshake that agrees on none."""
RELEASE_SIZE = 64 * 1024
"""Consumed bytes are released in steps of this, and whenever a reader waits."""


class TransportOwner(Protocol):
    """Whom a transport tells what happens: a peer connection, or who plays one."""

    def _candidate_gathered(self, candidate: Candidate) -> None: ...
    def _candidate_failed(self, server: int, code: int, text: str) -> None: ...
    def _gathering_changed(self, state: str) -> None: ...
    def _ice_changed(self, state: str) -> None: ...
    def _dtls_changed(self, state: str) -> None: ...
    def _channel_arrived(self, channel: DataChannel) -> None: ...


@dataclass(slots=True, frozen=True)
class TransportOptions:
    """What the native peer is made with."""

    endpoints: Sequence[Endpoint] = ()
    interfaces: Sequence[str] | None = None
    port_range: tuple[int, int] | None = None
    announced: str | None = None
    loopback: bool | None = None
    ipv6: bool = True
    ice_lite: bool = False
    peer: dict[str, Any] = field(default_factory=dict)
    """Passed to `Peer` as they are: buffers, MTU, timeouts."""
    receive_buffer: int = 4 * 1024 * 1024


class Transport:
    """One connection's peer, once it has one, and its channels. It is the peer's handler."""

    def __init__(self, connection: TransportOwner, options: TransportOptions) -> None:
        self.ice_state = "new"
        self.gathering_state = "new"
        self.dtls_state = "new"
        self.sctp_state = "new"
        self.max_channels: int | None = None
        """Both directions' streams; None until the association is up."""
        self.remote_max_message_size = 0
        """Bytes; 0: no limit, or not known yet."""
        self.failure: Exception | None = None
        self.channels_opened = 0
        self.channels_closed = 0  # those that were open once
        self.channels: dict[int, DataChannel] = {}
        self.queued: deque[tuple[asyncio.Future[None], DataChannel]] = deque()
        """Those who wait for room in the send buffer, in their order."""
        self.consumed = 0
        """The charge of messages that the application has read and the peer was not yet told of."""
        self.release_at = min(RELEASE_SIZE, options.receive_buffer // 4)
        self._connection = connection
        self._options = options
        self._unopened: list[DataChannel] = []  # made before data channels were agreed on
        self._peer: Peer | None = None
        self._driver: Driver | None = None
        self._closed = False
        self._agreement: Agreement | None = None  # what the peer was told
        self._data_agreed = False

    # Life

    def start(self, driver: Driver, certificate: Certificate) -> Peer:
        options = self._options
        self._driver = driver
        self._peer = Peer(
            driver.worker,
            self,
            certificate,
            lite=options.ice_lite,
            receive_buffer=options.receive_buffer,
            srtp_profiles=SRTP_PROFILES,
            flush_later=self._flush_later if driver.worker.threaded else None,
            **options.peer,
        )
        return self._peer

    def _flush_later(self) -> None:
        """What one turn of the loop sends leaves together, from here. The worker's thread would be woken for
        the first of it, and again and again for the rest."""
        assert self._driver is not None
        self._driver.after_turn(self.peer.flush)

    @property
    def worker(self) -> Worker:
        assert self._driver is not None
        return self._driver.worker

    @property
    def peer(self) -> Peer:
        assert self._peer is not None
        return self._peer

    @property
    def dtls_role(self) -> str:
        """ "client", "server", or empty before it is agreed."""
        if self._agreement is None:
            return ""
        return "client" if self._agreement.dtls_client else "server"

    def native_stats(self) -> dict[str, Any]:
        """Those of the peer; empty before there is one, and when its worker has gone."""
        return self.peer.stats() if self.running else {}

    def all_channels(self) -> Iterable[DataChannel]:
        """Those that are not closed."""
        return (*self.channels.values(), *self._unopened)

    @property
    def running(self) -> bool:
        return self._peer is not None and not self._closed and not self._worker_closed

    @property
    def _worker_closed(self) -> bool:
        return self._driver is None or self._driver.worker.closed

    def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        if self._peer is not None:
            self._peer.close()
        self.end_channels(None)
        if self._driver is not None:
            self._driver.release()

    # ICE and what was agreed

    def gather(self, servers: Sequence[tuple[str, int]]) -> None:
        options = self._options
        self.on_gathering_state("gathering")  # from here on, not when the peer's event comes
        self.peer.gather(
            servers=servers,
            interfaces=options.interfaces,
            port_range=options.port_range,
            endpoints=options.endpoints,
            announced=options.announced,
            loopback=options.loopback,
            ipv6=options.ipv6,
        )

    def apply(self, agreement: Agreement) -> None:
        """Tells the peer what is new in an agreement. The first one starts ICE, DTLS and SCTP."""
        peer, before = self.peer, self._agreement
        self._agreement = agreement
        if before is None:
            peer.set_controlling(agreement.controlling)
            peer.set_remote_lite(agreement.remote_lite)
        for fingerprint in agreement.fingerprints:
            if before is None or fingerprint not in before.fingerprints:
                peer.add_fingerprint(fingerprint.algorithm, fingerprint.digest)
        if before is None:
            peer.set_dtls_role("client" if agreement.dtls_client else "server")
        if agreement.sctp_port is not None and not self._data_agreed:
            self.start_data(agreement.sctp_port, agreement.max_message_size)
        if before is None or before.remote_ufrag != agreement.remote_ufrag:
            peer.set_remote_credentials(agreement.remote_ufrag, agreement.remote_pwd)

    def start_data(self, remote_port: int, max_message_size: int, *, local_port: int = 5000) -> None:
        """Once: what the other end's SCTP is, and our port. Channels made before open now."""
        self._data_agreed = True
        self.sctp_state = "connecting"
        self.remote_max_message_size = max_message_size
        self.peer.start_sctp(remote_port, max_message_size, local_port=local_port)
        waiting, self._unopened = self._unopened, []
        for channel in waiting:
            try:
                self._open(channel)
            except OperationError as error:
                self._end(channel, error)

    # Channels

    def add(self, options: ChannelOptions) -> DataChannel:
        """A channel of ours; it opens when the association is up. `OperationError` if its id is taken."""
        channel = DataChannel(self, options)
        if not self._data_agreed:
            if options.id is not None and any(options.id == other._options.id for other in self._unopened):
                raise OperationError(f"the id {options.id} is taken")
            self._unopened.append(channel)
        else:
            self._open(channel)
        return channel

    def _open(self, channel: DataChannel) -> None:
        options = channel._options
        try:
            handle = self.peer.open_channel(
                options.label,
                protocol=options.protocol,
                ordered=options.ordered,
                negotiated=options.negotiated,
                id=options.id,
                max_retransmits=options.max_retransmits,
                max_packet_life_time=options.max_packet_life_time,
                priority=options.priority,
            )
        except (ValueError, OverflowError, ConnectionError) as error:
            raise OperationError(f"the channel {options.label!r} cannot be opened: {error}") from error
        self._adopt(handle, channel)
        if channel._low or channel._handles("bufferedamountlow"):
            self.peer.set_buffered_amount_low_threshold(handle, channel._low)

    def _adopt(self, handle: int, channel: DataChannel) -> None:
        channel._handle = handle
        self.channels[handle] = channel
        self.peer.set_receiver(handle, channel._receiver)

    def set_receiver(self, handle: int, receiver: Receiver) -> None:
        if self.running and handle in self.channels:
            self.peer.set_receiver(handle, receiver)

    def channel_id(self, handle: int) -> int | None:
        if not self.running or handle not in self.channels:
            return None
        number: int | None = self.peer.channel_info(handle)["id"]
        return number

    def buffered_amount(self, handle: int) -> int:
        return self.peer.buffered_amount(handle) if self.running and handle in self.channels else 0

    def set_buffered_amount_low_threshold(self, handle: int, threshold: int) -> None:
        if self.running and handle in self.channels:
            self.peer.set_buffered_amount_low_threshold(handle, threshold)

    def release(self) -> None:
        """Opens the receive window by what was consumed."""
        consumed, self.consumed = self.consumed, 0
        if consumed and self.running:
            self.peer.release(consumed)

    def abandon(self, size: int) -> None:
        """So many bytes will never be read. Any thread: the garbage collector chooses."""
        if self.running and self._driver is not None:
            self._driver.call_soon(self._abandoned, size)

    def _abandoned(self, size: int) -> None:
        self.consumed += size
        self.release()

    def next_sender(self) -> None:
        """The turn of the next one who waits for room."""
        while self.queued:
            turn, _ = self.queued.popleft()
            if not turn.done():
                turn.set_result(None)
                return

    def close_channel(self, channel: DataChannel) -> None:
        self._turn_away(channel)
        if self.running and channel._handle in self.channels:
            self.peer.close_channel(channel._handle)
        else:
            if channel in self._unopened:
                self._unopened.remove(channel)
            self._end(channel, None)

    def end_channels(self, error: Exception | None) -> None:
        """All channels at once: the connection has ended, or the other end takes no data."""
        for channel in (*self._unopened, *self.channels.values()):
            self._end(channel, error)
        self._unopened.clear()

    def _end(self, channel: DataChannel, error: Exception | None) -> None:
        if channel._state == "closed":
            return
        if self.channels.pop(channel._handle, None) is not None and self.running:
            self.peer.forget_channel(channel._handle)
        channel._ended(error)
        self._turn_away(channel)

    def _turn_away(self, channel: DataChannel) -> None:
        """Senders of a channel that is no longer open find that out now."""
        for entry in [entry for entry in self.queued if entry[1] is channel]:
            self.queued.remove(entry)
            if not entry[0].done():
                entry[0].set_result(None)

    # From the peer

    def on_candidate(self, candidate: Candidate) -> None:
        self._connection._candidate_gathered(candidate)

    def on_candidate_error(self, server: int, code: int, text: str) -> None:
        self._connection._candidate_failed(server, code, text)

    def on_gathering_state(self, state: str) -> None:
        if not self._closed and state not in ("new", self.gathering_state):  # W3C: never new again
            self.gathering_state = state
            self._connection._gathering_changed(state)

    def on_ice_state(self, state: str) -> None:
        if not self._closed and state != self.ice_state:
            self.ice_state = state
            if state == "failed":
                self.failure = ConnectionFailedError("ICE found no path to the other end, or lost it")
            self._connection._ice_changed(state)

    def on_selected_pair(self) -> None:
        """Statistics tell which one."""

    def on_ice_role(self, controlling: bool) -> None:
        """Statistics tell which one."""

    def on_dtls_state(self, state: str, reason: str) -> None:
        if self._closed or state == self.dtls_state:
            return
        self.dtls_state = state
        if state == "failed":
            self.failure = ConnectionFailedError(f"DTLS failed: {reason or 'no reason given'}")
            self.end_channels(self.failure)
        self._connection._dtls_changed(state)

    def on_sctp_connected(self, max_channels: int) -> None:
        """Channels tell for themselves that they are open."""
        self.sctp_state = "connected"
        self.max_channels = max_channels

    def on_sctp_closed(self, error: int, reason: str) -> None:
        self.sctp_state = "closed"
        failure = None
        if error not in (0, USER_INITIATED_ABORT):
            failure = ConnectionFailedError(f"the SCTP association ended: {reason or f'error {error}'}")
        self.end_channels(failure)

    def on_channel(self, handle: int) -> None:
        info = self.peer.channel_info(handle)
        channel = DataChannel(self, _options_of(info))
        self._adopt(handle, channel)
        self.channels_opened += 1
        channel._opened()
        self._connection._channel_arrived(channel)

    def on_channel_open(self, handle: int) -> None:
        channel = self.channels.get(handle)
        if channel is not None:
            self.channels_opened += 1
            channel._opened()

    def on_channel_closing(self, handle: int) -> None:
        channel = self.channels.get(handle)
        if channel is not None:
            channel._closing()
            self._turn_away(channel)

    def on_channel_closed(self, handle: int, error: int, reason: str) -> None:
        channel = self.channels.get(handle)
        if channel is not None:
            failure: Exception | None = None
            if error == CHANNEL_FAILED:
                failure = OperationError(f"the channel failed: {reason or 'no reason given'}")
            elif error not in (0, USER_INITIATED_ABORT):
                failure = ConnectionFailedError(f"the association ended: {reason or f'error {error}'}")
            self._end(channel, failure)

    def on_message(self, handle: int, data: bytes | str, charge: int) -> None:
        """Channels take their messages themselves: this one has ended, and nobody will read it."""
        self.consumed += charge

    def on_buffered_amount_low(self, handle: int) -> None:
        channel = self.channels.get(handle)
        if channel is not None:
            channel._emit("bufferedamountlow")

    def on_send_room(self) -> None:
        self.next_sender()


def _options_of(info: dict[str, Any]) -> ChannelOptions:
    """A channel of the other end's: its options were checked by the core."""
    options = ChannelOptions.__new__(ChannelOptions)
    options.label = info["label"]
    options.protocol = info["protocol"]
    options.ordered = info["ordered"]
    options.negotiated = info["negotiated"]
    options.id = info["id"]
    options.max_retransmits = info["max_retransmits"]
    options.max_packet_life_time = info["max_packet_life_time"]
    options.priority = info["priority"]
    return options
