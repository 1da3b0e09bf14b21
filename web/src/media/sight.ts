// The camera or the screen as a series of small JPEGs, and a small preview of what is sent.

import { explained, isGone, requireDevices } from "./devices";

export type SightKind = "camera" | "screen";

export interface SightView {
  /** A frame was taken: base64-encoded JPEG, and the canvas that shows it. */
  onFrame(image: string, picture: HTMLCanvasElement): void;
  /** The device went away, or its user ended the sharing. */
  onLost(): void;
}

const SIZES = { camera: { longest: 320, quality: 0.7 }, screen: { longest: 512, quality: 0.55 } };
const FRAMES_PER_S = { camera: 5, screen: 2 };

export class Sight {
  private readonly canvas = document.createElement("canvas");
  private timer: ReturnType<typeof setInterval> | undefined;

  static async open(kind: SightKind, cameraId: string, video: HTMLVideoElement, view: SightView): Promise<Sight> {
    requireDevices();
    let stream: MediaStream;
    try {
      stream = await (kind === "camera" ? askForCamera(cameraId) : askForScreen());
    } catch (error) {
      throw explained(error, kind);
    }
    video.srcObject = stream;
    try {
      await video.play();
    } catch (error) {
      for (const track of stream.getTracks()) track.stop();
      video.srcObject = null;
      throw explained(error, kind);
    }
    return new Sight(kind, stream, video, view);
  }

  private constructor(
    readonly kind: SightKind,
    private readonly stream: MediaStream,
    private readonly video: HTMLVideoElement,
    private readonly view: SightView,
  ) {
    for (const track of stream.getTracks()) track.onended = () => view.onLost();
    this.timer = setInterval(() => this.take(), 1000 / FRAMES_PER_S[kind]);
  }

  close(): void {
    clearInterval(this.timer);
    for (const track of this.stream.getTracks()) {
      track.onended = null;
      track.stop();
    }
    this.video.srcObject = null;
  }

  private take(): void {
    const { videoWidth, videoHeight } = this.video;
    if (!videoWidth || !videoHeight) return;
    const { longest, quality } = SIZES[this.kind];
    const scale = Math.min(1, longest / Math.max(videoWidth, videoHeight));
    this.canvas.width = Math.round(videoWidth * scale);
    this.canvas.height = Math.round(videoHeight * scale);
    this.canvas.getContext("2d")?.drawImage(this.video, 0, 0, this.canvas.width, this.canvas.height);
    const url = this.canvas.toDataURL("image/jpeg", quality);
    this.view.onFrame(url.slice(url.indexOf(",") + 1), this.canvas);
  }
}

function askForScreen(): Promise<MediaStream> {
  return navigator.mediaDevices.getDisplayMedia({ video: { frameRate: { ideal: 5 } } });
}

/** The chosen camera, or the system's own where that one is gone. */
async function askForCamera(cameraId: string): Promise<MediaStream> {
  try {
    return await navigator.mediaDevices.getUserMedia({
      video: {
        deviceId: cameraId ? { exact: cameraId } : undefined,
        facingMode: cameraId ? undefined : "environment", // what is before the user; where there is one camera, that one
        width: { ideal: 640 },
        height: { ideal: 480 },
        frameRate: { ideal: 15 },
      },
    });
  } catch (error) {
    if (cameraId && isGone(error)) return askForCamera("");
    throw error;
  }
}
