"""A minute with each browser: pictures and sound go on at both ends, and the bitrate climbs."""

import asyncio

import pytest

from benchmarks.peers.call import OUR_TONE, PICTURE, THEIR_TONE, Call, call_with
from benchmarks.peers.process import Json, start
from benchmarks.peers.stacks import CHROMIUM, FIREFOX, Stack
from rtcore.media import TestPicture

SECONDS = 60
STEP = 10  # seconds between two looks
ENOUGH = 1_500_000  # bit/s
SIZES = {"chromium": (960, 540), "firefox": (1280, 720)}
FRAME_RATE = 15
"""What two cores encode and decode at both ends, and the browser spends more than `ENOUGH` on."""


def one(entries: list[Json]) -> Json:
    (entry,) = entries
    return entry


async def look(call: Call) -> dict[str, tuple[float, float, float]]:
    """Pictures decoded, samples received and bytes of pictures received, at either end."""
    looks = {}
    for end, stats in (("here", call.ours), ("there", call.theirs)):
        video, audio = one(await stats("inbound-rtp", "video")), one(await stats("inbound-rtp", "audio"))
        looks[end] = (video["framesDecoded"], audio["totalSamplesReceived"], video["bytesReceived"])
    return looks


async def minute(stack: Stack) -> dict[str, list[float]]:
    """Bit/s of each step, at either end."""
    rates: dict[str, list[float]] = {"here": [], "there": []}
    async with await start(stack) as remote, call_with(remote) as call:
        width, height = SIZES[stack.name]
        call.picture = TestPicture(width=width, height=height, frame_rate=FRAME_RATE)
        await call.start(
            "us", picture={**PICTURE, "width": width, "height": height, "frameRate": FRAME_RATE, "busy": True}
        )
        await call.see_each_other(5)
        before = await look(call)
        for _ in range(SECONDS // STEP):
            await asyncio.sleep(STEP)
            now = await look(call)
            for end, (frames, samples, size) in now.items():
                assert frames - before[end][0] > STEP, (stack.name, end, before, now)
                assert samples - before[end][1] > 24000 * STEP, (stack.name, end, before, now)
                rates[end].append(8 * (size - before[end][2]) / STEP)
            before = now
        await call.see_each_other(5)
        await asyncio.gather(
            call.there("audio", frequency=OUR_TONE), call.here("audio", frequency=THEIR_TONE)
        )
    return rates


@pytest.mark.limit(100)
@pytest.mark.timeout(110)
@pytest.mark.parametrize("browser", [CHROMIUM, FIREFOX], ids=lambda browser: browser.name)
async def test_a_minute(browser: Stack) -> None:
    rates = await minute(browser)
    print(rates)
    for steps in rates.values():
        assert max(steps) > ENOUGH, rates
