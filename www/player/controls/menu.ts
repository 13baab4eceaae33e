// A menu of pages: rows that lead to a page of choices, and choices of which one is taken.

export interface Choice {
  label: string;
  note?: string;
  taken: boolean;
  take: () => void;
}

/** A row of the first page. */
export type Entry =
  | { readonly name: string; readonly value: string; readonly choices: () => Choice[] }
  | { readonly name: string; readonly checked: boolean; readonly toggle: () => void }
  | { readonly name: string; readonly act: () => void };

export class Menu {
  private readonly list: HTMLElement;
  private readonly button: HTMLElement;
  private readonly entries: () => Entry[];
  /** Name of the page of choices that is shown. */
  private page: string | undefined;

  /** `entries` are asked for whenever a page is opened. */
  constructor(list: HTMLElement, button: HTMLElement, entries: () => Entry[]) {
    this.list = list;
    this.button = button;
    this.entries = entries;
  }

  get open(): boolean {
    return !this.list.hidden;
  }

  toggle(): void {
    this.list.hidden = this.open;
    this.button.ariaExpanded = String(this.open);
    if (this.open) this.showEntries();
    else this.button.focus();
  }

  press(event: KeyboardEvent): void {
    const items = this.items;
    const at = items.findIndex((item) => item.matches(":focus"));
    switch (event.key) {
      case "ArrowDown":
        items[(at + 1) % items.length]?.focus();
        break;
      case "ArrowUp":
        items.at(Math.max(at, 0) - 1)?.focus();
        break;
      case "Home":
        items[0]?.focus();
        break;
      case "End":
        items.at(-1)?.focus();
        break;
      case "ArrowRight":
        if (items[at]?.ariaHasPopup) items[at]?.click();
        break;
      case "ArrowLeft":
        if (this.page) this.showEntries();
        break;
      case "Escape":
        if (this.page) this.showEntries();
        else this.toggle();
        break;
      case "Tab":
        this.toggle();
        return;
      default:
        return;
    }
    event.preventDefault();
    event.stopPropagation();
  }

  private get items(): HTMLElement[] {
    return Array.from(this.list.querySelectorAll("button"));
  }

  private showEntries(): void {
    const before = this.page;
    this.page = undefined;
    this.list.ariaLabel = "Settings";
    this.list.replaceChildren(...this.entries().map((entry) => this.row(entry)));
    const back = before && this.items.find((item) => item.dataset["name"] === before);
    (back || this.items[0])?.focus();
  }

  private showChoices(name: string, choices: Choice[]): void {
    this.page = name;
    this.list.ariaLabel = name;
    const back = item("menuitem", name);
    back.classList.add("back");
    back.ariaLabel = `${name}, back to settings`;
    back.addEventListener("click", () => this.showEntries());
    this.list.replaceChildren(back, ...choices.map((choice) => this.choice(choice)));
    (this.list.querySelector<HTMLElement>("[aria-checked=true]") ?? back).focus();
  }

  private row(entry: Entry): HTMLElement {
    if (!("choices" in entry)) {
      const row = item("toggle" in entry ? "menuitemcheckbox" : "menuitem", entry.name);
      if ("toggle" in entry) row.ariaChecked = String(entry.checked);
      row.addEventListener("click", () => {
        this.toggle();
        if ("toggle" in entry) entry.toggle();
        else entry.act();
      });
      return row;
    }
    const row = item("menuitem", entry.name, entry.value);
    row.dataset["name"] = entry.name;
    row.ariaHasPopup = "menu";
    row.addEventListener("click", () => this.showChoices(entry.name, entry.choices()));
    return row;
  }

  private choice({ label, note, taken, take }: Choice): HTMLElement {
    const choice = item("menuitemradio", label, note);
    choice.ariaChecked = String(taken);
    choice.addEventListener("click", () => {
      take();
      this.toggle();
    });
    return choice;
  }
}

function item(role: string, label: string, note = ""): HTMLButtonElement {
  const item = document.createElement("button");
  item.setAttribute("role", role);
  item.tabIndex = -1;
  const small = document.createElement("small");
  small.textContent = note;
  item.append(label, small);
  return item;
}
