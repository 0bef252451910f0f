"""Your voice, a second later: what a voice agent hears and says, in numpy.

python examples/voice_echo.py [PORT]        then open the address that it prints
"""

import collections

import page

import rtcore

RATE = 24000
BLOCK_MS = 20
DELAY_MS = 1000


def connect(pc: rtcore.PeerConnection) -> None:
    voice = rtcore.media.PcmTrack(rate=RATE)
    pc.add_track(voice)

    @pc.on("track")
    async def listen(event: rtcore.TrackEvent) -> None:
        heard = collections.deque()
        async with event.track.pcm(rate=RATE, frame_ms=BLOCK_MS) as pcm:
            async for samples in pcm:
                heard.append(samples)
                if len(heard) > DELAY_MS // BLOCK_MS:
                    voice.write_nowait(heard.popleft())


if __name__ == "__main__":
    page.run(page.media("Echo", "{audio: true}"), connect)
