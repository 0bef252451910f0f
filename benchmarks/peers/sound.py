"""A sound server without hardware: Firefox runs no AudioContext where there is no output device."""

import asyncio
import contextlib
import shutil
from pathlib import Path

START = 10.0  # seconds


class SoundServer:
    """PulseAudio with one sink that plays to nobody, for the programs that get its `environment`."""

    def __init__(self, process: asyncio.subprocess.Process, environment: dict[str, str]) -> None:
        self.process, self.environment = process, environment

    @classmethod
    async def start(cls, folder: Path) -> "SoundServer":
        """Keeps its files in `folder`."""
        program = shutil.which("pulseaudio")
        if program is None:
            raise FileNotFoundError("pulseaudio not found: apt install pulseaudio")
        socket = folder / "pulse.sock"
        process = await asyncio.create_subprocess_exec(
            program,
            *("-n", "--daemonize=no", "--exit-idle-time=-1", "--use-pid-file=no", "--disable-shm=yes"),
            *(
                "-L",
                "module-null-sink",
                "-L",
                f"module-native-protocol-unix socket={socket} auth-anonymous=1",
            ),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
            env={"HOME": str(folder), "XDG_RUNTIME_DIR": str(folder), "PATH": "/usr/bin:/bin"},
        )
        server = cls(process, {"PULSE_SERVER": f"unix:{socket}"})
        try:
            async with asyncio.timeout(START):
                # It tells nobody when it is ready.
                while not await answers(socket):  # noqa: ASYNC110
                    await asyncio.sleep(0.02)
        except BaseException:
            await server.close()
            raise
        return server

    async def close(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            self.process.kill()
        await self.process.wait()


async def answers(socket: Path) -> bool:
    try:
        _, writer = await asyncio.open_unix_connection(socket)
    except (FileNotFoundError, ConnectionRefusedError):
        return False
    writer.close()
    return True
