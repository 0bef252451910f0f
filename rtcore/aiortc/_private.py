"""What aiortc has inside and this layer has not: using it raises an error that names rtcore's way.

`ABSENT` is the one list of public names; the table in docs/aiortc-names.md is made of it. A module that lacks
some says `__getattr__ = attributes_of(__name__)`: importing a class or function succeeds, so that a program
which never uses it runs; using it raises `NotImplementedError`. Constants raise `AttributeError`.

`INSIDE` has private attributes of objects that programs are known to use.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NoReturn

__all__ = ["ABSENT", "INSIDE", "Private", "absent", "attributes_of"]


def _names(**ways: str) -> dict[str, str]:
    """The way by name, of names by way."""
    return {name: _WAYS[way] for way, names in ways.items() for name in names.split()}


_WAYS = {
    "bandwidth": "`rtcore.native.bandwidth`: Bandwidth and Estimate",
    "jitter": "`rtcore.native.jitter`: JitterBuffer",
    "sdp": "`rtcore.sdp`: parse and write",
    "negotiation": "`rtcore.sdp`: Negotiation",
    "dtls": "`rtcore.native.dtls`; `rtcore.PeerConnection(certificates=[...])`",
    "srtp": "`rtcore.native.srtp`",
    "ice": "`rtcore.native.ice`; `rtcore.PeerConnection(ice_servers=[...])`",
    "sctp": "`rtcore.native.sctp`: Association",
    "channels": "`rtcore.PeerConnection`: create_data_channel()",
    "payload": "`rtcore.native.payload`: Packetizer and Depacketizer",
    "codecs": "`rtcore.media.codecs.base`: Encoder and Decoder",
    "all_codecs": "`rtcore.sdp`: default_codecs()",
    "larger": "1 MiB; `rtcore.PeerConnection(max_message_size=...)`",
    "state": "`rtcore.aiortc.RTCSctpTransport`: state",
    "received": "`rtcore.aiortc.RTCDtlsTransport`: state",
    "files": "`rtcore.media`: MediaPlayer and MediaRecorder",
    "statistics": "`rtcore.native.media`, and get_stats() of what sends and receives",
    "frames": "`rtcore.media`: EncodedFrame",
    "random": "`secrets.randbits(16)`",
}

ABSENT: Mapping[str, Mapping[str, str]] = {
    "codecs": _names(all_codecs="init_codecs"),
    "codecs.g711": _names(
        codecs="PcmDecoder.codec PcmEncoder.codec PcmEncoder.resampler PcmaDecoder.codec PcmaEncoder.codec "
        "PcmaEncoder.resampler PcmuDecoder.codec PcmuEncoder.codec PcmuEncoder.resampler"
    ),
    "codecs.g722": _names(
        codecs="G722Decoder.codec G722Encoder.codec G722Encoder.first_pts G722Encoder.resampler"
    ),
    "codecs.h264": _names(
        codecs="H264Decoder.codec H264Encoder.buffer_data H264Encoder.buffer_pts H264Encoder.codec pairwise",
        payload="NAL_HEADER_SIZE FU_A_HEADER_SIZE LENGTH_FIELD_SIZE STAP_A_HEADER_SIZE",
    ),
    "codecs.opus": _names(
        codecs="OpusDecoder.codec OpusEncoder.codec OpusEncoder.resampler OpusEncoder.first_packet_pts"
    ),
    "codecs.vpx": _names(
        codecs="Vp8Decoder.codec Vp8Encoder.codec Vp8Encoder.picture_id number_of_threads",
    ),
    "contrib.media": _names(
        files="blackhole_consume player_worker_decode player_worker_demux MediaRecorderContext "
        "REAL_TIME_FORMATS"
    ),
    "jitterbuffer": _names(jitter="JitterBuffer MAX_MISORDER"),
    "rate": _names(
        bandwidth="AimdRateControl BURST_DELTA_THRESHOLD_MS BandwidthUsage DELTA_COUNTER_MAX "
        "INTER_ARRIVAL_SHIFT InterArrival InterArrivalDelta MAX_ADAPT_OFFSET_MS "
        "MIN_FRAME_PERIOD_HISTORY_LENGTH MIN_NUM_DELTAS OveruseDetector OveruseEstimator RateBucket "
        "RateControlState RateCounter RemoteBitrateEstimator TIMESTAMP_GROUP_LENGTH_MS TIMESTAMP_TO_MS "
        "TimestampGroup"
    ),
    "rtcdtlstransport": _names(
        dtls="X509_DIGEST_ALGORITHMS certificate_digest generate_certificate State",
        srtp="SRTPProtectionProfile SRTP_AEAD_AES_256_GCM SRTP_AEAD_AES_128_GCM SRTP_AES128_CM_SHA1_80 "
        "SRTP_PROFILES",
        statistics="DataReceiver RtpReceiver RtpSender RtpRouter",
        received="RTCDtlsTransport.encrypted",
    ),
    "rtcicetransport": _names(ice="ICE_TRANSPORT_POLICIES STUN_REGEX TURN_REGEX connection_kwargs"),
    "rtcpeerconnection": _names(
        negotiation="DISCARD_HOST DISCARD_PORT MEDIA_KINDS filter_preferred_codecs find_common_codecs "
        "find_common_header_extensions is_codec_compatible add_transport_description add_remote_candidates "
        "allocate_mid create_media_description_for_sctp create_media_description_for_transceiver "
        "and_direction or_direction reverse_direction wrap_session_description"
    ),
    "rtcrtpreceiver": _names(
        codecs="decoder_worker", statistics="NackGenerator StreamStatistics TimestampMapper"
    ),
    "rtcrtpsender": _names(statistics="RTT_ALPHA", random="random_sequence_number", frames="RTCEncodedFrame"),
    "rtcsctptransport": _names(
        larger="LOCAL_MAX_MESSAGE_SIZE",
        state="RTCSctpTransport.State",
        channels="DATA_CHANNEL_ACK DATA_CHANNEL_OPEN DATA_CHANNEL_RELIABLE "
        "DATA_CHANNEL_PARTIAL_RELIABLE_REXMIT DATA_CHANNEL_PARTIAL_RELIABLE_TIMED "
        "DATA_CHANNEL_RELIABLE_UNORDERED DATA_CHANNEL_PARTIAL_RELIABLE_REXMIT_UNORDERED "
        "DATA_CHANNEL_PARTIAL_RELIABLE_TIMED_UNORDERED WEBRTC_DCEP WEBRTC_STRING WEBRTC_BINARY "
        "WEBRTC_STRING_EMPTY WEBRTC_BINARY_EMPTY",
        sctp="COOKIE_LENGTH COOKIE_LIFETIME MAX_STREAMS SCTP_COMMON_HEADER_LENGTH "
        "SCTP_CHUNK_HEADER_LENGTH SCTP_DATA_CHUNK_HEADER_LENGTH SCTP_PACKET_MINIMUM_LENGTH "
        "SCTP_MAX_PACKET_LENGTH REMOTE_DEFAULT_MAX_MESSAGE_SIZE SCTP_CAUSE_INVALID_STREAM "
        "SCTP_CAUSE_STALE_COOKIE SCTP_DATA_LAST_FRAG SCTP_DATA_FIRST_FRAG SCTP_DATA_UNORDERED "
        "SCTP_MAX_ASSOCIATION_RETRANS SCTP_MAX_BURST SCTP_MAX_INIT_RETRANS SCTP_RTO_ALPHA "
        "SCTP_RTO_BETA SCTP_RTO_INITIAL SCTP_RTO_MIN SCTP_RTO_MAX SCTP_TSN_MODULO "
        "RECONFIG_MAX_STREAMS RECONFIG_RESULT_SUCCESS_NOTHING_TO_DO "
        "RECONFIG_RESULT_SUCCESS_PERFORMED RECONFIG_RESULT_IN_PROGRESS SCTP_STATE_COOKIE "
        "SCTP_STR_RESET_OUT_REQUEST SCTP_STR_RESET_RESPONSE SCTP_STR_RESET_ADD_OUT_STREAMS "
        "SCTP_SUPPORTED_CHUNK_EXT SCTP_PRSCTP_SUPPORTED chunk_type decode_params encode_params "
        "padl tsn_minus_one tsn_plus_one Chunk BaseParamsChunk AbortChunk CookieAckChunk "
        "CookieEchoChunk DataChunk ErrorChunk ForwardTsnChunk HeartbeatChunk HeartbeatAckChunk "
        "BaseInitChunk InitChunk InitAckChunk ReconfigChunk SackChunk ShutdownChunk "
        "ShutdownAckChunk ShutdownCompleteChunk CHUNK_CLASSES CHUNK_TYPES parse_packet "
        "serialize_packet StreamResetOutgoingParam StreamAddOutgoingParam "
        "StreamResetResponseParam RECONFIG_PARAM_TYPES InboundStream",
    ),
    "sdp": _names(sdp="grouplines parse_attr parse_group"),
}
"""rtcore's way by the names that are not there, by module."""


_TRANSPORT = "RTCPeerConnection(port_range=..., interfaces=..., mtu=...); rtcore.PeerConnection.get_stats()"
_STATE = "the states and events of RTCPeerConnection"

INSIDE: Mapping[str, Mapping[str, str]] = {
    "RTCPeerConnection": {
        "certificates": "RTCPeerConnection(certificates=[...])",
        "configuration": "RTCPeerConnection(ice_servers=[...])",
        "dtlsTransports": "RTCRtpSender.transport and RTCSctpTransport.transport",
        "iceTransports": "RTCDtlsTransport.transport",
        "transceivers": "RTCPeerConnection.getTransceivers()",
        "remoteDescription": "RTCPeerConnection.remoteDescription",
        "localDescription": "RTCPeerConnection.localDescription",
        "stream_id": "rtcore.RtpSender.set_streams()",
        "updateConnectionState": _STATE,
    },
    "RTCIceGatherer": {"connection": _TRANSPORT},
    "RTCIceTransport": {"connection": _TRANSPORT, "iceGatherer": "RTCIceTransport.iceGatherer"},
    "RTCDtlsTransport": {
        "ssl": "rtcore.native.dtls",
        "rtp_router": "rtcore.native.media",
        "send_rtp": "rtcore.RtpSender; rtcore.media.EncodedSource sends frames of one's own",
        "send_data": "RTCDataChannel.send()",
        "recv_next": "rtcore.native.media",
    },
    "RTCSctpTransport": {
        "association_state": "RTCSctpTransport.state",
        "cwnd": "rtcore.PeerConnection.get_stats()",
        "rto": "rtcore.PeerConnection.get_stats()",
        "data_channels": "the RTCDataChannel objects that createDataChannel() and the event give",
        "outbound_queue": "RTCDataChannel.bufferedAmount",
    },
    "RTCRtpSender": {
        "force_keyframe": "rtcore.RtpSender.request_key_frame()",
        "send_keyframe": "rtcore.RtpSender.request_key_frame()",
        "ssrc": "RTCRtpSender.getStats()",
        "rtx_ssrc": "RTCRtpSender.getStats()",
        "next_encoded_frame": "rtcore.RtpSender.encoder",
    },
    "RTCRtpReceiver": {
        "decoder_queue": "rtcore.media.RemoteTrack.encoded()",
        "decoder_thread": "rtcore.RtpReceiver.paused",
        "jitter_buffer": "rtcore.RtpReceiver.jitter_buffer_target",
        "nack_generator": "rtcore.native.media",
        "remote_bitrate_estimator": "rtcore.native.bandwidth",
        "remote_streams": "RTCRtpReceiver.getStats()",
        "send_rtcp_pli": "rtcore.media.RemoteTrack.request_key_frame()",
        "track": "RTCRtpReceiver.track",
    },
}
"""rtcore's way by the name of a private attribute, without underscores and class before it, by class."""


class _Unread:
    """An attribute that is not there as long as it is not set."""

    def __init__(self, text: str) -> None:
        self._text = text

    def __get__(self, instance: object, owner: type | None = None) -> NoReturn:
        raise AttributeError(self._text)


class _Inside(_Unread):
    """An attribute that cannot be set, either."""

    def __set__(self, instance: object, value: object) -> NoReturn:
        raise AttributeError(self._text)


class Private:
    """For classes of this layer: using what is private to aiortc's raises an `AttributeError` that names
    rtcore's way, where there is one. Setting attributes with one underscore is not noticed.

    By descriptors: a `__getattr__` would make reading any other attribute slower."""

    def __init_subclass__(cls, **arguments: Any) -> None:
        super().__init_subclass__(**arguments)
        for name, way in INSIDE.get(cls.__name__, {}).items():
            for form, made in ((f"_{cls.__name__}__{name}", _Inside), (f"_{name}", _Unread)):
                if form not in vars(cls):
                    setattr(cls, form, made(f"{form} is private to aiortc: rtcore's way is {way}"))


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
    plain = way.replace("`", "")
    return (
        f"aiortc.{module}.{name} has no counterpart: rtcore's way is {plain} (docs/migrating-from-aiortc.md)"
    )


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
