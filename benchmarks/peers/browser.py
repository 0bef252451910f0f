"""A browser as a peer: it is started on a page of ours, which speaks the peer protocol over a WebSocket.

So neither browser needs a driver: a new profile, the settings below, and the page's address as argument.
"""

import asyncio
import contextlib
import json
import os
import shutil
import signal
import tempfile
from pathlib import Path

from aiohttp import WSMsgType, web

from .install import CHROMIUM, FIREFOX, HERE, find
from .sound import SoundServer

CHROMIUM_FLAGS = [
    "--headless=new",
    "--no-sandbox",  # root may not use it
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-quic",
    "--no-first-run",
    "--no-default-browser-check",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-renderer-backgrounding",
    "--disable-background-timer-throttling",
    "--password-store=basic",
    "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream",
    "--autoplay-policy=no-user-gesture-required",
    "--allow-loopback-in-peer-connection",  # without it: no candidate
    "--disable-features=WebRtcHideLocalIpsWithMdns",  # else names that only multicast DNS resolves
]
FIREFOX_PREFERENCES = {
    "media.peerconnection.ice.loopback": True,  # without it: no candidate
    "media.peerconnection.ice.obfuscate_host_addresses": False,
    "media.peerconnection.ice.default_address_only": False,
    "media.peerconnection.ice.no_host": False,
    "media.navigator.permission.disabled": True,
    "media.navigator.streams.fake": True,
    "media.autoplay.default": 0,  # allowed
    "media.autoplay.blocking_policy": 0,
    "media.autoplay.block-webaudio": False,
    "permissions.default.microphone": 1,  # pages without the permission see the default route's address only
    "permissions.default.camera": 1,
    "network.manage-offline-status": False,
    "app.update.enabled": False,
    "app.normandy.enabled": False,
    "browser.aboutwelcome.enabled": False,
    "browser.safebrowsing.downloads.enabled": False,
    "browser.safebrowsing.malware.enabled": False,
    "browser.safebrowsing.phishing.enabled": False,
    "browser.shell.checkDefaultBrowser": False,
    "browser.startup.homepage_override.mstone": "ignore",
    "datareporting.policy.dataSubmissionEnabled": False,
    "dom.push.connection.enabled": False,
    "extensions.systemAddon.update.enabled": False,
    "media.gmp-manager.updateEnabled": False,
    "media.gmp-provider.enabled": False,
    "network.captive-portal-service.enabled": False,
    "network.connectivity-service.enabled": False,
    "services.settings.server": "data:,#remote-settings-dummy/v1",
    "toolkit.telemetry.enabled": False,
}
START = 45.0  # seconds


class Page:
    """The WebSocket of a running page, with the browser and the server behind it."""

    def __init__(
        self,
        process: asyncio.subprocess.Process,
        server: web.AppRunner,
        socket: web.WebSocketResponse,
        profile: Path,
        sound: SoundServer | None,
    ) -> None:
        self.process, self.server, self.socket, self.profile = process, server, socket, profile
        self.sound = sound

    async def write(self, message: str) -> None:
        await self.socket.send_str(message)

    async def read(self) -> str | None:
        message = await self.socket.receive()
        return message.data if message.type == WSMsgType.TEXT else None

    @property
    def pids(self) -> list[int]:
        """The browser and all that it started: it has a process group of its own."""
        return [-self.process.pid]

    async def close(self) -> None:
        await end(self.process)
        if self.sound:
            await self.sound.close()
        await self.server.cleanup()
        shutil.rmtree(self.profile, ignore_errors=True)


async def end(process: asyncio.subprocess.Process) -> None:
    """The whole process group; nothing that the browser started stays."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    await process.wait()


def command(name: str, profile: Path, url: str) -> list[str]:
    if name == "chromium":
        return [find(CHROMIUM) or CHROMIUM[0], *CHROMIUM_FLAGS, f"--user-data-dir={profile}", url]
    preferences = (
        f"user_pref({json.dumps(key)}, {json.dumps(value)});\n" for key, value in FIREFOX_PREFERENCES.items()
    )
    (profile / "user.js").write_text("".join(preferences))
    return [find(FIREFOX) or FIREFOX[0], "--headless", "--no-remote", "--profile", str(profile), url]


async def launch(name: str) -> Page:
    """Starts "chromium" or "firefox" on the page, and returns when the page has called."""
    called: asyncio.Future[web.WebSocketResponse] = asyncio.get_running_loop().create_future()
    finished = asyncio.Event()

    async def page(request: web.Request) -> web.FileResponse:
        return web.FileResponse(HERE / "page.html")

    async def script(request: web.Request) -> web.FileResponse:
        return web.FileResponse(HERE / f"{request.match_info['name']}.js")

    async def socket(request: web.Request) -> web.WebSocketResponse:
        opened = web.WebSocketResponse(max_msg_size=0)
        await opened.prepare(request)
        called.set_result(opened)
        await finished.wait()
        return opened

    application = web.Application()
    application.add_routes(
        [web.get("/", page), web.get("/{name:rtc|media}.js", script), web.get("/socket", socket)]
    )

    async def finish(_: web.Application) -> None:
        finished.set()

    application.on_shutdown.append(finish)
    server = web.AppRunner(application, access_log=None)
    await server.setup()
    site = web.TCPSite(server, "127.0.0.1", 0)
    await site.start()
    port = server.addresses[0][1]

    profile = Path(tempfile.mkdtemp(prefix=f"rtcore-{name}-"))
    sound = await SoundServer.start(profile) if name == "firefox" else None
    process = await asyncio.create_subprocess_exec(
        *command(name, profile, f"http://127.0.0.1:{port}/"),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
        env={**os.environ, "HOME": str(profile), "MOZ_HEADLESS": "1", **(sound.environment if sound else {})},
        start_new_session=True,
    )
    try:
        async with asyncio.timeout(START):
            return Page(process, server, await called, profile, sound)
    except BaseException:
        await end(process)
        if sound:
            await sound.close()
        await server.cleanup()
        shutil.rmtree(profile, ignore_errors=True)
        raise
