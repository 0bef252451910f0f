"""What several test modules are given."""

from collections.abc import Iterator
from typing import Any

import pytest

import fake_worker


@pytest.fixture
def worker(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A `FakeWorker` that connections on the running loop find as their own."""
    with fake_worker.installed(monkeypatch) as one:
        yield one
