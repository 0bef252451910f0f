"""aiortc's parts of congestion control: `rtcore.native.bandwidth` is rtcore's, whole."""

from ._private import attributes_of

__all__: list[str] = []

__getattr__ = attributes_of(__name__)
