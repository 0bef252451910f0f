"""Data channels: messages in both directions, with back-pressure in both directions.

What is sent waits in the association's send buffer, which is bounded: `send()` waits while it is full. What
arrives waits in the channel until it is read, and counts against the association's receive window until
then: a slow reader slows the sender, and loses nothing. All channels of a connection share both.
"""

from __future__ import annotations

import asyncio
import itertools
from collections import deque
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, Self

from rtcore.emitter import Emitter
from rtcore.errors import ChannelClosedError, InvalidStateError

from .waiters import Waiters

if TYPE_CHECKING:
    from typing_extensions import Buffer

    from .transport import Transport

__all__ = ["ChannelOptions", "DataChannel"]

CLOSE_TIMEOUT = 5.0
FAIR_SENDS = 256
"""After so many sends without a wait the event loop gets a turn."""

PRIORITIES = {"very-low": 128, "low": 256, "medium": 512, "high": 1024}
"""W3C RTCPriorityType and the numbers of RFC 8831 section 6.4."""

_numbers = itertools.count(1)

Receiver = Callable[[bytes | str, int], bool]
"""Takes a message and its charge; returns whether it is consumed."""

MAX_TEXT = 65535
MAX_ID = 65534


class ChannelOptions:
    """What a channel is opened with, checked."""

    __slots__ = (
        "id",
        "label",
        "max_packet_life_time",
        "max_retransmits",
        "negotiated",
        "ordered",
        "priority",
        "protocol",
    )

    def __init__(
        self,
        label: str,
        *,
        protocol: str = "",
        ordered: bool = True,
        negotiated: bool = False,
        id: int | None = None,
        max_retransmits: int | None = None,
        max_packet_life_time: int | None = None,
        priority: str | int = "low",
    ) -> None:
        for what, text in (("label", label), ("protocol", protocol)):
            if not isinstance(text, str):
                raise TypeError(f"{what} must be a str, not {type(text).__name__}")
            if len(text.encode()) > MAX_TEXT:
                raise ValueError(f"{what} has more than {MAX_TEXT} bytes of UTF-8")
        if max_retransmits is not None and max_packet_life_time is not None:
            raise ValueError("max_retransmits and max_packet_life_time exclude each other")
        _check("max_retransmits", max_retransmits, 65535)
        _check("max_packet_life_time", max_packet_life_time, 65535)
        _check("id", id, MAX_ID)
        if negotiated and id is None:
            raise ValueError("a negotiated channel needs an id, the same at both ends")
        if isinstance(priority, str):
            if priority not in PRIORITIES:
                raise ValueError(f"priority must be one of {', '.join(PRIORITIES)}, not {priority!r}")
            priority = PRIORITIES[priority]
        elif priority not in PRIORITIES.values():
            raise ValueError(f"priority must be one of {', '.join(PRIORITIES)}, not {priority!r}")
        self.label = label
        self.protocol = protocol
        self.ordered = bool(ordered)
        self.negotiated = bool(negotiated)
        self.id = id if negotiated else None  # W3C: ignored where it is not negotiated
        self.max_retransmits = max_retransmits
        self.max_packet_life_time = max_packet_life_time
        self.priority = priority


def _check(what: str, value: int | None, most: int) -> None:
    if value is None:
        return
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError(f"{what} must be an int, not {type(value).__name__}")
    if not 0 <= value <= most:
        raise ValueError(f"{what} must be from 0 to {most}, not {value}")


class DataChannel(Emitter):
    """W3C RTCDataChannel: made by `PeerConnection.create_data_channel`, or by the other end.

    Iterating over a channel gives its messages, `bytes` or `str`, and ends when it closes. With a handler for
    "message", messages go there as they arrive, and not to `receive()`.

    Events: "open", "closing", "close" and "bufferedamountlow" pass nothing, "message" passes the message,
    "error" the exception that ended the channel.
    """

    __slots__ = (
        "__weakref__",
        "_charges",
        "_error",
        "_handle",
        "_low",
        "_messages",
        "_number",
        "_options",
        "_post",
        "_queued",
        "_reader",
        "_receiver",
        "_sends",
        "_state",
        "_transport",
        "_waiters",
    )
    _names = ("open", "message", "bufferedamountlow", "closing", "close", "error")

    def __init__(self, transport: Transport, options: ChannelOptions) -> None:
        super().__init__()
        self._transport = transport
        self._number = next(_numbers)  # its name in statistics
        self._options = options
        self._handle = -1  # until the transport has a peer
        self._state = "connecting"
        self._error: Exception | None = None
        self._low = 0
        self._messages: deque[bytes | str] = deque()
        self._charges: deque[int] = deque()  # of those whose length does not tell: str, and empty ones
        self._reader: asyncio.Future[None] | None = None
        self._waiters = Waiters()  # for a change of state
        self._post = self._refuse  # the peer's send() while open
        self._receiver: Receiver = self._arrived  # what the peer calls with each message
        self._queued = transport.queued  # those who wait for room, of all channels
        self._sends = 0

    # What it is

    @property
    def label(self) -> str:
        """What the side that made the channel called it."""
        return self._options.label

    @property
    def protocol(self) -> str:
        """The subprotocol's name; empty: none."""
        return self._options.protocol

    @property
    def ordered(self) -> bool:
        """Whether messages arrive in the order in which they were sent."""
        return self._options.ordered

    @property
    def negotiated(self) -> bool:
        """Whether both sides made it, with the same id, without telling each other (RFC 8831 section 6.1)."""
        return self._options.negotiated

    @property
    def max_retransmits(self) -> int | None:
        """How often a part of a message is sent again at the most (RFC 7496); None: no such limit."""
        return self._options.max_retransmits

    @property
    def max_packet_life_time(self) -> int | None:
        """Milliseconds until a message is given up (RFC 3758); None: no such limit."""
        return self._options.max_packet_life_time

    @property
    def priority(self) -> str:
        """ "very-low", "low", "medium" or "high" (W3C RTCPriorityType, RFC 8831 section 6.4)."""
        number = self._options.priority  # of the other end, any number; RFC 8831 section 6.4 has four
        return next((name for name, most in PRIORITIES.items() if number <= most), "high")

    @property
    def id(self) -> int | None:
        """The SCTP stream; None until the DTLS roles are known."""
        if self._options.id is None and self._handle >= 0:
            self._options.id = self._transport.channel_id(self._handle)
        return self._options.id

    @property
    def ready_state(self) -> str:
        """ "connecting", "open", "closing" or "closed"."""
        return self._state

    @property
    def error(self) -> Exception | None:
        """Why it closed, if neither side closed it."""
        return self._error

    # Sending

    async def send(self, data: Buffer | str) -> None:
        """Sends one message; a str goes as a string message (UTF-8). Waits for the channel to open, and while
        the send buffer is full. Returning says that the message is in the buffer, not that it has arrived.

        `ChannelClosedError` if the channel is closing or closed, `ValueError` if the message is larger than
        the other end takes, `TypeError` for what is neither str nor has the buffer protocol.
        """
        if self._queued or not self._post(self._handle, data):
            await self._send_later(data)
            return
        self._sends -= 1
        if self._sends < 0:
            self._sends = FAIR_SENDS
            await asyncio.sleep(0)

    def send_nowait(self, data: Buffer | str) -> None:
        """Sends one message now. `BlockingIOError` if the send buffer is full, `InvalidStateError` if the
        channel is not open, `ValueError` and `TypeError` as `send()`."""
        if self._state == "connecting":
            raise InvalidStateError("the channel is not open yet")
        if self._queued or not self._post(self._handle, data):
            raise BlockingIOError("the send buffer is full")

    def _refuse(self, handle: int, data: Buffer | str) -> bool:
        if self._state == "connecting":
            return False
        raise self._closed_error()

    async def _send_later(self, data: Buffer | str) -> None:
        if self._state == "connecting":
            if not isinstance(data, str):
                memoryview(data).release()  # TypeError now, not when it opens
            await self.opened()
        waits = bool(self._queued)  # behind those who were first
        again = False
        while waits or not self._post(self._handle, data):
            turn = asyncio.get_running_loop().create_future()
            entry = (turn, self)
            if again:
                self._queued.appendleft(entry)
            else:
                self._queued.append(entry)
            try:
                await turn
            except asyncio.CancelledError:
                if entry in self._queued:
                    self._queued.remove(entry)
                else:
                    self._transport.next_sender()  # the turn was ours: pass it on
                raise
            waits, again = False, True
        self._transport.next_sender()

    @property
    def buffered_amount(self) -> int:
        """Bytes given to `send` and not yet handed to the network."""
        transport, handle = self._transport, self._handle
        if handle in transport.channels and transport.running:
            return transport.peer.buffered_amount(handle)
        return 0

    @property
    def buffered_amount_low_threshold(self) -> int:
        """ "bufferedamountlow" comes when `buffered_amount` falls to this."""
        return self._low

    @buffered_amount_low_threshold.setter
    def buffered_amount_low_threshold(self, threshold: int) -> None:
        _check("buffered_amount_low_threshold", threshold, 2**32 - 1)
        self._low = threshold
        if self._handle >= 0:
            self._transport.set_buffered_amount_low_threshold(self._handle, threshold)

    # Receiving

    async def receive(self) -> bytes | str:
        """The next message, waiting for it. `ChannelClosedError` when the channel has closed and everything
        was read. One reader at a time: `RuntimeError` for a second one."""
        messages = self._messages
        if not messages:
            await self._arrival()
        message = messages.popleft()
        transport = self._transport
        transport.consumed += len(message) if type(message) is bytes and message else self._charges.popleft()
        if transport.consumed >= transport.release_at:
            transport.release()
        return message

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes | str:
        try:
            return await self.receive()
        except ChannelClosedError:
            if self._error is not None:
                raise
            raise StopAsyncIteration from None

    async def _arrival(self) -> None:
        if self._reader is not None:
            raise RuntimeError("another task receives from this channel already")
        self._transport.release()
        while not self._messages:
            if self._state == "closed":
                raise self._closed_error()
            self._reader = asyncio.get_running_loop().create_future()
            try:
                await self._reader
            finally:
                self._reader = None

    def divert(self, receiver: Receiver) -> None:
        """From now on the core calls `receiver(message, charge)` itself with each message, and first with
        those that wait: for layers above that call handlers in a way of their own. It returns True."""
        self._receiver = receiver
        if self._handle >= 0:
            self._transport.set_receiver(self._handle, receiver)
        while self._messages:
            message, charge = self._next()
            self._transport.consumed += charge
            receiver(message, charge)
        self._transport.release()

    # Waiting and closing

    async def opened(self) -> None:
        """Waits until the channel is open. `ChannelClosedError` if it closes before."""
        while self._state == "connecting":
            await self._waiters.change()
        if self._state != "open":
            raise self._closed_error()

    async def closed(self) -> None:
        """Waits until the channel is closed, by whichever side."""
        while self._state != "closed":
            await self._waiters.change()

    async def close(self) -> None:
        """Closes the channel: what was sent still arrives, then the other end's channel closes. Waits for
        that, but not longer than 5 seconds; then the closing goes on by itself. Idempotent."""
        self.close_nowait()
        if self._state != "closed":
            try:
                async with asyncio.timeout(CLOSE_TIMEOUT):
                    await self.closed()
            except TimeoutError:
                return

    def close_nowait(self) -> None:
        """Begins what `close()` does, and does not wait for it. Idempotent."""
        if self._state in ("connecting", "open"):
            self._set_state("closing")
            self._transport.close_channel(self)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    # From the transport

    def _opened(self) -> None:
        if self._state == "connecting":
            self._options.id = self.id
            self._set_state("open")
            self._post = self._transport.peer.send  # itself, not a method around it: this is per message
            self._emit("open")

    def _closing(self) -> None:
        if self._state in ("connecting", "open"):
            self._set_state("closing")
            self._emit("closing")

    def _ended(self, error: Exception | None) -> None:
        if self._state == "closed":
            return
        self._error = error
        self._set_state("closed")
        if error is not None:
            self._emit("error", error)
        self._emit("close")

    def _arrived(self, message: bytes | str, charge: int) -> bool:
        """The peer's receiver. Returns whether the message is consumed; else it is when it is read."""
        handlers = self._handlers.get("message") if self._handlers is not None else None
        if handlers:
            self._call("message", handlers, message)
            return True
        self._messages.append(message)
        if type(message) is not bytes or not message:
            self._charges.append(charge)
        reader = self._reader
        if reader is not None and not reader.done():
            reader.set_result(None)
        return False

    def _handler_added(self, name: str) -> None:
        if name == "bufferedamountlow" and self._handle >= 0:  # else it would not tell
            self._transport.set_buffered_amount_low_threshold(self._handle, self._low)
        while name == "message" and self._messages:  # what waits already goes to the first handler
            message, charge = self._next()
            self._transport.consumed += charge
            self._emit("message", message)
        self._transport.release()

    def _next(self) -> tuple[bytes | str, int]:
        """Of those that wait, with what it is charged with."""
        message = self._messages.popleft()
        return message, len(message) if type(message) is bytes and message else self._charges.popleft()

    def _set_state(self, state: str) -> None:
        if self._state == "open":
            self._transport.channels_closed += 1
            self._post = self._refuse
        self._state = state
        self._waiters.wake()
        if state == "closed" and self._reader is not None and not self._reader.done():
            self._reader.set_result(None)

    def _closed_error(self) -> ChannelClosedError:
        why = f": {self._error}" if self._error is not None else ""
        error = ChannelClosedError(f"the channel {self.label!r} is {self._state}{why}")
        error.__cause__ = self._error
        return error

    def __del__(self) -> None:
        if self._messages:  # nobody will read them: their room in the receive window is free again
            binary = sum(len(message) for message in self._messages if type(message) is bytes)
            self._transport.abandon(binary + sum(self._charges))

    def __repr__(self) -> str:
        return f"<DataChannel {self.label!r} id={self._options.id} {self._state}>"
