"""Publishers of RFC 9725 at `examples/whip_server.py`: PyAV's FFmpeg, and a page's `fetch`. What they sent is
looked for in the file that it writes."""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from benchmarks.peers.devtools import tab
from benchmarks.peers.film import heard, shown

SERVER = Path(__file__).resolve().parents[2] / "examples" / "whip_server.py"
TONE = 660  # Hz
FIRST = 1000

PUBLISH = """(async () => {
  window.pc = new RTCPeerConnection();
  const camera = await navigator.mediaDevices.getUserMedia({ audio: true, video: true });
  camera.getTracks().forEach((track) => pc.addTransceiver(track, { direction: "sendonly" }));
  await pc.setLocalDescription();
  await new Promise((done) => pc.onicecandidate = ({ candidate }) => candidate || done());
  const headers = { "Content-Type": "application/sdp" };
  const response = await fetch(location.href, { method: "POST", headers, body: pc.localDescription.sdp });
  window.session = response.headers.get("Location");
  await pc.setRemoteDescription({ type: "answer", sdp: await response.text() });
  return response.status;
})()"""

ENCODED = """pc.getStats().then((stats) =>
  Math.max(...[...stats.values()].map((each) => each.framesEncoded ?? 0)))"""
END = 'fetch(session, { method: "DELETE" }).then(({ status }) => status)'


class Server:
    def __init__(self, process: asyncio.subprocess.Process, folder: Path) -> None:
        self.process, self.folder = process, folder

    async def line(self) -> str:
        assert self.process.stdout is not None
        async with asyncio.timeout(20):
            return (await self.process.stdout.readline()).decode().strip()

    async def file(self, word: str) -> Path:
        """That the next line names, behind `word`."""
        said, name = (await self.line()).split()
        assert said == word
        return self.folder / name


@asynccontextmanager
async def serving(folder: Path) -> AsyncIterator[Server]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, str(SERVER), "0", cwd=folder, stdout=asyncio.subprocess.PIPE
    )
    try:
        yield Server(process, folder)
        assert process.returncode is None
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def test_ffmpeg(tmp_path: Path) -> None:
    async with serving(tmp_path) as server:
        publisher = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "benchmarks.peers.whip", await server.line(), "4", str(TONE))
        )
        recording = await server.file("recording")
        assert await publisher.wait() == 0
        assert await server.file("finished") == recording
    numbers = shown(recording)
    assert numbers == sorted(numbers)
    assert len(set(numbers)) > 100  # of 120
    assert abs(heard(recording) - TONE) < 15


async def test_page(tmp_path: Path) -> None:
    picture, tone = {"type": "picture", "first": FIRST}, {"type": "tone", "frequency": TONE}
    async with serving(tmp_path) as server, tab(await server.line(), picture=picture, tone=tone) as page:
        assert await page.evaluate(PUBLISH) == 201
        recording = await server.file("recording")
        while await page.evaluate(ENCODED) < 90:
            pass
        assert await page.evaluate(END) == 200
        assert await server.file("finished") == recording
        assert await page.evaluate(END) == 404
    numbers = shown(recording)
    assert numbers == sorted(numbers)
    assert len(numbers) > 60
    assert min(numbers) >= FIRST
    assert abs(heard(recording) - TONE) < 15
