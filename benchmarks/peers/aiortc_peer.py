"""aiortc as a peer: JSON lines on stdin and stdout, see README.md."""

import asyncio
import base64
import hashlib
import json
import os
import sys
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any

from aiortc import (
    RTCConfiguration,
    RTCDataChannel,
    RTCPeerConnection,
    RTCRtpReceiver,
    RTCRtpTransceiver,
    RTCSessionDescription,
)
from aiortc.sdp import candidate_from_sdp

import benchmarks.peers.aiortc_loopback  # noqa: F401

from . import aiortc_media

HIGH = 1 << 20
LOW = 1 << 18

Json = dict[str, Any]


def emit(message: Json) -> None:
    sys.stdout.write(json.dumps(message) + "\n")
    sys.stdout.flush()


class Channel:
    def __init__(self, owner: str, handle: str, channel: RTCDataChannel, mode: str) -> None:
        self.owner, self.handle, self.channel, self.mode = owner, handle, channel, mode
        self.digest, self.bytes, self.messages = hashlib.sha256(), 0, 0
        self.grown = asyncio.Condition()
        self.room = asyncio.Event()
        channel.bufferedAmountLowThreshold = LOW
        channel.on("open", lambda: self.emit("open", id=channel.id))
        channel.on("close", lambda: self.emit("close"))
        channel.on("bufferedamountlow", self.room.set)
        channel.on("message", self.take)

    def emit(self, event: str, **more: Any) -> None:
        emit({"event": event, "pc": self.owner, "channel": self.handle, **more})

    async def take(self, data: bytes | str) -> None:
        if self.mode == "echo":
            self.channel.send(data)
        elif self.mode == "collect":
            raw = data.encode() if isinstance(data, str) else data
            self.digest.update(raw)
            self.bytes += len(raw)
            self.messages += 1
            async with self.grown:
                self.grown.notify_all()
        elif isinstance(data, str):
            self.emit("message", text=data)
        else:
            self.emit("message", data=base64.b64encode(data).decode())

    async def received(self, size: int) -> Json:
        async with self.grown:
            await self.grown.wait_for(lambda: self.bytes >= size)
        result = {"bytes": self.bytes, "messages": self.messages, "sha256": self.digest.hexdigest()}
        self.digest, self.bytes, self.messages = hashlib.sha256(), 0, 0
        return result

    async def pour(self, size: int, total: int) -> Json:
        digest, messages = hashlib.sha256(), 0
        for sent in range(0, total, size):
            message = os.urandom(min(size, total - sent))
            digest.update(message)
            messages += 1
            while self.channel.bufferedAmount > HIGH:
                self.room.clear()
                await self.room.wait()
            self.channel.send(message)
        return {"bytes": total, "messages": messages, "sha256": digest.hexdigest()}


class Connection:
    def __init__(self, handle: str, incoming: str) -> None:
        self.handle = handle
        self.channels: dict[str, Channel] = {}
        self.sources: dict[str, RTCRtpTransceiver] = {}
        self.watchers: dict[str, aiortc_media.Watcher] = {}
        self.pc = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        self.pc.on("connectionstatechange", lambda: self.emit("state", connection=self.pc.connectionState))
        self.pc.on("iceconnectionstatechange", lambda: self.emit("ice", ice=self.pc.iceConnectionState))
        self.pc.on("track", self.track_arrived)
        self.pc.on("datachannel", lambda channel: self.arrived(channel, incoming))

    def emit(self, event: str, **more: Any) -> None:
        emit({"event": event, "pc": self.handle, **more})

    def arrived(self, channel: RTCDataChannel, incoming: str) -> None:
        name = f"in{len(self.channels)}"
        self.channels[name] = added = Channel(self.handle, name, channel, incoming)
        members = ("label", "protocol", "ordered", "negotiated", "maxRetransmits", "maxPacketLifeTime", "id")
        added.emit("channel", **{name: getattr(channel, name) for name in members})
        added.emit("open", id=channel.id)

    def track_arrived(self, track: Any) -> None:
        (mid,) = (each.mid for each in self.pc.getTransceivers() if each.receiver.track is track)
        track.on("ended", lambda: self.emit("track_state", mid=mid, state="ended"))
        self.watchers[mid] = aiortc_media.watch(track)
        self.emit("track", kind=track.kind, mid=mid, streams=[])

    def add(
        self,
        name: str,
        source: Json | None = None,
        kind: str = "",
        direction: str = "sendrecv",
        codecs: list[str] | None = None,
        associate: bool = False,
    ) -> None:
        track = aiortc_media.source(**source) if source else None
        if associate:
            sender = self.pc.addTrack(track)
            (transceiver,) = (each for each in self.pc.getTransceivers() if each.sender is sender)
        else:
            transceiver = self.pc.addTransceiver(track or kind, direction=direction)
        if codecs:
            names = {codec.lower() for codec in codecs}
            known = RTCRtpReceiver.getCapabilities(transceiver.kind).codecs
            transceiver.setCodecPreferences(
                [codec for codec in known if codec.mimeType.lower() in names or codec.name == "rtx"]
            )
        self.sources[name] = transceiver

    async def close(self) -> None:
        for watcher in self.watchers.values():
            watcher.close()
        await self.pc.close()

    async def described(self, description: RTCSessionDescription) -> Json:
        """aiortc gathers before it describes, and has no candidate events: all are in the description."""
        await self.pc.setLocalDescription(description)
        self.emit("candidate", candidate=None)
        return {"type": self.pc.localDescription.type, "sdp": self.pc.localDescription.sdp}


class Peer:
    def __init__(self) -> None:
        self.connections: dict[str, Connection] = {}

    async def open(self, pc: str, incoming: str = "report") -> None:
        self.connections[pc] = Connection(pc, incoming)

    async def offer(self, pc: str, gather: bool = True) -> Json:
        connection = self.connections[pc]
        return await connection.described(await connection.pc.createOffer())

    async def answer(self, pc: str, sdp: str = "", gather: bool = True) -> Json:
        connection = self.connections[pc]
        if sdp:
            await connection.pc.setRemoteDescription(RTCSessionDescription(sdp, "offer"))
        return await connection.described(await connection.pc.createAnswer())

    async def remote_offer(self, pc: str, sdp: str) -> None:
        await self.connections[pc].pc.setRemoteDescription(RTCSessionDescription(sdp, "offer"))

    async def add(self, pc: str, **arguments: Any) -> None:
        self.connections[pc].add(**arguments)

    async def replace(self, pc: str, name: str, source: Json | None) -> None:
        track = aiortc_media.source(**source) if source else None
        self.connections[pc].sources[name].sender.replaceTrack(track)

    async def direction(self, pc: str, name: str, direction: str) -> None:
        self.connections[pc].sources[name].direction = direction

    async def stop(self, pc: str, name: str) -> None:
        await self.connections[pc].sources[name].stop()

    async def seen(self, pc: str, mid: str, **wanted: Any) -> Json:
        return await self.connections[pc].watchers[mid].seen(**wanted)

    async def transceivers(self, pc: str) -> Json:
        members = ("mid", "kind", "direction", "currentDirection")
        found = self.connections[pc].pc.getTransceivers()
        names = ("mid", "kind", "direction", "current")
        return {
            "transceivers": [
                dict(zip(names, (getattr(each, m) for m in members), strict=True)) for each in found
            ]
        }

    async def accept(self, pc: str, sdp: str) -> None:
        await self.connections[pc].pc.setRemoteDescription(RTCSessionDescription(sdp, "answer"))

    async def candidate(self, pc: str, candidate: Json | None) -> None:
        parsed = None
        if candidate is not None and candidate["candidate"]:
            parsed = candidate_from_sdp(candidate["candidate"].removeprefix("candidate:"))
            parsed.sdpMid = candidate["sdpMid"]
        await self.connections[pc].pc.addIceCandidate(parsed)

    async def channel(
        self, pc: str, channel: str, label: str, options: Json | None = None, mode: str = "report"
    ) -> None:
        connection = self.connections[pc]
        created = connection.pc.createDataChannel(label, **(options or {}))
        connection.channels[channel] = Channel(pc, channel, created, mode)

    async def send(self, pc: str, channel: str, text: str | None = None, data: str = "") -> None:
        self.connections[pc].channels[channel].channel.send(base64.b64decode(data) if text is None else text)

    async def mode(self, pc: str, channel: str, mode: str) -> None:
        self.connections[pc].channels[channel].mode = mode

    async def pour(self, pc: str, channel: str, size: int, total: int) -> Json:
        return await self.connections[pc].channels[channel].pour(size, total)

    async def received(self, pc: str, channel: str, bytes: int) -> Json:
        return await self.connections[pc].channels[channel].received(bytes)

    async def close_channel(self, pc: str, channel: str) -> None:
        self.connections[pc].channels[channel].channel.close()

    async def close(self, pc: str) -> None:
        await self.connections.pop(pc).close()

    async def stats(self, pc: str) -> Json:
        report = await self.connections[pc].pc.getStats()
        plain = {
            key: {name: member for name, member in vars(value).items() if not isinstance(member, datetime)}
            for key, value in report.items()
        }
        for entry in plain.values():
            if "jitter" in entry:  # in units of the RTP clock
                entry["jitter"] /= {"video": 90000, "audio": 48000}[entry["kind"]]
        return {"stats": [{"id": key, **entry} for key, entry in plain.items()]}


async def main() -> None:
    peer = Peer()
    tasks: set[asyncio.Task[None]] = set()

    async def carry_out(line: bytes) -> None:
        request = json.loads(line)
        number, name = request.pop("id"), request.pop("cmd")
        try:
            command: Callable[..., Awaitable[Json | None]] = getattr(peer, name)
            emit({"id": number, **(await command(**request) or {})})
        except Exception as error:
            emit({"id": number, "error": repr(error)})

    reader = asyncio.StreamReader(limit=1 << 26)
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), sys.stdin
    )
    while line := await reader.readline():
        task = asyncio.create_task(carry_out(line))
        tasks.add(task)
        task.add_done_callback(tasks.discard)


if __name__ == "__main__":
    asyncio.run(main())
