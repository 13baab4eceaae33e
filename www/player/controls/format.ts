// Figures as a viewer reads them.

import type { Rendition } from "../playback";

/** `1:02:03`. */
export function clock(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds));
  const [h, m, s] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  const two = (n: number) => String(n).padStart(2, "0");
  return h ? `${h}:${two(m)}:${two(s)}` : `${m}:${two(s)}`;
}

export function megabits(bitsPerSecond: number): string {
  return `${(bitsPerSecond / 1e6).toFixed(1)} Mbit/s`;
}

export function nameOf({ name, height }: Rendition): string {
  if (!height) return name;
  return name === "source" || name === "real time" ? `${height}p ${name}` : `${height}p`;
}

/** `English` for `en`, in the browser's language. */
export function languageName(tag: string | null): string | undefined {
  if (!tag) return undefined;
  try {
    const names = new Intl.DisplayNames(navigator.languages as string[], { type: "language" });
    const name = names.of(tag) ?? tag;
    return name.charAt(0).toLocaleUpperCase() + name.slice(1);
  } catch {
    return tag;
  }
}
