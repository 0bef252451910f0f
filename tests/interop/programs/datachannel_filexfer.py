"""aiortc's example datachannel-filexfer: a file over a data channel, with back-pressure; an empty message
ends it.

python datachannel_filexfer.py send|receive FILE --signaling unix-socket --signaling-path PATH
"""

import argparse
import asyncio
import time

from aiortc import RTCConfiguration, RTCIceCandidate, RTCPeerConnection, RTCSessionDescription
from aiortc.contrib.signaling import BYE, add_signaling_arguments, create_signaling

CHUNK = 16384


async def follow(pc, signaling):
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
            return


async def send(pc, signaling, path):
    await signaling.connect()
    channel = pc.createDataChannel("filexfer")
    file = open(path, "rb")  # noqa: ASYNC230, SIM115
    done_reading = False

    def send_data():
        nonlocal done_reading
        while channel.bufferedAmount <= channel.bufferedAmountLowThreshold and not done_reading:
            data = file.read(CHUNK)
            channel.send(data)
            done_reading = not data

    channel.on("bufferedamountlow", send_data)
    channel.on("open", send_data)

    await pc.setLocalDescription(await pc.createOffer())
    await signaling.send(pc.localDescription)
    await follow(pc, signaling)
    file.close()


async def receive(pc, signaling, path):
    await signaling.connect()
    complete = asyncio.Event()
    file = open(path, "wb")  # noqa: ASYNC230, SIM115
    size, began = 0, 0.0

    @pc.on("datachannel")
    def on_datachannel(channel):
        nonlocal began
        began = time.monotonic()

        @channel.on("message")
        async def on_message(message):
            nonlocal size
            if message:
                size += len(message)
                file.write(message)
            else:
                seconds = time.monotonic() - began
                print(f"received {size} bytes in {seconds:.1f} s ({size * 8e-6 / seconds:.3f} Mbps)")
                complete.set()

    following = asyncio.ensure_future(follow(pc, signaling))
    await complete.wait()
    following.cancel()
    file.close()
    await signaling.send(BYE)


async def main(args):
    signaling = create_signaling(args)
    pc = RTCPeerConnection(RTCConfiguration(iceServers=[]))
    try:
        await (send if args.role == "send" else receive)(pc, signaling, args.filename)
    finally:
        await signaling.close()
        await pc.close()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Data channel file transfer")
    parser.add_argument("role", choices=["send", "receive"])
    parser.add_argument("filename")
    add_signaling_arguments(parser)
    asyncio.run(main(parser.parse_args()))
