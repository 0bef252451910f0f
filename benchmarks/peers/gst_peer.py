"""GStreamer's webrtcbin as a peer: JSON lines on stdin and stdout, see README.md.

Run with the system's Python, whose packages have the bindings. webrtcbin leaves the loopback interface out;
its ICE agent is given the address here.
"""

import base64
import hashlib
import json
import os
import re
import sys
import threading
from typing import Any

import gi
import gst_media

gi.require_version("Gst", "1.0")
gi.require_version("GstSdp", "1.0")
gi.require_version("GstWebRTC", "1.0")
from gi.repository import GLib, Gst, GstSdp, GstWebRTC  # noqa: E402

HIGH = 1 << 20
LOW = 1 << 18
ADDRESS = "127.0.0.1"
#: That we offer. For RTX webrtcbin takes the first free number from 96 on, and does not know yet of tracks
#: whose caps are still on their way: with 97 for the sound, that would now and then be RTX of the video too.
PAYLOADS = {"video": 96, "audio": 111}
DIRECTIONS = {
    value.value_nick: value for value in GstWebRTC.WebRTCRTPTransceiverDirection.__enum_values__.values()
}

Json = dict[str, Any]

output = threading.Lock()
agents: list[Any] = []  #: webrtcbin's own; the bindings take its only reference, and must not drop it


def emit(message: Json) -> None:
    with output:
        sys.stdout.write(json.dumps(message) + "\n")
        sys.stdout.flush()


def nick(value: Any) -> str:
    """A state by the W3C's name."""
    return str(value.value_nick)


class Channel:
    def __init__(self, owner: str, handle: str, channel: Any, mode: str) -> None:
        self.owner, self.handle, self.channel, self.mode = owner, handle, channel, mode
        self.digest, self.bytes, self.messages = hashlib.sha256(), 0, 0
        self.changed = threading.Condition()
        self.told = False
        channel.set_property("buffered-amount-low-threshold", LOW)
        channel.connect("on-open", lambda _: self.opened())
        channel.connect("on-close", lambda _: self.emit("close"))
        channel.connect("on-error", lambda _, error: self.emit("error", error=error.message))
        channel.connect("on-buffered-amount-low", lambda _: self.room())
        channel.connect("on-message-string", lambda _, text: self.take(text or ""))
        channel.connect("on-message-data", lambda _, data: self.take(data.get_data() or b"" if data else b""))

    def emit(self, event: str, **more: Any) -> None:
        emit({"event": event, "pc": self.owner, "channel": self.handle, **more})

    def opened(self) -> None:
        with self.changed:
            told, self.told = self.told, True
        if not told:
            self.emit("open", id=self.channel.get_property("id"))

    def look(self) -> None:
        """It may have opened before anybody listened."""
        if self.channel.get_property("ready-state") == GstWebRTC.WebRTCDataChannelState.OPEN:
            self.opened()

    def room(self) -> None:
        with self.changed:
            self.changed.notify_all()

    def send(self, data: bytes | str) -> None:
        if isinstance(data, str):
            self.channel.emit("send-string", data or None)  # the empty message has a type of its own
        else:
            self.channel.emit("send-data", GLib.Bytes.new(data) if data else None)

    def take(self, data: bytes | str) -> None:
        if self.mode == "echo":
            self.send(data)
        elif self.mode == "collect":
            with self.changed:
                raw = data.encode() if isinstance(data, str) else data
                self.digest.update(raw)
                self.bytes += len(raw)
                self.messages += 1
                self.changed.notify_all()
        elif isinstance(data, str):
            self.emit("message", text=data)
        else:
            self.emit("message", data=base64.b64encode(data).decode())

    def received(self, size: int) -> Json:
        with self.changed:
            self.changed.wait_for(lambda: self.bytes >= size)
            result = {"bytes": self.bytes, "messages": self.messages, "sha256": self.digest.hexdigest()}
            self.digest, self.bytes, self.messages = hashlib.sha256(), 0, 0
        return result

    def pour(self, size: int, total: int) -> Json:
        digest, messages = hashlib.sha256(), 0
        for sent in range(0, total, size):
            message = os.urandom(min(size, total - sent))
            digest.update(message)
            messages += 1
            with self.changed:
                self.changed.wait_for(lambda: self.channel.get_property("buffered-amount") <= HIGH)
            self.send(message)
        return {"bytes": total, "messages": messages, "sha256": digest.hexdigest()}


class Connection:
    def __init__(self, handle: str, incoming: str) -> None:
        self.handle, self.incoming = handle, incoming
        self.channels: dict[str, Channel] = {}
        self.sources: dict[str, gst_media.Source] = {}
        self.places: dict[str, Any] = {}  #: transceivers
        self.watchers: dict[str, gst_media.Watcher] = {}
        self.gathered = threading.Event()
        self.pipeline = Gst.Pipeline()
        self.bin = Gst.ElementFactory.make("webrtcbin")
        self.bin.set_property("bundle-policy", "max-bundle")
        agent = self.bin.get_property("ice-agent")
        agents.append(agent)
        agent.set_property("ice-tcp", False)
        agent.emit("add-local-ip-address", ADDRESS)
        self.bin.connect("notify::connection-state", lambda *_: self.state("state", "connection"))
        self.bin.connect("notify::ice-connection-state", lambda *_: self.state("ice", "ice-connection"))
        self.bin.connect("notify::ice-gathering-state", lambda *_: self.gathering())
        self.bin.connect("on-ice-candidate", self.candidate_found)
        self.bin.connect("on-data-channel", lambda _, channel: self.channel_arrived(channel))
        self.bin.connect("pad-added", lambda _, pad: self.track_arrived(pad))
        self.pipeline.add(self.bin)
        self.pipeline.set_state(Gst.State.PLAYING)

    def emit(self, event: str, **more: Any) -> None:
        emit({"event": event, "pc": self.handle, **more})

    # Events

    def state(self, event: str, name: str) -> None:
        self.emit(event, **{name.split("-")[0]: nick(self.bin.get_property(f"{name}-state"))})

    def candidate_found(self, _: Any, line: int, candidate: str) -> None:
        self.emit(
            "candidate",
            candidate={"candidate": candidate, "sdpMLineIndex": line, "sdpMid": self.mids()[line]},
        )

    def gathering(self) -> None:
        if nick(self.bin.get_property("ice-gathering-state")) == "complete":
            self.emit("candidate", candidate=None)
            self.gathered.set()

    def channel_arrived(self, channel: Any) -> None:
        name = f"in{len(self.channels)}"
        self.channels[name] = added = Channel(self.handle, name, channel, self.incoming)
        get = channel.get_property
        limits = {
            "maxRetransmits": get("max-retransmits"),
            "maxPacketLifeTime": get("max-packet-lifetime"),
        }
        added.emit(
            "channel",
            **{member: get(member) for member in ("label", "protocol", "ordered", "negotiated", "id")},
            **{member: None if limit < 0 else limit for member, limit in limits.items()},
        )
        added.look()

    def track_arrived(self, pad: Any) -> None:
        if pad.get_direction() != Gst.PadDirection.SRC:
            return
        form = pad.get_current_caps().get_structure(0)
        kind = form.get_string("media")
        transceiver = pad.get_property("transceiver")
        mid = transceiver.get_property("mid")
        if transceiver.get_property("codec-preferences") is None:  # an offer of our own needs some
            payload = form.get_int("payload").value
            transceiver.set_property("codec-preferences", Gst.Caps.from_string(gst_media.rtp(kind, payload)))
        watcher = gst_media.watch(kind, form.get_string("encoding-name"))
        self.watchers[mid] = watcher
        self.pipeline.add(watcher.bin)
        watcher.bin.sync_state_with_parent()
        pad.link(watcher.bin.get_static_pad("sink"))
        self.emit("track", kind=kind, mid=mid, streams=[])

    # Commands

    def ask(self, signal: str, *arguments: Any) -> Any:
        """What one of webrtcbin's actions answers."""
        promise = Gst.Promise.new()
        self.bin.emit(signal, *arguments, promise)
        promise.wait()
        reply = promise.get_reply()
        if reply is not None and reply.has_field("error"):
            raise RuntimeError(reply.get_value("error").message)
        return reply

    def description(self, which: str) -> str:
        return str(self.bin.get_property(which).sdp.as_text())

    def mids(self) -> list[str]:
        return re.findall(r"^a=mid:(\S+)", self.description("local-description"), re.M)

    def describe(self, type: str, gather: bool) -> Json:
        made = self.ask(f"create-{type}", None)  # owns the description
        self.set("local", type, made.get_value(type).sdp.as_text())
        if gather:
            self.gathered.wait()
        return {"type": type, "sdp": self.description("local-description")}

    def set(self, which: str, type: str, sdp: str) -> None:
        _, message = GstSdp.SDPMessage.new_from_text(sdp)
        kinds = {"offer": GstWebRTC.WebRTCSDPType.OFFER, "answer": GstWebRTC.WebRTCSDPType.ANSWER}
        self.ask(f"set-{which}-description", GstWebRTC.WebRTCSessionDescription.new(kinds[type], message))

    def add(
        self,
        name: str,
        source: Json,
        direction: str = "sendrecv",
        codecs: list[str] | None = None,
        associate: bool = False,
    ) -> None:
        kind = {"picture": "video", "tone": "audio"}[source["type"]]
        payload = PAYLOADS[kind]
        if associate:  # in the numbers of their offer
            codec = gst_media.CODECS[kind]
            (found,) = re.findall(
                rf"^a=rtpmap:(\d+) {codec}/", self.description("remote-description"), re.M | re.I
            )[:1]
            payload = int(found)
        track = self.sources[name] = gst_media.source(payload, **source)
        self.pipeline.add(track.bin)
        caps = Gst.Caps.from_string(gst_media.rtp(kind, payload))
        pad = self.bin.request_pad(self.bin.get_pad_template("sink_%u"), None, caps)
        transceiver = self.places[name] = pad.get_property("transceiver")
        transceiver.set_property("do-nack", True)
        transceiver.set_property("direction", DIRECTIONS[direction])
        known = threading.Event()
        pad.connect("notify::caps", lambda *_: known.set())
        track.bin.get_static_pad("src").link(pad)
        track.start()
        if not known.wait(10):  # an offer made before would give this number to RTX as well
            raise RuntimeError(f"{name} does not begin")

    def transceivers(self) -> list[Json]:
        count = len(self.mids())
        found = [self.bin.emit("get-transceiver", index) for index in range(count)]
        return [
            {
                "mid": each.get_property("mid"),
                "kind": nick(each.get_property("kind")),
                "direction": nick(each.get_property("direction")),
                "current": nick(each.get_property("current-direction")),
            }
            for each in found
            if each
        ]

    def close(self) -> None:
        for source in self.sources.values():
            source.stop()
        self.pipeline.set_state(Gst.State.NULL)


class Peer:
    def __init__(self) -> None:
        self.connections: dict[str, Connection] = {}

    def open(self, pc: str, incoming: str = "report") -> None:
        self.connections[pc] = Connection(pc, incoming)

    def offer(self, pc: str, gather: bool = True) -> Json:
        return self.connections[pc].describe("offer", gather)

    def answer(self, pc: str, sdp: str = "", gather: bool = True) -> Json:
        if sdp:
            self.remote_offer(pc, sdp)
        return self.connections[pc].describe("answer", gather)

    def remote_offer(self, pc: str, sdp: str) -> None:
        self.connections[pc].set("remote", "offer", sdp)

    def accept(self, pc: str, sdp: str) -> None:
        self.connections[pc].set("remote", "answer", sdp)

    def candidate(self, pc: str, candidate: Json | None) -> None:
        if candidate is not None:
            line = candidate.get("sdpMLineIndex") or 0
            self.connections[pc].bin.emit("add-ice-candidate", line, candidate["candidate"])

    def add(self, pc: str, **arguments: Any) -> None:
        self.connections[pc].add(**arguments)

    def replace(self, pc: str, name: str, source: Json | None) -> None:
        self.connections[pc].sources[name].become(source)

    def direction(self, pc: str, name: str, direction: str) -> None:
        self.connections[pc].places[name].set_property("direction", DIRECTIONS[direction])

    def seen(self, pc: str, mid: str, **wanted: Any) -> Json:
        return self.connections[pc].watchers[mid].seen(**wanted)

    def transceivers(self, pc: str) -> Json:
        return {"transceivers": self.connections[pc].transceivers()}

    def channel(
        self, pc: str, channel: str, label: str, options: Json | None = None, mode: str = "report"
    ) -> None:
        connection = self.connections[pc]
        names = {"maxRetransmits": "max-retransmits", "maxPacketLifeTime": "max-packet-lifetime"}
        structure = Gst.Structure.new_empty("options")
        for name, value in (options or {}).items():
            structure.set_value(names.get(name, name), value)
        created = connection.bin.emit("create-data-channel", label, structure)
        if created is None:
            raise RuntimeError("no channel")
        connection.channels[channel] = added = Channel(pc, channel, created, mode)
        added.look()

    def send(self, pc: str, channel: str, text: str | None = None, data: str = "") -> None:
        self.connections[pc].channels[channel].send(base64.b64decode(data) if text is None else text)

    def mode(self, pc: str, channel: str, mode: str) -> None:
        self.connections[pc].channels[channel].mode = mode

    def pour(self, pc: str, channel: str, size: int, total: int) -> Json:
        return self.connections[pc].channels[channel].pour(size, total)

    def received(self, pc: str, channel: str, bytes: int) -> Json:
        return self.connections[pc].channels[channel].received(bytes)

    def close_channel(self, pc: str, channel: str) -> None:
        self.connections[pc].channels[channel].channel.emit("close")

    def close(self, pc: str) -> None:
        self.connections.pop(pc).close()


def main() -> None:
    Gst.init(None)
    peer = Peer()

    def carry_out(request: Json) -> None:
        number, name = request.pop("id"), request.pop("cmd")
        try:
            emit({"id": number, **(getattr(peer, name)(**request) or {})})
        except Exception as error:
            emit({"id": number, "error": repr(error)})

    for line in sys.stdin:
        threading.Thread(target=carry_out, args=(json.loads(line),), daemon=True).start()
    os._exit(0)  # whatever GStreamer's threads are about


if __name__ == "__main__":
    main()
