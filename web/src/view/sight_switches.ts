// The switches for camera and screen, and the preview beside them: one of the two is on, or none.

import { Sight, type SightKind } from "../media/sight";
import { find } from "./elements";
import { showNotice } from "./status";

export interface SightSwitchesOptions {
  cameraId(): string;
  /** Whether somebody is there to be shown something; asked again after the browser's own question. */
  session(): unknown;
  onFrame(image: string, picture: HTMLCanvasElement): void;
  /** Something was switched on. */
  onOpened(): void;
}

export class SightSwitches {
  private sight: Sight | null = null;
  private isOpening = false;

  constructor(private readonly options: SightSwitchesOptions) {
    find("camera").onclick = () => void this.toggle("camera");
    find("screen").onclick = () => void this.toggle("screen");
    find("screen").hidden = !navigator.mediaDevices?.getDisplayMedia;
  }

  /** Another camera was chosen. */
  async changeCamera(): Promise<void> {
    if (this.sight?.kind === "camera" && !this.isOpening) await this.open("camera");
  }

  close(): void {
    this.sight?.close();
    this.sight = null;
    this.show();
  }

  private async toggle(kind: SightKind): Promise<void> {
    if (this.isOpening) return; // a second click while the browser asks
    const wasOn = this.sight?.kind === kind;
    this.close();
    if (!wasOn) await this.open(kind);
  }

  private async open(kind: SightKind): Promise<void> {
    this.close();
    showNotice("");
    const { options } = this;
    const session = options.session();
    this.isOpening = true;
    try {
      const sight = await Sight.open(kind, options.cameraId(), find<HTMLVideoElement>("video"), {
        onFrame: options.onFrame,
        onLost: () => {
          this.close();
          showNotice(kind === "camera" ? "The camera was disconnected." : "The screen is no longer shared.");
        },
      });
      if (!session || options.session() !== session) return sight.close(); // stopped meanwhile
      this.sight = sight;
      options.onOpened();
    } catch (error) {
      showNotice(error instanceof Error ? error.message : String(error));
    } finally {
      this.isOpening = false;
    }
    this.show();
  }

  private show(): void {
    for (const kind of ["camera", "screen"]) {
      find(kind).setAttribute("aria-pressed", String(this.sight?.kind === kind));
    }
    find("preview").hidden = !this.sight;
    find("preview").dataset.kind = this.sight?.kind ?? "";
  }
}
