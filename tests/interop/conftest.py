"""Each test here runs against every stack of `benchmarks.peers.stacks`, over real sockets on 127.0.0.1.

Tests are coroutines, all on one event loop: a browser starts once and serves all of its tests. A test leaves
nothing behind: the fixture `nothing_leaks` counts descriptors and tasks before and after.
"""

import asyncio
import inspect
import os
from collections.abc import Callable, Iterator
from contextlib import AbstractAsyncContextManager
from typing import Any

import pytest

import rtcore
from benchmarks.peers import signaling
from benchmarks.peers.call import Call, OpenCall, call_with
from benchmarks.peers.process import Remote, start
from benchmarks.peers.session import Open, Session, session_with
from benchmarks.peers.stacks import CHROMIUM, PEERS, Stack

LIMIT = 60.0  # seconds a test may take


@pytest.fixture(scope="session")
def runner() -> Iterator[asyncio.Runner]:
    with asyncio.Runner() as runner:
        yield runner


def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Runs coroutine tests."""
    if not inspect.iscoroutinefunction(pyfuncitem.obj):
        return None
    runner: asyncio.Runner = pyfuncitem._request.getfixturevalue("runner")
    arguments = {name: pyfuncitem.funcargs[name] for name in pyfuncitem._fixtureinfo.argnames}

    mark = pyfuncitem.get_closest_marker("limit")

    async def limited() -> None:
        async with asyncio.timeout(mark.args[0] if mark else LIMIT):
            await pyfuncitem.obj(**arguments)

    runner.run(limited())
    return True


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "able(name): only with stacks of which this is true")
    config.addinivalue_line("markers", f"limit(seconds): may take so long, instead of {LIMIT:.0f}")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leaves out what a stack cannot do; `benchmarks.peers.stacks` says it."""
    unable = [
        item for item in items if not all(able(item, mark.args[0]) for mark in item.iter_markers("able"))
    ]
    config.hook.pytest_deselected(items=unable)
    items[:] = [item for item in items if item not in unable]


def able(item: pytest.Item, what: str) -> bool:
    assert isinstance(item, pytest.Function)
    parameters = item.callspec.params
    if what == "codecs":
        return (parameters["video"], parameters["audio"]) in parameters["stack"].calls
    return bool(getattr(parameters["stack"], what))


@pytest.fixture(scope="session", params=PEERS, ids=lambda stack: stack.name)
def stack(request: pytest.FixtureRequest) -> Stack:
    return request.param


@pytest.fixture(scope="session")
def remote(runner: asyncio.Runner, stack: Stack) -> Iterator[Remote]:
    """The stack's program or browser, started once for all of its tests."""
    remote = runner.run(start(stack))
    yield remote
    runner.run(remote.close())


@pytest.fixture(scope="session")
def chromium(runner: asyncio.Runner) -> Iterator[Remote]:
    """A page, for the programs of others."""
    remote = runner.run(start(CHROMIUM))
    yield remote
    runner.run(remote.close())


def descriptors() -> dict[str, str]:
    found = {}
    for name in os.listdir("/proc/self/fd"):
        try:
            found[name] = os.readlink(f"/proc/self/fd/{name}")
        except FileNotFoundError:
            continue  # that of the listing
    return found


async def settle(condition: Callable[[], bool]) -> bool:
    """Gives callbacks that are due a bounded number of turns."""
    for _ in range(200):
        if condition():
            return True
        await asyncio.sleep(0.01)
    return condition()


@pytest.fixture(scope="session")
def kept_worker(runner: asyncio.Runner) -> Iterator[None]:
    """Holds the event loop's worker, which else stays for a second after the last connection: the count of
    descriptors would have to wait for that after each test."""

    async def hold() -> rtcore.PeerConnection:
        pc = rtcore.PeerConnection(interfaces=[signaling.ADDRESS])
        pc.create_data_channel("hold")
        await pc.set_local_description()
        return pc

    pc = runner.run(hold())
    yield
    runner.run(pc.close())


@pytest.fixture(scope="session")
def threaded_worker() -> Iterator[rtcore.Worker]:
    with rtcore.Worker(threaded=True) as worker:
        yield worker


@pytest.fixture
def nothing_leaks(
    runner: asyncio.Runner, remote: Remote, kept_worker: None, threaded_worker: rtcore.Worker
) -> Iterator[None]:
    """After the test there are as many descriptors and tasks as before."""

    def tasks() -> set[asyncio.Task[Any] | None]:
        return {*asyncio.all_tasks()} - {asyncio.current_task()}

    async def gone() -> None:
        assert await settle(lambda: len(descriptors()) <= len(before)), {
            name: target for name, target in descriptors().items() if name not in before
        }
        assert await settle(lambda: len(tasks()) <= len(tasks_before)), tasks() - tasks_before

    async def now() -> set[asyncio.Task[Any] | None]:
        return tasks()

    before, tasks_before = descriptors(), runner.run(now())
    yield
    runner.run(gone())


@pytest.fixture
def opened(nothing_leaks: None, remote: Remote) -> Open:
    """`async with opened(incoming="echo") as session:` makes both ends."""

    def opened(remote: Remote = remote, **options: Any) -> AbstractAsyncContextManager[Session]:
        return session_with(remote, **options)

    return opened


@pytest.fixture
def call(nothing_leaks: None, remote: Remote) -> OpenCall:
    """`async with call() as call:` makes both ends of one with picture and sound."""

    def opened(**options: Any) -> AbstractAsyncContextManager[Call]:
        return call_with(remote, **options)

    return opened


@pytest.fixture(params=["us", "them"])
def by(request: pytest.FixtureRequest) -> str:
    """Who offers, and makes the channel."""
    return request.param
