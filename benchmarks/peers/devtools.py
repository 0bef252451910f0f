"""A Chromium page that is not ours: opened by its address, with a camera and a microphone that show a number
and play a tone, and asked what it received. Spoken to by the DevTools protocol.

    async with tab(url) as page:
        await page.evaluate("watchers.video.seen({numbers: 60})")
"""

from __future__ import annotations

import asyncio
import itertools
import json
import shutil
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp

from .browser import CHROMIUM_FLAGS, START, end
from .install import CHROMIUM, HERE, find

INJECTED = """
const media = browserMedia();
top.watchers ??= {};  // by kind, of what arrived in whichever frame
navigator.mediaDevices.getUserMedia = async ({ audio, video }) => {
  const wanted = [audio && $TONE, video && $PICTURE].filter(Boolean);
  const sources = await Promise.all(wanted.map((each) => media.source(each)));
  return new MediaStream(sources.map(({ track }) => track));
};
window.RTCPeerConnection = class extends RTCPeerConnection {
  constructor(configuration) {
    super(configuration);
    this.addEventListener("track", ({ track }) => (top.watchers[track.kind] = media.watch(track)));
  }
  addEventListener(type, listener, options) {  // only 127.0.0.1 goes through
    const taken = (event) => !event.candidate?.candidate || event.candidate.address === "127.0.0.1";
    const given = type === "icecandidate" ? (event) => taken(event) && listener.call(this, event) : listener;
    super.addEventListener(type, given, options);
  }
  set onicecandidate(handler) {
    this.addEventListener("icecandidate", handler);
  }
};
"""


class Tab:
    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self.socket = socket
        self._numbers = itertools.count(1)

    async def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """One at a time; events of the page are passed over."""
        number = next(self._numbers)
        await self.socket.send_json({"id": number, "method": method, "params": parameters})
        while True:
            message = await self.socket.receive_json()
            if message.get("id") == number:
                if "error" in message:
                    raise RuntimeError(f"{method}: {message['error']}")
                result: dict[str, Any] = message["result"]
                return result

    async def evaluate(self, expression: str) -> Any:
        """What the expression (its promise) gives, as JSON."""
        done = await self.call(
            "Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True
        )
        if "exceptionDetails" in done:
            raise RuntimeError(f"{expression}: {done['exceptionDetails']}")
        return done["result"].get("value")

    async def until(self, expression: str, within: float = 30.0) -> None:
        """Looks at it again and again, in the page."""
        looking = (
            "new Promise((done) => { const look = () => {"
            f" try {{ if ({expression}) return done(); }} catch {{}} setTimeout(look, 50); }}; look(); }})"
        )
        async with asyncio.timeout(within):
            await self.evaluate(looking)


@asynccontextmanager
async def tab(url: str, *, picture: dict[str, Any], tone: dict[str, Any]) -> AsyncIterator[Tab]:
    """A Chromium of its own on the address. `picture`, `tone`: sources of `media.js`, instead of devices."""
    injected = INJECTED.replace("$TONE", json.dumps(tone)).replace("$PICTURE", json.dumps(picture))
    script = (HERE / "media.js").read_text() + injected
    profile = Path(tempfile.mkdtemp(prefix="rtcore-chromium-"))
    process = await asyncio.create_subprocess_exec(
        find(CHROMIUM) or CHROMIUM[0],
        *CHROMIUM_FLAGS,
        f"--user-data-dir={profile}",
        "--remote-debugging-port=0",
        "about:blank",
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
        start_new_session=True,
    )
    assert process.stderr is not None
    try:
        async with aiohttp.ClientSession() as session:
            async with asyncio.timeout(START):
                while b"DevTools listening on" not in (told := await process.stderr.readline()):
                    assert told, "Chromium has ended"
                address = told.decode().split("//")[1].split("/")[0]
                async with session.get(f"http://{address}/json/list") as response:
                    (page,) = [each for each in await response.json() if each["type"] == "page"]
            reading = asyncio.create_task(process.stderr.read())
            async with session.ws_connect(page["webSocketDebuggerUrl"], max_msg_size=0) as socket:
                opened = Tab(socket)
                await opened.call("Page.enable")
                await opened.call("Page.addScriptToEvaluateOnNewDocument", source=script)
                await opened.call("Page.navigate", url=url)
                yield opened
            await end(process)
            await reading
    finally:
        await end(process)
        shutil.rmtree(profile, ignore_errors=True)
