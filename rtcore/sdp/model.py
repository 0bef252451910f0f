"""What a session description says, as plain data (RFC 8866 and the WebRTC attributes).

A `Description` has session-level values and a list of `Media`, the m-sections. Every attribute that WebRTC
uses has a typed field; everything else is kept, in order, in `attributes` (a-lines) and `lines` (all other
letters), and is written out again. Candidates are kept as the text of their attribute (`"candidate:..."`),
since that is the form in which they travel; `rtcore.native.ice.Candidate` reads it.
"""

from dataclasses import dataclass, field

from .codec_table import Codec, CodecTable

__all__ = [
    "Codec",
    "CodecTable",
    "Description",
    "Extension",
    "Fingerprint",
    "Group",
    "Media",
    "Msid",
    "Origin",
    "Rid",
    "RidChoice",
    "Simulcast",
    "SourceGroup",
]

DEFAULT_MAX_MESSAGE_SIZE = 65536
"""What a peer takes that does not say (RFC 8841 section 6.1)."""

_NO_CODECS = CodecTable()

DATA_PROTOCOLS = frozenset({"UDP/DTLS/SCTP", "TCP/DTLS/SCTP", "DTLS/SCTP"})


@dataclass(slots=True, frozen=True)
class Origin:
    """o= (RFC 8866 section 5.2)."""

    session_id: int
    version: int
    username: str = "-"
    network: str = "IN IP4 127.0.0.1"


@dataclass(slots=True, frozen=True)
class Fingerprint:
    """a=fingerprint (RFC 8122): the name of the hash in lower case and the digest."""

    algorithm: str
    digest: bytes

    def __str__(self) -> str:
        return f"{self.algorithm} {self.digest.hex(':').upper()}"


@dataclass(slots=True, frozen=True)
class Group:
    """a=group (RFC 5888), for example BUNDLE (RFC 9143) with the mids of its sections."""

    semantics: str
    mids: tuple[str, ...]


@dataclass(slots=True, frozen=True)
class Extension:
    """a=extmap (RFC 8285): `direction` and `attributes` are empty where they are not given."""

    id: int
    uri: str
    direction: str = ""
    attributes: str = ""


@dataclass(slots=True, frozen=True)
class SourceGroup:
    """a=ssrc-group (RFC 5576), for example FID for retransmission."""

    semantics: str
    sources: tuple[int, ...]


@dataclass(slots=True, frozen=True)
class Msid:
    """a=msid (RFC 8830): `stream` is "-" for a track of no stream."""

    stream: str
    track: str = ""


@dataclass(slots=True, frozen=True)
class Rid:
    """a=rid (RFC 8851): `direction` is "send" or "recv", `restrictions` as written."""

    id: str
    direction: str
    restrictions: str = ""


@dataclass(slots=True, frozen=True)
class RidChoice:
    """One of the alternatives of a simulcast stream."""

    id: str
    paused: bool = False


@dataclass(slots=True, frozen=True)
class Simulcast:
    """a=simulcast (RFC 8853): streams, each a tuple of alternatives."""

    send: tuple[tuple[RidChoice, ...], ...] = ()
    receive: tuple[tuple[RidChoice, ...], ...] = ()


@dataclass(slots=True)
class Media:
    """One m-section. Transport values given at session level have been copied into it by the parser."""

    kind: str
    """"application", "audio", "video", or whatever the m-line says."""
    port: int = 9
    protocol: str = "UDP/DTLS/SCTP"
    formats: list[str] = field(default_factory=list)
    port_count: int = 1
    connection: str = ""
    """c=, for example "IN IP4 0.0.0.0"; empty if the section has none."""
    mid: str = ""
    direction: str = ""
    """"sendrecv", "sendonly", "recvonly", "inactive", or empty: sendrecv, not written."""
    bundle_only: bool = False

    # Transport: ICE (RFC 8839, 8840) and DTLS (RFC 8842)
    ice_ufrag: str = ""
    ice_pwd: str = ""
    ice_options: tuple[str, ...] = ()
    candidates: list[str] = field(default_factory=list)
    end_of_candidates: bool = False
    fingerprints: tuple[Fingerprint, ...] = ()
    setup: str = ""
    tls_id: str = ""

    # Data channels (RFC 8841)
    sctp_port: int | None = None
    max_message_size: int | None = None
    sctpmap: str = ""
    """The legacy form, as written: "5000 webrtc-datachannel 1024"."""

    # RTP
    rtcp: str = ""
    rtcp_mux: bool = False
    rtcp_mux_only: bool = False
    rtcp_rsize: bool = False
    codecs: CodecTable = _NO_CODECS
    extensions: list[Extension] = field(default_factory=list)
    extmap_allow_mixed: bool = False
    msids: list[Msid] = field(default_factory=list)
    sources: dict[int, dict[str, str]] = field(default_factory=dict)
    """a=ssrc: attributes by SSRC."""
    source_groups: list[SourceGroup] = field(default_factory=list)
    rids: list[Rid] = field(default_factory=list)
    simulcast: Simulcast | None = None

    lines: list[tuple[str, str]] = field(default_factory=list)
    """Lines of other letters (i=, b=, k=, ...)."""
    attributes: list[tuple[str, str | None]] = field(default_factory=list)
    """Attributes that have no field here; the value of a flag is None."""

    @property
    def rejected(self) -> bool:
        """Port 0 means no, unless it says "only within the bundle" (RFC 9143 section 6)."""
        return self.port == 0 and not self.bundle_only

    @property
    def is_data(self) -> bool:
        """Whether this is a section of data channels, in the form of RFC 8841 or the older one."""
        return self.kind == "application" and self.protocol in DATA_PROTOCOLS

    @property
    def is_legacy_data(self) -> bool:
        """`m=application 9 DTLS/SCTP 5000`, as before RFC 8841."""
        return self.protocol == "DTLS/SCTP" and "webrtc-datachannel" not in self.formats

    @property
    def remote_sctp_port(self) -> int:
        """The SCTP port of this data section; 0: the association is closed (RFC 8841 section 5.1)."""
        if self.sctp_port is not None:
            return self.sctp_port
        if self.is_legacy_data and self.formats and self.formats[0].isdecimal():
            return int(self.formats[0])
        return 5000


@dataclass(slots=True)
class Description:
    """A whole session description."""

    origin: Origin
    media: list[Media] = field(default_factory=list)
    name: str = "-"
    timing: str = "0 0"
    connection: str = ""
    ice_lite: bool = False
    groups: list[Group] = field(default_factory=list)
    extmap_allow_mixed: bool = False
    lines: list[tuple[str, str]] = field(default_factory=list)
    attributes: list[tuple[str, str | None]] = field(default_factory=list)

    def __str__(self) -> str:
        from .writer import write

        return write(self)

    def bundle_of(self, media: Media) -> tuple[str, ...]:
        """The mids of the BUNDLE group that `media` is in; empty if it is in none."""
        if media.mid:
            for group in self.groups:
                if group.semantics == "BUNDLE" and media.mid in group.mids:
                    return group.mids
        return ()

    def section(self, mid: str) -> Media | None:
        """The section with this mid."""
        for media in self.media:
            if media.mid == mid:
                return media
        return None

    def transport_of(self, media: Media) -> Media:
        """The section whose transport attributes count for `media`: its own, or those of its bundle's
        first section that has any (RFC 9143 section 7.1.3)."""
        if media.ice_ufrag:
            return media
        bundle = self.bundle_of(media)
        tagged = {other.mid: other for other in self.media if other.ice_ufrag} if bundle else {}
        return next((tagged[mid] for mid in bundle if mid in tagged), media)
