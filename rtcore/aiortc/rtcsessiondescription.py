"""`RTCSessionDescription`: a description as it travels."""

from dataclasses import dataclass

from rtcore.sdp.held import TYPES

__all__ = ["RTCSessionDescription"]


@dataclass
class RTCSessionDescription:
    """`sdp` is the text, `type` one of "offer", "pranswer", "answer" and "rollback": `ValueError` for
    another."""

    sdp: str
    type: str

    def __post_init__(self) -> None:
        if self.type not in TYPES:
            raise ValueError(f"'type' must be one of {', '.join(TYPES)}, not {self.type!r}")
