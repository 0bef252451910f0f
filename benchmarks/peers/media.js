// Tracks for a browser page: sources whose content a test can recognise, and watchers that recognise it.
//
// A picture carries its frame's number in its top eighth: 32 bars, black for 0 and white for 1, for 24 bits of the
// number and 8 to check them, as in rtcore.media.synthetic. A sound is a sine. "camera" and "microphone" are the
// browser's own fakes.
"use strict";

const BARS = 32;

const checkOf = (number) => ((number * 0x9d) ^ (number >> 8) ^ (number >> 16) ^ 0x5a) & 0xff;

function browserMedia() {
  let context;
  const audio = async () => {
    context ??= new AudioContext({ sampleRate: 48000 });
    if (context.state !== "running") await context.resume();
    return context;
  };

  function picture({ width = 640, height = 360, frameRate = 30, first = 0, busy = false }) {
    const canvas = Object.assign(document.createElement("canvas"), { width, height });
    const context = canvas.getContext("2d", { alpha: false });
    let number = first;
    const draw = () => {
      context.fillStyle = `hsl(${number % 360} 60% 50%)`;
      context.fillRect(0, 0, width, height);
      context.fillStyle = "white"; // something that moves, so that frames are worth their bits
      context.fillRect((number * 7) % width, height / 2, width / 8, height / 8);
      for (let spot = 0; busy && spot < 300; spot++) { // all new in each frame: as many bits as one likes
        context.fillStyle = `hsl(${Math.random() * 360} 80% ${Math.random() * 100}%)`;
        context.fillRect(Math.random() * width, height / 4 + Math.random() * height, width / 20, height / 20);
      }
      for (let bar = 0; bar < BARS; bar++) {
        const bit = bar < 24 ? number >> (23 - bar) : checkOf(number) >> (31 - bar);
        const [left, right] = [bar, bar + 1].map((at) => Math.round((at * width) / BARS));
        context.fillStyle = bit & 1 ? "white" : "black";
        context.fillRect(left, 0, right - left, Math.round(height / 8));
      }
      number = (number + 1) & 0xffffff;
    };
    draw();
    const timer = setInterval(draw, 1000 / frameRate);
    const [track] = canvas.captureStream(frameRate).getVideoTracks();
    if (busy) track.contentHint = "detail"; // a slow machine drops frames; it does not send small ones of few bits
    return { track, stop: () => (clearInterval(timer), track.stop()) };
  }

  async function tone({ frequency = 440 }) {
    const sound = await audio();
    const oscillator = new OscillatorNode(sound, { frequency });
    const volume = new GainNode(sound, { gain: 0.5 });
    const output = new MediaStreamAudioDestinationNode(sound, { channelCount: 1 });
    oscillator.connect(volume).connect(output);
    oscillator.start();
    const [track] = output.stream.getAudioTracks();
    return { track, stop: () => (oscillator.stop(), track.stop()) };
  }

  async function device(constraints) {
    const stream = await navigator.mediaDevices.getUserMedia(constraints);
    const [track] = stream.getTracks();
    return { track, stop: () => track.stop() };
  }

  // What a test asks for: {type: "picture" | "tone" | "camera" | "microphone", ...}.
  async function source({ type, ...options }) {
    switch (type) {
      case "picture": return picture(options);
      case "tone": return tone(options);
      case "camera": return device({ video: { width: options.width ?? 640, height: options.height ?? 480 } });
      case "microphone": return device({ audio: true });
      default: throw new Error(`no such source: ${type}`);
    }
  }

  // The number in a picture of `width` by `height`, or null where it did not survive.
  function readNumber(context, width, height) {
    const row = context.getImageData(0, Math.floor(height / 16), width, 1).data;
    let number = 0;
    let check = 0;
    for (let bar = 0; bar < BARS; bar++) {
      const luma = row[4 * Math.floor(((bar + 0.5) * width) / BARS) + 1];
      if (Math.abs(luma - 128) < 48) return null;
      if (bar < 24) number = (number << 1) | (luma > 128);
      else check = (check << 1) | (luma > 128);
    }
    return check === checkOf(number) ? number : null;
  }

  class VideoWatcher {
    constructor(track) {
      Object.assign(this, { frames: 0, numbers: [], unreadable: 0, waiting: [], closed: false });
      this.video = Object.assign(document.createElement("video"), { muted: true, autoplay: true, playsInline: true });
      this.video.srcObject = new MediaStream([track]);
      document.body.append(this.video); // pages draw what they show
      this.canvas = document.createElement("canvas");
      this.context = this.canvas.getContext("2d", { willReadFrequently: true });
      this.video.play().catch(() => {}); // again when there is a frame
      this.next();
    }

    next() {
      this.video.requestVideoFrameCallback(() => {
        if (this.closed) return;
        this.look();
        this.next();
      });
    }

    look() {
      const { videoWidth: width, videoHeight: height } = this.video;
      Object.assign(this.canvas, { width, height });
      this.context.drawImage(this.video, 0, 0);
      const number = readNumber(this.context, width, height);
      this.frames += 1;
      if (number === null) this.unreadable += 1;
      else this.numbers.push(number);
      this.waiting = this.waiting.filter((wait) => !wait());
    }

    // After `frames` more frames: what was seen in them.
    seen({ frames = 1, numbers = 0 }) {
      const [frame, first, unreadable] = [this.frames, this.numbers.length, this.unreadable];
      return new Promise((done) => this.waiting.push(() => {
        if (this.frames < frame + frames || this.numbers.length < first + numbers) return false;
        const { videoWidth: width, videoHeight: height } = this.video;
        done({ width, height, numbers: this.numbers.slice(first), unreadable: this.unreadable - unreadable });
        return true;
      }));
    }

    close() {
      this.closed = true;
      this.video.remove();
      this.video.srcObject = null;
    }
  }

  class AudioWatcher {
    constructor(track) {
      this.stream = new MediaStream([track]);
      this.element = Object.assign(new Audio(), { muted: true, srcObject: this.stream }); // Chromium wants one
      this.element.play().catch(() => {});
      this.closed = false;
    }

    async listen() {
      if (this.analyser) return;
      const sound = await audio();
      this.analyser = new AnalyserNode(sound, { fftSize: 8192, smoothingTimeConstant: 0 });
      this.input = new MediaStreamAudioSourceNode(sound, { mediaStream: this.stream });
      this.input.connect(this.analyser);
    }

    now() {
      const bins = new Float32Array(this.analyser.frequencyBinCount);
      this.analyser.getFloatFrequencyData(bins);
      const loudest = bins.indexOf(Math.max(...bins));
      return { frequency: (loudest * context.sampleRate) / this.analyser.fftSize, level: bins[loudest] };
    }

    // When the loudest frequency is `frequency`, within `tolerance` Hz; without: what it is now.
    async seen({ frequency, tolerance = 15, level = -50 }) {
      await this.listen();
      for (;;) {
        const heard = this.now();
        if (this.closed || frequency === undefined) return heard;
        if (heard.level > level && Math.abs(heard.frequency - frequency) <= tolerance) return heard;
        await new Promise((done) => setTimeout(done, 50)); // the analyser has no event
      }
    }

    close() {
      this.closed = true;
      this.element.srcObject = null;
      this.input?.disconnect();
    }
  }

  return { source, watch: (track) => (track.kind === "video" ? new VideoWatcher(track) : new AudioWatcher(track)) };
}
