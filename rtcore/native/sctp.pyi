"""SCTP as WebRTC uses it (RFC 9260 over DTLS, RFC 8831), sans-IO: an `Association` and a packet inspector."""

from collections.abc import Iterable
from typing import Any, ClassVar, final

from typing_extensions import Buffer

class Event:
    """What happened on an association. Its subclasses can be matched by position or attribute."""

    __match_args__: ClassVar[tuple[str, ...]]

@final
class Connected(Event):
    """The association is established: streams agreed in each direction."""

    @property
    def streams_out(self) -> int: ...
    @property
    def streams_in(self) -> int: ...

@final
class Message(Event):
    """A whole message arrived."""

    @property
    def stream(self) -> int: ...
    @property
    def data(self) -> bytes: ...
    @property
    def protocol(self) -> int: ...
    @property
    def unordered(self) -> bool: ...

class StreamEvent(Event):
    @property
    def stream(self) -> int: ...

@final
class BufferedLow(StreamEvent):
    """`buffered(stream)` fell to the threshold of `set_buffered_low` (default 0) or below."""

@final
class SendRoom(Event):
    """After a `send` that raised BlockingIOError: half of the send buffer is free again."""

@final
class ResetIn(StreamEvent):
    """The peer reset its side of the stream (RFC 6525); all messages before it were delivered."""

@final
class ResetOut(StreamEvent):
    """Our reset of the stream is done; it can be used anew."""

@final
class ResetFailed(StreamEvent):
    """The peer refused to reset the stream."""

@final
class Restarted(Event):
    """The peer began anew in this one's place (RFC 9260 section 5.2); data in flight may be lost."""

@final
class Abandoned(StreamEvent):
    """A partially reliable message of the stream was given up (RFC 3758)."""

@final
class Closed(Event):
    """The association ended: `error` 0 for a graceful end, 0xffff for a peer that does not answer, else an
    error cause of RFC 9260 section 3.3.10; `reason` says it in words."""

    @property
    def error(self) -> int: ...
    @property
    def reason(self) -> str: ...

class Association:
    """One end of an SCTP association. Not for several threads at a time.

    Sizes are in bytes, times in seconds. `send_buffer` bounds what `send` accepts and is not yet
    acknowledged; `receive_buffer` bounds what the peer may send before it is taken. `zero_checksum` and
    `interleaving` tell the peer that this end takes packets without checksum (RFC 9653: only over DTLS) and
    I-DATA (RFC 8260). `seed` makes the association's random choices repeatable (32 bytes; default: from the
    operating system). `ValueError` for anything out of its range.
    """

    def __init__(
        self,
        *,
        local_port: int = 5000,
        remote_port: int = 5000,
        mtu: int = 1163,
        max_mtu: int | None = None,
        streams: int = 65535,
        receive_buffer: int = 4 * 1024 * 1024,
        send_buffer: int = 4 * 1024 * 1024,
        max_message_size: int = 1024 * 1024,
        zero_checksum: bool = True,
        interleaving: bool = True,
        rto_initial: float = 0.5,
        rto_min: float = 0.2,
        rto_max: float = 60.0,
        heartbeat: float | None = 30.0,
        sack_delay: float = 0.02,
        cookie_life: float = 60.0,
        max_retransmits: int = 10,
        max_init_retransmits: int = 8,
        seed: Buffer | None = None,
    ) -> None: ...
    def connect(self, now: float) -> None:
        """Begins: sends INIT. In WebRTC both ends call it (RFC 9260 section 5.2.1).

        Does nothing if the association has begun already: the peer may have been faster. ConnectionError if
        it has ended.
        """
    def shutdown(self, now: float) -> None:
        """Ends gracefully: after everything queued is acknowledged. ConnectionError if not established."""
    def abort(self, now: float, reason: Buffer = b"") -> None:
        """Ends at once with ABORT; everything queued is dropped. `reason` travels for the peer's logs."""
    def send(
        self,
        stream: int,
        data: Buffer,
        now: float,
        *,
        protocol: int = 0,
        ordered: bool = True,
        max_retransmits: int | None = None,
        lifetime: float | None = None,
    ) -> None:
        """Queues one message of a stream, whole or not at all. Any object with the buffer protocol, copied.

        `protocol` is the payload protocol identifier (RFC 8831 section 8). `max_retransmits` and `lifetime`
        (seconds) make it partially reliable (RFC 7496, 3758). BlockingIOError when the send buffer is full:
        wait for `SendRoom`. ValueError for an empty message, an unknown stream, or one that is too large.
        ConnectionError when the association has ended or the stream is being reset.
        """
    def set_priority(self, stream: int, priority: int) -> None:
        """The stream's weight in the scheduler (RFC 8831 section 6.4: 128, 256, 512, 1024; default 256)."""
    def set_remote_max_message_size(self, size: int) -> None:
        """The largest message that the peer takes (SDP max-message-size); 0: no limit."""
    def buffered(self, stream: int) -> int:
        """Bytes given to `send` of this stream and not yet sent for the first time (W3C bufferedAmount)."""
    def set_buffered_low(self, stream: int, threshold: int) -> None:
        """Asks for `BufferedLow` whenever `buffered(stream)` falls to `threshold` or below."""
    @property
    def send_room(self) -> int:
        """Bytes that `send` accepts at once."""
    def reset_stream(self, stream: int, now: float) -> None:
        """Closes our direction of the stream after what was queued on it (RFC 6525); ends with `ResetOut`.

        A peer that cannot do it gives `ResetFailed`. ConnectionError when the association has ended,
        ValueError for a stream that was not agreed.
        """
    def release(self, size: int, now: float) -> None:
        """The application has consumed `size` bytes of messages taken by `events(release=False)`."""
    def receive(self, packet: Buffer, now: float) -> bool:
        """One SCTP packet came in, any object with the buffer protocol.

        False when it was dropped: malformed, a wrong checksum or tag, or out of state; `stats()` counts why.
        """
    def receive_batch(self, packets: Iterable[Buffer], now: float) -> int:
        """Packets that came in together, acknowledged together. Returns how many were not dropped."""
    def transmit(self, now: float) -> list[bytes]:
        """All packets that are to be sent now, as a list of bytes; empty when there is nothing to send."""
    @property
    def deadline(self) -> float | None:
        """When `expire` is due, in seconds of the caller's clock; None: never."""
    def expire(self, now: float) -> None:
        """The deadline has come. Too early is harmless. Call `transmit` afterwards."""
    def events(self, now: float, *, release: bool = True) -> list[Event]:
        """What has happened since the last call, as a list of `Event`, in order.

        Messages count against the receive window until they are taken here. With `release` false they count
        further, until `release()` is called with their sizes: so a slow application slows the peer.
        """
    @property
    def state(self) -> str:
        """RFC 9260 section 4: "closed", "cookie-wait", "cookie-echoed", "established", "shutdown-pending",
        "shutdown-sent", "shutdown-received", "shutdown-ack-sent"."""
    @property
    def streams_out(self) -> int:
        """Outgoing streams agreed; 0 before the association is established."""
    @property
    def streams_in(self) -> int:
        """Incoming streams agreed; 0 before the association is established."""
    def stats(self) -> dict[str, Any]:
        """Counters since the beginning and the present windows, as a dict; sizes in bytes, times in seconds.

        `smoothed_round_trip` is None until it is known. `malformed`, `bad_checksum`, `bad_tag`, `unexpected`
        and `out_of_window` count what was dropped.
        """

@final
class Chunk:
    """One chunk of a packet, for inspection: its bytes and, for the kinds that are known, its fields."""

    @property
    def type(self) -> int: ...
    @property
    def flags(self) -> int: ...
    @property
    def value(self) -> bytes: ...
    @property
    def fields(self) -> dict[str, Any]: ...
    @property
    def name(self) -> str:
        """As in the RFC: "DATA", "INIT-ACK", ...; the number for a type that is not known."""

@final
class Packet:
    """A parsed SCTP packet (RFC 9260 section 3), for inspection."""

    @property
    def source_port(self) -> int: ...
    @property
    def destination_port(self) -> int: ...
    @property
    def tag(self) -> int: ...
    @property
    def checksum(self) -> int: ...
    @property
    def checksum_ok(self) -> bool: ...
    @property
    def chunks(self) -> tuple[Chunk, ...]: ...

def parse_packet(data: Buffer) -> Packet:
    """Parses one SCTP packet into a `Packet`, for tests and tools. `ValueError` if it breaks the format."""
