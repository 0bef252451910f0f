"""Drives another stack through the peer protocol of README.md.

    async with await start(stack) as remote:
        connection = await remote.open(incoming="echo")
        answer = await connection.answer(offer)
        channel = await connection.arrived("chat")

A `Remote` is one program (or one browser page) with any number of connections. What it tells unasked is kept
in the objects here: states and lists that only grow, and `until` waits for a condition on them.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import itertools
import json
import os
import signal
from collections.abc import AsyncIterator, Callable
from types import TracebackType
from typing import Any

from . import browser
from .stacks import Stack

Json = dict[str, Any]
LINE_LIMIT = 1 << 26


class PeerError(Exception):
    """The other stack refused a command; the text is its own."""


class Watched:
    """Something that changes, and that can be waited for."""

    def __init__(self) -> None:
        self._waiting: list[tuple[Callable[[], object], asyncio.Future[None]]] = []

    def changed(self) -> None:
        for condition, future in self._waiting:
            if not future.done() and condition():
                future.set_result(None)

    async def until(self, condition: Callable[[], object], within: float = 10.0) -> None:
        """Returns when `condition()` is true; `TimeoutError` after `within` seconds."""
        if condition():
            return
        entry = (condition, asyncio.get_running_loop().create_future())
        self._waiting.append(entry)
        try:
            async with asyncio.timeout(within):
                await entry[1]
        finally:
            self._waiting.remove(entry)


class RemoteChannel(Watched):
    """One end of a data channel, over there. `messages`: what came, `str` or `bytes`, in mode "report"."""

    def __init__(self, connection: RemoteConnection, handle: str, members: Json) -> None:
        super().__init__()
        self.connection, self.handle, self.members = connection, handle, members
        self.messages: list[str | bytes] = []
        self.opened = self.closed = False
        self.id: int | None = members.get("id")

    async def call(self, cmd: str, **arguments: Any) -> Json:
        return await self.connection.call(cmd, channel=self.handle, **arguments)

    async def open(self, within: float = 10.0) -> None:
        await self.until(lambda: self.opened, within)

    async def send(self, message: str | bytes) -> None:
        if isinstance(message, str):
            await self.call("send", text=message)
        else:
            await self.call("send", data=base64.b64encode(message).decode())

    async def mode(self, mode: str) -> None:
        """What it does with messages from now on: "report" them, "echo" them or "collect" them."""
        await self.call("mode", mode=mode)

    async def pour(self, size: int, total: int) -> Json:
        """Sends random messages of `size` bytes until `total`; returns `bytes`, `messages` and `sha256`."""
        return await self.call("pour", size=size, total=total)

    async def received(self, size: int) -> Json:
        """In mode "collect": waits for `size` bytes; returns `bytes`, `messages` and `sha256` so far."""
        return await self.call("received", bytes=size)

    async def close(self) -> None:
        await self.call("close_channel")


class RemoteConnection(Watched):
    """A peer connection over there. Descriptions are SDP; candidates are the JSON of RTCIceCandidate."""

    def __init__(self, remote: Remote, handle: str) -> None:
        super().__init__()
        self.remote, self.handle = remote, handle
        self.states: list[str] = ["new"]
        self.ice_states: list[str] = ["new"]
        self.candidates: list[Json | None] = []
        self.channels: dict[str, RemoteChannel] = {}
        self.tracks: list[Json] = []
        self.track_states: dict[str, list[str]] = {}
        self._incoming: list[RemoteChannel] = []
        self._closed = False

    @property
    def state(self) -> str:
        return self.states[-1]

    async def call(self, cmd: str, **arguments: Any) -> Json:
        return await self.remote.call(cmd, pc=self.handle, **arguments)

    async def offer(self, *, gather: bool = True, restart: bool = False) -> str:
        """Makes the offer, with all candidates if `gather`. `restart`: of ICE."""
        more = {"restart": True} if restart else {}
        return str((await self.call("offer", gather=gather, **more))["sdp"])

    async def answer(self, offer: str, *, gather: bool = True) -> str:
        return str((await self.call("answer", sdp=offer, gather=gather))["sdp"])

    async def accept(self, answer: str) -> None:
        await self.call("accept", sdp=answer)

    async def add_candidate(self, candidate: Json | None) -> None:
        await self.call("candidate", candidate=candidate)

    async def candidate_events(self) -> AsyncIterator[Json]:
        """Candidates as they come, until the last."""
        for index in itertools.count():
            await self.until(lambda: len(self.candidates) > index)  # noqa: B023
            candidate = self.candidates[index]
            if candidate is None:
                return
            yield candidate

    async def channel(self, label: str, *, mode: str = "report", **options: Any) -> RemoteChannel:
        handle = f"out{len(self.channels)}"
        self.channels[handle] = channel = RemoteChannel(self, handle, {"label": label, **options})
        await self.call("channel", channel=handle, label=label, options=options, mode=mode)
        return channel

    async def arrived(self, label: str, within: float = 10.0) -> RemoteChannel:
        """The open channel that the other side made with this label."""
        found: list[RemoteChannel] = []

        def look() -> bool:
            found.extend(channel for channel in self._incoming if channel.members["label"] == label)
            return bool(found)

        await self.until(look, within)
        await found[0].open(within)
        return found[0]

    async def add(
        self,
        name: str,
        source: Json | None = None,
        *,
        kind: str | None = None,
        direction: str | None = None,
        encodings: list[Json] | None = None,
        codecs: list[str] | None = None,
        associate: bool = False,
    ) -> None:
        """A track or (of `kind`) a transceiver without one, by a name for later. `source`, `codecs`: see
        README.md. `associate`: on a section of the offer that was set last."""
        arguments = {
            "source": source, "kind": kind, "direction": direction, "encodings": encodings, "codecs": codecs,
        }  # fmt: skip
        given = {key: value for key, value in arguments.items() if value is not None}
        await self.call("add", name=name, associate=associate, **given)

    async def replace(self, name: str, source: Json | None) -> None:
        """Sends from another source, without negotiating; None: nothing."""
        await self.call("replace", name=name, source=source)

    async def enable(self, name: str, enabled: bool) -> None:
        """Of a track: False, and it is black or silent."""
        await self.call("enable", name=name, enabled=enabled)

    async def direction(self, name: str, direction: str) -> None:
        await self.call("direction", name=name, direction=direction)

    async def stop(self, name: str) -> None:
        """The transceiver, for good."""
        await self.call("stop", name=name)

    async def remote_offer(self, offer: str) -> None:
        """Takes the offer; tracks can be added before `described_answer()`."""
        await self.call("remote_offer", sdp=offer)

    async def described_answer(self, *, gather: bool = True) -> str:
        return str((await self.call("answer", gather=gather))["sdp"])

    async def seen(self, mid: str, within: float = 30.0, **wanted: Any) -> Json:
        """What arrives in a section, as it is decoded there. Video: after `frames` (and `numbers`, readable
        ones) `width`, `height`, `numbers`, `unreadable`. Audio: waits for the loudest `frequency`, in Hz,
        within `tolerance`."""
        return await self.remote.call("seen", within, pc=self.handle, mid=mid, **wanted)

    async def transceivers(self) -> list[Json]:
        return list((await self.call("transceivers"))["transceivers"])

    async def stats(self) -> list[Json]:
        return list((await self.call("stats"))["stats"])

    async def close(self) -> None:
        if not self._closed:
            self._closed = True
            await self.call("close")

    def happened(self, event: Json) -> None:
        match event["event"]:
            case "state":
                self.states.append(event["connection"])
            case "ice":
                self.ice_states.append(event["ice"])
            case "candidate":
                self.candidates.append(event["candidate"])
            case "track":
                self.tracks.append(event)
            case "track_state":
                self.track_states.setdefault(event["mid"], []).append(event["state"])
            case "channel":
                channel = RemoteChannel(self, event["channel"], event)
                self.channels[channel.handle] = channel
                self._incoming.append(channel)
            case kind:
                channel = self.channels[event["channel"]]
                if kind == "message":
                    channel.messages.append(
                        event["text"] if "text" in event else base64.b64decode(event["data"])
                    )
                elif kind == "open":
                    channel.opened, channel.id = True, event["id"]
                elif kind == "close":
                    channel.closed = True
                else:
                    raise PeerError(f"{self.remote.stack.name}: {event}")
                channel.changed()
        self.changed()


class Line:
    """The JSON lines of a program's stdin and stdout."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self.process, self.stdin, self.stdout = process, process.stdin, process.stdout

    async def write(self, message: str) -> None:
        self.stdin.write(message.encode() + b"\n")
        await self.stdin.drain()

    async def read(self) -> str | None:
        return (await self.stdout.readline()).decode() or None

    @property
    def pids(self) -> list[int]:
        return [self.process.pid]

    async def close(self) -> None:
        self.stdin.close()
        try:
            async with asyncio.timeout(5):
                await self.process.wait()
        except TimeoutError:
            self.process.kill()
            await self.process.wait()


class Remote:
    """A started peer. As a context manager it ends the program."""

    def __init__(self, stack: Stack, line: Line | browser.Page) -> None:
        self.stack, self.line = stack, line
        self._numbers = itertools.count(1)
        self._answers: dict[int, asyncio.Future[Json]] = {}
        self._connections: dict[str, RemoteConnection] = {}
        self._reading = asyncio.create_task(self._read())
        self._killed = False

    @property
    def alive(self) -> bool:
        return not self._killed and not self._reading.done()

    async def _read(self) -> None:
        while (text := await self.line.read()) is not None:
            message = json.loads(text)
            if "id" in message and "event" not in message:
                answer = self._answers.pop(message["id"])
                if answer.cancelled():
                    continue
                if "error" in message:
                    answer.set_exception(PeerError(f"{self.stack.name}: {message['error']}"))
                else:
                    answer.set_result(message)
            elif message["event"] != "ready" and message["pc"] in self._connections:
                self._connections[message["pc"]].happened(message)
        for answer in self._answers.values():
            answer.cancel()

    async def call(self, cmd: str, within: float = 60.0, **arguments: Any) -> Json:
        if self._reading.done():
            self._reading.result()
            raise PeerError(f"{self.stack.name} has ended")
        number = next(self._numbers)
        self._answers[number] = answer = asyncio.get_running_loop().create_future()
        await self.line.write(json.dumps({"id": number, "cmd": cmd, **arguments}))
        async with asyncio.timeout(within):
            return await answer

    async def open(self, *, incoming: str = "report") -> RemoteConnection:
        """A new peer connection; `incoming` is the mode of the channels that arrive on it."""
        connection = RemoteConnection(self, f"pc{next(self._numbers)}")
        self._connections[connection.handle] = connection
        await connection.call("open", incoming=incoming)
        return connection

    def kill(self) -> None:
        """Ends it as a crash would, so that it says nothing to the other side."""
        self._killed = True
        for pid in self.line.pids:
            os.kill(pid, signal.SIGKILL)

    async def close(self) -> None:
        await self.line.close()
        self._reading.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._reading

    async def __aenter__(self) -> Remote:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()


async def start(stack: Stack) -> Remote:
    """Starts the stack's program, or the browser with its page."""
    if stack.browser:
        return Remote(stack, await browser.launch(stack.name))
    process = await asyncio.create_subprocess_exec(
        *stack.peer,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        env={**os.environ, **stack.environment},
        limit=LINE_LIMIT,
    )
    return Remote(stack, Line(process))
