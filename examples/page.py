"""What the examples with a browser share: a page, and a function that is called with each connection.

The page makes the offer and posts it; the answer is the response.
"""

import asyncio
import contextlib
import json
import sys
from collections.abc import Callable

import rtcore

MEDIA = """<!doctype html><meta charset=utf-8><title>rtcore</title>
<h1>%(title)s</h1>
<button id=start>start</button> <button id=stop disabled>stop</button> <span id=state></span>
<p><video id=video autoplay playsinline controls></video>
<script>
const media = %(media)s, $ = id => document.getElementById(id);
$("start").onclick = async () => {
  $("start").disabled = true;
  const pc = new RTCPeerConnection();
  pc.onconnectionstatechange = () => $("state").textContent = pc.connectionState;
  const shown = $("video").srcObject = new MediaStream();
  pc.ontrack = event => shown.addTrack(event.track);
  if (media) {
    const stream = await navigator.mediaDevices.getUserMedia(media);
    stream.getTracks().forEach(track => pc.addTrack(track, stream));
  } else ["audio", "video"].forEach(kind => pc.addTransceiver(kind, {direction: "recvonly"}));
  $("stop").onclick = () => { pc.close(); $("state").textContent = "closed"; };
  $("stop").disabled = false;
  await pc.setLocalDescription();
  await new Promise(done => pc.onicecandidate = event => event.candidate || done());
  const response = await fetch("/offer", {method: "POST", body: JSON.stringify(pc.localDescription)});
  await pc.setRemoteDescription(await response.json());
};
</script>"""

LARGEST_OFFER = 256 * 1024
connections: set[rtcore.PeerConnection] = set()


async def answer(connect: Callable[[rtcore.PeerConnection], object], offer: dict[str, str]) -> dict[str, str]:
    pc = rtcore.PeerConnection(loopback=True)
    connections.add(pc)

    @pc.on("connectionstatechange")
    async def forget(state: str) -> None:
        if state in ("failed", "closed"):
            connections.discard(pc)
            await pc.close()

    connect(pc)
    await pc.set_remote_description(offer)
    await pc.set_local_description()
    await pc.gathered()
    assert pc.local_description is not None
    return pc.local_description.to_dict()


def media(title: str, asked: str) -> str:
    """A page that plays what comes. `asked`: what it asks of getUserMedia, in JavaScript; "null" for
    nothing."""
    return MEDIA % {"title": title, "media": asked}


async def serve(page: str, connect: Callable[[rtcore.PeerConnection], object]) -> None:
    """`connect` adds tracks and handlers to each connection before it answers."""

    async def http(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Just enough HTTP for one page and one request."""
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
            fields = dict(line.lower().split(": ", 1) for line in head[1:] if ": " in line)
            status, kind, body = "200 OK", "text/html", page.encode()
            if head[0].startswith("POST /offer "):
                size = int(fields.get("content-length", "0"))
                try:
                    offer = json.loads(await reader.readexactly(min(size, LARGEST_OFFER)))
                    kind, body = "application/json", json.dumps(await answer(connect, offer)).encode()
                except (ValueError, TypeError, rtcore.Error) as error:
                    status, kind, body = "400 Bad Request", "text/plain", str(error).encode()
            writer.write(
                f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n".encode()
            )
            writer.write(b"Connection: close\r\n\r\n" + body)
            await writer.drain()
        writer.close()

    port = int(sys.argv[1]) if len(sys.argv) > 1 else 8080
    server = await asyncio.start_server(http, "127.0.0.1", port)
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/", flush=True)
    try:
        async with server:
            await server.serve_forever()
    finally:
        for pc in list(connections):
            await pc.close()


def run(page: str, connect: Callable[[rtcore.PeerConnection], object]) -> None:
    """`serve()` until Ctrl-C."""
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(serve(page, connect))
