// Measures two peers of one node stack in this process (README.md, "Pairs"):
//   node pair.js libwebrtc|libdatachannel throughput SIZE SECONDS | roundtrip SECONDS | connect SECONDS | many N SECONDS
"use strict";

const fs = require("node:fs");

const HIGH = 1 << 20;
const LOW = 1 << 18;
const TURN = 64; // messages
const WARM_UP = 0.3;
const SMALL = 100;

// One pair: two connections and the two ends of one reliable, ordered channel. An end has `send(bytes)`,
// `buffered()`, `low(callback)` and `message(callback)`.
const stacks = {
  libwebrtc: () => {
    const { RTCPeerConnection } = require("@roamhq/wrtc");
    const end = (channel) => {
      channel.binaryType = "arraybuffer";
      return {
        send: (bytes) => channel.send(bytes),
        buffered: () => channel.bufferedAmount,
        low: (callback) => setInterval(() => channel.bufferedAmount <= LOW && callback(), 1), // it has no such event
        message: (callback) => (channel.onmessage = ({ data }) => callback(data)),
      };
    };
    return async () => {
      const left = new RTCPeerConnection();
      const right = new RTCPeerConnection();
      const trickle = (from, to) => {
        // Of its UDP and TCP candidates on all interfaces one is taken: with all, fifty pairs open 15,000 sockets.
        from.onicecandidate = async ({ candidate }) => {
          try {
            if (/ udp \d+ 127\.0\.0\.1 /.test(candidate?.candidate)) await to.addIceCandidate(candidate);
          } catch (error) {
            if (to.connectionState !== "closed") throw error;
          }
        };
      };
      trickle(left, right);
      trickle(right, left);
      const mine = left.createDataChannel("bench");
      const opened = new Promise((done) => (mine.onopen = done));
      const theirs = new Promise((done) => {
        right.ondatachannel = ({ channel }) => (channel.readyState === "open" ? done(channel) : (channel.onopen = () => done(channel)));
      });
      await left.setLocalDescription(await left.createOffer());
      await right.setRemoteDescription(left.localDescription);
      await right.setLocalDescription(await right.createAnswer());
      await left.setRemoteDescription(right.localDescription);
      await opened;
      return { from: end(mine), to: end(await theirs), close: () => (left.close(), right.close()) };
    };
  },
  libdatachannel: () => {
    const { PeerConnection } = require("node-datachannel");
    // Without an address to bind, libjuice offers no loopback candidate.
    const configuration = { iceServers: [], bindAddress: "127.0.0.1", maxMessageSize: 1 << 18 };
    const end = (channel) => {
      channel.setBufferedAmountLowThreshold(LOW);
      return {
        send: (bytes) => channel.sendMessageBinary(bytes),
        buffered: () => channel.bufferedAmount(),
        low: (callback) => channel.onBufferedAmountLow(callback),
        message: (callback) => channel.onMessage(callback),
      };
    };
    return async () => {
      const left = new PeerConnection("left", configuration);
      const right = new PeerConnection("right", configuration);
      const signal = (from, to) => {
        const early = []; // candidates may be told before the description
        let described = false;
        from.onLocalDescription((sdp, type) => {
          to.setRemoteDescription(sdp, type);
          described = true;
          for (const candidate of early) to.addRemoteCandidate(...candidate);
        });
        from.onLocalCandidate((...candidate) => {
          if (described) to.addRemoteCandidate(...candidate);
          else early.push(candidate);
        });
      };
      signal(left, right);
      signal(right, left);
      const theirs = new Promise((done) => {
        right.onDataChannel((channel) => (channel.isOpen() ? done(channel) : channel.onOpen(() => done(channel))));
      });
      const mine = left.createDataChannel("bench");
      await new Promise((done) => mine.onOpen(done));
      return { from: end(mine), to: end(await theirs), close: () => (left.close(), right.close()) };
    };
  },
};

const now = () => Number(process.hrtime.bigint()) / 1e9;
const cpu = () => {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
};
const sleep = (seconds) => new Promise((done) => setTimeout(done, seconds * 1000));
const resident = () => Number(fs.readFileSync("/proc/self/statm", "utf8").split(" ")[1]) * 4096;

const scenarios = {
  async throughput(connect, size, seconds) {
    const pair = await connect();
    const message = Buffer.alloc(size, 7);
    let bytes = 0;
    let messages = 0;
    let running = true;
    pair.to.message((data) => {
      bytes += data.byteLength;
      messages += 1;
    });
    let filling = false;
    const fill = () => {
      for (let i = 0; i < TURN; i += 1) {
        filling = running && pair.from.buffered() < HIGH;
        if (!filling) return;
        pair.from.send(message);
      }
      setImmediate(fill); // the receiver's callbacks run in this thread too
    };
    pair.from.low(() => filling || fill());
    fill();
    await sleep(WARM_UP);
    const before = { at: now(), cpu: cpu(), bytes, messages };
    await sleep(seconds);
    const result = { seconds: now() - before.at, cpu: cpu() - before.cpu, bytes: bytes - before.bytes, messages: messages - before.messages };
    running = false;
    return result;
  },

  async roundtrip(connect, seconds) {
    const pair = await connect();
    const message = Buffer.alloc(SMALL, 7);
    const times = [];
    let sent;
    let answered;
    pair.to.message((data) => pair.to.send(Buffer.from(data)));
    pair.from.message(() => answered());
    const until = now() + WARM_UP + seconds;
    const counted = now() + WARM_UP;
    while ((sent = now()) < until) {
      pair.from.send(message);
      await new Promise((done) => (answered = done));
      if (sent >= counted) times.push(now() - sent);
    }
    times.sort((a, b) => a - b);
    return { count: times.length, p50: times[times.length >> 1], p99: times[Math.floor(times.length * 0.99)] };
  },

  async connect(connect, seconds) {
    (await connect()).close();
    const times = [];
    const started = now();
    const before = cpu();
    while (now() - started < seconds) {
      const began = now();
      const pair = await connect();
      times.push(now() - began);
      pair.close();
    }
    const result = { pairs: times.length, seconds: now() - started, cpu: cpu() - before };
    times.sort((a, b) => a - b);
    return { ...result, p50: times[times.length >> 1] };
  },

  async many(connect, count, seconds) {
    await connect(); // loads and allocates what is there only once; stays open
    const memory = resident();
    const started = now();
    const pairs = await Promise.all(Array.from({ length: count }, connect));
    const result = { seconds: now() - started, memory: (resident() - memory) / count };
    await sleep(WARM_UP);
    const before = { at: now(), cpu: cpu() };
    await sleep(seconds);
    return { ...result, pairs: pairs.length, idle: (cpu() - before.cpu) / (now() - before.at) };
  },
};

const [stack, scenario, ...numbers] = process.argv.slice(2);
scenarios[scenario](stacks[stack](), ...numbers.map(Number)).then(
  (result) => {
    process.stdout.write(JSON.stringify(result) + "\n", () => process.exit(0));
  },
  (error) => {
    console.error(error);
    process.exit(1);
  },
);
