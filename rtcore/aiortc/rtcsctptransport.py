"""SCTP: `RTCSctpTransport`, on which data channels run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from rtcore.connection import DataChannel
from rtcore.errors import InvalidStateError

from ._bundle import Bundle
from ._emitter import Emitter
from ._own_bundle import OwnBundle
from ._private import Private, attributes_of
from .rtcdtlstransport import RTCDtlsTransport

__all__ = ["RTCSctpCapabilities", "RTCSctpTransport"]

__getattr__ = attributes_of(__name__)

USERDATA_MAX_LENGTH = 1160
"""Bytes of a message in one packet. Programs for networks with a smaller MTU set this before they connect;
`mtu()` makes datagrams no larger than that asks for."""
LOCAL_MAX_MESSAGE_SIZE = 1024 * 1024
"""The largest message that is taken, bytes: what is set here counts for connections made afterwards."""

_REMOTE_MAX_MESSAGE_SIZE = 65536  # RFC 8841 section 6
_PORT, _LAST_PORT = 5000, 65535
_DEFAULT_USERDATA = USERDATA_MAX_LENGTH
_OVERHEAD = 12 + 16 + 37  # SCTP's headers of a packet and of a chunk, DTLS
_SMALLEST_MTU, _LARGEST_MTU = 548, 65507


def path_mtu() -> int | None:
    """The largest datagram, bytes, that `USERDATA_MAX_LENGTH` asks for; None if nobody changed it."""
    if USERDATA_MAX_LENGTH == _DEFAULT_USERDATA:
        return None
    return min(max(USERDATA_MAX_LENGTH + _OVERHEAD, _SMALLEST_MTU), _LARGEST_MTU)


@dataclass
class RTCSctpCapabilities:
    """The largest message that an end takes, bytes; 0: any."""

    maxMessageSize: int


class RTCSctpTransport(Emitter, Private):
    """The association that data channels run on. Event: "datachannel"."""

    def __init__(self, transport: RTCDtlsTransport, port: int = 5000) -> None:
        if transport.state == "closed":
            raise InvalidStateError("the DTLS transport is closed")
        if not 1 <= port <= _LAST_PORT:
            raise ValueError(f"a port is 1 to {_LAST_PORT}, not {port}")
        self._attach(transport._bundle)
        self._port = port

    @classmethod
    def _of(cls, bundle: Bundle) -> Self:
        """That of a peer connection, which takes the channels that arrive itself."""
        made = cls.__new__(cls)
        made._attach(bundle)
        return made

    def _attach(self, bundle: Bundle) -> None:
        Emitter.__init__(self)
        self._port = _PORT
        self._run_on(bundle)

    def _run_on(self, bundle: Bundle) -> None:
        self._bundle = bundle
        bundle.show(RTCSctpTransport, self)
        if isinstance(bundle, OwnBundle):
            bundle.watch_channels(self._arrived)

    def _arrived(self, channel: DataChannel) -> None:
        from .rtcdatachannel import RTCDataChannel

        self.emit("datachannel", RTCDataChannel._of(self._bundle, channel))

    @property
    def maxChannels(self) -> int | None:
        """How many channels there can be; None until it is known."""
        return self._bundle.transport.max_channels

    @property
    def port(self) -> int:
        """Ours, of SCTP."""
        return self._port

    @property
    def mid(self) -> str | None:
        """The name of its section; None until there is one."""
        return self._bundle.data_mid

    @property
    def state(self) -> str:
        """ "new", "connecting", "connected" or "closed"."""
        return self._bundle.sctp_state

    @property
    def transport(self) -> RTCDtlsTransport:
        """What it runs on."""
        return self._bundle.view(RTCDtlsTransport)

    @classmethod
    def getCapabilities(cls) -> RTCSctpCapabilities:
        """What this end takes."""
        return RTCSctpCapabilities(maxMessageSize=LOCAL_MAX_MESSAGE_SIZE)

    @property
    def is_server(self) -> bool:
        """Whether this end is the DTLS server: its channels have odd ids."""
        return self._bundle.dtls_role == "server"

    def setTransport(self, transport: RTCDtlsTransport) -> None:
        """Before `start()`: what it runs on."""
        self._run_on(transport._bundle)

    async def start(self, remoteCaps: RTCSctpCapabilities | None, remotePort: int) -> None:
        """By hand: what the other end has. Nothing if it began already."""
        if self.state == "new":
            size = remoteCaps.maxMessageSize if remoteCaps is not None else _REMOTE_MAX_MESSAGE_SIZE
            self._bundle.start_sctp(self._port, remotePort, size)

    async def stop(self) -> None:
        """Closes its channels. The association ends with the DTLS transport."""
        self._bundle.transport.end_channels(None)
        self.remove_all_listeners()
