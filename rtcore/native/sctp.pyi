"""SCTP as WebRTC uses it (RFC 9260 over DTLS, RFC 8831), sans-IO: an `Association` and a packet inspector."""

from collections.abc import Iterable
from typing import Any, ClassVar, final

from typing_extensions import Buffer

class Event:
    """What happened on an association. Its subclasses can be matched by position or attribute."""

    __match_args__: ClassVar[tuple[str, ...]]

@final
class Connected(Event):
    @property
    def streams_out(self) -> int: ...
    @property
    def streams_in(self) -> int: ...

@final
class Message(Event):
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
    """`error` 0: graceful; 0xffff: the peer does not answer; else a cause of RFC 9260 section 3.3.10."""

    @property
    def error(self) -> int: ...
    @property
    def reason(self) -> str: ...

class Association:
    """One end of an SCTP association. Sizes in bytes, times in seconds. Not for several threads at a time."""

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
    def connect(self, now: float) -> None: ...
    def shutdown(self, now: float) -> None: ...
    def abort(self, now: float, reason: Buffer = b"") -> None: ...
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
    ) -> None: ...
    def set_priority(self, stream: int, priority: int) -> None: ...
    def set_remote_max_message_size(self, size: int) -> None: ...
    def buffered(self, stream: int) -> int: ...
    def set_buffered_low(self, stream: int, threshold: int) -> None: ...
    @property
    def send_room(self) -> int: ...
    def reset_stream(self, stream: int, now: float) -> None: ...
    def release(self, size: int, now: float) -> None: ...
    def receive(self, packet: Buffer, now: float) -> bool: ...
    def receive_batch(self, packets: Iterable[Buffer], now: float) -> int: ...
    def transmit(self, now: float) -> list[bytes]: ...
    @property
    def deadline(self) -> float | None: ...
    def expire(self, now: float) -> None: ...
    def events(self, now: float, *, release: bool = True) -> list[Event]: ...
    @property
    def state(self) -> str: ...
    @property
    def streams_out(self) -> int: ...
    @property
    def streams_in(self) -> int: ...
    def stats(self) -> dict[str, Any]: ...

@final
class Chunk:
    """One chunk of a packet, for inspection."""

    @property
    def type(self) -> int: ...
    @property
    def flags(self) -> int: ...
    @property
    def value(self) -> bytes: ...
    @property
    def fields(self) -> dict[str, Any]: ...
    @property
    def name(self) -> str: ...

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

def parse_packet(data: Buffer) -> Packet: ...
