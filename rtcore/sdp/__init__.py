"""Session descriptions (RFC 8866 and the WebRTC attributes) and offer/answer (RFC 9429), without I/O."""

from .agreed import AgreedFormat, AgreedSection
from .codecs import RtpCodec, default_codecs
from .held import SessionDescription
from .jsep import Negotiation
from .model import (
    Codec,
    CodecTable,
    Description,
    Extension,
    Fingerprint,
    Group,
    Media,
    Msid,
    Origin,
    Rid,
    RidChoice,
    Simulcast,
    SourceGroup,
)
from .parser import parse
from .sections import Agreement
from .transceiver import Changes, SendEncoding, Transceiver
from .writer import write

__all__ = [
    "AgreedFormat",
    "AgreedSection",
    "Agreement",
    "Changes",
    "Codec",
    "CodecTable",
    "Description",
    "Extension",
    "Fingerprint",
    "Group",
    "Media",
    "Msid",
    "Negotiation",
    "Origin",
    "Rid",
    "RidChoice",
    "RtpCodec",
    "SendEncoding",
    "SessionDescription",
    "Simulcast",
    "SourceGroup",
    "Transceiver",
    "default_codecs",
    "parse",
    "write",
]
