// What a viewer chose, kept for the next visit. Storage may be missing or forbidden; then nothing is.

export type Remembered = "volume" | "muted" | "captions" | "sound" | "throughput";

export function recall(what: Remembered): string | null {
  try {
    return localStorage.getItem(`weir.${what}`);
  } catch {
    return null;
  }
}

export function remember(what: Remembered, value: string): void {
  try {
    localStorage.setItem(`weir.${what}`, value);
  } catch {
    // Full or forbidden: the page still plays.
  }
}
