"""A fastrtc Stream with sound and picture, which gives back what it hears and sees, changed.

python fastrtc_stream.py --port PORT
"""

import argparse
import asyncio

import processing
import uvicorn
from fastapi import FastAPI
from fastrtc import AsyncAudioVideoStreamHandler, Stream


class GivesBack(AsyncAudioVideoStreamHandler):
    def __init__(self):
        super().__init__("mono", output_sample_rate=48000, input_sample_rate=48000)
        self.sounds = asyncio.Queue()
        self.pictures = asyncio.Queue(2)

    def copy(self):
        return GivesBack()

    async def start_up(self):
        print("started", flush=True)

    async def shutdown(self):
        print("shut down", flush=True)

    async def receive(self, frame):
        rate, samples = frame
        self.sounds.put_nowait((rate, processing.sound(samples[0])[None, :]))

    async def emit(self):
        return await self.sounds.get()

    async def video_receive(self, frame):
        if self.pictures.full():
            self.pictures.get_nowait()
        self.pictures.put_nowait(processing.picture(frame))

    async def video_emit(self):
        return await self.pictures.get()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    args = parser.parse_args()
    stream = Stream(
        handler=GivesBack(),
        modality="audio-video",
        mode="send-receive",
        server_rtc_configuration={"iceServers": []},
    )
    app = FastAPI()
    stream.mount(app)
    uvicorn.run(app, host="127.0.0.1", port=args.port, log_level="warning")
