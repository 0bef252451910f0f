"""A chat between two terminals; you carry the descriptions from one to the other.

    python examples/copy_paste.py offer         prints an offer: paste it into the other terminal
    python examples/copy_paste.py answer        takes it, prints an answer: paste that back

Then every line that you type goes to the other side. End with Ctrl-D.
"""

import asyncio
import json
import sys

import rtcore


async def read_line() -> str:
    return await asyncio.to_thread(sys.stdin.readline)


async def read_description() -> dict[str, str]:
    description: dict[str, str] = json.loads(await read_line())
    return description


def show(pc: rtcore.PeerConnection) -> None:
    assert pc.local_description is not None
    print(json.dumps(pc.local_description.to_dict()), flush=True)


async def offer(pc: rtcore.PeerConnection) -> rtcore.DataChannel:
    channel = pc.create_data_channel("chat")
    await pc.set_local_description()
    await pc.gathered()  # without trickle: the offer has all candidates
    show(pc)
    await pc.set_remote_description(await read_description())
    return channel


async def answer(pc: rtcore.PeerConnection) -> rtcore.DataChannel:
    await pc.set_remote_description(await read_description())
    await pc.set_local_description()
    await pc.gathered()
    show(pc)
    async for event in pc.events():
        if isinstance(event, rtcore.DataChannelEvent):
            return event.channel
    raise ConnectionError("the other side never opened a channel")


async def chat(channel: rtcore.DataChannel) -> None:
    await channel.opened()
    print("connected", flush=True)

    async def listen() -> None:
        async for message in channel:
            print(f"> {message!s}", flush=True)

    async def talk() -> None:
        while line := await read_line():
            await channel.send(line.rstrip("\n"))
        await channel.close()  # what was sent arrives before

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(listen())
        tasks.create_task(talk())


async def main(role: str) -> None:
    async with rtcore.PeerConnection() as pc:
        await chat(await (offer(pc) if role == "offer" else answer(pc)))


if __name__ == "__main__":
    if sys.argv[1:] not in (["offer"], ["answer"]):
        sys.exit(__doc__)
    asyncio.run(main(sys.argv[1]))
