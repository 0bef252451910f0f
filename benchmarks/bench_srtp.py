"""SRTP: single packets beside pylibsrtp's Python API, batches beside the same library in a loop of C.

Outbound sessions allow repeats: one packet is taken again and again. Batches to unprotect are protected anew
before each round, which is not timed. Replay windows are equally wide, since moving them costs.
"""

import ctypes
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pylibsrtp import Policy, Session
from pylibsrtp._binding import ffi, lib

from rtcore.native.srtp import TRAILER, Profile, Srtp, key_size

SIZES = (160, 1200)
PROFILES = (Profile.AEAD_AES_128_GCM, Profile.AES128_CM_SHA1_80)
COUNT = 256
SOURCE = Path(__file__).with_name("srtp_loop.c")


def packet(sequence: int, size: int) -> bytes:
    return b"\x80\x60" + sequence.to_bytes(2, "big") + bytes(7) + b"\x07" + bytes(size - 12)


def ours(profile: Profile, outbound: bool) -> Srtp:
    return Srtp(profile, bytes(key_size(profile)), outbound=outbound, repeats=outbound)


def theirs(profile: Profile, outbound: bool) -> Session:
    kind = Policy.SSRC_ANY_OUTBOUND if outbound else Policy.SSRC_ANY_INBOUND
    policy = Policy(key=bytes(key_size(profile)), ssrc_type=kind, srtp_profile=int(profile))
    policy.allow_repeat_tx = outbound
    policy.window_size = 128 if outbound else 1024  # as ours by default
    return Session(policy)


@pytest.mark.parametrize("stack", [ours, theirs], ids=["rtcore", "pylibsrtp"])
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("profile", PROFILES, ids=lambda profile: profile.name)
def test_protect(benchmark: Any, profile: Profile, size: int, stack: Callable[..., Any]) -> None:
    benchmark.group = f"srtp: protect one, {profile.name}, {size} B"
    assert benchmark(stack(profile, True).protect, packet(1, size))


@pytest.mark.parametrize("stack", [ours, theirs], ids=["rtcore", "pylibsrtp"])
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("profile", PROFILES, ids=lambda profile: profile.name)
def test_unprotect(benchmark: Any, profile: Profile, size: int, stack: Callable[..., Any]) -> None:
    benchmark.group = f"srtp: unprotect one, {profile.name}, {size} B"
    sender = ours(profile, True)
    packets = [sender.protect(packet(sequence, size)) for sequence in range(30000)]
    session = stack(profile, False)
    benchmark.pedantic(
        session.unprotect, setup=lambda: ((packets.pop(0),), {}), rounds=20000, warmup_rounds=100
    )


class Slots:
    """Packets side by side, as `protect_batch()` wants them."""

    def __init__(self, size: int) -> None:
        self.slot = size + TRAILER
        self.first = 0
        self.size = size
        self.memory = np.zeros((COUNT, self.slot), np.uint8)
        self.offsets = (np.arange(COUNT) * self.slot).astype(np.uint32)
        self.sizes = np.zeros(COUNT, np.uint32)

    def fill(self) -> None:
        for index in range(COUNT):
            self.memory[index, : self.size] = np.frombuffer(
                packet((self.first + index) % 65536, self.size), np.uint8
            )
        self.first += COUNT
        self.sizes[:] = self.size


class Batches:
    """The batch call of rtcore."""

    def __init__(self, profile: Profile, slots: Slots, outbound: bool) -> None:
        self.session = ours(profile, outbound)
        self.slots = slots
        self.call = self.session.protect_batch if outbound else self.session.unprotect_batch

    def __call__(self) -> None:
        self.call(self.slots.memory, self.slots.offsets, self.slots.sizes)


class Loop:
    """The same library's function in a loop of C."""

    def __init__(self, profile: Profile, slots: Slots, outbound: bool, library: ctypes.CDLL) -> None:
        self.session = theirs(profile, outbound)
        self.slots = slots
        function = "srtp_protect" if outbound else "srtp_unprotect"
        self.arguments = (
            ctypes.c_void_p(int(ffi.cast("uintptr_t", ffi.addressof(lib, function)))),
            ctypes.c_void_p(int(ffi.cast("uintptr_t", self.session._srtp[0]))),
            ctypes.c_void_p(slots.memory.ctypes.data),
            slots.slot,
            COUNT,
            ctypes.c_void_p(slots.sizes.ctypes.data),
        )
        self.run = library.run
        self.run.restype = ctypes.c_double

    def __call__(self) -> None:
        assert self.run(*self.arguments) >= 0


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> ctypes.CDLL:
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        pytest.skip("no C compiler for the loop to compare with")
    path = tmp_path_factory.mktemp("srtp") / "loop.so"
    subprocess.run([compiler, "-O2", "-shared", "-fPIC", "-o", path, SOURCE], check=True)
    return ctypes.CDLL(str(path))


@pytest.mark.parametrize("stack", ["rtcore", "libsrtp in C"])
@pytest.mark.parametrize("direction", ["protect", "unprotect"])
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("profile", PROFILES, ids=lambda profile: profile.name)
def test_batch(
    benchmark: Any, library: ctypes.CDLL, profile: Profile, size: int, direction: str, stack: str
) -> None:
    benchmark.group = f"srtp: {direction} {COUNT}, {profile.name}, {size} B"
    slots = Slots(size)
    outbound = direction == "protect"
    call = Batches(profile, slots, outbound) if stack == "rtcore" else Loop(profile, slots, outbound, library)
    prepare = Batches(profile, slots, True)

    def setup() -> None:
        slots.fill()
        if not outbound:
            prepare()

    benchmark.pedantic(call, setup=setup, rounds=200, warmup_rounds=5)
    assert call.session is not None
