"""Carrying descriptions and candidates between two programs on one machine, or by hand.

One JSON object per line, in aiortc's shape: a program on the other end may be aiortc's own.
`rtcore.signaling.StreamSignaling` is the same for rtcore's own objects, in the shape of browsers.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import sys
from abc import ABC, abstractmethod

from rtcore.aiortc.rtcicetransport import RTCIceCandidate
from rtcore.aiortc.rtcsessiondescription import RTCSessionDescription
from rtcore.aiortc.sdp import candidate_from_sdp, candidate_to_sdp

__all__ = [
    "BYE",
    "BaseSignaling",
    "CopyAndPasteSignaling",
    "SignalingBye",
    "TcpSocketSignaling",
    "UnixSocketSignaling",
    "add_signaling_arguments",
    "create_signaling",
    "object_from_string",
    "object_to_string",
]


class SignalingBye:
    """The other end leaves: `BYE`."""


BYE = SignalingBye()

SignalingObject = RTCSessionDescription | RTCIceCandidate | SignalingBye


def object_from_string(message_str: str) -> SignalingObject:
    """A line's object. `ValueError` if it is none of the three."""
    message = json.loads(message_str)
    match message:
        case {"type": "answer" | "offer" as type_, "sdp": sdp}:
            return RTCSessionDescription(sdp=sdp, type=type_)
        case {"type": "candidate", "candidate": str(text), "id": mid, "label": index} if text:
            candidate = candidate_from_sdp(text.partition(":")[2])
            candidate.sdpMid = mid
            candidate.sdpMLineIndex = index
            return candidate
        case {"type": "bye"}:
            return BYE
        case _:
            raise ValueError(f"expected a description, a candidate or a bye, got {message_str[:60]!r}")


def object_to_string(obj: SignalingObject) -> str:
    """The object as a line, without its end."""
    message: dict[str, str | int | None]
    if isinstance(obj, RTCSessionDescription):
        message = {"sdp": obj.sdp, "type": obj.type}
    elif isinstance(obj, RTCIceCandidate):
        message = {
            "candidate": "candidate:" + candidate_to_sdp(obj),
            "id": obj.sdpMid,
            "label": obj.sdpMLineIndex,
            "type": "candidate",
        }
    elif obj is BYE:
        message = {"type": "bye"}
    else:
        raise TypeError(f"expected a description, a candidate or BYE, got {type(obj).__name__}")
    return json.dumps(message, sort_keys=True)


class BaseSignaling(ABC):
    @abstractmethod
    async def connect(self) -> None:
        """Gets ready; sockets connect with the first `send()` or `receive()`."""

    @abstractmethod
    async def close(self) -> None:
        """Says `BYE` and leaves. Idempotent."""

    @abstractmethod
    async def send(self, descr: SignalingObject) -> None: ...

    @abstractmethod
    async def receive(self) -> SignalingObject | None:
        """The next object; None: the other end is gone without a word."""


class CopyAndPasteSignaling(BaseSignaling):
    """By hand, over standard input and output."""

    def __init__(self) -> None:
        self._read_pipe = sys.stdin
        self._write_pipe = sys.stdout
        self._read_transport: asyncio.ReadTransport | None = None
        self._reader: asyncio.StreamReader | None = None

    async def connect(self) -> None:
        loop = asyncio.get_running_loop()
        self._reader = reader = asyncio.StreamReader()
        self._read_transport, _ = await loop.connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(reader), self._read_pipe
        )

    async def close(self) -> None:
        if self._reader is not None and self._read_transport is not None:
            await self.send(BYE)
            self._read_transport.close()
            self._reader = None

    async def receive(self) -> SignalingObject | None:
        if self._reader is None:
            raise RuntimeError("call connect() first")
        print("-- Please enter a message from remote party --")
        line = await self._reader.readline()
        print()
        return object_from_string(line.decode(self._read_pipe.encoding)) if line else None

    async def send(self, descr: SignalingObject) -> None:
        print("-- Please send this message to the remote party --")
        self._write_pipe.write(object_to_string(descr) + "\n")
        self._write_pipe.flush()
        print()


class _SocketSignaling(BaseSignaling):
    """Over a socket: who sends first listens, who receives first connects."""

    def __init__(self) -> None:
        self._server: asyncio.Server | None = None
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None

    @abstractmethod
    async def _listen(self, connected: asyncio.Future[_Streams]) -> asyncio.Server: ...

    @abstractmethod
    async def _open(self) -> _Streams: ...

    async def connect(self) -> None:
        pass

    async def close(self) -> None:
        writer, server = self._writer, self._server
        if writer is not None:
            await self.send(BYE)
            self._reader = self._writer = None
            writer.close()
            with contextlib.suppress(ConnectionError):  # the other end may be gone already
                await writer.wait_closed()
        if server is not None:
            self._server = None
            server.close()
            self._closed()

    def _closed(self) -> None:
        """The server has been closed."""

    async def receive(self) -> SignalingObject | None:
        if self._reader is None:
            self._reader, self._writer = await self._open()
        try:
            line = await self._reader.readuntil()
        except asyncio.IncompleteReadError:
            return None
        return object_from_string(line.decode())

    async def send(self, descr: SignalingObject) -> None:
        if self._writer is None:
            connected: asyncio.Future[_Streams] = asyncio.get_running_loop().create_future()
            self._server = await self._listen(connected)
            self._reader, self._writer = await connected
        self._writer.write(object_to_string(descr).encode() + b"\n")


_Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


def _first(
    connected: asyncio.Future[_Streams], reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    if connected.done():
        writer.close()  # there is one other end
    else:
        connected.set_result((reader, writer))


class TcpSocketSignaling(_SocketSignaling):
    def __init__(self, host: str, port: int) -> None:
        super().__init__()
        self._host = host
        self._port = port

    async def _listen(self, connected: asyncio.Future[_Streams]) -> asyncio.Server:
        return await asyncio.start_server(lambda r, w: _first(connected, r, w), self._host, self._port)

    async def _open(self) -> _Streams:
        return await asyncio.open_connection(self._host, self._port)


class UnixSocketSignaling(_SocketSignaling):
    def __init__(self, path: str) -> None:
        super().__init__()
        self._path = path

    async def _listen(self, connected: asyncio.Future[_Streams]) -> asyncio.Server:
        return await asyncio.start_unix_server(lambda r, w: _first(connected, r, w), self._path)

    async def _open(self) -> _Streams:
        return await asyncio.open_unix_connection(self._path)

    def _closed(self) -> None:
        with contextlib.suppress(FileNotFoundError):  # from Python 3.13 on the server has done it
            os.unlink(self._path)


def add_signaling_arguments(parser: argparse.ArgumentParser) -> None:
    """The options that `create_signaling()` reads."""
    parser.add_argument("--signaling", "-s", choices=["copy-and-paste", "tcp-socket", "unix-socket"])
    parser.add_argument("--signaling-host", default="127.0.0.1", help="address, of tcp-socket")
    parser.add_argument("--signaling-port", default=1234, type=int, help="port, of tcp-socket")
    parser.add_argument("--signaling-path", default="aiortc.socket", help="path, of unix-socket")


def create_signaling(args: argparse.Namespace) -> BaseSignaling:
    """What the options ask for; by hand if they ask for nothing."""
    if args.signaling == "tcp-socket":
        return TcpSocketSignaling(args.signaling_host, args.signaling_port)
    if args.signaling == "unix-socket":
        return UnixSocketSignaling(args.signaling_path)
    return CopyAndPasteSignaling()
