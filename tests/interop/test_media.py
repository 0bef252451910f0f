"""Calls: a numbered picture and a tone both ways, as they are decoded at either end."""

import pytest

from benchmarks.peers.call import OpenCall
from benchmarks.peers.stacks import PEERS

pytestmark = pytest.mark.able("media")

CODECS = sorted({pair for stack in PEERS for pair in stack.calls})


@pytest.mark.able("codecs")
@pytest.mark.parametrize(("video", "audio"), CODECS, ids=["-".join(pair) for pair in CODECS])
async def test_codecs(call: OpenCall, by: str, video: str, audio: str) -> None:
    async with call() as call:
        await call.start(by, video=video, audio=audio)
        there, here = await call.see_each_other()
        assert (there["width"], there["height"]) == (640, 360)
        assert here["width"] / here["height"] == pytest.approx(640 / 360, rel=0.02)
        await call.hear_each_other()
        assert await call.codecs() == {
            (way, name.lower())
            for way in ("inbound-rtp", "outbound-rtp")
            for name in (f"video/{video}", f"audio/{audio}")
        }
