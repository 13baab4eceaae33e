// Reactions: a row of buttons, and what others feel as it comes.

import { type Reaction, Refused, postReaction } from "./api";
import { count, make } from "./dom";

const signs: Record<Reaction, [sign: string, word: string]> = {
  heart: ["❤️", "Heart"],
  clap: ["👏", "Clap"],
  laugh: ["😂", "Laugh"],
  wow: ["😮", "Wow"],
  fire: ["🔥", "Fire"],
};
const kinds = Object.keys(signs) as Reaction[];

/** Most signs in the air at a time, and of one kind in one go. */
const MOST = 14;
const MOST_AT_ONCE = 5;
const RISE_MS = 1600;
/** A button takes no more than this. */
const PAUSE_MS = 250;

/** Fills `row` with buttons; the answer shows what comes. `onSent` hears of the viewer's own. */
export function showReactions(
  row: HTMLElement,
  video: string,
  say: (text: string) => void,
  onSent: (kind: number) => void,
): (counts: Partial<Record<Reaction, number>>) => void {
  const totals = new Map<Reaction, number>();
  const buttons = new Map<Reaction, HTMLButtonElement>();
  const still = matchMedia("(prefers-reduced-motion: reduce)");

  for (const [index, kind] of kinds.entries()) {
    const [sign, word] = signs[kind];
    const button = make("button", "react", sign, make("small"));
    button.type = "button";
    button.ariaLabel = word;
    button.title = word;
    let sent = -PAUSE_MS;
    button.addEventListener("click", async () => {
      if (performance.now() - sent < PAUSE_MS) return;
      sent = performance.now();
      try {
        await postReaction(video, kind);
        say("");
        onSent(index);
      } catch (error) {
        const often = error instanceof Refused && error.status === 429;
        say(often ? "Not so fast, please." : "Not sent: no connection.");
      }
    });
    buttons.set(kind, button);
    row.append(button);
  }

  return (counts) => {
    for (const kind of kinds) {
      const more = counts[kind] ?? 0;
      const button = buttons.get(kind);
      if (more === 0 || !button) continue;
      const total = (totals.get(kind) ?? 0) + more;
      totals.set(kind, total);
      const small = button.querySelector("small");
      if (small) small.textContent = count(total);
      if (still.matches || document.visibilityState === "hidden") continue;
      for (let n = 0; n < Math.min(more, MOST_AT_ONCE); n += 1) rise(button, signs[kind][0], n);
    }
  };
}

/** A sign rises from its button and fades. */
function rise(button: HTMLElement, sign: string, n: number): void {
  const row = button.parentElement;
  if (!row || row.querySelectorAll(".rising").length >= MOST) return;
  const rising = make("span", "rising", sign);
  rising.ariaHidden = "true";
  rising.style.left = `${button.offsetLeft + button.offsetWidth / 2}px`;
  row.append(rising);
  const aside = (Math.random() - 0.5) * 46;
  const way = [
    { transform: "translate(-50%, 0) scale(.7)", opacity: 0 },
    { transform: `translate(calc(-50% + ${aside / 3}px), -36px) scale(1)`, opacity: 1, offset: 0.25 },
    { transform: `translate(calc(-50% + ${aside}px), -130px) scale(.9)`, opacity: 0 },
  ];
  const rise = rising.animate(way, { duration: RISE_MS, delay: n * 90, easing: "ease-out", fill: "backwards" });
  rise.addEventListener("finish", () => rising.remove());
}
