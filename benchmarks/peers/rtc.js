// The peer protocol (README.md) over any RTCPeerConnection of the W3C's shape: the browsers' pages and the
// node stacks are this one file. `serve` gives a function that carries out one command.
"use strict";

function serve(RTCPeerConnection, emit, { configuration = {}, unsupported = [] } = {}) {
  const connections = new Map();
  const HIGH = 1 << 20;
  const LOW = 1 << 18;

  const toBytes = (base64) => Uint8Array.from(atob(base64), (c) => c.charCodeAt(0));
  const toBase64 = (bytes) => {
    let text = "";
    for (let at = 0; at < bytes.length; at += 0x8000) {
      text += String.fromCharCode(...bytes.subarray(at, at + 0x8000));
    }
    return btoa(text);
  };
  const asBytes = (data) => {
    if (typeof data === "string") return new TextEncoder().encode(data);
    return ArrayBuffer.isView(data) ? new Uint8Array(data.buffer, data.byteOffset, data.byteLength) : new Uint8Array(data);
  };
  const sha256 = async (chunks) => {
    const all = new Uint8Array(chunks.reduce((size, chunk) => size + chunk.length, 0));
    let at = 0;
    for (const chunk of chunks) {
      all.set(chunk, at);
      at += chunk.length;
    }
    const digest = new Uint8Array(await globalThis.crypto.subtle.digest("SHA-256", all));
    return Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("");
  };

  class Channel {
    constructor(owner, handle, channel, mode) {
      Object.assign(this, { owner, handle, channel, mode, chunks: [], bytes: 0, messages: 0, waiting: null, told: false });
      channel.binaryType = "arraybuffer";
      channel.bufferedAmountLowThreshold = LOW;
      channel.onmessage = (event) => this.take(event.data);
      channel.onopen = () => this.opened();
      channel.onclose = () => this.emit("close");
    }

    emit(event, more = {}) {
      emit({ event, pc: this.owner, channel: this.handle, ...more });
    }

    opened() {
      if (!this.told) this.emit("open", { id: this.channel.id });
      this.told = true;
    }

    take(data) {
      if (this.mode === "echo") {
        this.channel.send(data);
      } else if (this.mode === "collect") {
        const bytes = asBytes(data);
        this.chunks.push(bytes);
        this.bytes += bytes.length;
        this.messages += 1;
        if (this.waiting && this.bytes >= this.waiting.bytes) this.waiting.done();
      } else {
        const text = typeof data === "string";
        this.emit("message", text ? { text: data } : { data: toBase64(asBytes(data)) });
      }
    }

    async received(bytes) {
      if (this.bytes < bytes) await new Promise((done) => (this.waiting = { bytes, done }));
      const result = { bytes: this.bytes, messages: this.messages, sha256: await sha256(this.chunks) };
      Object.assign(this, { chunks: [], bytes: 0, messages: 0, waiting: null });
      return result;
    }

    async room() {
      if (this.channel.bufferedAmount <= HIGH) return;
      if ("onbufferedamountlow" in this.channel) {
        await new Promise((done) => (this.channel.onbufferedamountlow = done));
      } else {
        while (this.channel.bufferedAmount > LOW) await new Promise((done) => setTimeout(done, 1));
      }
    }

    async pour(size, total) {
      const chunks = [];
      let messages = 0;
      for (let sent = 0; sent < total; sent += size, messages += 1) {
        const message = new Uint8Array(Math.min(size, total - sent));
        for (let at = 0; at < message.length; at += 65536) {
          globalThis.crypto.getRandomValues(message.subarray(at, at + 65536));
        }
        chunks.push(message);
        await this.room();
        this.channel.send(message);
      }
      return { bytes: total, messages, sha256: await sha256(chunks) };
    }
  }

  class Connection {
    constructor(handle, incoming) {
      this.handle = handle;
      this.channels = new Map();
      this.pc = new RTCPeerConnection(configuration);
      this.pc.onicecandidate = ({ candidate }) => candidate?.candidate && this.emit("candidate", { candidate: describe(candidate) });
      this.pc.onicegatheringstatechange = () => {
        if (this.pc.iceGatheringState === "complete") this.emit("candidate", { candidate: null });
      };
      this.pc.onconnectionstatechange = () => this.emit("state", { connection: this.pc.connectionState });
      this.pc.oniceconnectionstatechange = () => this.emit("ice", { ice: this.pc.iceConnectionState });
      this.pc.ondatachannel = ({ channel }) => {
        const name = `in${this.channels.size}`;
        const added = new Channel(handle, name, channel, incoming);
        this.channels.set(name, added);
        const { label, protocol, ordered, maxRetransmits, maxPacketLifeTime, negotiated, id } = channel;
        added.emit("channel", { label, protocol, ordered, maxRetransmits, maxPacketLifeTime, negotiated, id });
        if (channel.readyState === "open") added.opened();
      };
    }

    emit(event, more) {
      emit({ event, pc: this.handle, ...more });
    }

    async described(description, gather) {
      const complete = gather && this.pc.iceGatheringState !== "complete" && new Promise((done) => {
        this.pc.addEventListener("icegatheringstatechange", () => this.pc.iceGatheringState === "complete" && done());
      });
      await this.pc.setLocalDescription(description);
      if (gather && this.pc.iceGatheringState !== "complete") await complete;
      return { type: this.pc.localDescription.type, sdp: this.pc.localDescription.sdp };
    }
  }

  function describe({ candidate, sdpMid, sdpMLineIndex }) {
    return { candidate, sdpMid, sdpMLineIndex };
  }

  const commands = {
    open: ({ pc, incoming = "report" }) => {
      connections.set(pc, new Connection(pc, incoming));
    },
    offer: async ({ pc, gather, restart }) => {
      const connection = connections.get(pc);
      return connection.described(await connection.pc.createOffer({ iceRestart: !!restart }), gather);
    },
    answer: async ({ pc, sdp, gather }) => {
      const connection = connections.get(pc);
      await connection.pc.setRemoteDescription({ type: "offer", sdp });
      return connection.described(await connection.pc.createAnswer(), gather);
    },
    accept: async ({ pc, sdp }) => {
      await connections.get(pc).pc.setRemoteDescription({ type: "answer", sdp });
    },
    candidate: async ({ pc, candidate }) => {
      await connections.get(pc).pc.addIceCandidate(candidate ?? { candidate: "", sdpMid: "0" });
    },
    channel: ({ pc, channel, label, options = {}, mode = "report" }) => {
      const connection = connections.get(pc);
      const created = new Channel(pc, channel, connection.pc.createDataChannel(label, options), mode);
      connection.channels.set(channel, created);
      if (created.channel.readyState === "open") created.opened(); // libwebrtc for node: at once, and without an event
    },
    send: ({ pc, channel, text, data }) => {
      connections.get(pc).channels.get(channel).channel.send(text ?? toBytes(data));
    },
    mode: ({ pc, channel, mode }) => {
      connections.get(pc).channels.get(channel).mode = mode;
    },
    pour: ({ pc, channel, size, total }) => connections.get(pc).channels.get(channel).pour(size, total),
    received: ({ pc, channel, bytes }) => connections.get(pc).channels.get(channel).received(bytes),
    close_channel: ({ pc, channel }) => connections.get(pc).channels.get(channel).channel.close(),
    close: ({ pc }) => {
      connections.get(pc).pc.close();
      connections.delete(pc);
    },
    stats: async ({ pc }) => {
      const stats = [];
      (await connections.get(pc).pc.getStats()).forEach((entry) => stats.push(entry));
      return { stats };
    },
  };

  return async ({ id, cmd, ...args }) => {
    try {
      if (unsupported.includes(cmd) || !(cmd in commands)) throw new Error(`no such command here: ${cmd}`);
      emit({ id, ...((await commands[cmd](args)) ?? {}) });
    } catch (error) {
      emit({ id, error: String(error) });
    }
  };
}

if (typeof module !== "undefined") module.exports = { serve };
