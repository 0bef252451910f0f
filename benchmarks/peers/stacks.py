"""Which stacks there are, what starts each, and what each cannot do."""

import sys
from dataclasses import dataclass

from .install import HERE, NODE_MODULES, PION, SYSTEM_PYTHON


@dataclass(frozen=True)
class Stack:
    """One WebRTC implementation. `peer` and `pair` are the commands of README.md; a browser has neither."""

    name: str
    peer: tuple[str, ...] = ()
    pair: tuple[str, ...] = ()
    bulk: int = 50_000_000  #: bytes of a long transfer that take it a few seconds
    restarts_ice: bool = True  #: can offer an ICE restart, and answer one
    at_once: int = 50  #: pairs that it connects at once without losing any
    non_ascii: bool = True  #: counts the bytes of a label, not its characters
    tells_options: bool = True  #: of a channel that arrives: ordered and the limits of its reliability
    zeros: bool = True  #: its texts may hold U+0000
    empties: bool = True  #: sends and takes empty messages
    parts: bool = True  #: tells that it closes a connection, and shows that the other side did
    drains: bool = True  #: a channel that closes still gives the program what had arrived before
    calls: tuple[tuple[str, str], ...] = ()  #: video and audio codec of the calls that it makes
    devices: bool = False  #: has a camera and a microphone, made up
    changes: bool = False  #: calls change while they last: tracks are replaced, added and removed
    holds: bool = True  #: takes another direction for a section that it has, and goes back
    enables: bool = True  #: its tracks can be disabled
    stops: bool = True  #: rejects the section of a transceiver that it stopped
    keeps_numbers: bool = True  #: of the codecs, in its offers for a call that was begun by ours
    shows_again: bool = True  #: a track that was held, by the same transceiver; else it only decodes it
    simulcasts: bool = False  #: sends simulcast when it is asked to
    asks: bool = False  #: sends a key frame at once when it is asked to
    recovers: float = 30.0  #: seconds within which its pictures go on where packets are lost
    reports: bool = True  #: sends RTCP reports however much feedback it sends
    counts_packets: bool = False  #: has the W3C's statistics of media as far as RTP and its reports go
    counts: bool = False  #: has them all: frames, feedback, retransmissions, samples

    @property
    def media(self) -> bool:
        return bool(self.calls)

    @property
    def browser(self) -> bool:
        return not self.peer

    @property
    def environment(self) -> dict[str, str]:
        return {"NODE_PATH": str(NODE_MODULES)}


PYTHON = (sys.executable, "-m")
NODE = ("node",)

AIORTC = Stack(
    "aiortc",
    peer=(*PYTHON, "benchmarks.peers.aiortc_peer"),
    pair=(*PYTHON, "benchmarks.peers.pair", "aiortc"),
    bulk=5_000_000,  # some 60 Mbit/s
    restarts_ice=False,
    non_ascii=False,
    calls=(("VP8", "opus"), ("H264", "PCMU")),
    changes=True,
    enables=False,  # MediaStreamTrack has no such member
    stops=False,  # its offers go on with the section
    keeps_numbers=False,  # a later offer has its own, while it goes on to send and to take by the old ones
    asks=True,
    # It asks for a packet again when it misses another one, and else waits until 512 more have come.
    recovers=60.0,
    counts_packets=True,
)
PION_GO = Stack(
    "pion",
    peer=(*PYTHON, "benchmarks.peers.pion_peer"),
    pair=(str(PION), "pair"),
    calls=(("VP8", "opus"), ("VP9", "PCMU"), ("H264", "PCMU")),
    changes=True,
    enables=False,  # it sends what it is given
    holds=False,  # once held a transceiver stays so: there is nothing to set its direction by
    stops=False,  # the section goes on, inactive
    asks=True,
    simulcasts=True,
)
LIBWEBRTC = Stack(
    "libwebrtc",
    peer=(*NODE, str(HERE / "peer.js"), "libwebrtc"),
    pair=(*NODE, str(HERE / "pair.js"), "libwebrtc"),
    at_once=20,  # of fifty some never open, about every third time
    calls=(("VP8", "opus"), ("VP9", "PCMU")),
    changes=True,
    asks=True,
    counts_packets=True,
    counts=True,
    shows_again=False,
    simulcasts=True,
)
LIBDATACHANNEL = Stack(
    "libdatachannel",
    peer=(*NODE, str(HERE / "peer.js"), "libdatachannel"),
    pair=(*NODE, str(HERE / "pair.js"), "libdatachannel"),
    restarts_ice=False,
    tells_options=False,
    drains=False,
)
GSTREAMER = Stack(
    "gstreamer",
    peer=(str(SYSTEM_PYTHON), "-u", str(HERE / "gst_peer.py")),
    restarts_ice=False,
    zeros=False,  # its API takes and gives C strings
    # It has the numbers of the two (RFC 8831 section 8: PPID 56 and 57) the wrong way round; and it hands
    # usrsctp no byte where section 6.6 wants one, which is EFAULT and closes the channel.
    empties=False,
    parts=False,  # ends without a word; takes a close_notify and says nothing of it to the application
    reports=False,  # each feedback packet puts the next report off
    calls=(("VP8", "opus"),),
    changes=True,
    holds=False,  # "transceiver direction changes are not implemented", it says
    enables=False,  # it sends what it is given
    stops=False,  # transceivers cannot be stopped
    asks=True,
)
CHROMIUM = Stack(
    "chromium",
    calls=(("VP8", "opus"), ("VP9", "PCMU"), ("H264", "G722"), ("AV1", "PCMA")),
    devices=True,
    changes=True,
    shows_again=False,
    asks=True,
    counts_packets=True,
    counts=True,
    simulcasts=True,
)
FIREFOX = Stack(
    "firefox",
    calls=(("VP8", "opus"), ("VP9", "PCMU"), ("AV1", "G722")),  # H.264 is a plugin that it downloads
    devices=True,
    changes=True,
    asks=True,
    counts_packets=True,
    counts=True,
)

PEERS = [AIORTC, PION_GO, LIBWEBRTC, LIBDATACHANNEL, GSTREAMER, CHROMIUM, FIREFOX]

RTCORE = Stack("rtcore", pair=(*PYTHON, "benchmarks.peers.pair", "rtcore"))
RTCORE_THREADED = Stack("rtcore, threaded", pair=(*PYTHON, "benchmarks.peers.pair", "rtcore:threaded"))
RTCORE_STEPWISE = Stack(
    "rtcore, stepwise",  # as aiortc's programs go, with aiortc's codecs: what rtcore.aiortc adds costs
    pair=(*PYTHON, "benchmarks.peers.pair", "rtcore:stepwise"),
)
RTCORE_AIORTC = Stack(
    "rtcore.aiortc",  # aiortc's programs, with nothing but the import changed
    pair=(*PYTHON, "benchmarks.peers.run_program", "rtcore.aiortc", "-m", "benchmarks.peers.pair", "aiortc"),
)

PAIRS = [RTCORE, RTCORE_THREADED, RTCORE_AIORTC, AIORTC, PION_GO, LIBWEBRTC, LIBDATACHANNEL]
CALLERS = [RTCORE, RTCORE_THREADED, RTCORE_AIORTC, AIORTC]  # with audio and video
LAYER = [RTCORE_STEPWISE, RTCORE_AIORTC]  # the same done by rtcore, and by aiortc's names over it
