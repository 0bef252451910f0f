"""aiortc's example datachannel-cli: one side sends "ping" with the time, the other answers "pong" with it.

python datachannel_cli.py offer|answer --signaling unix-socket --signaling-path PATH [--count 5]
"""

import argparse
import asyncio
import time

from aiortc import RTCConfiguration, RTCIceCandidate, RTCPeerConnection, RTCSessionDescription
from aiortc.contrib.signaling import BYE, add_signaling_arguments, create_signaling


def log(channel, direction, message):
    print(f"channel({channel.label}) {direction} {message}", flush=True)


async def follow(pc, signaling):
    """Carries out what the other side signals, until it says bye."""
    while True:
        told = await signaling.receive()
        if isinstance(told, RTCSessionDescription):
            await pc.setRemoteDescription(told)
            if told.type == "offer":
                await pc.setLocalDescription(await pc.createAnswer())
                await signaling.send(pc.localDescription)
        elif isinstance(told, RTCIceCandidate):
            await pc.addIceCandidate(told)
        elif told is BYE or told is None:
            print("bye", flush=True)
            return


async def offer(pc, signaling, count):
    await signaling.connect()
    channel = pc.createDataChannel("chat")
    enough = asyncio.Event()
    taken = []

    def ping():
        message = f"ping {time.monotonic_ns()}"
        log(channel, ">", message)
        channel.send(message)

    @channel.on("open")
    def on_open():
        ping()

    @channel.on("message")
    def on_message(message):
        log(channel, "<", message)
        if isinstance(message, str) and message.startswith("pong "):
            taken.append(time.monotonic_ns() - int(message[5:]))
            print(f" RTT {taken[-1] / 1e6:.2f} ms", flush=True)
            if len(taken) < count:
                ping()
            else:
                enough.set()

    await pc.setLocalDescription(await pc.createOffer())
    await signaling.send(pc.localDescription)
    following = asyncio.ensure_future(follow(pc, signaling))
    await enough.wait()
    following.cancel()


async def answer(pc, signaling):
    await signaling.connect()

    @pc.on("datachannel")
    def on_datachannel(channel):
        log(channel, "-", "created by remote party")

        @channel.on("message")
        def on_message(message):
            log(channel, "<", message)
            if isinstance(message, str) and message.startswith("ping"):
                reply = "pong" + message[4:]
                log(channel, ">", reply)
                channel.send(reply)

    await follow(pc, signaling)


async def main(args):
    signaling = create_signaling(args)
    pc = RTCPeerConnection(RTCConfiguration(iceServers=[]))
    try:
        if args.role == "offer":
            await offer(pc, signaling, args.count)
            await signaling.send(BYE)
        else:
            await answer(pc, signaling)
    finally:
        await pc.close()
        await signaling.close()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Data channels ping/pong")
    parser.add_argument("role", choices=["offer", "answer"])
    parser.add_argument("--count", type=int, default=5)
    add_signaling_arguments(parser)
    asyncio.run(main(parser.parse_args()))
