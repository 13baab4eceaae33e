// Comments under a video: a list that follows the newest, and a form.

import { type Comment, Refused, listComments, postComment } from "./api";
import { ago, count, make, one, poll } from "./dom";

const POLL_MS = 2000;
/** Most comments kept in the page. */
const KEPT = 500;
const AUTHOR = "weir.author";

export function showComments(root: HTMLElement, video: string, onPosted: () => void): void {
  const list = one(".list", root);
  const newer = one<HTMLButtonElement>(".newer", root);
  let last: number | undefined;

  const atEnd = () => list.scrollHeight - list.scrollTop - list.clientHeight < 60;
  const follow = () => {
    list.scrollTop = list.scrollHeight;
    newer.hidden = true;
  };

  const add = (comments: Comment[]) => {
    const fresh = comments.filter(({ seq }) => last === undefined || seq > last);
    if (fresh.length === 0) return;
    const following = last === undefined || atEnd();
    last = fresh.at(-1)?.seq;
    list.append(...fresh.map(item));
    while (list.childElementCount > KEPT) list.firstElementChild?.remove();
    if (following) follow();
    else newer.hidden = false;
  };

  const refresh = async () => {
    const page = await listComments(video, last);
    one(".total", root).textContent = page.total > 0 ? count(page.total) : "";
    list.dataset["empty"] = page.total === 0 ? "No comments yet. Yours could be the first." : "";
    // An empty video's next page begins at its first comment.
    if (page.comments.length === 0) last ??= 0;
    add(page.comments);
  };

  newer.addEventListener("click", follow);
  list.addEventListener("scroll", () => {
    if (atEnd()) newer.hidden = true;
  });
  poll(POLL_MS, refresh);
  form(one("form", root), video, async () => {
    onPosted();
    await refresh().catch(() => {});
    follow();
  });
}

function form(element: HTMLFormElement, video: string, onPosted: () => Promise<void>): void {
  const author = one<HTMLInputElement>("[name=author]", element);
  const text = one<HTMLTextAreaElement>("[name=text]", element);
  const button = one<HTMLButtonElement>("button", element);
  const output = one("output", element);
  author.value = localStorage.getItem(AUTHOR) ?? "";

  element.addEventListener("submit", async (event) => {
    event.preventDefault();
    button.disabled = true;
    output.textContent = "";
    try {
      await postComment(video, author.value.trim(), text.value.trim());
      localStorage.setItem(AUTHOR, author.value.trim());
      text.value = "";
      await onPosted();
    } catch (error) {
      output.textContent = error instanceof Refused ? error.message : "Not sent: no connection.";
    } finally {
      button.disabled = false;
    }
  });
  text.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
      event.preventDefault();
      element.requestSubmit();
    }
  });
}

function item({ author, text, created_at }: Comment): HTMLElement {
  const time = make("time", "", ago(created_at));
  time.dateTime = new Date(created_at).toISOString();
  const name = make("b", "", author);
  name.style.setProperty("--hue", String(Array.from(author).reduce((h, c) => (h * 31 + c.charCodeAt(0)) % 360, 7)));
  return make("li", "", make("div", "by", name, time), make("p", "", text));
}
