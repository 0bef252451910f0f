"""The programs in examples/ do what they say."""

import asyncio
import contextlib
import json
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import rtcore

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


@contextlib.asynccontextmanager
async def program(*arguments: str) -> AsyncIterator[asyncio.subprocess.Process]:
    name, *rest = arguments
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        str(EXAMPLES / name),
        *rest,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        limit=2**20,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def line(process: asyncio.subprocess.Process) -> str:
    assert process.stdout is not None
    text = (await process.stdout.readline()).decode()
    assert text, "the program has ended"
    return text.rstrip("\n")


def say(process: asyncio.subprocess.Process, text: str) -> None:
    assert process.stdin is not None
    process.stdin.write(text.encode() + b"\n")


async def until(process: asyncio.subprocess.Process, wanted: str) -> None:
    while await line(process) != wanted:
        pass


def test_copy_paste() -> None:
    async def main() -> None:
        async with (
            asyncio.timeout(60),
            program("copy_paste.py", "offer") as offerer,
            program("copy_paste.py", "answer") as answerer,
        ):
            say(answerer, await line(offerer))
            say(offerer, await line(answerer))
            await asyncio.gather(until(offerer, "connected"), until(answerer, "connected"))
            say(offerer, "hello")
            await until(answerer, "> hello")
            say(answerer, "and hello")
            await until(offerer, "> and hello")
            for process in (offerer, answerer):
                assert process.stdin is not None
                process.stdin.close()
            assert await asyncio.gather(offerer.wait(), answerer.wait()) == [0, 0]

    asyncio.run(main())


def test_echo_server() -> None:
    async def main() -> None:
        async with asyncio.timeout(60), program("echo_server.py", "serve") as server:
            assert "listening" in await line(server)
            for text in ("first", "second"):
                async with program("echo_server.py", "call", "127.0.0.1", text) as caller:
                    assert await line(caller) == text
                    assert await caller.wait() == 0

    asyncio.run(main())


async def post(address: str, body: bytes) -> tuple[str, bytes]:
    host, port = address.removeprefix("http://").rstrip("/").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(b"POST /offer HTTP/1.1\r\n")
    writer.write(f"Host: {host}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)
    response = await reader.read()
    writer.close()
    head, _, content = response.partition(b"\r\n\r\n")
    return head.decode().split("\r\n")[0], content


def test_browser() -> None:
    """What the page does, in Python."""

    async def main() -> None:
        async with asyncio.timeout(60), program("browser.py", "0") as server:
            address = await line(server)
            async with rtcore.PeerConnection(loopback=True) as pc:
                channel = pc.create_data_channel("chat")
                await pc.set_local_description()
                await pc.gathered()
                assert pc.local_description is not None
                status, body = await post(address, json.dumps(pc.local_description.to_dict()).encode())
                assert status == "HTTP/1.1 200 OK"
                await pc.set_remote_description(json.loads(body))
                await channel.send("hello")
                assert await channel.receive() == "HELLO"
            status, body = await post(address, b'{"type": "offer", "sdp": "nonsense"}')
            assert status == "HTTP/1.1 400 Bad Request"
            assert b"SDP" in body

    asyncio.run(main())
