"""aiortc's jitter buffer works on its own packets and has no clock: `rtcore.native.jitter` is rtcore's."""

from ._private import attributes_of

__all__: list[str] = []

__getattr__ = attributes_of(__name__)
