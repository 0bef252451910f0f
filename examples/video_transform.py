"""Your camera, changed with numpy on the way back: edges, drawn by this program.

python examples/video_transform.py [PORT]        then open the address that it prints
"""

import av
import numpy as np
import page

import rtcore


class Edges(rtcore.media.MediaTrack):
    """What comes from another track, with only its edges."""

    kind = "video"

    def __init__(self, source: rtcore.media.MediaTrack) -> None:
        self.source = source

    async def recv(self) -> av.VideoFrame:
        frame = await self.source.recv()
        assert isinstance(frame, av.VideoFrame)
        changed = await rtcore.media.pool.run(edges, frame)
        changed.pts, changed.time_base = frame.pts, frame.time_base
        return changed


def edges(frame: av.VideoFrame) -> av.VideoFrame:
    luma = frame.to_ndarray(format="gray").astype(np.int16)
    strength = np.zeros_like(luma)
    strength[:, 1:] = np.abs(np.diff(luma, axis=1))
    strength[1:] += np.abs(np.diff(luma, axis=0))
    return av.VideoFrame.from_ndarray(np.clip(strength * 4, 0, 255).astype(np.uint8), format="gray")


def connect(pc: rtcore.PeerConnection) -> None:
    @pc.on("track")
    def arrived(event: rtcore.TrackEvent) -> None:
        if event.track.kind == "video":
            pc.add_track(Edges(event.track))


if __name__ == "__main__":
    page.run(page.media("Edges", "{video: true}"), connect)
