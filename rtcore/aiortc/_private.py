"""What aiortc has inside and this layer has not: using it raises an error that names rtcore's way.

`ABSENT` is the one list of such names; the table in docs/aiortc-names.md is made of it. A module that lacks
some says `__getattr__ = attributes_of(__name__)`: importing a class or function succeeds, so that a program
which never uses it runs; using it raises `NotImplementedError`. Constants raise `AttributeError`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NoReturn

__all__ = ["ABSENT", "absent", "attributes_of"]

_BANDWIDTH = "rtcore.native.bandwidth: Bandwidth and Estimate"
_CONGESTION = "RtpEncoding(max_bitrate=...) bounds what rtcore.native.bandwidth finds"
_JITTER = "rtcore.native.jitter.JitterBuffer"
_DTLS = "rtcore.native.dtls; PeerConnection(certificates=[Certificate.generate()])"
_SRTP = "rtcore.native.srtp"
_SCTP = "rtcore.native.sctp.Association; rtcore.native.sctp has chunks and constants"
_DCEP = "PeerConnection.create_data_channel()"
_PAYLOAD = "rtcore.native.payload: Packetizer and Depacketizer"
_PLAYER = "rtcore.media.player"
_CODECS = "rtcore.media.codecs"
_JSEP = "rtcore.sdp.Negotiation"
_SDP = "rtcore.sdp.parse and rtcore.sdp.write"
_ICE = "PeerConnection(ice_servers=[...])"
_RECEIVER = "RtpReceiver.get_stats(); rtcore.native.media"
_SENDER = "RtpSender.get_stats(); rtcore.native.media"

ABSENT: Mapping[str, Mapping[str, str]] = {
    "jitterbuffer": dict.fromkeys(("JitterBuffer", "JitterFrame", "MAX_MISORDER"), _JITTER),
    "rate": dict.fromkeys(
        (
            "AimdRateControl",
            "BURST_DELTA_THRESHOLD_MS",
            "BandwidthUsage",
            "DELTA_COUNTER_MAX",
            "INTER_ARRIVAL_SHIFT",
            "InterArrival",
            "InterArrivalDelta",
            "MAX_ADAPT_OFFSET_MS",
            "MIN_FRAME_PERIOD_HISTORY_LENGTH",
            "MIN_NUM_DELTAS",
            "OveruseDetector",
            "OveruseEstimator",
            "RateBucket",
            "RateControlState",
            "RateCounter",
            "RemoteBitrateEstimator",
            "TIMESTAMP_GROUP_LENGTH_MS",
            "TIMESTAMP_TO_MS",
            "TimestampGroup",
        ),
        _BANDWIDTH,
    ),
    "sdp": dict.fromkeys(("grouplines", "parse_attr", "parse_group"), _SDP),
}
"""rtcore's way by the names that are not there, by module."""


class _Absent(type):
    """The type of what stands in for a class or function: no use of it goes unnoticed."""

    _message: str

    def __new__(mcs, name: str, bases: tuple[type, ...], names: dict[str, Any]) -> _Absent:
        for base in bases:
            if isinstance(base, _Absent):
                raise NotImplementedError(base._message)
        return super().__new__(mcs, name, bases, names)

    def __call__(cls, *args: Any, **kwargs: Any) -> NoReturn:
        raise NotImplementedError(cls._message)

    def __getattr__(cls, name: str) -> NoReturn:
        raise AttributeError(cls._message, name=name, obj=cls)


def absent(module: str, name: str, way: str) -> type:
    """What stands in for the class or function `name` of aiortc's `module`; `way` is rtcore's own."""
    return _Absent(
        name, (), {"_message": message(module, name, way), "__module__": f"rtcore.aiortc.{module}"}
    )


def message(module: str, name: str, way: str) -> str:
    return f"aiortc.{module}.{name} has no counterpart: rtcore's way is {way} (docs/migrating-from-aiortc.md)"


def attributes_of(module: str) -> Callable[[str], Any]:
    """The `__getattr__` of a module of this package, for the names of `ABSENT`."""
    short = module.partition(".aiortc.")[2]
    made: dict[str, type] = {}

    def attribute(name: str) -> Any:
        way = ABSENT.get(short, {}).get(name)
        if way is None:
            raise AttributeError(f"module {module!r} has no attribute {name!r}", name=name)
        if name.isupper():
            raise AttributeError(message(short, name, way), name=name)
        return made.setdefault(name, absent(short, name, way))

    return attribute
