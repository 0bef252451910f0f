"""A WHIP endpoint (RFC 9725): what FFmpeg, OBS or a page publishes becomes a file, without decoding.

    python examples/whip_server.py [PORT]        then publish to the address that it prints

With FFmpeg 8, which takes the first candidate of the answer and no other:

    ffmpeg -re -i FILE -c:v libx264 -profile:v baseline -bf 0 -c:a libopus -ar 48000 -ac 2 -f whip ADDRESS
"""

import asyncio
import contextlib
import secrets
import sys

import rtcore

LARGEST_OFFER = 256 * 1024
OPEN_TO_ALL = {"Access-Control-Allow-Origin": "*", "Access-Control-Expose-Headers": "Location"}
MAY_ASK = {
    "Access-Control-Allow-Methods": "POST, DELETE, OPTIONS",
    "Access-Control-Allow-Headers": "Content-Type",
    "Accept-Post": "application/sdp",
}

Response = tuple[str, dict[str, str], str]


class Session:
    """What one publisher sends, into one file."""

    def __init__(self, name: str) -> None:
        self.pc = rtcore.PeerConnection(loopback=True)
        self.recorder = rtcore.media.MediaRecorder(f"{name}.mkv")
        self.pc.on("track", self.arrived)

    def arrived(self, event: rtcore.TrackEvent) -> None:
        event.receiver.passthrough = True  # a file needs no playout delay
        self.recorder.add_track(event.track.encoded())

    async def answer(self, offer: str) -> str:
        await self.pc.set_remote_description(rtcore.SessionDescription("offer", offer))
        await self.pc.set_local_description()
        await self.pc.gathered()
        assert self.pc.local_description is not None
        return self.pc.local_description.sdp

    async def close(self) -> None:
        await self.recorder.close()
        await self.pc.close()


sessions: dict[str, Session] = {}


async def end(name: str) -> None:
    if session := sessions.pop(name, None):
        await session.close()
        print("finished", session.recorder.file, flush=True)


async def publish(offer: str) -> Response:
    name = secrets.token_urlsafe(9)  # who knows it may end the session
    session = sessions[name] = Session(name)

    @session.pc.on("connectionstatechange")
    async def changed(state: str) -> None:
        if state == "connected":
            await session.recorder.start()
            print("recording", session.recorder.file, flush=True)
        elif state in ("failed", "closed"):
            await end(name)

    try:
        answer = await session.answer(offer)
    except (ValueError, rtcore.Error) as error:
        sessions.pop(name)
        await session.close()
        return "400 Bad Request", {"Content-Type": "text/plain"}, str(error)
    return "201 Created", {"Content-Type": "application/sdp", "Location": f"/whip/{name}"}, answer


async def respond(method: str, path: str, fields: dict[str, str], body: str) -> Response:
    """RFC 9725 section 4.2 in short. Candidates are all in the descriptions, so that there is no PATCH."""
    name = path.removeprefix("/whip/")
    if method == "OPTIONS":
        return "204 No Content", MAY_ASK, ""
    if method == "POST" and path == "/whip":
        if fields.get("content-type", "").split(";")[0] != "application/sdp":
            return "415 Unsupported Media Type", {"Accept-Post": "application/sdp"}, ""
        return await publish(body)
    if path != "/whip" and name not in sessions:
        return "404 Not Found", {}, ""
    if method == "DELETE" and name in sessions:
        await end(name)
        return "200 OK", {}, ""
    return "405 Method Not Allowed", {"Allow": "POST, OPTIONS" if path == "/whip" else "DELETE, OPTIONS"}, ""


async def http(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Just enough HTTP for it: a request per connection."""
    with contextlib.suppress(asyncio.IncompleteReadError, asyncio.LimitOverrunError, ConnectionError):
        first, *head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        fields = {
            name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head if line)
        }
        method, path, *_ = [*first.split(" "), "", ""]
        size = fields.get("content-length", "0")
        if not size.isascii() or not size.isdigit() or int(size) > LARGEST_OFFER:
            status, more, text = "413 Content Too Large", {}, ""
        else:
            offer = (await reader.readexactly(int(size))).decode(errors="replace")
            status, more, text = await respond(method, path, fields, offer)
        content = (text or status).encode() if status[0] == "4" else text.encode()
        answer = {**OPEN_TO_ALL, **more, "Content-Length": str(len(content)), "Connection": "close"}
        lines = [f"HTTP/1.1 {status}", *(f"{name}: {value}" for name, value in answer.items()), "", ""]
        writer.write("\r\n".join(lines).encode() + content)
        await writer.drain()
    writer.close()


async def main() -> None:
    port = int(sys.argv[1]) if len(sys.argv) > 1 else 8080
    server = await asyncio.start_server(http, "127.0.0.1", port)
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/whip", flush=True)
    try:
        async with server:
            await server.serve_forever()
    finally:
        for name in list(sessions):
            await end(name)


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(main())
