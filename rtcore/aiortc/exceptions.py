"""aiortc's exceptions. All but `InternalError` are rtcore's own, so that `except` catches them by either
name."""

from rtcore.errors import Error, InvalidAccessError, InvalidStateError, OperationError

__all__ = ["InternalError", "InvalidAccessError", "InvalidStateError", "OperationError"]


class InternalError(Error):
    """An argument that no transceiver can be made of: another kind than audio or video, or a wrong
    direction."""
