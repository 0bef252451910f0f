"""aiortc's example webcam: it shows a file to browsers, all of which share one player.

python webcam.py --port PORT --play-from FILE [--play-without-decoding] [--audio-codec TYPE]
                 [--video-codec TYPE]
"""

import argparse
import asyncio

from aiohttp import web
from aiortc import RTCConfiguration, RTCPeerConnection, RTCRtpSender, RTCSessionDescription
from aiortc.contrib.media import MediaPlayer, MediaRelay

pcs = set()
relay = None
webcam = None


def create_local_tracks(play_from, decode):
    global relay, webcam
    if webcam is None:
        webcam = MediaPlayer(play_from, decode=decode)
        relay = MediaRelay()
    return (
        relay.subscribe(webcam.audio) if webcam.audio else None,
        relay.subscribe(webcam.video) if webcam.video else None,
    )


def force_codec(pc, sender, forced_codec):
    kind = forced_codec.split("/")[0]
    codecs = RTCRtpSender.getCapabilities(kind).codecs
    transceiver = next(t for t in pc.getTransceivers() if t.sender == sender)
    transceiver.setCodecPreferences([codec for codec in codecs if codec.mimeType == forced_codec])


def offer(args):
    async def offer(request):
        params = await request.json()
        description = RTCSessionDescription(sdp=params["sdp"], type=params["type"])
        pc = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        pcs.add(pc)

        @pc.on("connectionstatechange")
        async def on_connectionstatechange():
            print(f"Connection state is {pc.connectionState}", flush=True)
            if pc.connectionState == "failed":
                await pc.close()
                pcs.discard(pc)

        audio, video = create_local_tracks(args.play_from, decode=not args.play_without_decoding)
        for track, codec in ((audio, args.audio_codec), (video, args.video_codec)):
            if track:
                sender = pc.addTrack(track)
                if codec:
                    force_codec(pc, sender, codec)
                elif args.play_without_decoding:
                    raise SystemExit(f"You must specify the {track.kind} codec")

        await pc.setRemoteDescription(description)
        await pc.setLocalDescription(await pc.createAnswer())
        return web.json_response({"sdp": pc.localDescription.sdp, "type": pc.localDescription.type})

    return offer


async def on_shutdown(app):
    await asyncio.gather(*(pc.close() for pc in pcs))
    pcs.clear()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="WebRTC webcam demo")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8080)
    parser.add_argument("--play-from", required=True)
    parser.add_argument("--play-without-decoding", action="store_true")
    parser.add_argument("--audio-codec")
    parser.add_argument("--video-codec")
    args = parser.parse_args()
    app = web.Application()
    app.on_shutdown.append(on_shutdown)
    app.router.add_post("/offer", offer(args))
    web.run_app(app, host=args.host, port=args.port)
