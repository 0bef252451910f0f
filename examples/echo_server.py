"""An echo server for many peers: one thread for the packets, one UDP port, no checks of its own (ICE-lite).

    python examples/echo_server.py serve [ADDRESS]          signaling on TCP port 8765
    python examples/echo_server.py call [ADDRESS] [TEXT]    sends a text and prints what comes back

Signaling is a line of JSON each way (`rtcore.signaling.StreamSignaling`); anything that carries two texts
will do.
"""

import asyncio
import sys

import rtcore
from rtcore.signaling import StreamSignaling

PORT = 8765


async def serve(address: str) -> None:
    with rtcore.Worker(threaded=True) as worker:
        endpoint = worker.bind(address)

        async def meet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            signaling = StreamSignaling(reader, writer)
            async with rtcore.PeerConnection(worker=worker, endpoints=endpoint, ice_lite=True) as pc:

                @pc.on("datachannel")
                async def echo(channel: rtcore.DataChannel) -> None:
                    async for message in channel:
                        await channel.send(message)

                description = await signaling.receive()
                assert isinstance(description, rtcore.SessionDescription)
                await pc.set_remote_description(description)
                await pc.set_local_description()
                await pc.gathered()
                await signaling.send(pc.local_description)
                signaling.close()
                await pc.closed()  # when the other side says good-bye

        server = await asyncio.start_server(meet, address, PORT)
        print(f"listening on {address} port {PORT}; UDP port {endpoint.address[1]}", flush=True)
        async with server:
            await server.serve_forever()


async def call(address: str, text: str) -> None:
    signaling = StreamSignaling(*await asyncio.open_connection(address, PORT))
    async with rtcore.PeerConnection(loopback=True) as pc:
        channel = pc.create_data_channel("echo")
        await pc.set_local_description()
        await pc.gathered()
        await signaling.send(pc.local_description)
        description = await signaling.receive()
        assert isinstance(description, rtcore.SessionDescription)
        await pc.set_remote_description(description)
        await channel.send(text)  # waits for the channel to open
        print(await channel.receive())
    signaling.close()


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["serve"]:
            asyncio.run(serve("127.0.0.1"))
        case ["serve", address]:
            asyncio.run(serve(address))
        case ["call"]:
            asyncio.run(call("127.0.0.1", "hello"))
        case ["call", address]:
            asyncio.run(call(address, "hello"))
        case ["call", address, text]:
            asyncio.run(call(address, text))
        case _:
            sys.exit(__doc__)
