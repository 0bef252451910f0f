"""A transceiver as offer and answer see it (RFC 9429 section 4.2, W3C RTCRtpTransceiver), as plain data.

The owner makes and changes transceivers through `Negotiation` only, which keeps their mids, SSRCs and payload
types consistent; it reads whatever it likes.
"""

from dataclasses import dataclass, field

from .codecs import RtpCodec

__all__ = ["DIRECTIONS", "Changes", "SendEncoding", "Transceiver", "direction_of", "reverse"]

DIRECTIONS = ("sendrecv", "sendonly", "recvonly", "inactive")

_REVERSED = {"sendonly": "recvonly", "recvonly": "sendonly"}


def direction_of(*, send: bool, receive: bool) -> str:
    """The word for it."""
    if send:
        return "sendrecv" if receive else "sendonly"
    return "recvonly" if receive else "inactive"


def sends(direction: str) -> bool:
    return direction in ("sendrecv", "sendonly")


def receives(direction: str) -> bool:
    return direction in ("sendrecv", "recvonly")


def reverse(direction: str) -> str:
    """The direction as the other end sees it."""
    return _REVERSED.get(direction, direction)


@dataclass(slots=True)
class SendEncoding:
    """One stream of what is sent (W3C RTCRtpEncodingParameters). Only `rid` is negotiated; the rest is kept
    here for the sender, which changes it at any time. An `ssrc` of 0 is drawn by the negotiation."""

    rid: str = ""
    active: bool = True
    max_bitrate: int | None = None
    """bit/s"""
    max_framerate: float | None = None
    scale_resolution_down_by: float = 1.0
    ssrc: int = 0
    rtx_ssrc: int = 0


@dataclass(slots=True, eq=False)
class Transceiver:
    """Compared by identity. `kind` is "audio" or "video"."""

    kind: str
    direction: str = "sendrecv"
    """What is wanted: `Negotiation.set_direction()`."""
    track_id: str = ""
    """Of what we send, as it is told to the other end; empty: one is made up when it is needed."""
    streams: tuple[str, ...] = ()
    """Ids of the streams that our track belongs to."""
    encodings: list[SendEncoding] = field(default_factory=list)
    """What we would send; the agreement says which of these the other end takes."""
    receive_rids: tuple[str, ...] = ()
    """Simulcast that our offers ask the other end for."""
    codec_preferences: tuple[RtpCodec, ...] = ()
    """Empty: all that the negotiation knows."""
    mid: str | None = None
    """From the first description with it that was set until that is rolled back."""
    index: int | None = None
    """Of its section in the descriptions; the number to use for `rtcore.native.media.Media` as well."""
    current_direction: str | None = None
    """What the last answer said; None before one, and when stopped."""
    stopping: bool = False
    """Will be stopped by the next negotiation."""
    stopped: bool = False
    has_track: bool = False
    """Whether the sender has a track; the owner keeps this true to what it does (replaceTrack). `add_track`
    takes over one without that never sent."""
    sent: bool = False
    """It was agreed at some time that we send."""
    for_track: bool = False
    """Made or taken over by `add_track`: a section of the other end's may take it (RFC 9429 section 5.10)."""
    for_offer: bool = False
    """A section of the other end's may take it, whatever it was made for: aiortc's way, not the W3C's."""
    by_remote: bool = False
    """Made for a section of the other end's, and no track was added to it since."""
    remote_direction: str = "inactive"
    """What the newest remote description lets us do, before the answer: `recvonly` and `sendrecv` mean that
    there is a track to be received (W3C [[FiredDirection]])."""
    remote_streams: tuple[str, ...] = ()
    remote_track_id: str = ""
    """As the other end calls it; empty if it does not."""

    @property
    def ssrcs(self) -> tuple[int, ...]:
        """Ours, with those of retransmissions."""
        return tuple(ssrc for one in self.encodings for ssrc in (one.ssrc, one.rtx_ssrc) if ssrc)

    @property
    def receiving(self) -> bool:
        """The other end sends, or is about to: "track" was told, and not yet taken back."""
        return not self.stopped and receives(self.remote_direction)


@dataclass(slots=True)
class Changes:
    """What setting a description did to the transceivers, for the owner to carry out in this order."""

    removed: list[Transceiver] = field(default_factory=list)
    """Made by a remote offer that was rolled back: they are stopped and gone."""
    added: list[Transceiver] = field(default_factory=list)
    """Made by a remote offer."""
    muted: list[Transceiver] = field(default_factory=list)
    """Their remote track no longer comes: mute it, and take it out of its streams."""
    received: list[Transceiver] = field(default_factory=list)
    """Their remote track begins to come, or belongs to other streams: W3C "track" event."""
    stopped: list[Transceiver] = field(default_factory=list)
    """Stopped now, by either side: end their tracks."""
