// The browser's microphone and speaker, joined to the two worklets.

/** What to tell people when the microphone cannot be had. */
export class MicrophoneError extends Error {}

const REASONS = {
  NotAllowedError: "The microphone is blocked. Allow it for this page in the browser's address bar, then press Start again.",
  NotFoundError: "No microphone was found. Connect one, then press Start again.",
  NotReadableError: "Another program holds the microphone. Close it, then press Start again.",
  SecurityError: "The browser does not allow the microphone on this page.",
};

async function askForMicrophone() {
  if (!window.AudioWorkletNode && window.isSecureContext) {
    throw new MicrophoneError("This browser is too old: it has no AudioWorklet. Use a current Chrome, Edge, Firefox or Safari.");
  }
  if (!window.isSecureContext || !navigator.mediaDevices) {
    throw new MicrophoneError(
      "Browsers give the microphone to secure pages only. Open this page as http://localhost, or through https.",
    );
  }
  try {
    return await navigator.mediaDevices.getUserMedia({
      audio: { echoCancellation: true, noiseSuppression: true, autoGainControl: true, channelCount: 1 },
    });
  } catch (error) {
    throw new MicrophoneError(REASONS[error.name] ?? `The microphone cannot be used (${error.name}).`);
  }
}

export class Audio {
  /** Asks for the microphone and starts both directions. Call it from a click. */
  static async open({ onSound, onLevelIn, onLevelOut, onLost }) {
    const stream = await askForMicrophone();
    const context = new AudioContext({ latencyHint: "interactive" });
    try {
      await context.audioWorklet.addModule("worklets.js");
      await context.resume();
    } catch (error) {
      for (const track of stream.getTracks()) track.stop();
      await context.close();
      throw error;
    }
    const audio = new Audio(stream, context);
    audio.capture.port.onmessage = ({ data }) => {
      onLevelIn(data.level);
      onSound(data.pcm);
    };
    audio.playback.port.onmessage = ({ data }) => onLevelOut(data.level, data.bufferedMs);
    for (const track of stream.getAudioTracks()) track.onended = onLost;
    return audio;
  }

  constructor(stream, context) {
    this.stream = stream;
    this.context = context;
    this.source = context.createMediaStreamSource(stream);
    this.capture = new AudioWorkletNode(context, "capture", { numberOfOutputs: 1 });
    this.playback = new AudioWorkletNode(context, "playback", { numberOfInputs: 0, outputChannelCount: [1] });
    // The capture node is silent; being connected is what keeps it running.
    this.source.connect(this.capture).connect(context.destination);
    this.playback.connect(context.destination);
  }

  play(pcm) {
    this.playback.port.postMessage({ pcm }, [pcm.buffer]);
  }

  clear() {
    this.playback.port.postMessage({ clear: true });
  }

  set muted(isMuted) {
    for (const track of this.stream.getAudioTracks()) track.enabled = !isMuted;
  }

  async close() {
    for (const track of this.stream.getTracks()) {
      track.onended = null;
      track.stop();
    }
    await this.context.close();
  }
}
