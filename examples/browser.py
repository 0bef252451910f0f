"""A page in your browser and this program, connected by a data channel.

    python examples/browser.py [PORT]        then open the address that it prints

What the page says comes back in upper case.
"""

import page

import rtcore

PAGE = """<!doctype html><meta charset=utf-8><title>rtcore</title>
<h1>rtcore</h1><input id=text placeholder="say something"><pre id=log></pre>
<script>
const log = line => document.getElementById("log").textContent += line + "\\n";
const pc = new RTCPeerConnection();
const channel = pc.createDataChannel("chat");
channel.onopen = () => log("open");
channel.onmessage = event => log("< " + event.data);
channel.onclose = () => log("closed");
document.getElementById("text").onchange = event => {
  channel.send(event.target.value); log("> " + event.target.value); event.target.value = "";
};
(async () => {
  await pc.setLocalDescription();
  await new Promise(done => pc.onicecandidate = event => event.candidate || done());
  const response = await fetch("/offer", {method: "POST", body: JSON.stringify(pc.localDescription)});
  await pc.setRemoteDescription(await response.json());
})();
</script>"""


def connect(pc: rtcore.PeerConnection) -> None:
    @pc.on("datachannel")
    async def chat(channel: rtcore.DataChannel) -> None:
        async for message in channel:
            await channel.send(message.upper())


if __name__ == "__main__":
    page.run(PAGE, connect)
