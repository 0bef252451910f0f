"""What one transport is made of, ICE, DTLS, SCTP and media together: the `Bundle` that the transport objects
are views of.

There are two kinds. That of an `RTCPeerConnection` belongs to its `Connection`, which is rtcore's with an ear
for what aiortc tells and rtcore does not (DTLS states, SCTP); its views are made when somebody asks for them.
That of an `RTCIceGatherer` made by hand is an `OwnBundle`, which plays the connection itself.
"""

from __future__ import annotations

from collections.abc import Callable
from operator import itemgetter
from typing import TYPE_CHECKING, Any, Protocol, Self, TypeVar

from rtcore.connection import (
    DataChannel,
    MediaStream,
    PeerConnection,
    RtpReceiver,
    RtpSender,
    RtpTransceiver,
)
from rtcore.errors import InvalidStateError

if TYPE_CHECKING:
    from rtcore.connection import TrackEvent
    from rtcore.connection.channel import ChannelOptions
    from rtcore.connection.events import Event
    from rtcore.connection.media_transport import MediaTransport
    from rtcore.connection.transport import Transport
    from rtcore.media import MediaTrack
    from rtcore.native.dtls import Certificate
    from rtcore.native.ice import Candidate
    from rtcore.native.worker import Peer

    from .rtcdtlstransport import RTCDtlsParameters
    from .rtcicetransport import RTCIceParameters
    from .rtcrtpparameters import RTCRtpReceiveParameters, RTCRtpSendParameters

__all__ = ["DTLS", "GATHERER", "ICE", "Bundle", "Connection", "ConnectionBundle", "Owner"]

_ICE_STATES = {"connected": "completed", "disconnected": "completed"}
"""aiortc knows neither: a path that is found is "completed", and stays so until it is given up. Who asks for
`all_states` is told them."""


GATHERER, ICE, DTLS = range(3)
"""The order in which the views are told of a change."""


class View(Protocol):
    """A transport object, which is made of its bundle."""

    @classmethod
    def _of(cls, bundle: Any) -> Self: ...


V = TypeVar("V", bound=View)


class Bundle:
    """One transport, and its views."""

    __slots__ = ("_views", "_watchers", "all_states", "closed", "transport")

    transport: Transport
    """The native peer's side."""

    def __init__(self) -> None:
        self._views: dict[type[Any], Any] | None = None
        self._watchers: tuple[tuple[int, Callable[[], None]], ...] = ()
        self.closed = False
        self.all_states = False
        """Tells the W3C's ICE states, not only those that aiortc has."""

    # What the two kinds know in their own ways

    @property
    def media(self) -> MediaTransport:
        """The tracks' side."""
        raise NotImplementedError

    @property
    def certificate(self) -> Certificate:
        """What this end shows."""
        raise NotImplementedError

    @property
    def data_mid(self) -> str | None:
        """The name of the section for data channels; None without one."""
        return None

    def bind(self) -> Peer:
        """The native peer, made when it is first needed. There must be a running event loop."""
        raise NotImplementedError

    def add_channel(self, options: ChannelOptions) -> DataChannel:
        """A channel of ours."""
        raise NotImplementedError

    async def gather(self) -> None:
        """Until all candidates are there."""
        raise NotImplementedError

    async def add_candidate(self, candidate: Candidate | None) -> None:
        """One of the other end's; None: there are no more."""
        raise NotImplementedError

    async def start_ice(self, parameters: RTCIceParameters) -> None:
        """Until there is a path, or none can be found."""
        raise NotImplementedError

    async def start_dtls(self, parameters: RTCDtlsParameters, role: str) -> None:
        """Until it is connected, or has failed."""
        raise NotImplementedError

    def start_sctp(self, local_port: int, remote_port: int, max_message_size: int) -> None:
        """The association."""
        raise NotImplementedError

    def add_sender(self, kind: str, parameters: RTCRtpSendParameters, ssrc: int, rtx_ssrc: int) -> RtpSender:
        """That of a section of its own."""
        raise NotImplementedError

    def add_receiver(self, kind: str, parameters: RTCRtpReceiveParameters) -> RtpReceiver:
        """That of a section of its own."""
        raise NotImplementedError

    async def close(self) -> None:
        """Ends all of it."""
        raise NotImplementedError

    # States, in aiortc's words

    @property
    def gathering_state(self) -> str:
        state = self.transport.gathering_state
        return "completed" if state == "complete" else state

    @property
    def ice_state(self) -> str:
        if self.closed:
            return "closed"
        state = self.transport.ice_state
        return state if self.all_states else _ICE_STATES.get(state, state)

    @property
    def state(self) -> str:
        """That of a connection over it, of ICE and DTLS together."""
        ice, dtls = self.ice_state, self.transport.dtls_state
        if ice == "closed":
            return "closed"
        if "failed" in (ice, dtls):
            return "failed"
        if ice == "new" and dtls in ("new", "closed"):
            return "new"
        if ice == "disconnected":
            return "disconnected"
        found = ice in ("connected", "completed")
        return "connected" if found and dtls in ("connected", "closed") else "connecting"

    @property
    def dtls_state(self) -> str:
        return "closed" if self.closed else self.transport.dtls_state

    @property
    def dtls_role(self) -> str:
        """ "client" or "server"; empty before it is known."""
        return self.transport.dtls_role

    @property
    def sctp_state(self) -> str:
        return "closed" if self.closed else self.transport.sctp_state

    @property
    def controlling(self) -> bool:
        """The ICE role. By hand, it can be set before ICE starts."""
        return self.transport.running and self.transport.peer.controlling

    @controlling.setter
    def controlling(self, controlling: bool) -> None:
        raise InvalidStateError("the offer and the answer give the ICE roles")

    @property
    def credentials(self) -> tuple[str, str]:
        """Ours: ICE user name fragment and password."""
        peer = self.bind()
        return peer.local_ufrag, peer.local_pwd

    def candidates(self, which: str) -> list[Candidate]:
        """Those of one end: `which` is "local" or "remote"."""
        report = self.transport.native_stats()
        return [entry["candidate"] for entry in report.get(f"{which}_candidates", ())]

    # Views

    def shown(self, kind: type[V]) -> V | None:
        """The view of a kind, if there is one."""
        return self._views.get(kind) if self._views is not None else None

    def view(self, kind: type[V]) -> V:
        """The view of a kind, made when it is first asked for."""
        made = self.shown(kind)
        if made is None:
            made = kind._of(self)
            self.show(kind, made)
        return made

    def show(self, kind: type[V], view: V) -> None:
        """That one is the view of its kind."""
        if self._views is None:
            self._views = {}
        self._views[kind] = view

    def watch(self, place: int, watcher: Callable[[], None]) -> None:
        """Called when a state may have changed, until all is closed; `place`: `GATHERER`, `ICE` or `DTLS`."""
        self._watchers = tuple(sorted((*self._watchers, (place, watcher)), key=itemgetter(0)))

    def changed(self) -> None:
        for _, watcher in self._watchers:
            watcher()
        if self.closed:
            self._watchers = ()


class ConnectionBundle(Bundle):
    """That of a peer connection, whose negotiation starts everything."""

    __slots__ = ("_connection",)

    def __init__(self, connection: Connection, *, all_states: bool) -> None:
        super().__init__()
        self._connection = connection
        self.transport = connection._transport
        self.all_states = all_states

    @property
    def media(self) -> MediaTransport:
        return self._connection._media

    @property
    def certificate(self) -> Certificate:
        return self._connection.certificate

    @property
    def data_mid(self) -> str | None:
        return self._connection.data_mid

    def bind(self) -> Peer:
        self._connection._bind()
        return self.transport.peer

    def add_channel(self, options: ChannelOptions) -> DataChannel:
        return self._connection._add_channel(options)

    async def gather(self) -> None:
        await self._connection.gathered()

    async def add_candidate(self, candidate: Candidate | None) -> None:
        await self._connection.add_ice_candidate(candidate)

    async def start_ice(self, parameters: RTCIceParameters) -> None:
        raise self._negotiated()

    async def start_dtls(self, parameters: RTCDtlsParameters, role: str) -> None:
        raise self._negotiated()

    def start_sctp(self, local_port: int, remote_port: int, max_message_size: int) -> None:
        raise self._negotiated()

    def add_sender(self, kind: str, parameters: RTCRtpSendParameters, ssrc: int, rtx_ssrc: int) -> RtpSender:
        raise self._negotiated()

    def add_receiver(self, kind: str, parameters: RTCRtpReceiveParameters) -> RtpReceiver:
        raise self._negotiated()

    def _negotiated(self) -> InvalidStateError:
        return InvalidStateError("it belongs to a peer connection, whose descriptions start it")

    async def close(self) -> None:
        await self._connection.close()


class Owner(Protocol):
    """Whom a `Connection` tells what happens: an `RTCPeerConnection`."""

    def _signaling_changed(self, state: str) -> None: ...
    def _gathering_changed(self) -> None: ...
    def _ice_changed(self) -> None: ...
    def _dtls_changed(self) -> None: ...
    def _track_arrived(self, event: TrackEvent) -> None: ...
    def _channel_arrived(self, channel: DataChannel) -> None: ...
    def _shut(self) -> None: ...


_TOLD: dict[str, Callable[..., None]] = {
    "signalingstatechange": lambda owner, state: owner._signaling_changed(state),
    "track": lambda owner, event: owner._track_arrived(event),
    "datachannel": lambda owner, channel: owner._channel_arrived(channel),
}
"""The events that an owner is told as they are."""


class Connection(PeerConnection):
    """rtcore's, which tells its bundle and its owner what happens."""

    def __init__(self, owner: Owner, *, all_states: bool, **options: Any) -> None:
        super().__init__(**options)
        self.bundle = ConnectionBundle(self, all_states=all_states)
        self.owner: Owner | None = owner
        """None: nobody any more."""
        self._backlog = None  # of events(), which nobody calls

    @property
    def gathers(self) -> bool:
        """Whether the local description needs candidates."""
        return self._negotiation.transport_position is not None

    @property
    def data_mid(self) -> str | None:
        """The name of the section for data channels, once a description has it."""
        return self._negotiation.data_mid

    @property
    def has_data(self) -> bool:
        """Whether the remote description has a section for data channels."""
        return self._negotiation.remote_has_data

    def add_track(self, track: MediaTrack, *streams: MediaStream | str) -> RtpSender:
        """As aiortc has it, an offer of the other end's takes its transceiver, even if it does not
        receive."""
        made = super().add_track(track, *streams)
        made._data.for_offer = True
        return made

    def add_transceiver(self, track_or_kind: MediaTrack | str, **options: Any) -> RtpTransceiver:
        """As `add_track`."""
        made = super().add_transceiver(track_or_kind, **options)
        made._data.for_offer = True
        return made

    def want_data_channels(self) -> None:
        """Offers have a section for them from now on."""
        self._negotiation.want_data()

    def _happened(self, name: str, event: Event, *values: Any) -> None:
        if self._handlers is not None or self._streams:  # of rtcore's own names, which few use from here
            super()._happened(name, event, *values)
        if self.owner is not None and (tell := _TOLD.get(name)) is not None:
            tell(self.owner, *values)

    def _gathering_changed(self, state: str) -> None:
        super()._gathering_changed(state)
        self.bundle.changed()
        if self.owner is not None:
            self.owner._gathering_changed()

    def _ice_changed(self, state: str) -> None:
        super()._ice_changed(state)
        self.bundle.changed()
        if self.owner is not None:
            self.owner._ice_changed()

    def _dtls_changed(self, state: str) -> None:
        super()._dtls_changed(state)
        self.bundle.changed()
        if self.owner is not None:
            self.owner._dtls_changed()

    def _shut(self) -> None:
        before = self._closed
        super()._shut()
        if not before:
            self.bundle.closed = True
            self.bundle.changed()
            if self.owner is not None:
                self.owner._shut()
