"""A page in your browser and this program, connected by a data channel.

    python examples/browser.py [PORT]        then open the address that it prints

The page makes the offer and posts it; the answer is the response. What the page says comes back in upper
case.
"""

import asyncio
import contextlib
import json
import sys

import rtcore

PAGE = b"""<!doctype html><meta charset=utf-8><title>rtcore</title>
<h1>rtcore</h1><input id=text placeholder="say something"><pre id=log></pre>
<script>
const log = line => document.getElementById("log").textContent += line + "\\n";
const pc = new RTCPeerConnection();
const channel = pc.createDataChannel("chat");
channel.onopen = () => log("open");
channel.onmessage = event => log("< " + event.data);
channel.onclose = () => log("closed");
document.getElementById("text").onchange = event => {
  channel.send(event.target.value); log("> " + event.target.value); event.target.value = "";
};
(async () => {
  await pc.setLocalDescription();
  await new Promise(done => pc.onicecandidate = event => event.candidate || done());
  const response = await fetch("/offer", {method: "POST", body: JSON.stringify(pc.localDescription)});
  await pc.setRemoteDescription(await response.json());
})();
</script>"""

LARGEST_OFFER = 64 * 1024
connections: set[rtcore.PeerConnection] = set()


async def answer(offer: dict[str, str]) -> dict[str, str]:
    pc = rtcore.PeerConnection(loopback=True)
    connections.add(pc)

    @pc.on("datachannel")
    async def chat(channel: rtcore.DataChannel) -> None:
        async for message in channel:
            await channel.send(message.upper())

    @pc.on("connectionstatechange")
    async def forget(state: str) -> None:
        if state in ("failed", "closed"):
            connections.discard(pc)
            await pc.close()

    await pc.set_remote_description(offer)
    await pc.set_local_description()
    await pc.gathered()
    assert pc.local_description is not None
    return pc.local_description.to_dict()


async def http(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Just enough HTTP for one page and one request."""
    with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        fields = dict(line.lower().split(": ", 1) for line in head[1:] if ": " in line)
        status, kind, body = "200 OK", "text/html", PAGE
        if head[0].startswith("POST /offer "):
            size = int(fields.get("content-length", "0"))
            try:
                offer = json.loads(await reader.readexactly(min(size, LARGEST_OFFER)))
                kind, body = "application/json", json.dumps(await answer(offer)).encode()
            except (ValueError, TypeError, rtcore.Error) as error:
                status, kind, body = "400 Bad Request", "text/plain", str(error).encode()
        writer.write(f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n".encode())
        writer.write(b"Connection: close\r\n\r\n" + body)
        await writer.drain()
    writer.close()


async def main(port: int) -> None:
    server = await asyncio.start_server(http, "127.0.0.1", port)
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/", flush=True)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 8080))
