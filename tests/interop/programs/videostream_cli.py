"""aiortc's example videostream-cli: a call between two command lines, each with a file or a flag to
show, each with a file to record to.

python videostream_cli.py offer|answer [--play-from FILE] [--record-to FILE] --signaling unix-socket ...
"""

import argparse
import asyncio
import math

import numpy as np
from aiortc import (
    RTCConfiguration,
    RTCIceCandidate,
    RTCPeerConnection,
    RTCSessionDescription,
    VideoStreamTrack,
)
from aiortc.contrib.media import MediaBlackhole, MediaPlayer, MediaRecorder
from aiortc.contrib.signaling import BYE, add_signaling_arguments, create_signaling
from av import VideoFrame

from benchmarks.peers import content

WIDTH, HEIGHT = 640, 360


class FlagVideoStreamTrack(VideoStreamTrack):
    """A flag of three colours that waves; every picture has its number on it."""

    def __init__(self):
        super().__init__()
        self.counter = 0
        flag = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
        for band, colour in enumerate(((0, 85, 164), (255, 255, 255), (239, 65, 53))):
            flag[:, band * WIDTH // 3 : (band + 1) * WIDTH // 3] = colour
        rows = np.arange(HEIGHT)
        self.frames = []
        for phase in range(30):
            shift = np.int64(8 * np.sin(2 * math.pi * (rows / 90 + phase / 30)))
            self.frames.append(flag[rows[:, None], (np.arange(WIDTH)[None, :] + shift[:, None]) % WIDTH])

    async def recv(self):
        pts, time_base = await self.next_timestamp()
        picture = self.frames[self.counter % len(self.frames)].copy()
        content.mark(picture, self.counter)
        frame = VideoFrame.from_ndarray(picture, format="rgb24")
        frame.pts, frame.time_base = pts, time_base
        self.counter += 1
        return frame


async def run(pc, player, recorder, signaling, role):
    ended = asyncio.Event()

    def add_tracks():
        if player and player.audio:
            pc.addTrack(player.audio)
        if player and player.video:
            pc.addTrack(player.video)
            player.video.on("ended", ended.set)
        else:
            pc.addTrack(FlagVideoStreamTrack())

    @pc.on("track")
    def on_track(track):
        print(f"Receiving {track.kind}", flush=True)
        recorder.addTrack(track)

    async def follow():
        while True:
            told = await signaling.receive()
            if isinstance(told, RTCSessionDescription):
                await pc.setRemoteDescription(told)
                await recorder.start()
                if told.type == "offer":
                    add_tracks()
                    await pc.setLocalDescription(await pc.createAnswer())
                    await signaling.send(pc.localDescription)
            elif isinstance(told, RTCIceCandidate):
                await pc.addIceCandidate(told)
            elif told is BYE or told is None:
                print("Exiting", flush=True)
                return

    await signaling.connect()
    if role == "offer":
        add_tracks()
        await pc.setLocalDescription(await pc.createOffer())
        await signaling.send(pc.localDescription)
    waiting = [asyncio.ensure_future(follow()), asyncio.ensure_future(ended.wait())]
    done, pending = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
    for task in pending:
        task.cancel()
    for task in done:
        task.result()
    if ended.is_set():
        await signaling.send(BYE)


async def main(args):
    signaling = create_signaling(args)
    pc = RTCPeerConnection(RTCConfiguration(iceServers=[]))
    player = MediaPlayer(args.play_from) if args.play_from else None
    recorder = MediaRecorder(args.record_to) if args.record_to else MediaBlackhole()
    try:
        await run(pc, player, recorder, signaling, args.role)
    finally:
        await recorder.stop()
        await signaling.close()
        await pc.close()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Video stream from the command line")
    parser.add_argument("role", choices=["offer", "answer"])
    parser.add_argument("--play-from", help="Read the media from a file and sent it.")
    parser.add_argument("--record-to", help="Write received media to a file.")
    add_signaling_arguments(parser)
    asyncio.run(main(parser.parse_args()))
