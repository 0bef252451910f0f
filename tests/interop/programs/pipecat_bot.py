"""A bot of pipecat-ai on its SmallWebRTCTransport, which gives back what it hears and sees, changed.

python pipecat_bot.py --port PORT
"""

import argparse
import asyncio

import numpy as np
import processing
from aiohttp import web
from pipecat.frames.frames import (
    InputAudioRawFrame,
    InputImageRawFrame,
    OutputAudioRawFrame,
    OutputImageRawFrame,
)
from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.runner import PipelineRunner
from pipecat.pipeline.task import PipelineParams, PipelineTask
from pipecat.processors.frame_processor import FrameProcessor
from pipecat.transports.base_transport import TransportParams
from pipecat.transports.smallwebrtc.connection import SmallWebRTCConnection
from pipecat.transports.smallwebrtc.transport import SmallWebRTCTransport

RATE = 48000
WIDTH, HEIGHT = 640, 360
bots = set()


class GivesBack(FrameProcessor):
    async def process_frame(self, frame, direction):
        await super().process_frame(frame, direction)
        if isinstance(frame, InputAudioRawFrame):
            samples = processing.sound(np.frombuffer(frame.audio, np.int16))
            frame = OutputAudioRawFrame(samples.tobytes(), frame.sample_rate, frame.num_channels)
        elif isinstance(frame, InputImageRawFrame):
            pixels = np.frombuffer(frame.image, np.uint8).reshape(frame.size[1], frame.size[0], 3)
            frame = OutputImageRawFrame(processing.picture(pixels).tobytes(), frame.size, "RGB")
        await self.push_frame(frame, direction)


async def run_bot(connection):
    transport = SmallWebRTCTransport(
        webrtc_connection=connection,
        params=TransportParams(
            audio_in_enabled=True,
            audio_out_enabled=True,
            audio_out_10ms_chunks=2,
            video_in_enabled=True,
            video_out_enabled=True,
            video_out_is_live=True,
            video_out_width=WIDTH,
            video_out_height=HEIGHT,
        ),
    )
    pipeline = Pipeline([transport.input(), GivesBack(), transport.output()])
    params = PipelineParams(audio_in_sample_rate=RATE, audio_out_sample_rate=RATE)
    task = PipelineTask(pipeline, params=params)

    @transport.event_handler("on_client_connected")
    async def on_client_connected(transport, client):
        print("client connected", flush=True)
        await transport.capture_participant_video("camera")

    @transport.event_handler("on_client_disconnected")
    async def on_client_disconnected(transport, client):
        print("client disconnected", flush=True)
        await task.cancel()

    @transport.event_handler("on_app_message")
    async def on_app_message(transport, message, sender):
        connection.send_app_message(message)

    await PipelineRunner(handle_sigint=False).run(task)
    print("bot ended", flush=True)


async def offer(request):
    params = await request.json()
    connection = SmallWebRTCConnection()
    await connection.initialize(sdp=params["sdp"], type=params["type"])
    bot = asyncio.create_task(run_bot(connection))
    bots.add(bot)
    bot.add_done_callback(bots.discard)
    return web.json_response(connection.get_answer())


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    args = parser.parse_args()
    app = web.Application()
    app.router.add_post("/offer", offer)
    web.run_app(app, host="127.0.0.1", port=args.port)
