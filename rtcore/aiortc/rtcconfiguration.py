"""What an `RTCPeerConnection` is configured with."""

import enum
from dataclasses import dataclass

__all__ = ["RTCBundlePolicy", "RTCConfiguration", "RTCIceServer", "RTCIceTransportPolicy"]


@dataclass
class RTCIceServer:
    """One server, under one URL or several. The credentials are for TURN."""

    urls: str | list[str]
    username: str | None = None
    credential: str | None = None
    credentialType: str = "password"


class RTCBundlePolicy(enum.Enum):
    """Taken and passed over: rtcore puts everything on one transport, as MAX_BUNDLE asks for. Every browser
    and every WebRTC stack agrees to that."""

    BALANCED = "balanced"
    MAX_COMPAT = "max-compat"
    MAX_BUNDLE = "max-bundle"


class RTCIceTransportPolicy(enum.Enum):
    """Which candidates may be used. RELAY needs TURN, which rtcore does not speak yet:
    `NotSupportedError`."""

    ALL = "all"
    RELAY = "relay"


@dataclass
class RTCConfiguration:
    """Without `iceServers`, aiortc's default one is used (`RTCIceGatherer.getDefaultIceServers()`); an empty
    list: none. `alwaysNegotiateDataChannels`: offers have a data section although there is no channel yet."""

    iceServers: list[RTCIceServer] | None = None
    iceTransportPolicy: RTCIceTransportPolicy = RTCIceTransportPolicy.ALL
    bundlePolicy: RTCBundlePolicy = RTCBundlePolicy.BALANCED
    alwaysNegotiateDataChannels: bool = False
