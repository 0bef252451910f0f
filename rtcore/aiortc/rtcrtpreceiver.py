"""`RTCRtpReceiver`: what the other end sends, as a track. `rtcore.RtpReceiver` does it; of a connection, or
by hand over a transport."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any, cast

import av

from rtcore.connection.rtp_receiver import RtpReceiver
from rtcore.errors import InvalidStateError, TrackEndedError
from rtcore.media import RemoteTrack, codecs
from rtcore.sdp import RtpCodec

from ._private import Private, attributes_of
from .codecs import get_capabilities
from .mediastreams import MediaStreamError, MediaStreamTrack
from .rtcdtlstransport import RTCDtlsTransport
from .stats import RTCInboundRtpStreamStats, RTCRemoteOutboundRtpStreamStats, RTCStatsReport

if TYPE_CHECKING:
    from ._bundle import Bundle
    from .rtcrtpparameters import RTCRtpCapabilities, RTCRtpReceiveParameters

__all__ = ["RTCRtpContributingSource", "RTCRtpReceiver", "RTCRtpSynchronizationSource", "RemoteStreamTrack"]

__getattr__ = attributes_of(__name__)

NTP_TO_UNIX = 2208988800


def _decoder(codec: RtpCodec) -> codecs.Decoder:
    """Opus is always stereo, as programs expect it."""
    if codec.name.lower() == "opus":
        return codecs.create_decoder(codec, channels=2)
    return codecs.create_decoder(codec)


class _Waiting:
    """A track's frames that wait, in the form of the `asyncio.Queue` that programs look for as
    `track._queue`. The public ways are `RemoteTrack.frames_waiting` and `RemoteTrack.clear()`."""

    maxsize = 0

    def __init__(self, track: RemoteStreamTrack) -> None:
        self._track = track

    def qsize(self) -> int:
        return self._track._remote.frames_waiting

    def empty(self) -> bool:
        return not self.qsize()

    def full(self) -> bool:
        return False

    def get_nowait(self) -> av.VideoFrame | av.AudioFrame:
        """`asyncio.QueueEmpty` if none waits."""
        frame = self._track._remote.take()
        if frame is None:
            raise asyncio.QueueEmpty
        return self._track._from_zero(frame)

    async def get(self) -> av.VideoFrame | av.AudioFrame | None:
        """None when there will be no more."""
        try:
            return await self._track.recv()
        except MediaStreamError:
            return None

    def task_done(self) -> None:
        """Nobody waits for it."""


class RemoteStreamTrack(MediaStreamTrack):
    """A track that the other end sends. Its frames are decoded once somebody reads, and begin at pts 0. Who
    read at the same time share them.

    Other than in aiortc, a reader that is slow loses the oldest frames: up to a second of them waits."""

    def __init__(self, kind: str, id: str | None = None) -> None:
        super().__init__()
        self._wrap(RemoteTrack("audio" if kind == "audio" else "video", id=id))

    @classmethod
    def _of(cls, track: RemoteTrack) -> RemoteStreamTrack:
        made = cls.__new__(cls)
        MediaStreamTrack.__init__(made)
        made._wrap(track)
        return made

    def _wrap(self, track: RemoteTrack) -> None:
        self.kind = track.kind
        self._id = track.id
        self._remote = track
        self._reading = asyncio.Lock()
        self._origin: int | None = None
        track.decoder = _decoder
        track.on("ended", self._source_ended)
        if track.ready_state == "ended":
            self._source_ended()

    @property
    def _queue(self) -> _Waiting:
        return _Waiting(self)

    async def recv(self) -> av.VideoFrame | av.AudioFrame:
        if self.readyState != "live":
            raise MediaStreamError("the track has ended")
        try:
            async with self._reading:
                frame = await self._remote.recv()
        except TrackEndedError as error:
            self.stop()
            raise MediaStreamError("the track has ended") from error.__cause__
        return self._from_zero(frame)

    def _from_zero(self, frame: av.VideoFrame | av.AudioFrame) -> av.VideoFrame | av.AudioFrame:
        if frame.pts is not None:
            if self._origin is None:
                self._origin = frame.pts
            frame.pts -= self._origin
        return frame

    def stop(self) -> None:
        super().stop()
        self._remote.stop()

    def _source_ended(self) -> None:
        """What waits can still be read, if somebody reads; he is told at the end."""
        if not self._remote.frames_waiting:
            self.stop()


@dataclass
class RTCRtpContributingSource:
    """A source that a mixer names (CSRC), and when it did last."""

    timestamp: datetime
    source: int


@dataclass
class RTCRtpSynchronizationSource:
    """A stream (SSRC), and when a packet of it came last."""

    timestamp: datetime
    source: int


class RTCRtpReceiver(Private):
    """Receives one track."""

    _bundle: Bundle
    """Of a connection's: what its transport is the view of."""

    def __init__(self, kind: str, transport: RTCDtlsTransport) -> None:
        """By hand, to be followed by `receive()`. `InvalidStateError` if the transport is closed."""
        if transport.state == "closed":
            raise InvalidStateError("the transport is closed")
        self._begin(kind)
        self._transport = transport

    @classmethod
    def _of(cls, receiver: RtpReceiver, bundle: Bundle) -> RTCRtpReceiver:
        """That of a connection's receiver."""
        made = cls.__new__(cls)
        made._begin(receiver.kind)
        made._bundle = bundle
        made._attach(receiver)
        return made

    def _begin(self, kind: str) -> None:
        self._kind = kind
        self._receiver: RtpReceiver | None = None
        self._track: RemoteStreamTrack | None = None
        self._disabled = False  # before there is a receiver
        self._report = RTCStatsReport()
        self._stopped = False

    def _attach(self, receiver: RtpReceiver) -> None:
        from ._tracks import inbound

        self._receiver = receiver
        if self._track is None:
            self._track = inbound(receiver.track)
        else:  # a program made it
            self._track._wrap(receiver.track)
        if self._disabled:
            receiver.paused = True

    @cached_property
    def _transport(self) -> RTCDtlsTransport:
        return self._bundle.view(RTCDtlsTransport)

    @property
    def track(self) -> MediaStreamTrack:
        """What comes."""
        return cast(MediaStreamTrack, self._track)

    @property
    def transport(self) -> RTCDtlsTransport:
        """What it receives over."""
        return self._transport

    @classmethod
    def getCapabilities(cls, kind: str) -> RTCRtpCapabilities:
        """What can be received. `ValueError` for another kind than "audio" and "video"."""
        return get_capabilities(kind)

    async def getStats(self) -> RTCStatsReport:
        """Of what it receives, of what the other end reports of it, and of the transport."""
        self._report.update(self._transport._get_stats())
        now = datetime.now(UTC)
        common: dict[str, Any] = {
            "kind": self._kind,
            "transportId": self._transport._stats_id,
            "timestamp": now,
        }
        for stream in self._counted():
            self._report.add(
                RTCInboundRtpStreamStats(
                    type="inbound-rtp",
                    id=f"inbound-rtp_{id(self)}",
                    ssrc=stream["ssrc"],
                    packetsReceived=stream["packets"],
                    packetsLost=stream["packets_lost"],
                    jitter=round(stream["jitter"]),
                    **common,
                )
            )
            if stream["reports"]:
                self._report.add(
                    RTCRemoteOutboundRtpStreamStats(
                        type="remote-outbound-rtp",
                        id=f"remote-outbound-rtp_{id(self)}",
                        ssrc=stream["ssrc"],
                        packetsSent=stream["remote_packets"],
                        bytesSent=stream["remote_bytes"],
                        remoteTimestamp=datetime.fromtimestamp(
                            stream["remote_ntp"] / 2**32 - NTP_TO_UNIX, UTC
                        ),
                        **common,
                    )
                )
        return self._report

    def _counted(self) -> list[dict[str, Any]]:
        """What the core counts of its streams."""
        if self._receiver is None:
            return []
        counted = self._receiver._media.native_stats().get("inbound", ())
        return [one for one in counted if one["section"] == self._receiver._data.index]

    def getSynchronizationSources(self) -> list[RTCRtpSynchronizationSource]:
        """The streams of which something came in the last ten seconds."""
        found = self._receiver.get_synchronization_sources() if self._receiver is not None else []
        return [
            RTCRtpSynchronizationSource(datetime.fromtimestamp(one.timestamp / 1000, UTC), one.source)
            for one in found
        ]

    async def receive(self, parameters: RTCRtpReceiveParameters) -> None:
        """By hand: begins to receive. Nothing if it began already."""
        if self._receiver is None and not self._stopped:
            self._attach(self._transport._bundle.add_receiver(self._kind, parameters))

    def setTransport(self, transport: RTCDtlsTransport) -> None:
        """Before `receive()`: over which transport."""
        self._transport = transport

    async def stop(self) -> None:
        """Stops for good; its track ends."""
        if not self._stopped:
            self._stopped = True
            if self._receiver is not None:
                self._receiver.paused = True
                self._receiver._end()

    @property
    def _enabled(self) -> bool:
        """False: what comes is dropped. The public way is `rtcore.RtpReceiver.paused`."""
        return not (self._receiver.paused if self._receiver is not None else self._disabled)

    @_enabled.setter
    def _enabled(self, enabled: bool) -> None:
        self._disabled = not enabled
        if self._receiver is not None:
            self._receiver.paused = not enabled
