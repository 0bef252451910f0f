"""Pion as a peer: JSON lines on stdin and stdout, see README.md. The program `pion peer` has the connections;
what is said of tracks is encoded and decoded here, and all else goes through.
"""

import asyncio
import base64
import json
import re
import sys
from collections.abc import Callable, Coroutine
from typing import Any

from . import aiortc_media
from .install import PION
from .pion_media import Incoming, Source

Json = dict[str, Any]

LINE_LIMIT = 1 << 26
KINDS = {"picture": "video", "tone": "audio"}
PREFERRED = {"video": "video/VP8", "audio": "audio/opus"}


class Connection:
    def __init__(self) -> None:
        self.offer = ""
        self.codecs: dict[str, str] = {}
        self.sources: dict[str, Source] = {}
        self.incoming: dict[str, Incoming] = {}
        self.watchers: dict[str, aiortc_media.Watcher] = {}

    def codec(self, kind: str, codecs: list[str] | None, associate: bool) -> str:
        """What to send: the first of the offer that was set last, or of ours."""
        if associate:
            section = re.search(rf"^m={kind} .*?^a=rtpmap:\d+ ([^/]+)", self.offer, re.M | re.S)
            assert section is not None
            return f"{kind}/{section[1]}"
        return codecs[0] if codecs else PREFERRED[kind]

    async def close(self) -> None:
        for source in self.sources.values():
            await source.stop()
        for watcher in self.watchers.values():
            watcher.close()


class Peer:
    def __init__(self, pion: asyncio.subprocess.Process) -> None:
        assert pion.stdin is not None
        self.pion = pion.stdin
        self.connections: dict[str, Connection] = {}
        self.done: dict[int, Callable[[], None]] = {}  #: what to do when a command has succeeded
        self.tasks: set[asyncio.Task[None]] = set()

    def tell(self, message: Json) -> None:
        sys.stdout.write(json.dumps(message) + "\n")
        sys.stdout.flush()

    def ask(self, message: Json) -> None:
        self.pion.write(json.dumps(message).encode() + b"\n")

    def later(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    # Commands

    def begin(self, request: Json, codec: str, scales: dict[str, float]) -> None:
        pc, name, source = request["pc"], request["name"], request["source"]
        connection = self.connections[pc]

        def send(rid: str, data: bytes, duration: float) -> None:
            encoded = base64.b64encode(data).decode()
            self.ask(
                {"cmd": "frame", "pc": pc, "name": name, "rid": rid, "data": encoded, "duration": duration}
            )

        def start() -> None:
            connection.sources[name] = Source(codec, source, scales, send)

        connection.codecs[name] = codec
        self.done[request["id"]] = start

    async def add(self, request: Json) -> None:
        connection = self.connections[request["pc"]]
        kind = KINDS[request["source"]["type"]]
        codec = connection.codec(kind, request.get("codecs"), request["associate"])
        encodings = request.pop("encodings", [])
        scales = {each["rid"]: float(each["scaleResolutionDownBy"]) for each in encodings} or {"": 1.0}
        self.begin(request, codec, scales)
        direction = {"direction": request.get("direction", "sendrecv")}
        self.ask({**request, **direction, "codec": codec, "rids": [rid for rid in scales if rid]})

    async def replace(self, request: Json) -> None:
        connection = self.connections[request["pc"]]
        codec = connection.codecs[request["name"]]
        if source := connection.sources.pop(request["name"], None):
            await source.stop()
        if request["source"]:
            self.begin(request, codec, {"": 1.0})
        self.ask({**request, "codec": codec if request["source"] else ""})

    async def seen(self, request: Json) -> None:
        number, mid, pc = request.pop("id"), request.pop("mid"), request.pop("pc")
        self.tell({"id": number, **await self.connections[pc].watchers[mid].seen(**request)})

    async def carry_out(self, request: Json) -> None:
        pc = request["pc"]
        match request["cmd"]:
            case "add":
                await self.add(request)
            case "replace":
                await self.replace(request)
            case "seen":
                del request["cmd"]
                await self.seen(request)
            case command:
                if command == "open":
                    self.connections[pc] = Connection()
                elif command == "remote_offer":
                    self.connections[pc].offer = request["sdp"]
                elif command == "close":
                    await self.connections.pop(pc).close()
                self.ask(request)

    async def guarded(self, request: Json) -> None:
        number = request["id"]
        try:
            await self.carry_out(request)
        except Exception as error:
            self.tell({"id": number, "error": repr(error)})

    # Events

    def happened(self, message: Json) -> bool:
        """False: for whoever drives this, too."""
        connection = self.connections.get(message["pc"])
        match message["event"], connection:
            case "frame", Connection():
                connection.incoming[message["mid"]].take(base64.b64decode(message["data"]))
            case "key", Connection():
                if source := connection.sources.get(message["name"]):
                    source.key(message["rid"])
            case "track", Connection():
                incoming = connection.incoming[message["mid"]] = Incoming(message["codec"])
                connection.watchers[message["mid"]] = aiortc_media.watch(incoming)
                return False
            case "track_state", Connection():
                connection.incoming[message["mid"]].end()
                return False
            case (("frame" | "key"), None):
                pass  # of a connection that is closed by now
            case _:
                return False
        return True

    async def listen(self, lines: asyncio.StreamReader) -> None:
        """To Pion."""
        while line := await lines.readline():
            message = json.loads(line)
            if "event" in message:
                if self.happened(message):
                    continue
            elif (done := self.done.pop(message["id"], None)) and "error" not in message:
                done()
            self.tell(message)


async def main() -> None:
    pion = await asyncio.create_subprocess_exec(
        str(PION), "peer", stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, limit=LINE_LIMIT
    )
    assert pion.stdin is not None
    assert pion.stdout is not None
    peer = Peer(pion)
    listening = asyncio.create_task(peer.listen(pion.stdout))
    reader = asyncio.StreamReader(limit=LINE_LIMIT)
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), sys.stdin
    )
    while line := await reader.readline():
        peer.later(peer.guarded(json.loads(line)))
    pion.stdin.close()
    await listening
    await pion.wait()


if __name__ == "__main__":
    asyncio.run(main())
