"""What `import rtcore` brings with it: data channels alone go without PyAV and numpy."""

import subprocess
import sys
import textwrap

import pytest

import rtcore
import rtcore.connection

DATA_ALONE = """
    import asyncio
    import sys

    import rtcore

    HEAVY = ("av", "numpy", "rtcore.media")

    async def main():
        async with rtcore.PeerConnection() as a, rtcore.PeerConnection() as b:
            near = a.create_data_channel("chat")
            await a.set_local_description()
            await a.gathered()
            await b.set_remote_description(a.local_description)
            await b.set_local_description()
            await b.gathered()
            await a.set_remote_description(b.local_description)
            async for event in b.events():
                if isinstance(event, rtcore.DataChannelEvent):
                    break
            await near.opened()
            await near.send("there")
            assert await event.channel.receive() == "there"
            await event.channel.send(b"back")
            assert await near.receive() == b"back"
            assert a.get_transceivers() == a.get_senders() == a.get_receivers() == []
            assert "T0" in await a.get_stats()
            assert not [name for name in HEAVY if name in sys.modules]
            a.add_transceiver("audio")
            assert [name for name in HEAVY if name in sys.modules] == list(HEAVY)
            await a.set_local_description()
            await b.set_remote_description(a.local_description)
            await b.set_local_description()
            await a.set_remote_description(b.local_description)
            assert [one.kind for one in b.get_transceivers()] == ["audio"]

    asyncio.run(main())
"""

NAMES = """
    import sys
    import {package} as package

    missing = set(package.__all__) - set(dir(package))
    assert not missing, missing
    assert "av" not in sys.modules
    assert not hasattr(package, "no_such_name")
    assert package.RtpSender.__name__ == "RtpSender"
    assert "av" in sys.modules

    from {package} import *
    missing = set(package.__all__) - set(globals())
    assert not missing, missing
"""


def run(program: str) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", textwrap.dedent(program)],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr


def test_data_channels_alone_import_no_media() -> None:
    run(DATA_ALONE)


@pytest.mark.parametrize("package", ["rtcore", "rtcore.connection"])
def test_names_are_found_before_they_are_imported(package: str) -> None:
    run(NAMES.format(package=package))


def test_media_is_found_as_a_module() -> None:
    run("import rtcore; assert rtcore.media.MediaTrack.__module__ == 'rtcore.media.track'")


def test_both_packages_have_the_same_objects() -> None:
    for name in set(rtcore.__all__) & set(rtcore.connection.__all__):
        assert getattr(rtcore, name) is getattr(rtcore.connection, name), name
