"""Your camera and microphone into a file, as they come: without decoding where the file can have the codecs.

python examples/record.py [PORT]        then open the address that it prints; "stop" finishes the file
"""

import asyncio
import itertools

import page

import rtcore

numbers = itertools.count(1)


def connect(pc: rtcore.PeerConnection) -> None:
    recorder = rtcore.media.MediaRecorder(f"recording-{next(numbers)}.webm")

    @pc.on("track")
    def arrived(event: rtcore.TrackEvent) -> None:
        event.receiver.passthrough = True  # a file needs no playout delay
        recorder.add_track(event.track.encoded())

    @pc.on("connectionstatechange")
    async def changed(state: str) -> None:
        if state == "connected":
            await asyncio.sleep(0)  # the tracks are told of first
            await recorder.start()
            print("recording", recorder.file, flush=True)
        elif state in ("failed", "closed"):
            await recorder.close()
            print("finished", recorder.file, flush=True)


if __name__ == "__main__":
    page.run(page.media("Record", "{audio: true, video: true}"), connect)
