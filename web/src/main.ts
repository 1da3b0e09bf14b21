// The page: one button, one session at a time.

import { SoundDesk } from "./media/audio";
import { DeviceError } from "./media/devices";
import { Sight, type SightKind } from "./media/sight";
import type { ServerEvent } from "./protocol";
import { health, reasonForLoss, server } from "./server";
import { type Phase, Session } from "./session/session";
import type { Reactions, Transport, TransportKind } from "./session/transport";
import { WebRtcTransport } from "./session/webrtc";
import { WebSocketTransport } from "./session/websocket";
import { Captions } from "./view/captions";
import { find } from "./view/elements";
import { Jobs } from "./view/jobs";
import { type Settings, SettingsDialog } from "./view/settings";
import { showLevel, showNotice, showPhase, showQuality, showRecording } from "./view/status";
import { Timeline } from "./view/timeline";
import { showTries, type Try } from "./view/tries";

/** What Start opened. */
interface Call {
  sound: SoundDesk;
  session: Session;
}

class Page {
  private readonly captions = new Captions();
  private readonly timeline = new Timeline();
  private readonly jobs = new Jobs((job, allow) =>
    this.call?.session.send({ type: "microturn.job.decide", job, allow }),
  );
  private readonly settings = new SettingsDialog((changed) => void this.applySetting(changed));
  private call: Call | null = null;
  private sight: Sight | null = null;
  private isOpeningSight = false;
  private opening: SoundDesk | null = null; // before there is a session
  private phase: Phase = "idle";
  private isMuted = false;
  private mediaMs = 0;
  private starting: Promise<void> | null = null;
  private whenLive: (() => void)[] = [];

  constructor() {
    find("talk").onclick = () => (this.isIdle ? void this.start() : this.stop());
    find("mute").onclick = () => this.setMuted(!this.isMuted);
    find("camera").onclick = () => void this.toggleSight("camera");
    find("screen").onclick = () => void this.toggleSight("screen");
    find("screen").hidden = !navigator.mediaDevices?.getDisplayMedia;
    find<HTMLFormElement>("typed").onsubmit = (event) => this.sendTyped(event);
    showTries((example) => this.ask(example));
    addEventListener("keydown", (event) => this.onKey(event));
    addEventListener("online", () => this.call?.session.retryNow());
    addEventListener("pagehide", () => this.call?.session.stop());
    // A phone call or the lock screen takes the sound away; coming back, or a tap, gives it back.
    for (const name of ["pointerdown", "visibilitychange"]) {
      document.addEventListener(name, () => this.call?.sound.wake());
    }
    this.show("idle", "");
    void health().then((found) => showRecording(found?.recording ?? false));
  }

  private get isIdle(): boolean {
    return !this.starting && (this.phase === "idle" || this.phase === "stopped" || this.phase === "failed");
  }

  private start(): Promise<void> {
    this.starting ??= this.open().finally(() => {
      this.starting = null;
    });
    return this.starting;
  }

  private async open(): Promise<void> {
    this.captions.reset();
    this.timeline.reset();
    this.jobs.reset();
    this.mediaMs = 0;
    showNotice("");
    this.show("connecting", "");
    let sound: SoundDesk;
    try {
      sound = await SoundDesk.open(this.settings.values, {
        onLevel: showLevel,
        onLost: () => void this.regainMicrophone(),
        onHeld: (isHeld) => this.showHeld(isHeld),
      });
    } catch (error) {
      const reason = error instanceof DeviceError ? error.message : `Sound cannot be started: ${String(error)}`;
      if (this.phase === "connecting") this.show("failed", reason);
      return;
    }
    if (this.phase !== "connecting") return sound.close(); // stopped while the browser was asking
    this.opening = sound;
    const kinds = await this.transportKinds();
    if (this.phase !== "connecting") return; // put away
    this.opening = null;
    const session: Session = new Session({
      kinds,
      connect: (kind, reactions) => connect(kind, sound, reactions),
      explain: reasonForLoss,
      view: {
        onPhase: (phase, problem) => this.show(phase, problem),
        onEvent: (event) => this.receive(event),
        onQuality: (quality) => showQuality(quality, session?.kind ?? null),
      },
    });
    this.call = { sound, session };
    session.start();
  }

  private stop(): void {
    if (this.call) this.call.session.stop();
    else this.show("stopped", "");
  }

  /** The server says what it has; a choice in the settings is final. */
  private async transportKinds(): Promise<TransportKind[]> {
    const { transport } = this.settings.values;
    if (transport !== "auto") return [transport];
    const offered = (await health())?.transports ?? ["websocket"];
    return offered.includes("webrtc") && "RTCPeerConnection" in window ? ["webrtc", "websocket"] : ["websocket"];
  }

  private show(phase: Phase, problem: string): void {
    this.phase = phase;
    showPhase(phase, problem);
    const isLive = phase === "live";
    const isOn = isLive || phase === "reconnecting"; // disabled, a control would lose the focus to the page
    const isOver = phase === "idle" || phase === "stopped" || phase === "failed";
    for (const id of ["mute", "camera", "screen"]) find<HTMLButtonElement>(id).disabled = !isOn;
    for (const control of find<HTMLFormElement>("typed").elements) (control as HTMLInputElement).disabled = !isOn;
    if (phase === "reconnecting") this.call?.sound.clear();
    if (isLive) for (const resolve of this.whenLive.splice(0)) resolve();
    if (isOver) this.putAway();
  }

  /** Gives microphone, camera and speaker back. */
  private putAway(): void {
    void this.call?.sound.close();
    void this.opening?.close();
    this.call = this.opening = null;
    this.jobs.stop();
    this.closeSight();
    this.isMuted = false;
    this.showMuted();
    showLevel("you", 0);
    showLevel("model", 0);
    for (const resolve of this.whenLive.splice(0)) resolve();
  }

  private receive(event: ServerEvent): void {
    switch (event.type) {
      case "session.started":
        showRecording(event.session.store ?? false);
        break;
      case "session.input_transcript.delta":
        this.captions.add("you", event);
        break;
      case "session.output_transcript.delta":
        this.captions.add("model", event);
        break;
      case "microturn.turn":
        this.mediaMs = event.end_ms;
        if (event.clear) {
          this.call?.sound.clear();
          this.captions.cut(event.end_ms);
        }
        for (const piece of event.pieces) {
          if (piece.kind === "text") this.captions.addWritten(piece.text, piece.is_end, event.end_ms);
        }
        this.timeline.add(event);
        break;
      case "microturn.job":
        this.jobs.show(event);
        break;
      case "error":
        showNotice(event.error.message);
        break;
    }
  }

  private setMuted(isMuted: boolean): void {
    this.isMuted = isMuted;
    this.call?.sound.setMuted(isMuted);
    this.call?.session.setMuted(isMuted);
    this.showMuted();
  }

  private showMuted(): void {
    find("mute").setAttribute("aria-pressed", String(this.isMuted));
    find("mute-label").textContent = this.isMuted ? "Unmute" : "Mute";
    document.body.dataset.muted = String(this.isMuted);
  }

  private showHeld(isHeld: boolean): void {
    if (this.call) this.call.session.isHeld = isHeld;
    showNotice(isHeld ? "The sound was interrupted. Tap the page to go on." : "", true);
  }

  private async regainMicrophone(): Promise<void> {
    try {
      await this.call?.sound.setMicrophone({ ...this.settings.values, microphoneId: "" });
      showNotice("The microphone was disconnected. Another one took over.");
    } catch {
      showNotice("The microphone was disconnected. Connect one and choose it in the settings; typing still works.");
    }
  }

  private async applySetting(changed: keyof Settings): Promise<void> {
    const { call, settings } = this;
    try {
      if (changed === "theme") this.timeline.redraw();
      else if (changed === "speakerId") await call?.sound.setSpeaker(settings.values.speakerId);
      else if (changed === "cameraId" && this.sight?.kind === "camera") await this.openSight("camera");
      else if (changed === "microphoneId" || changed === "isCleaned") await call?.sound.setMicrophone(settings.values);
    } catch (error) {
      showNotice(error instanceof Error ? error.message : String(error));
    }
  }

  private async toggleSight(kind: SightKind): Promise<void> {
    if (this.isOpeningSight) return; // a second click while the browser asks
    const wasOn = this.sight?.kind === kind;
    this.closeSight();
    if (!wasOn) await this.openSight(kind);
  }

  private async openSight(kind: SightKind): Promise<void> {
    this.closeSight();
    showNotice("");
    const { call } = this;
    this.isOpeningSight = true;
    try {
      const sight = await Sight.open(kind, this.settings.values.cameraId, find<HTMLVideoElement>("video"), {
        onFrame: (image, picture) => {
          this.call?.session.send({ type: "microturn.camera_frame", image });
          if (this.phase === "live") this.timeline.addFrame(picture);
        },
        onLost: () => {
          this.closeSight();
          showNotice(kind === "camera" ? "The camera was disconnected." : "The screen is no longer shared.");
        },
      });
      if (!call || this.call !== call) return sight.close(); // stopped meanwhile
      this.sight = sight;
    } catch (error) {
      showNotice(error instanceof Error ? error.message : String(error));
    } finally {
      this.isOpeningSight = false;
    }
    this.showSight();
  }

  private closeSight(): void {
    this.sight?.close();
    this.sight = null;
    this.showSight();
  }

  private showSight(): void {
    for (const kind of ["camera", "screen"]) {
      find(kind).setAttribute("aria-pressed", String(this.sight?.kind === kind));
    }
    find("preview").hidden = !this.sight;
    find("preview").dataset.kind = this.sight?.kind ?? "";
  }

  /** Asks an example aloud; starts the conversation if there is none. */
  private async ask(example: Try): Promise<void> {
    if (this.isIdle) await this.start();
    if (this.phase === "connecting") await new Promise<void>((resolve) => this.whenLive.push(resolve));
    if (this.phase !== "live" || !this.call) return;
    const { session, sound } = this.call;
    if (this.isMuted) session.setMuted(false); // the server listens to the phrase; the microphone stays shut
    await sound
      .say(new URL(`clips/${example.clip}`, document.baseURI).href)
      .catch(() => showNotice("The recorded phrase did not load. Say it yourself."));
    if (this.isMuted) session.setMuted(true);
  }

  private sendTyped(event: SubmitEvent): void {
    event.preventDefault();
    const input = find<HTMLInputElement>("text");
    const text = input.value.trim();
    if (!text || this.phase !== "live") return;
    this.call?.session.send({ type: "microturn.text", text });
    this.captions.addTyped(text, this.mediaMs);
    input.value = "";
  }

  private onKey(event: KeyboardEvent): void {
    const isTyping = event.target instanceof HTMLInputElement || event.target instanceof HTMLSelectElement;
    if (isTyping || event.ctrlKey || event.metaKey || event.altKey || event.repeat) return;
    if (event.key === "Escape") showNotice("");
    const isOn = this.phase === "live" || this.phase === "reconnecting";
    if (event.key === "m" && isOn) this.setMuted(!this.isMuted);
  }
}

function connect(kind: TransportKind, sound: SoundDesk, reactions: Reactions): Transport {
  return kind === "webrtc"
    ? new WebRtcTransport(server(), sound, reactions)
    : new WebSocketTransport(server(), sound, reactions);
}

new Page();
