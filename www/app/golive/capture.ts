// What is sent: a camera or the screen, and a microphone.

export type Source = "camera" | "screen";

/** Pictures: lines, and how many a second. */
export interface Size {
  height: 720 | 1080;
  framesPerSecond: number;
}

export interface Wish {
  source: Source;
  /** Device ids; none is the browser's choice. */
  camera: string | undefined;
  /** `null` is no microphone. */
  microphone: string | null | undefined;
  size: Size;
}

/** Why there is no picture or no sound, in words for a person. */
export class NotCaptured extends Error {}

/** Asks the person at the screen for leave, and yields what there is to send. */
export async function capture({ source, camera, microphone, size }: Wish): Promise<MediaStream> {
  if (!navigator.mediaDevices) {
    throw new NotCaptured("Browsers lend camera and screen only to pages on HTTPS. Open this page by https://.");
  }
  const shape = {
    width: { ideal: (size.height * 16) / 9 },
    height: { ideal: size.height },
    frameRate: { ideal: size.framesPerSecond, max: size.framesPerSecond },
  };
  // Of a microphone that talks into a room, the browser's own processing makes the best.
  const audio = microphone === null ? false : microphone ? { deviceId: { exact: microphone } } : true;
  try {
    if (source === "camera") {
      const video = camera ? { ...shape, deviceId: { exact: camera } } : shape;
      return await navigator.mediaDevices.getUserMedia({ video, audio });
    }
    const stream = await navigator.mediaDevices.getDisplayMedia({ video: shape, audio: true });
    if (audio) {
      const voice = await navigator.mediaDevices.getUserMedia({ audio }).catch((error: unknown) => {
        stop(stream);
        throw error;
      });
      for (const track of voice.getAudioTracks()) stream.addTrack(track);
    }
    return stream;
  } catch (error) {
    throw new NotCaptured(reason(error, source));
  }
}

export function stop(stream: MediaStream | undefined): void {
  for (const track of stream?.getTracks() ?? []) track.stop();
}

/** The devices of a kind. Their names are known once one of them may be used. */
export async function devices(kind: MediaDeviceKind): Promise<MediaDeviceInfo[]> {
  const all = (await navigator.mediaDevices?.enumerateDevices()) ?? [];
  return all.filter((device) => device.kind === kind && device.deviceId !== "");
}

function reason(error: unknown, source: Source): string {
  const what = source === "camera" ? "Camera and microphone" : "The screen";
  switch (error instanceof DOMException ? error.name : "") {
    case "NotAllowedError":
      return `${what} may not be used. Allow it in the browser’s address bar, and try again.`;
    case "NotFoundError":
      return source === "camera" ? "There is no camera, or no microphone." : "There is no microphone.";
    case "NotReadableError":
      return `${what} can’t be read. Another program may be using it.`;
    case "OverconstrainedError":
      return "That device is no longer there. Choose another one.";
    default:
      return `${what} can’t be used: ${String(error)}`;
  }
}
