"""Every public name of the installed aiortc is in `rtcore.aiortc`, or declared absent with rtcore's way."""

from __future__ import annotations

import asyncio
import importlib.util
import inspect
import re
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import aiortc
import pytest

import rtcore.aiortc
from rtcore.aiortc._private import ABSENT

ROOT = Path(__file__).resolve().parents[2]
GUIDE = ROOT / "docs" / "migrating-from-aiortc.md"


def load_tool() -> ModuleType:
    spec = importlib.util.spec_from_file_location("aiortc_names", ROOT / "tools" / "aiortc_names.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look it up
    spec.loader.exec_module(module)
    return module


tool = load_tool()


def test_no_name_is_forgotten() -> None:
    gaps = [
        f"{gap.module}.{gap.name}: {gap.problem or 'present, but declared absent'}" for gap in tool.gaps()
    ]
    assert gaps == []


def test_page_is_current() -> None:
    assert tool.PAGE.read_text() == tool.page(), "run: python tools/aiortc_names.py"


def test_walks_all_of_aiortc() -> None:
    found = list(tool.names())
    assert {name.name for name in found if not name.module} == set(aiortc.__all__)
    assert len(found) > 500
    events = {name.name for name in found if name.kind == "event"}
    assert {"RTCPeerConnection event track", "RTCSctpTransport event message"} <= events
    assert set(tool.modules()) > {"", "codecs.vpx", "contrib.media", "rtcpeerconnection"}


def test_exports() -> None:
    assert set(rtcore.aiortc.__all__) == {*aiortc.__all__, "install", "uninstall"}
    assert rtcore.aiortc.__version__ == aiortc.__version__


@pytest.mark.parametrize(
    ("theirs", "ours", "problem"),
    [
        (lambda a, b=1: 0, lambda a, b=1, c=2: 0, ""),
        (lambda a: 0, lambda a, **options: 0, ""),
        (lambda a, b=1: 0, lambda a: 0, "takes no b"),
        (lambda a, b: 0, lambda b, a: 0, "a stands elsewhere"),
        (lambda a, b=1: 0, lambda a, b: 0, "b has no default"),
        (lambda a, b=1: 0, lambda a, b=2: 0, "b is 2 by default"),
        (lambda a: 0, lambda a, b: 0, "needs b"),
        (lambda a: 0, lambda *, a: 0, "a by name only"),
    ],
)
def test_tells_signatures_apart(theirs: Callable[..., Any], ours: Callable[..., Any], problem: str) -> None:
    assert tool.difference(theirs, ours) == problem
    assert tool.signature_difference(inspect.signature(theirs), inspect.signature(ours)) == problem


async def coroutine_function() -> None: ...


@pytest.mark.parametrize(
    ("theirs", "ours", "problem"),
    [
        (1, 2, "2 instead of 1"),
        (int, 3, "not a class"),
        (len, 3, "not callable"),
        (coroutine_function, lambda: None, "a coroutine function in one only"),
        ({1: 2}, {}, ""),
    ],
)
def test_tells_values_apart(theirs: object, ours: object, problem: str) -> None:
    assert tool.difference(theirs, ours) == problem


@pytest.mark.parametrize("way", sorted({way for names in ABSENT.values() for way in names.values()}))
def test_ways_exist(way: str) -> None:
    named = re.findall(r"`([\w.]+)[^`]*`(?:: ([\w ,]+))?", way)
    assert named, "a way names a module or function"
    for path, members in named:
        module, _, attribute = path.rpartition(".")
        try:
            found = import_module(path)
        except ModuleNotFoundError:
            found = getattr(import_module(module), attribute)
        for member in re.findall(r"\w+", members.replace(" and ", " ")):
            assert hasattr(found, member), f"{path} has no {member}"


def blocks() -> list[str]:
    return re.findall(r"^```python\n(.*?)^```", GUIDE.read_text(), re.M | re.S)


def test_programs_of_the_guide_run() -> None:
    """One after the other, in one event loop and one namespace; all but what replaces aiortc here."""
    programs = [block for block in blocks() if "install()" not in block]
    assert len(programs) > 5

    async def run() -> None:
        names: dict[str, Any] = {}
        for program in programs:
            code = compile(program, str(GUIDE), "exec", flags=0x2000)  # ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
            awaitable = eval(code, names)
            if inspect.isawaitable(awaitable):
                await awaitable
        for value in names.values():
            if isinstance(value, rtcore.PeerConnection | rtcore.aiortc.RTCPeerConnection):
                await value.close()

    asyncio.run(run())
