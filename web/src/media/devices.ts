// Microphones, cameras and speakers: what there is, and why one cannot be had.

export type DeviceKind = "microphone" | "camera" | "screen";

/** Why a device cannot be used, in words for the user. */
export class DeviceError extends Error {
  constructor(
    message: string,
    /** The one device that is missing; absent where none can be had. */
    readonly device?: DeviceKind,
  ) {
    super(message);
  }
}

const REMEDIES: Record<DeviceKind, Record<string, string>> = {
  microphone: {
    NotAllowedError: "The microphone is blocked. Allow it for this page in the browser's address bar, then try again.",
    NotFoundError: "No microphone was found. Connect one, then try again.",
    NotReadableError: "Another program holds the microphone. Close it, then try again.",
    OverconstrainedError: "The chosen microphone is gone. Choose another in the settings.",
  },
  camera: {
    NotAllowedError: "The camera is blocked. Allow it for this page in the browser's address bar, then try again.",
    NotFoundError: "No camera was found. Connect one, then try again.",
    NotReadableError: "Another program holds the camera. Close it, then try again.",
    OverconstrainedError: "The chosen camera is gone. Choose another in the settings.",
  },
  screen: {
    NotAllowedError: "The screen was not shared.",
    NotFoundError: "There is no screen or window to share.",
    NotReadableError: "The system does not let this browser see the screen. Allow it in the system's privacy settings.",
  },
};

export function explained(error: unknown, kind: DeviceKind): DeviceError {
  if (error instanceof DeviceError) return error;
  const name = nameOf(error);
  return new DeviceError(REMEDIES[kind][name] ?? `The ${kind} cannot be used (${name}).`, kind);
}

/** Whether a device that was asked for by its id is no longer there. */
export function isGone(error: unknown): boolean {
  return nameOf(error) === "OverconstrainedError";
}

/** In some browsers not every error of a device is an Error. */
function nameOf(error: unknown): string {
  return (error as { name?: string } | null)?.name ?? "unknown";
}

/** Throws where browsers withhold devices, with the way out. */
export function requireDevices(): void {
  if (!window.isSecureContext || !navigator.mediaDevices) {
    throw new DeviceError(
      "Browsers give the microphone to secure pages only. Open this page as http://localhost, or through https.",
    );
  }
  if (!window.AudioWorkletNode) {
    throw new DeviceError(
      "This browser is too old: it has no AudioWorklet. Use a current Chrome, Edge, Firefox or Safari.",
    );
  }
}

/** Devices by kind; their names are empty until a permission was given. */
export async function listDevices(): Promise<Record<MediaDeviceKind, MediaDeviceInfo[]>> {
  const all = (await navigator.mediaDevices?.enumerateDevices().catch(() => [])) ?? [];
  const of = (kind: MediaDeviceKind) => all.filter((device) => device.kind === kind && device.deviceId);
  return { audioinput: of("audioinput"), audiooutput: of("audiooutput"), videoinput: of("videoinput") };
}
