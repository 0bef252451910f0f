// libdatachannel as a mirror of media: node mirror.js, one offer as JSON on stdin, its answer as JSON on stdout. What
// comes in a section goes back in it, packet by packet, under another SSRC: libdatachannel has no codecs. Feedback about
// those SSRCs reaches nobody, since no description names them.
"use strict";

const readline = require("node:readline");
const { PeerConnection, RtcpReceivingSession } = require("node-datachannel");

const OTHER = 0x5a5a5a5a;

function mirror(track) {
  track.setMediaHandler(new RtcpReceivingSession()); // takes RTCP, and sends reports
  track.onMessage((packet) => {
    packet.writeUInt32BE((packet.readUInt32BE(8) ^ OTHER) >>> 0, 8);
    if (track.isOpen()) track.sendMessageBinary(packet);
  });
  return track;
}

const pc = new PeerConnection("mirror", { iceServers: [], bindAddress: "127.0.0.1" });
const tracks = []; // else they are collected
pc.onTrack((track) => tracks.push(mirror(track)));
pc.onGatheringStateChange((state) => {
  if (state === "complete") process.stdout.write(JSON.stringify(pc.localDescription()) + "\n");
});
const lines = readline.createInterface({ input: process.stdin });
lines.on("line", (line) => pc.setRemoteDescription(JSON.parse(line).sdp, "offer"));
lines.on("close", () => process.exit(0));
