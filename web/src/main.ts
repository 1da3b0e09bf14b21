// The page: one button, one session at a time.

import { SoundDesk } from "./media/audio";
import { keepAwake } from "./media/awake";
import { DeviceError } from "./media/devices";
import type { ClientEvent, ServerEvent } from "./protocol";
import { type Health, health, KEY_MISSING, lacksKey, reasonForLoss, server } from "./server";
import { type Phase, Session } from "./session/session";
import type { Reactions, Transport, TransportKind } from "./session/transport";
import { WebRtcTransport } from "./session/webrtc";
import { WebSocketTransport } from "./session/websocket";
import { Captions } from "./view/captions";
import { find } from "./view/elements";
import { Jobs } from "./view/jobs";
import { type Settings, SettingsDialog } from "./view/settings";
import { SightSwitches } from "./view/sight_switches";
import {
  dismissNotices,
  showCondition,
  showLevel,
  showMuted,
  showNotice,
  showPhase,
  showProblem,
  showQuality,
  showRecording,
} from "./view/status";
import { Timeline } from "./view/timeline";
import { Tools } from "./view/tools";
import { showTries, type Try } from "./view/tries";

const SEES_NOTHING = "This model has not learnt to see: the pictures reach it and tell it nothing.";

/** What Start opened. */
interface Call {
  sound: SoundDesk;
  session: Session;
}

class Page {
  private readonly captions = new Captions();
  private readonly timeline = new Timeline();
  private readonly jobs = new Jobs((job, allow) => this.sendLive({ type: "microturn.job.decide", job, allow }));
  private readonly tools = new Tools((rules) => this.sendLive({ type: "microturn.tools.update", rules }));
  private readonly settings = new SettingsDialog((changed) => void this.applySetting(changed));
  private readonly sight = new SightSwitches({
    cameraId: () => this.settings.values.cameraId,
    session: () => this.call,
    onFrame: (image, picture) => {
      if (this.sendLive({ type: "microturn.camera_frame", image })) this.timeline.addFrame(picture);
    },
    onOpened: () => this.health?.sees === false && showNotice(SEES_NOTHING),
  });
  private health: Health | null = null;
  private call: Call | null = null;
  private opening: SoundDesk | null = null; // before there is a session
  private attempt = 0; // which Start it was: one that was taken back is not gone on with
  private phase: Phase = "idle";
  private isMuted = false;
  private isBusy = false; // the server says that it does less than it should
  private mediaMs = 0;
  private whenDecided: (() => void)[] = []; // live or over

  constructor() {
    find("talk").onclick = () => (this.isIdle ? void this.start() : this.stop());
    find("without").onclick = () => void this.start(false);
    find("mute").onclick = () => this.setMuted(!this.isMuted);
    find<HTMLFormElement>("typed").onsubmit = (event) => void this.sendTyped(event);
    showTries((example) => this.ask(example));
    addEventListener("keydown", (event) => this.onKey(event));
    addEventListener("online", () => this.call?.session.retryNow());
    addEventListener("pagehide", () => this.call?.session.stop());
    // A phone call or the lock screen takes the sound away; coming back, or a tap, gives it back.
    for (const name of ["pointerdown", "visibilitychange"]) {
      document.addEventListener(name, () => this.call?.sound.wake());
    }
    document.addEventListener("visibilitychange", () => keepAwake(!document.hidden && this.phase === "live"));
    this.show("idle", "");
    void this.askHealth().then((found) => {
      if (found && lacksKey(found) && this.phase === "idle") showProblem(KEY_MISSING);
    });
  }

  private get isIdle(): boolean {
    return this.phase === "idle" || this.phase === "stopped" || this.phase === "failed";
  }

  private async askHealth(): Promise<Health | null> {
    this.health = (await health()) ?? this.health;
    if (this.isIdle) showRecording(this.health?.recording ?? false);
    return this.health;
  }

  private async start(withMicrophone = true): Promise<void> {
    const attempt = ++this.attempt;
    this.captions.reset();
    this.timeline.reset();
    this.jobs.reset();
    this.mediaMs = 0;
    showNotice("");
    this.show("connecting", "");
    let sound: SoundDesk;
    try {
      const view = {
        onLevel: showLevel,
        onLost: () => void this.regainMicrophone(),
        onHeld: (isHeld: boolean) => this.showHeld(isHeld),
      };
      sound = await SoundDesk.open(this.settings.values, view, withMicrophone);
    } catch (error) {
      const reason = await reasonForSilence(error);
      if (attempt !== this.attempt) return;
      this.show("failed", reason);
      showProblem(reason, error instanceof DeviceError && error.device === "microphone");
      return;
    }
    if (attempt !== this.attempt) return sound.close(); // stopped while the browser was asking
    this.opening = sound;
    const kinds = await this.transportKinds();
    if (attempt !== this.attempt) return; // put away
    this.opening = null;
    const session: Session = new Session({
      kinds,
      connect: (kind, reactions) => connect(kind, sound, reactions),
      explain: reasonForLoss,
      tools: () => this.tools.rules(),
      eagerness: () => this.settings.values.eagerness,
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
    const offered = (await this.askHealth())?.transports ?? ["websocket"];
    return offered.includes("webrtc") && "RTCPeerConnection" in window ? ["webrtc", "websocket"] : ["websocket"];
  }

  private show(phase: Phase, problem: string): void {
    const before = this.phase;
    this.phase = phase;
    showProblem(problem);
    showCondition("lost", phase === "reconnecting");
    if (phase === "reconnecting") this.call?.sound.clear();
    else if (before === "reconnecting") showNotice(""); // what was said of the wait
    keepAwake(phase === "live");
    if (this.isIdle) {
      if (problem) showNotice(""); // it says the same, or what no longer matters
      this.putAway();
    }
    this.showControls();
    if (phase === "live" || this.isIdle) for (const resolve of this.whenDecided.splice(0)) resolve();
  }

  /** Gives microphone, camera and speaker back. */
  private putAway(): void {
    this.attempt++;
    void this.call?.sound.close();
    void this.opening?.close();
    this.call = this.opening = null;
    this.jobs.stop();
    this.tools.reset();
    this.sight.close();
    this.isMuted = this.isBusy = false;
    showCondition("busy", false);
    showCondition("held", false);
    showLevel("you", 0);
    showLevel("model", 0);
  }

  private showControls(): void {
    showPhase(this.phase, this.isMuted);
    showMuted(this.isMuted, this.settings.values.hasMuteKey);
    const isOn = this.phase === "live" || this.phase === "reconnecting"; // disabled, a control would lose the focus
    for (const id of ["camera", "screen"]) find<HTMLButtonElement>(id).disabled = !isOn;
    find<HTMLButtonElement>("mute").disabled = !isOn || !this.call?.sound.hasMicrophone;
  }

  /** Sends what has no meaning later; says whether there was somebody to send it to. */
  private sendLive(event: ClientEvent): boolean {
    if (this.phase !== "live" || !this.call) return false;
    this.call.session.send(event);
    return true;
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
        this.showBusy(event.overload_rung > 0);
        break;
      case "microturn.job":
        this.jobs.show(event);
        break;
      case "microturn.tools":
        this.tools.show(event);
        break;
      case "error":
        this.tools.restore();
        showNotice(event.error.message);
        break;
    }
  }

  private setMuted(isMuted: boolean): void {
    this.isMuted = isMuted;
    this.call?.sound.setMuted(isMuted);
    this.call?.session.setMuted(isMuted);
    this.showControls();
  }

  private showBusy(isBusy: boolean): void {
    if (isBusy === this.isBusy) return;
    this.isBusy = isBusy;
    showCondition("busy", isBusy);
  }

  private showHeld(isHeld: boolean): void {
    if (this.call) this.call.session.isHeld = isHeld;
    showCondition("held", isHeld);
  }

  private async regainMicrophone(): Promise<void> {
    try {
      await this.call?.sound.setMicrophone({ ...this.settings.values, microphoneId: "" });
      showNotice("The microphone was disconnected. Another one took over.");
    } catch {
      showNotice("The microphone was disconnected. Connect one and choose it in the settings; typing still works.");
    }
    this.showControls();
  }

  private async applySetting(changed: keyof Settings): Promise<void> {
    const { call, settings } = this;
    try {
      if (changed === "theme") this.timeline.redraw();
      else if (changed === "eagerness" && this.phase === "live") call?.session.tellEagerness();
      else if (changed === "speakerId") await call?.sound.setSpeaker(settings.values.speakerId);
      else if (changed === "cameraId") await this.sight.changeCamera();
      else if (changed === "microphoneId" || changed === "isCleaned") await call?.sound.setMicrophone(settings.values);
    } catch (error) {
      showNotice(error instanceof Error ? error.message : String(error));
    }
    this.showControls();
  }

  /** Starts the conversation where there is none; says whether it is on. */
  private async becomeLive(): Promise<boolean> {
    if (this.isIdle) void this.start();
    if (this.phase === "connecting") await new Promise<void>((resolve) => this.whenDecided.push(resolve));
    if (this.phase === "reconnecting") showNotice("The connection is not back yet. Try again in a moment.");
    return this.phase === "live";
  }

  /** Asks an example aloud. */
  private async ask(example: Try): Promise<void> {
    if (!(await this.becomeLive()) || !this.call) return;
    const { session, sound } = this.call;
    const said = sound
      .say(new URL(`clips/${example.clip}`, document.baseURI).href)
      .catch(() => showNotice("The recorded phrase did not load. Say it yourself."));
    await session.hear(said);
  }

  private async sendTyped(event: SubmitEvent): Promise<void> {
    event.preventDefault();
    const input = find<HTMLInputElement>("text");
    if (!input.value.trim() || !(await this.becomeLive())) return;
    const text = input.value.trim(); // sent once, however often it was asked for while there was no conversation
    if (!text || !this.sendLive({ type: "microturn.text", text })) return;
    this.captions.addTyped(text, this.mediaMs);
    input.value = "";
  }

  private onKey(event: KeyboardEvent): void {
    const isTyping = event.target instanceof HTMLInputElement || event.target instanceof HTMLSelectElement;
    if (isTyping || event.ctrlKey || event.metaKey || event.altKey || event.repeat) return;
    if (event.key === "Escape") dismissNotices();
    const isMuteKey = this.settings.values.hasMuteKey && event.key.toLowerCase() === "m";
    if (isMuteKey && !find<HTMLButtonElement>("mute").disabled) this.setMuted(!this.isMuted);
  }
}

function connect(kind: TransportKind, sound: SoundDesk, reactions: Reactions): Transport {
  return kind === "webrtc"
    ? new WebRtcTransport(server(), sound, reactions)
    : new WebSocketTransport(server(), sound, reactions);
}

/** Why sound could not be started. Without its server the page lacks a part of it, which the browser does not say. */
async function reasonForSilence(error: unknown): Promise<string> {
  if (error instanceof DeviceError) return error.message;
  return (await health()) ? `Sound cannot be started: ${String(error)}` : reasonForLoss(false);
}

new Page();
