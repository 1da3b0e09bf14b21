// A GPT-Live session over one WebSocket, with microturn's extensions switched on. docs/protocol.md lists the events.

const MAX_UNSENT_BYTES = 600_000; // about eight seconds of sound: beyond it the network is gone, not slow

export class LiveClient {
  /** `on` maps names of server events to functions; "close" gets (why, isRegular). */
  constructor(on) {
    this.on = on;
    this.isStarted = false;
    this.refusal = "";
  }

  /** Opens a session, or goes on with the one that the token stands for. */
  connect(key, resumeToken) {
    const url = new URL("v1/live/sessions", location.href);
    url.protocol = location.protocol === "https:" ? "wss:" : "ws:";
    url.hash = "";
    const protocols = ["microturn.v1"];
    if (key) protocols.push(`openai-insecure-api-key.${key}`);
    this.socket = new WebSocket(url, protocols);
    const session = { model: "nano", audio: { format: { type: "audio/pcm", rate: 24000 } } };
    this.socket.onopen = () =>
      this.send(
        resumeToken
          ? { type: "microturn.session.resume", resume_token: resumeToken, session }
          : { type: "session.start", session },
      );
    this.socket.onmessage = ({ data }) => this.receive(JSON.parse(data));
    this.socket.onclose = ({ code }) => this.on.close?.(this.refusal, code === 1000);
  }

  receive(event) {
    if (event.type === "session.started") {
      this.isStarted = true;
      this.send({ type: "microturn.extensions.enable", turns: true, silence: "omit" });
    } else if (event.type === "error") {
      this.refusal = event.error.message;
    }
    this.on[event.type]?.(event);
  }

  send(event) {
    if (this.socket?.readyState === WebSocket.OPEN) this.socket.send(JSON.stringify(event));
  }

  sendSound(pcm) {
    if (!this.isStarted || this.socket.bufferedAmount > MAX_UNSENT_BYTES) return;
    const bytes = new Uint8Array(pcm.buffer);
    this.send({ type: "session.input_audio.append", audio: btoa(String.fromCharCode(...bytes)) });
  }

  close() {
    if (this.isStarted) this.send({ type: "session.close" });
    else this.socket?.close();
  }
}

/** Samples of a base64-encoded PCM16 delta. */
export function samplesOf(base64) {
  const text = atob(base64);
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  return new Int16Array(bytes.buffer);
}
