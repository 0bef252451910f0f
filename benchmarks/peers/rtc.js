// The peer protocol (README.md) over any RTCPeerConnection of the W3C's shape: the browsers' pages and the
// node stacks are this one file. `serve` gives a function that carries out one command; `media` makes and watches
// tracks where the stack has some (media.js).
"use strict";

function serve(RTCPeerConnection, emit, { configuration = {}, unsupported = [], media = null } = {}) {
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
      this.sources = new Map(); // by the name of what is sent: { transceiver, source }
      this.watchers = new Map(); // by mid
      this.pc = new RTCPeerConnection(configuration);
      this.pc.ontrack = (event) => this.arrived(event);
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

    arrived({ track, transceiver, streams }) {
      const tell = (what) => this.emit("track_state", { mid: transceiver.mid, state: what });
      for (const what of ["mute", "unmute", "ended"]) track.addEventListener(what, () => tell(what));
      this.emit("track", { kind: track.kind, mid: transceiver.mid, streams: streams.map(({ id }) => id) });
      if (media && !this.watchers.has(transceiver.mid)) this.watchers.set(transceiver.mid, media.watch(track));
    }

    // A track of our own. `associate`: as addTrack does, on a section that the other side offered.
    async add({ name, source: wanted, kind, direction, encodings, codecs, associate }) {
      const source = wanted && (await media.source(wanted));
      const stream = new MediaStream(source ? [source.track] : []);
      let transceiver;
      if (associate) {
        const sender = this.pc.addTrack(source.track, stream);
        transceiver = this.pc.getTransceivers().find((each) => each.sender === sender);
      } else {
        const init = { direction: direction ?? "sendrecv", streams: source ? [stream] : [] };
        if (encodings) init.sendEncodings = encodings;
        transceiver = this.pc.addTransceiver(source?.track ?? kind, init);
      }
      if (codecs) {
        const { codecs: known } = RTCRtpReceiver.getCapabilities(transceiver.receiver.track.kind);
        const wants = (codec) => codecs.some((name) => codec.mimeType.toLowerCase() === name.toLowerCase());
        const others = known.filter((codec) => /rtx|red|ulpfec|flexfec/i.test(codec.mimeType));
        transceiver.setCodecPreferences([...known.filter(wants), ...others]);
      }
      this.sources.set(name, { transceiver, source });
    }

    async replace({ name, source: wanted }) {
      const entry = this.sources.get(name);
      const source = wanted && (await media.source(wanted));
      await entry.transceiver.sender.replaceTrack(source ? source.track : null);
      entry.source?.stop();
      entry.source = source;
    }

    close() {
      this.watchers.forEach((watcher) => watcher.close());
      this.sources.forEach(({ source }) => source?.stop());
      this.pc.close();
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
      if (sdp) await connection.pc.setRemoteDescription({ type: "offer", sdp });
      return connection.described(await connection.pc.createAnswer(), gather);
    },
    remote_offer: async ({ pc, sdp }) => {
      await connections.get(pc).pc.setRemoteDescription({ type: "offer", sdp });
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
    add: ({ pc, ...args }) => connections.get(pc).add(args),
    replace: ({ pc, ...args }) => connections.get(pc).replace(args),
    enable: ({ pc, name, enabled }) => {
      connections.get(pc).sources.get(name).source.track.enabled = enabled;
    },
    direction: ({ pc, name, direction }) => {
      connections.get(pc).sources.get(name).transceiver.direction = direction;
    },
    remove: ({ pc, name }) => {
      const { pc: connection, sources } = connections.get(pc);
      connection.removeTrack(sources.get(name).transceiver.sender);
    },
    stop: ({ pc, name }) => connections.get(pc).sources.get(name).transceiver.stop(),
    encodings: async ({ pc, name, encodings }) => {
      const { sender } = connections.get(pc).sources.get(name).transceiver;
      const parameters = sender.getParameters();
      parameters.encodings.forEach((encoding, index) => Object.assign(encoding, encodings[index]));
      await sender.setParameters(parameters);
    },
    seen: ({ pc, mid, ...args }) => connections.get(pc).watchers.get(mid).seen(args),
    transceivers: ({ pc }) => ({
      transceivers: connections.get(pc).pc.getTransceivers().map((each) => ({
        mid: each.mid,
        kind: each.receiver.track.kind,
        direction: each.direction,
        current: each.currentDirection,
      })),
    }),
    close: ({ pc }) => {
      connections.get(pc).close();
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
