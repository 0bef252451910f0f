"""What programs set in the modules of codecs, as options of a connection."""

from __future__ import annotations

from typing import Any

from rtcore.sdp import RtpCodec

from ._parameters import offered
from .codecs import CODECS, h264, vpx

__all__ = ["media_options"]

AS_IN_AIORTC = {vpx: (250_000, 500_000), h264: (500_000, 1_000_000)}
"""The least and the usual bitrate, where no program changed them."""


def media_options() -> dict[str, Any]:
    """Those of `rtcore.PeerConnection`: codecs, and bitrates. An encoder keeps to its limits by itself; here
    is where a connection begins, and that it lets through what a program wants at the least."""
    least, start = [], [vpx.DEFAULT_BITRATE]
    for module, (usual_least, usual_start) in AS_IN_AIORTC.items():
        if usual_least < module.MIN_BITRATE:
            least.append(module.MIN_BITRATE)
        if usual_start != module.DEFAULT_BITRATE:
            start.append(module.DEFAULT_BITRATE)
    options: dict[str, Any] = {
        "codecs": _codecs,
        "start_bitrate": max([*start, *least]),
    }
    if least:
        options["min_bitrate"] = max(least)
    return options


def _codecs() -> list[RtpCodec]:
    """Asked for when audio or video first comes up."""
    return [codec for codecs in CODECS.values() for codec in offered(codecs)]
