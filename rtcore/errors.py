"""The exceptions of rtcore's Python API: the W3C's names, each also a Python exception one would expect.

Wrong arguments raise `TypeError` or `ValueError` as everywhere in Python; what is here says that an
operation does not fit the state, or that the network or the peer made it impossible.
"""

__all__ = [
    "ChannelClosedError",
    "CodecError",
    "ConnectionFailedError",
    "Error",
    "InvalidAccessError",
    "InvalidModificationError",
    "InvalidStateError",
    "NotSupportedError",
    "OperationError",
    "SdpError",
    "TrackEndedError",
]


class Error(Exception):
    """The base of all of them."""


class InvalidStateError(Error):
    """The object is in a state in which this cannot be done: closed, or the wrong signaling state."""


class InvalidAccessError(Error):
    """The operation or its argument does not fit what was negotiated."""


class InvalidModificationError(Error):
    """A description was changed between `create_offer` or `create_answer` and `set_local_description`."""


class NotSupportedError(Error):
    """Valid, but rtcore does not do it (yet)."""


class OperationError(Error):
    """The operation failed for a reason of its own, which the message tells."""


class SdpError(OperationError, ValueError):
    """A session description breaks its grammar or its rules. `line` counts from 1; 0: no single line."""

    def __init__(self, message: str, line: int = 0) -> None:
        super().__init__(f"SDP line {line}: {message}" if line else f"SDP: {message}")
        self.line = line


class ChannelClosedError(InvalidStateError, EOFError):
    """The data channel is closing or closed. Its cause, if any, is why."""


class CodecError(OperationError):
    """A codec's library refused what it was given, or what was received cannot be decoded."""


class TrackEndedError(InvalidStateError, EOFError):
    """The track has ended: no more frames. Its cause, if any, is why."""


class ConnectionFailedError(Error, ConnectionError):
    """The connection to the peer failed, or ended before what was waited for could happen."""
