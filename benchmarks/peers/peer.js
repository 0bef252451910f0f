// One node stack as a peer: node peer.js libwebrtc|libdatachannel, JSON lines on stdin and stdout (README.md).
"use strict";

const readline = require("node:readline");
const { serve } = require("./rtc.js");

globalThis.crypto ??= require("node:crypto").webcrypto; // node 18

const emit = (message) => process.stdout.write(JSON.stringify(message) + "\n");
const stack = process.argv[2];
let handle;
if (stack === "libwebrtc") {
  const wrtc = require("@roamhq/wrtc");
  const { MediaStream, RTCRtpReceiver } = wrtc;
  Object.assign(globalThis, { MediaStream, RTCRtpReceiver });
  handle = serve(wrtc.RTCPeerConnection, emit, { media: require("./media_node.js").nodeMedia });
} else {
  // Without an address to bind, libjuice offers no loopback candidate.
  const { RTCPeerConnection } = require("node-datachannel/polyfill");
  handle = serve(RTCPeerConnection, emit, { configuration: { bindAddress: "127.0.0.1", maxMessageSize: 1 << 18 } });
}
const lines = readline.createInterface({ input: process.stdin });
lines.on("line", (line) => handle(JSON.parse(line)));
lines.on("close", () => process.exit(0));
