"""aiortc's names over rtcore: `import rtcore.aiortc as aiortc` runs a program that was written for aiortc.

`docs/migrating-from-aiortc.md` says what differs.
"""

try:
    import pyee.asyncio  # noqa: F401
except ImportError as error:
    raise ImportError("rtcore.aiortc needs pyee: pip install rtcore[aiortc]") from error

from .exceptions import InvalidAccessError, InvalidStateError
from .rtcconfiguration import RTCBundlePolicy, RTCConfiguration, RTCIceServer, RTCIceTransportPolicy
from .rtcdatachannel import RTCDataChannel, RTCDataChannelParameters
from .rtcdtlstransport import RTCCertificate, RTCDtlsFingerprint, RTCDtlsParameters, RTCDtlsTransport
from .rtcicetransport import RTCIceCandidate, RTCIceGatherer, RTCIceParameters, RTCIceTransport
from .rtcpeerconnection import RTCPeerConnection
from .rtcsctptransport import RTCSctpCapabilities, RTCSctpTransport
from .rtcsessiondescription import RTCSessionDescription

__version__ = "1.16.0"
"""Of the aiortc whose names these are."""

__all__ = [
    "InvalidAccessError",
    "InvalidStateError",
    "RTCBundlePolicy",
    "RTCCertificate",
    "RTCConfiguration",
    "RTCDataChannel",
    "RTCDataChannelParameters",
    "RTCDtlsFingerprint",
    "RTCDtlsParameters",
    "RTCDtlsTransport",
    "RTCIceCandidate",
    "RTCIceGatherer",
    "RTCIceParameters",
    "RTCIceServer",
    "RTCIceTransport",
    "RTCIceTransportPolicy",
    "RTCPeerConnection",
    "RTCSctpCapabilities",
    "RTCSctpTransport",
    "RTCSessionDescription",
]
