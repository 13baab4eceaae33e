// The menu of qualities: a list of choices, of which one is taken.

export interface Choice {
  label: string;
  note: string;
  taken: boolean;
  take: () => void;
}

export class Menu {
  private readonly list: HTMLElement;
  private readonly button: HTMLElement;
  private readonly choices: () => Choice[];

  /** `choices` are asked for when the menu is opened. */
  constructor(list: HTMLElement, button: HTMLElement, choices: () => Choice[]) {
    this.list = list;
    this.button = button;
    this.choices = choices;
  }

  get open(): boolean {
    return !this.list.hidden;
  }

  toggle(): void {
    this.list.hidden = this.open;
    this.button.ariaExpanded = String(this.open);
    if (!this.open) return this.button.focus();
    this.list.replaceChildren(...this.choices().map((choice) => this.item(choice)));
    this.list.querySelector<HTMLElement>("[aria-checked=true]")?.focus();
  }

  press(event: KeyboardEvent): void {
    const items = Array.from(this.list.querySelectorAll("button"));
    const at = items.findIndex((item) => item.matches(":focus"));
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step) items[(at + step + items.length) % items.length]?.focus();
    else if (event.key === "Escape") this.toggle();
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  private item({ label, note, taken, take }: Choice): HTMLElement {
    const item = document.createElement("button");
    item.setAttribute("role", "menuitemradio");
    item.ariaChecked = String(taken);
    const small = document.createElement("small");
    small.textContent = note;
    item.append(label, small);
    item.addEventListener("click", () => {
      take();
      this.toggle();
    });
    return item;
  }
}
