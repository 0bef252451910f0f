"""aiortc's example server: it plays a file to a browser, changes the browser's video, records what it
receives, and answers "ping" on a data channel.

python server.py --port PORT --play WAV [--record-to FILE]
"""

import argparse
import asyncio
import json
import uuid

import processing
from aiohttp import web
from aiortc import MediaStreamTrack, RTCConfiguration, RTCPeerConnection, RTCSessionDescription
from aiortc.contrib.media import MediaBlackhole, MediaPlayer, MediaRecorder, MediaRelay
from av import VideoFrame

pcs = set()
relay = MediaRelay()


class VideoTransformTrack(MediaStreamTrack):
    """Changes the frames of another track."""

    kind = "video"

    def __init__(self, track, transform):
        super().__init__()
        self.track = track
        self.transform = transform

    async def recv(self):
        frame = await self.track.recv()
        if self.transform != "number":
            return frame
        changed = VideoFrame.from_ndarray(
            processing.picture(frame.to_ndarray(format="rgb24")), format="rgb24"
        )
        changed.pts, changed.time_base = frame.pts, frame.time_base
        return changed


def offer(args):
    async def offer(request):
        params = await request.json()
        description = RTCSessionDescription(sdp=params["sdp"], type=params["type"])
        pc = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        name = f"PeerConnection({uuid.uuid4()})"
        pcs.add(pc)

        receiving = set()

        player = MediaPlayer(args.play)
        recorder = MediaRecorder(args.record_to) if args.record_to else MediaBlackhole()

        @pc.on("datachannel")
        def on_datachannel(channel):
            @channel.on("message")
            def on_message(message):
                if isinstance(message, str) and message.startswith("ping"):
                    channel.send("pong" + message[4:])

        @pc.on("connectionstatechange")
        async def on_connectionstatechange():
            print(f"{name} connection {pc.connectionState}", flush=True)
            if pc.connectionState == "failed":
                await pc.close()
                pcs.discard(pc)

        @pc.on("track")
        def on_track(track):
            print(f"{name} track {track.kind}", flush=True)
            receiving.add(track)
            if track.kind == "audio":
                pc.addTrack(player.audio)
                recorder.addTrack(track)
            elif track.kind == "video":
                pc.addTrack(VideoTransformTrack(relay.subscribe(track), params["video_transform"]))
                if args.record_to:
                    recorder.addTrack(relay.subscribe(track))

            @track.on("ended")
            async def on_ended():
                receiving.discard(track)
                if not receiving:  # aiortc's recorder does not like to be stopped twice at a time
                    await recorder.stop()
                    print(f"{name} recorded", flush=True)

        await pc.setRemoteDescription(description)
        await recorder.start()
        await pc.setLocalDescription(await pc.createAnswer())
        return web.json_response({"sdp": pc.localDescription.sdp, "type": pc.localDescription.type})

    return offer


async def on_shutdown(app):
    await asyncio.gather(*(pc.close() for pc in pcs))
    pcs.clear()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="WebRTC audio / video / data-channels demo")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8080)
    parser.add_argument("--play", required=True)
    parser.add_argument("--record-to")
    args = parser.parse_args()
    app = web.Application()
    app.on_shutdown.append(on_shutdown)
    app.router.add_post("/offer", offer(args))
    web.run_app(app, host=args.host, port=args.port, print=lambda text: print(json.dumps(text), flush=True))
