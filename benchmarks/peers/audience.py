"""Receivers in a process of their own, so that a server's CPU time is the server's alone.

Offers come in and answers go out, a JSON line each; all end with the input. What arrives is counted, and
nobody reads it: the tracks are of rtcore, `passthrough`.

    async with Audience() as audience:
        answer = await audience.answer(offer)
        packets, ciphers = await audience.count()
"""

import asyncio
import json
import sys
from types import TracebackType
from typing import Any, Self

import rtcore

ADDRESS = "127.0.0.1"


class Audience:
    """The process, as its user sees it."""

    async def __aenter__(self) -> Self:
        self._process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            __spec__.name,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            limit=1 << 20,
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        await self._process.wait()

    async def answer(self, offer: str) -> str:
        """The SDP of one more receiver; one call after the other."""
        return str(await self._ask(offer))

    async def count(self) -> tuple[int, list[str]]:
        """How many RTP packets all receivers have had, repairs not counted, and their SRTP profiles."""
        packets, ciphers = await self._ask(None)
        return packets, ciphers

    async def _ask(self, question: str | None) -> Any:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(question).encode() + b"\n")
        line = await self._process.stdout.readline()
        if not line:
            raise ConnectionError("the audience has left")
        return json.loads(line)


async def count(receivers: list[rtcore.PeerConnection]) -> tuple[int, list[str]]:
    packets, ciphers = 0, set()
    for receiver in receivers:
        for entry in (await receiver.get_stats()).values():
            if entry["type"] == "inbound-rtp":
                packets += entry["packetsReceived"]
            elif entry["type"] == "transport":
                ciphers.add(entry["srtpCipher"])
    return packets, sorted(ciphers)


async def main() -> None:
    loop = asyncio.get_running_loop()
    offers = asyncio.StreamReader(limit=1 << 20)
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(offers), sys.stdin)
    receivers: list[rtcore.PeerConnection] = []
    with rtcore.Worker(threaded=True) as worker:
        while line := await offers.readline():
            offer = json.loads(line)
            if offer is None:
                print(json.dumps(await count(receivers)), flush=True)
                continue
            receiver = rtcore.PeerConnection(worker=worker, interfaces=[ADDRESS])
            receivers.append(receiver)
            receiver.on("track", lambda event: setattr(event.receiver, "passthrough", True))
            await receiver.set_remote_description({"type": "offer", "sdp": offer})
            await receiver.set_local_description()
            await receiver.gathered()
            assert receiver.local_description is not None
            print(json.dumps(receiver.local_description.sdp), flush=True)
        await asyncio.gather(*(receiver.close() for receiver in receivers))


if __name__ == "__main__":
    asyncio.run(main())
