"""Programs from PyPI that build on aiortc, called by a Chromium page: on aiortc, which shows that the test is
right, and on rtcore under `rtcore.aiortc.install()`, untouched."""

import pytest

from benchmarks.peers.call import PICTURE, THEIR_FIRST, THEIR_TONE, TONE
from benchmarks.peers.devtools import tab
from benchmarks.peers.install import PROGRAMS_PYTHON
from benchmarks.peers.process import Remote, RemoteConnection
from benchmarks.peers.program import PROGRAMS, STACKS, free_port, program
from benchmarks.peers.signaling import loopback_only

ADDED = 2_000_000  # by programs/processing.py

pytestmark = pytest.mark.limit(120)
both = pytest.mark.parametrize("stack", STACKS)


async def offered(page: RemoteConnection) -> str:
    await page.add("tone", TONE)
    await page.add("picture", PICTURE)
    return loopback_only(await page.offer())


async def changed_comes_back(page: RemoteConnection) -> None:
    """The page's picture and tone, as `processing` changes them."""
    mids = {each["kind"]: each["mid"] for each in await page.transceivers()}
    seen = await page.seen(mids["video"], numbers=60)
    assert min(seen["numbers"]) >= THEIR_FIRST + ADDED, seen
    assert len(set(seen["numbers"])) > 30, seen
    assert seen["numbers"] == sorted(seen["numbers"])
    await page.seen(mids["audio"], frequency=2 * THEIR_TONE)


@both
async def test_pipecat(chromium: Remote, stack: str) -> None:
    """pipecat-ai's SmallWebRTCTransport, in a pipeline."""
    port = free_port()
    async with program(
        stack, "pipecat_bot.py", "--port", str(port), port=port, python=PROGRAMS_PYTHON
    ) as bot:
        await bot.listening()
        page = await chromium.open()
        control = await page.channel("rtvi")
        offer = await offered(page)
        answer = await bot.post("/offer", {"sdp": offer, "type": "offer"})
        await page.accept(loopback_only(answer["sdp"]))
        await bot.line("client connected")
        await control.open()
        await changed_comes_back(page)
        await control.send('{"type": "hello"}')
        await control.until(lambda: '{"type": "hello"}' in control.messages)
        await page.close()
        await bot.line("bot ended")
        await bot.interrupt()


@both
async def test_fastrtc(chromium: Remote, stack: str) -> None:
    """A fastrtc Stream of sound and picture, mounted on FastAPI."""
    port = free_port()
    command = ("fastrtc_stream.py", "--port", str(port))
    async with program(stack, *command, port=port, python=PROGRAMS_PYTHON) as stream:
        await stream.listening()
        page = await chromium.open()
        control = await page.channel("text")
        body = {"sdp": await offered(page), "type": "offer", "webrtc_id": "page"}
        answer = await stream.post("/webrtc/offer", body)
        assert answer.get("type") == "answer", answer
        await page.accept(loopback_only(answer["sdp"]))
        await control.open()
        await stream.line("started")
        await changed_comes_back(page)
        await page.close()
        await stream.line("shut down")


async def test_streamlit_webrtc() -> None:
    """A Streamlit script with streamlit-webrtc, called by its own page. On rtcore alone: on aiortc the page's
    pictures or sound now and then never come back, for a reason that is not known."""
    stack = "rtcore.aiortc"
    port = free_port()
    options = {
        "--server.port": port,
        "--server.address": "127.0.0.1",
        "--server.headless": "true",
        "--server.fileWatcherType": "none",
        "--browser.gatherUsageStats": "false",
    }
    told = [str(word) for option in options.items() for word in option]
    script = PROGRAMS / "streamlit_script.py"
    command = ("-m", "streamlit", "run", script, *told)
    async with program(stack, *command, port=port, python=PROGRAMS_PYTHON) as server:
        await server.listening()
        async with tab(server.url, picture=PICTURE, tone=TONE) as page:
            await page.until("watchers.video && watchers.audio")
            seen = await page.evaluate("watchers.video.seen({numbers: 60})")
            changed = [number for number in seen["numbers"] if number >= THEIR_FIRST + ADDED]
            assert len(changed) >= 55, seen  # until the first is changed it passes on what came
            assert changed == sorted(changed)
            assert len(set(changed)) > 30, seen
            await page.evaluate(f"watchers.audio.seen({{frequency: {2 * THEIR_TONE}}})")
        await server.interrupt()
