// What the user chose, kept in this browser, and the dialogue in which it is chosen.

import { listDevices } from "../media/devices";
import type { Eagerness } from "../session/session";
import type { TransportKind } from "../session/transport";
import { find } from "./elements";

export interface Settings {
  microphoneId: string;
  speakerId: string;
  cameraId: string;
  transport: TransportKind | "auto";
  theme: "auto" | "light" | "dark";
  eagerness: Eagerness;
  isCleaned: boolean;
  /** Whether M mutes. Who dictates to the computer, or hits keys unasked, can do without (WCAG 2.1.4). */
  hasMuteKey: boolean;
}

type Check = "isCleaned" | "hasMuteKey";

const STORE = "microturn.settings";
const DEFAULTS: Settings = {
  microphoneId: "",
  speakerId: "",
  cameraId: "",
  transport: "auto",
  theme: "auto",
  eagerness: "auto",
  isCleaned: true,
  hasMuteKey: true,
};

export class SettingsDialog {
  readonly values: Settings = { ...DEFAULTS, ...stored() };
  private readonly dialog = find<HTMLDialogElement>("settings");

  constructor(private readonly onChange: (changed: keyof Settings) => void) {
    find("open-settings").onclick = () => void this.open();
    this.choice("microphone-choice", "microphoneId");
    this.choice("speaker-choice", "speakerId");
    this.choice("camera-choice", "cameraId");
    this.choice("transport-choice", "transport");
    this.choice("theme-choice", "theme");
    this.choice("eagerness-choice", "eagerness");
    this.check("cleaned-choice", "isCleaned");
    this.check("mute-key-choice", "hasMuteKey");
    find("speaker-row").hidden = !("setSinkId" in AudioContext.prototype);
    this.dialog.onclick = (event) => {
      if (event.target === this.dialog) this.dialog.close(); // beside the dialogue
    };
    navigator.mediaDevices?.addEventListener("devicechange", () => void this.list());
    this.applyTheme();
  }

  private async open(): Promise<void> {
    await this.list();
    this.dialog.showModal();
  }

  private async list(): Promise<void> {
    const devices = await listDevices();
    fill("microphone-choice", devices.audioinput, "Microphone", this.values.microphoneId);
    fill("speaker-choice", devices.audiooutput, "Speaker", this.values.speakerId);
    fill("camera-choice", devices.videoinput, "Camera", this.values.cameraId);
  }

  private choice(id: string, name: Exclude<keyof Settings, Check>): void {
    const select = find<HTMLSelectElement>(id);
    select.value = this.values[name];
    select.onchange = () => this.set(name, select.value as never);
  }

  private check(id: string, name: Check): void {
    const box = find<HTMLInputElement>(id);
    box.checked = this.values[name];
    box.onchange = () => this.set(name, box.checked);
  }

  private set<K extends keyof Settings>(name: K, value: Settings[K]): void {
    this.values[name] = value;
    try {
      localStorage.setItem(STORE, JSON.stringify(this.values));
    } catch {
      // A browser that keeps nothing: the choice holds until the page is closed.
    }
    if (name === "theme") this.applyTheme();
    this.onChange(name);
  }

  private applyTheme(): void {
    const { theme } = this.values;
    if (theme === "auto") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = theme;
  }
}

function stored(): Partial<Settings> {
  try {
    return JSON.parse(localStorage.getItem(STORE) ?? "{}") as Partial<Settings>;
  } catch {
    return {};
  }
}

/** The system's own choice first; a chosen device that is gone falls back to it. */
function fill(id: string, devices: MediaDeviceInfo[], noun: string, chosenId: string): void {
  const select = find<HTMLSelectElement>(id);
  const named = devices.filter((device) => device.deviceId !== "default");
  select.replaceChildren(
    new Option("As the system", ""),
    ...named.map((device, i) => new Option(device.label || `${noun} ${i + 1}`, device.deviceId)),
  );
  select.value = named.some((device) => device.deviceId === chosenId) ? chosenId : "";
}
