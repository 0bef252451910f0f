"""Session descriptions (RFC 8866 and the WebRTC attributes) and offer/answer (RFC 9429), without I/O."""

from .jsep import Negotiation, SessionDescription
from .model import (
    Codec,
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
from .writer import write

__all__ = [
    "Agreement",
    "Codec",
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
    "SessionDescription",
    "Simulcast",
    "SourceGroup",
    "parse",
    "write",
]
