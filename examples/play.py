"""A media file for every browser that comes: decoded once per viewer, in real time.

    python examples/play.py FILE [PORT]        then open the address that it prints

Any name that FFmpeg can open will do: a file, an RTSP camera, a device.
"""

import sys

import page

import rtcore


def connect(pc: rtcore.PeerConnection) -> None:
    player = rtcore.media.MediaPlayer(file, loop=True)
    for track in (player.audio, player.video):
        if track is not None:
            pc.add_track(track)

    @pc.on("connectionstatechange")
    async def changed(state: str) -> None:
        if state in ("failed", "closed"):
            await player.close()


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    file = sys.argv.pop(1)
    page.run(page.media("Play", "null"), connect)
