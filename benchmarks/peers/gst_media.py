"""Tracks for the peer `gst_peer.py`: bins that make a picture or tone, and bins that recognise them."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import content  # run as a program: from the same folder
import gi
import numpy as np

gi.require_version("Gst", "1.0")
from gi.repository import Gst  # noqa: E402

RATE = 48000
HEARD = RATE // 5  # samples in which a frequency is looked for: 5 Hz apart

ENCODE = {
    "VP8": "vp8enc deadline=1 cpu-used=8 keyframe-max-dist=3000 target-bitrate=1000000 ! "
    "rtpvp8pay mtu=1200 picture-id-mode=15-bit",
    "OPUS": "opusenc ! rtpopuspay",
}
DECODE = {
    "VP8": "rtpvp8depay request-keyframe=true wait-for-keyframe=true ! "
    "vp8dec ! videoconvert ! video/x-raw,format=GRAY8",
    "OPUS": "rtpopusdepay ! opusdec plc=true ! audioconvert ! audioresample ! "
    f"audio/x-raw,format=S16LE,channels=1,rate={RATE}",
}
CODECS = {"video": "VP8", "audio": "OPUS"}


def rtp(kind: str, payload: int) -> str:
    """The caps of what a track sends."""
    rate = {"video": 90000, "audio": RATE}[kind]
    more = ",encoding-params=(string)2" if kind == "audio" else ""
    codec = CODECS[kind]
    return f"application/x-rtp,media={kind},encoding-name={codec},clock-rate={rate},payload={payload}{more}"


class Source:
    """A bin whose pad "src" gives RTP. `kind`: "video" or "audio"."""

    kind: str

    def __init__(self, begin: str, payload: int) -> None:
        encode = f"{ENCODE[CODECS[self.kind]]} pt={payload}"
        self.bin = Gst.parse_bin_from_description(
            f'{begin} ! {encode} ! capsfilter caps="{rtp(self.kind, payload)}"', True
        )

    def start(self) -> None:
        self.bin.sync_state_with_parent()

    def become(self, source: dict[str, Any] | None) -> None:
        """Gives something else from now on, or nothing: what webrtcbin has for replaceTrack()."""
        raise NotImplementedError

    def stop(self) -> None:
        pass


@dataclass(eq=False)
class Pictures:
    """Which to draw, from number `first` on."""

    width: int = 640
    height: int = 360
    first: int = 0
    frameRate: int = 30
    type: str = "picture"

    @property
    def size(self) -> tuple[int, int]:
        return self.width, self.height

    @property
    def caps(self) -> Any:
        return Gst.Caps.from_string(
            f"video/x-raw,format=RGB,width={self.width},height={self.height},framerate={self.frameRate}/1"
        )


class Picture(Source):
    """Numbered pictures, drawn by a thread of their own. `wanted`: which; None: none for the time being."""

    kind = "video"

    def __init__(self, payload: int, **options: Any) -> None:
        super().__init__("appsrc name=in is-live=true do-timestamp=true format=time ! videoconvert", payload)
        self.wanted: Pictures | None = Pictures(**options)
        self.ended = threading.Event()
        self.thread = threading.Thread(target=self.run)

    def become(self, source: dict[str, Any] | None) -> None:
        self.wanted = Pictures(**source) if source else None

    def start(self) -> None:
        super().start()
        self.thread.start()

    def stop(self) -> None:
        self.ended.set()
        self.thread.join()

    def run(self) -> None:
        into = self.bin.get_by_name("in")
        shown, number = None, 0
        due = time.monotonic()
        while not self.ended.wait(max(0, due - time.monotonic())):
            wanted = self.wanted
            due += 1 / (wanted or Pictures()).frameRate
            if wanted and wanted is not shown:
                into.set_property("caps", wanted.caps)
                number = wanted.first
            if wanted:
                picture = content.draw(number, *wanted.size).tobytes()
                into.emit("push-buffer", Gst.Buffer.new_wrapped(picture))
                number += 1
            shown = wanted


class Tone(Source):
    kind = "audio"

    def __init__(self, payload: int, frequency: float = 440) -> None:
        super().__init__(
            f"audiotestsrc is-live=true freq={frequency} samplesperbuffer=960 ! "
            f"audio/x-raw,rate={RATE},channels=2",
            payload,
        )


def source(payload: int, type: str, **options: Any) -> Source:
    return {"picture": Picture, "tone": Tone}[type](payload, **options)


class Watcher:
    """A bin that decodes what comes to its pad "sink", and remembers what was in it."""

    def __init__(self, codec: str) -> None:
        self.changed = threading.Condition()
        self.bin = Gst.parse_bin_from_description(
            f"{DECODE[codec]} ! appsink name=out emit-signals=true sync=false max-buffers=50", True
        )
        self.bin.get_by_name("out").connect("new-sample", self.arrived)

    def arrived(self, sink: Any) -> Gst.FlowReturn:
        sample = sink.emit("pull-sample")
        buffer = sample.get_buffer()
        with self.changed:
            self.take(buffer.extract_dup(0, buffer.get_size()), sample.get_caps().get_structure(0))
            self.changed.notify_all()
        return Gst.FlowReturn.OK

    def take(self, data: bytes, form: Any) -> None:
        raise NotImplementedError

    def seen(self, **wanted: Any) -> dict[str, Any]:
        raise NotImplementedError

    def until(self, condition: Callable[[], bool]) -> None:
        self.changed.wait_for(condition, 60)  # no command lasts longer


class VideoWatcher(Watcher):
    def __init__(self, codec: str) -> None:
        self.frames = self.unreadable = self.width = self.height = 0
        self.numbers: list[int] = []
        super().__init__(codec)

    def take(self, data: bytes, form: Any) -> None:
        self.width, self.height = form.get_value("width"), form.get_value("height")
        luma = np.frombuffer(data, np.uint8).reshape(self.height, -1)[:, : self.width]
        number = content.read(luma)
        self.frames += 1
        if number is None:
            self.unreadable += 1
        else:
            self.numbers.append(number)

    def seen(self, frames: int = 1, numbers: int = 0) -> dict[str, Any]:
        with self.changed:
            frame, first, unreadable = self.frames, len(self.numbers), self.unreadable
            self.until(lambda: self.frames >= frame + frames and len(self.numbers) >= first + numbers)
            return {
                "width": self.width,
                "height": self.height,
                "numbers": self.numbers[first:],
                "unreadable": self.unreadable - unreadable,
            }


class AudioWatcher(Watcher):
    def __init__(self, codec: str) -> None:
        self.samples = np.zeros(0, np.int16)
        super().__init__(codec)

    def take(self, data: bytes, form: Any) -> None:
        self.samples = np.concatenate((self.samples, np.frombuffer(data, np.int16)))[-HEARD:]

    @property
    def frequency(self) -> float:
        return content.loudest(self.samples, RATE) if len(self.samples) == HEARD else 0.0

    def seen(self, frequency: float | None = None, tolerance: float = 15) -> dict[str, Any]:
        with self.changed:
            if frequency is not None:
                self.until(lambda: abs(self.frequency - frequency) <= tolerance)
            return {"frequency": self.frequency, "level": content.level(self.samples)}


def watch(kind: str, codec: str) -> Watcher:
    return VideoWatcher(codec) if kind == "video" else AudioWatcher(codec)
