"""`RTCDataChannel`: rtcore's `DataChannel` with a `send()` that never waits."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from rtcore.connection.channel import MAX_ID, ChannelOptions, DataChannel
from rtcore.errors import Error, InvalidStateError, OperationError

from ._emitter import Emitter

if TYPE_CHECKING:
    from typing_extensions import Buffer

    from ._bundle import Bundle
    from .rtcsctptransport import RTCSctpTransport

__all__ = ["RTCDataChannel", "RTCDataChannelParameters"]

MAX_BACKLOG = 256 * 1024 * 1024
"""Bytes that `send()` takes of one channel beyond the association's send buffer (4 MiB, of all channels)."""
HOLD = 1.0
"""Seconds for which messages wait for the first handler of "message"; from then on those without one are
dropped."""
_MAX_THRESHOLD = 2**32 - 1


@dataclass
class RTCDataChannelParameters:
    """What a channel is made with. `id` counts where the channel is `negotiated`."""

    label: str = ""
    maxPacketLifeTime: int | None = None
    maxRetransmits: int | None = None
    ordered: bool = True
    protocol: str = ""
    negotiated: bool = False
    id: int | None = None


class RTCDataChannel(Emitter):
    """Messages in both directions. Events: "open", "message" (`bytes` or `str`), "bufferedamountlow",
    "close".

    `send()` does not wait. What the association's send buffer does not hold waits here, up to `MAX_BACKLOG`
    bytes, and counts in `bufferedAmount`.
    """

    def __init__(
        self, transport: RTCSctpTransport, parameters: RTCDataChannelParameters, send_open: bool = True
    ) -> None:
        self._open(transport._bundle, parameters)

    @classmethod
    def _make(cls, bundle: Bundle, parameters: RTCDataChannelParameters) -> Self:
        """A peer connection's."""
        made = cls.__new__(cls)
        made._open(bundle, parameters)
        return made

    def _open(self, bundle: Bundle, parameters: RTCDataChannelParameters) -> None:
        if parameters.negotiated and (parameters.id is None or not 0 <= parameters.id <= MAX_ID):
            raise ValueError(f"a negotiated data channel needs an id from 0 to {MAX_ID}, not {parameters.id}")
        options = ChannelOptions(
            parameters.label,
            protocol=parameters.protocol,
            ordered=parameters.ordered,
            negotiated=parameters.negotiated,
            id=parameters.id,
            max_retransmits=parameters.maxRetransmits,
            max_packet_life_time=parameters.maxPacketLifeTime,
        )
        try:
            channel = bundle.add_channel(options)
        except OperationError as error:
            raise ValueError(str(error)) from error
        self._attach(bundle, channel)

    @classmethod
    def _of(cls, bundle: Bundle, channel: DataChannel) -> Self:
        """That of a channel of the other end's, which is open."""
        made = cls.__new__(cls)
        made._attach(bundle, channel)
        made._hold()
        return made

    def _attach(self, bundle: Bundle, channel: DataChannel) -> None:
        Emitter.__init__(self)
        self._bundle = bundle
        self._channel = channel
        self._backlog: deque[Buffer | str] | None = None
        self._backlog_size = 0
        self._low_told = True  # since the amount was above the threshold
        self._drain_task: asyncio.Task[None] | None = None
        self._ending = False  # closes when the backlog is sent
        self._listening = False
        self._watching = False
        self._holding: asyncio.TimerHandle | None = None
        self._handlers: Collection[Callable[..., Any]] = ()  # of "message", as pyee has them at any time
        self._handle = -1
        self._amount: Callable[[int], int] = _nothing  # the peer's buffered_amount() from open to close
        channel.on("open", self._opened)
        channel.on("close", self._closed)
        if channel.ready_state == "open":
            self._use()

    def _use(self) -> None:
        self._handle = self._channel._handle
        self._amount = self._channel._transport.buffered_amount

    # What it is

    @property
    def bufferedAmount(self) -> int:
        """Bytes given to `send()` and not yet handed to the network."""
        return self._amount(self._handle) + self._backlog_size

    @property
    def bufferedAmountLowThreshold(self) -> int:
        """ "bufferedamountlow" comes when `bufferedAmount` falls to this."""
        return self._channel.buffered_amount_low_threshold

    @bufferedAmountLowThreshold.setter
    def bufferedAmountLowThreshold(self, value: int) -> None:
        if not 0 <= value <= _MAX_THRESHOLD:
            raise ValueError(f"bufferedAmountLowThreshold must be from 0 to {_MAX_THRESHOLD}, not {value}")
        self._channel.buffered_amount_low_threshold = value

    @property
    def negotiated(self) -> bool:
        """Whether both ends made it, without telling each other."""
        return self._channel.negotiated

    @property
    def id(self) -> int | None:
        """The SCTP stream; None until it is known."""
        return self._channel.id

    @property
    def label(self) -> str:
        """What the end that made it called it."""
        return self._channel.label

    @property
    def ordered(self) -> bool:
        """Whether messages arrive in the order in which they were sent."""
        return self._channel.ordered

    @property
    def maxPacketLifeTime(self) -> int | None:
        """Milliseconds until a message is given up."""
        return self._channel.max_packet_life_time

    @property
    def maxRetransmits(self) -> int | None:
        """How often a part of a message is sent again."""
        return self._channel.max_retransmits

    @property
    def protocol(self) -> str:
        """The subprotocol."""
        return self._channel.protocol

    @property
    def readyState(self) -> str:
        """ "connecting", "open", "closing" or "closed"."""
        state = self._channel.ready_state
        return "closing" if self._ending and state == "open" else state

    @property
    def transport(self) -> RTCSctpTransport:
        """What it runs on."""
        from .rtcsctptransport import RTCSctpTransport

        return self._bundle.view(RTCSctpTransport)

    # Sending

    def send(self, data: Buffer | str) -> None:
        """Sends one message, a str as text. `InvalidStateError` if the channel is not open, `ValueError` for
        what cannot be sent or is larger than the other end takes, `OperationError` if the backlog is full."""
        channel = self._channel
        try:  # as send_nowait() does, without its call: this is per message
            if not (self._backlog or channel._queued) and channel._post(self._handle, data):
                return
        except TypeError as error:
            raise ValueError(f"cannot send {type(data).__name__}: {error}") from None
        self._put(data)

    def _put(self, data: Buffer | str) -> None:
        if self.readyState != "open":
            raise InvalidStateError(f"the channel is {self.readyState}")
        kept = data if isinstance(data, str) else bytes(data)
        size = _size(kept)
        if self._backlog_size + size > MAX_BACKLOG:
            raise OperationError(f"{self._backlog_size} bytes wait already: heed bufferedAmount")
        limit = self._bundle.transport.remote_max_message_size
        if limit and size > limit:
            raise ValueError(f"the other end takes messages of {limit} bytes, not of {size}")
        if self._backlog is None:
            self._backlog = deque()
        self._backlog.append(kept)
        self._backlog_size += size
        self._low_told = self.bufferedAmount <= self.bufferedAmountLowThreshold
        if self._drain_task is None:
            self._drain_task = asyncio.get_running_loop().create_task(self._drain(self._backlog))

    async def _drain(self, backlog: deque[Buffer | str]) -> None:
        """Sends the backlog as there is room. It ends with the channel."""
        try:
            while backlog:
                await self._channel.send(backlog[0])
                self._backlog_size -= _size(backlog.popleft())
                self._check_low()
        except Error:
            backlog.clear()  # the channel closed: "close" says so
            self._backlog_size = 0
        finally:
            self._drain_task = None
        if self._ending:
            self._channel.close_nowait()

    def close(self) -> None:
        """Closes the channel; what was sent still arrives. Idempotent."""
        if self._backlog:
            self._ending = True
        else:
            self._channel.close_nowait()

    # From the channel

    def _add_event_handler(self, event: str, k: Callable[..., Any], v: Callable[..., Any]) -> None:
        super()._add_event_handler(event, k, v)
        if event == "message":
            self._handlers = dict.values(self._events[event])  # a view; OrderedDict's own is slower to read
            self._listen()
        elif event == "bufferedamountlow" and not self._watching:  # else the core need not tell it
            self._watching = True
            self._channel.on("bufferedamountlow", self._fell)

    def _hold(self) -> None:
        """What comes in one burst with the channel waits for the handler that a coroutine adds a little
        later."""
        if not self._listening:
            self._holding = asyncio.get_running_loop().call_later(HOLD, self._listen)

    def _listen(self) -> None:
        if not self._listening:
            self._listening = True
            self._channel.divert(self._deliver)

    def _deliver(self, message: bytes | str, charge: int) -> bool:
        """As `emit("message", message)` does, in a tenth of the time: this is per message."""
        if len(self._handlers) == 1:
            (handler,) = self._handlers
            try:
                result = handler(message)
            except Exception as error:
                self.emit("error", error)
            else:
                if result is not None:
                    self._emit_run(_given, (result,), {})  # a coroutine becomes a task
        else:
            for handler in tuple(self._handlers):
                self._emit_run(handler, (message,), {})
        return True

    def remove_all_listeners(self, event: str | None = None) -> None:
        super().remove_all_listeners(event)
        if event in (None, "message"):
            self._handlers = ()

    def _opened(self) -> None:
        self._use()
        self._hold()
        self.emit("open")

    def _fell(self) -> None:
        """The core's amount fell to the threshold: with a backlog, that is not all."""
        if self._backlog:
            self._check_low()
        else:
            self.emit("bufferedamountlow")

    def _check_low(self) -> None:
        if not self._low_told and self.bufferedAmount <= self.bufferedAmountLowThreshold:
            self._low_told = True
            self.emit("bufferedamountlow")

    def _closed(self) -> None:
        if self._holding is not None:
            self._holding.cancel()  # else it keeps the whole connection for that long
        self._amount = _nothing
        self.emit("close")
        self.remove_all_listeners()
        self._channel.off("open", self._opened)  # else each would keep the other until the collector comes
        self._channel.off("close", self._closed)
        if self._watching:
            self._channel.off("bufferedamountlow", self._fell)
        if self._listening:
            self._channel.divert(_nobody)


def _nobody(message: bytes | str, charge: int) -> bool:
    return True


def _nothing(handle: int) -> int:
    return 0


def _given(result: object) -> object:
    return result


def _size(data: Buffer | str) -> int:
    return len(data.encode()) if isinstance(data, str) else len(memoryview(data))
