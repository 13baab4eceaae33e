// Small helpers for building pages.

/** The element that a selector names; the page always has it. */
export function one<T extends Element = HTMLElement>(selector: string, root: ParentNode = document): T {
  const found = root.querySelector<T>(selector);
  if (!found) throw new Error(`the page lacks ${selector}`);
  return found;
}

/** A new element with a class and children. Text goes in as text, never as markup. */
export function make<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  className = "",
  ...children: (Node | string)[]
): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag);
  if (className) element.className = className;
  element.append(...children);
  return element;
}

/** Does `work` now and again after each `ms`, while the page is shown. */
export function poll(ms: number, work: () => Promise<void>): void {
  let running = false;
  const turn = async () => {
    if (running || document.visibilityState === "hidden") return;
    running = true;
    await work().catch(() => {});
    running = false;
  };
  void turn();
  setInterval(turn, ms);
  document.addEventListener("visibilitychange", turn);
}

const relative = new Intl.RelativeTimeFormat("en", { numeric: "auto" });

/** `5 minutes ago`. */
export function ago(unixMs: number): string {
  const seconds = Math.min(0, (unixMs - Date.now()) / 1000);
  const units: [Intl.RelativeTimeFormatUnit, number][] = [
    ["day", 86_400],
    ["hour", 3600],
    ["minute", 60],
  ];
  const [unit, length] = units.find(([, length]) => -seconds >= length) ?? ["second", 1];
  if (unit === "second") return "just now";
  return relative.format(Math.round(seconds / length), unit);
}

const compact = new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 1 });

/** `1.2K`. */
export function count(n: number): string {
  return compact.format(n);
}
