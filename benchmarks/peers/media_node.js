// Tracks for libwebrtc in node (@roamhq/wrtc), as media.js has them for pages: numbered pictures and tones of our own,
// and watchers that read the number and find the frequency.
"use strict";

const { nonstandard } = require("@roamhq/wrtc");

const BARS = 32;
const RATE = 48000;
const BLOCK = RATE / 100; // the source takes 10 ms at a time
const HEARD = 9600; // samples in which a frequency is looked for: 5 Hz apart

const checkOf = (number) => ((number * 0x9d) ^ (number >> 8) ^ (number >> 16) ^ 0x5a) & 0xff;

function draw(data, number, width, height) {
  data.fill(126, 0, width * height);
  data.fill(128, width * height);
  data.fill(200, ((height / 2) | 0) * width, ((height / 2) | 0) * width + ((number * 7) % width)); // moves
  for (let bar = 0; bar < BARS; bar++) {
    const bit = bar < 24 ? number >> (23 - bar) : checkOf(number) >> (31 - bar);
    const [left, right] = [bar, bar + 1].map((at) => Math.round((at * width) / BARS));
    for (let row = 0; row < height / 8; row++) data.fill(bit & 1 ? 235 : 16, row * width + left, row * width + right);
  }
}

function read({ data, width, height }) {
  let number = 0;
  let check = 0;
  for (let bar = 0; bar < BARS; bar++) {
    const luma = data[Math.floor(height / 16) * width + Math.floor(((bar + 0.5) * width) / BARS)];
    if (Math.abs(luma - 126) < 40) return null;
    if (bar < 24) number = (number << 1) | (luma > 126);
    else check = (check << 1) | (luma > 126);
  }
  return check === checkOf(number) ? number : null;
}

function picture({ width = 640, height = 360, frameRate = 30, first = 0 }) {
  const source = new nonstandard.RTCVideoSource();
  const data = new Uint8ClampedArray((width * height * 3) / 2);
  let number = first;
  const timer = setInterval(() => {
    draw(data, number, width, height);
    source.onFrame({ width, height, data });
    number += 1;
  }, 1000 / frameRate);
  const track = source.createTrack();
  return { track, stop: () => (clearInterval(timer), track.stop()) };
}

function tone({ frequency = 440 }) {
  const source = new nonstandard.RTCAudioSource();
  const begin = performance.now();
  let sent = 0;
  const timer = setInterval(() => {
    for (; (sent * 1000) / RATE < performance.now() - begin; sent += BLOCK) {
      const at = (index) => 16384 * Math.sin((2 * Math.PI * frequency * (sent + index)) / RATE);
      const samples = Int16Array.from({ length: BLOCK }, (_, index) => at(index));
      source.onData({ samples, sampleRate: RATE, bitsPerSample: 16, channelCount: 1, numberOfFrames: BLOCK });
    }
  }, 10);
  const track = source.createTrack();
  return { track, stop: () => (clearInterval(timer), track.stop()) };
}

class Watcher {
  constructor(sink) {
    Object.assign(this, { sink, waiting: [] });
  }

  until(condition) {
    return new Promise((done) => {
      this.waiting.push(() => condition() && (done(), true));
      this.changed();
    });
  }

  changed() {
    this.waiting = this.waiting.filter((wait) => !wait());
  }

  close() {
    this.sink.stop();
  }
}

class VideoWatcher extends Watcher {
  constructor(track) {
    super(new nonstandard.RTCVideoSink(track));
    Object.assign(this, { frames: 0, numbers: [], unreadable: 0, width: 0, height: 0 });
    this.sink.onframe = ({ frame }) => this.take(frame);
  }

  take(frame) {
    const number = read(frame);
    this.frames += 1;
    [this.width, this.height] = [frame.width, frame.height];
    if (number === null) this.unreadable += 1;
    else this.numbers.push(number);
    this.changed();
  }

  async seen({ frames = 1, numbers = 0 }) {
    const [frame, first, unreadable] = [this.frames, this.numbers.length, this.unreadable];
    await this.until(() => this.frames >= frame + frames && this.numbers.length >= first + numbers);
    const { width, height } = this;
    return { width, height, numbers: this.numbers.slice(first), unreadable: this.unreadable - unreadable };
  }
}

class AudioWatcher extends Watcher {
  constructor(track) {
    super(new nonstandard.RTCAudioSink(track));
    Object.assign(this, { samples: new Float32Array(0), rate: RATE });
    this.sink.ondata = (data) => this.take(data);
  }

  take({ samples, sampleRate, channelCount }) {
    const mono = Float32Array.from(samples.filter((_, index) => index % channelCount === 0));
    const kept = this.samples.slice(-(HEARD - mono.length));
    this.samples = new Float32Array(kept.length + mono.length);
    this.samples.set(kept);
    this.samples.set(mono, kept.length);
    this.rate = sampleRate;
    this.changed();
  }

  // The share of the power that is within reach of `frequency`: 1 for a pure tone of it (Goertzel's sum).
  share(frequency) {
    let [real, imaginary, power] = [0, 0, 0];
    this.samples.forEach((sample, index) => {
      const angle = (2 * Math.PI * frequency * index) / this.rate;
      real += sample * Math.cos(angle);
      imaginary += sample * Math.sin(angle);
      power += sample * sample;
    });
    return power ? (2 * (real * real + imaginary * imaginary)) / (power * this.samples.length) : 0;
  }

  // dB of full scale; null for digital silence, whose -Infinity JSON cannot say.
  get level() {
    const power = this.samples.reduce((sum, sample) => sum + sample * sample, 0) / this.samples.length;
    return power ? 10 * Math.log10(power / 32768 ** 2) : null;
  }

  async seen({ frequency }) {
    if (frequency !== undefined) {
      await this.until(() => this.samples.length === HEARD && this.share(frequency) > 0.5);
    }
    return { frequency, level: this.level };
  }
}

const nodeMedia = {
  source({ type, ...options }) {
    if (type === "picture") return picture(options);
    if (type === "tone") return tone(options);
    throw new Error(`no such source: ${type}`);
  },
  watch: (track) => (track.kind === "video" ? new VideoWatcher(track) : new AudioWatcher(track)),
};

module.exports = { nodeMedia };
