// Comments under a video: a list that follows the newest, a form, and what else its room tells.

import { type Comment, Refused, postComment } from "./api";
import { ago, count, make, one } from "./dom";
import { showReactions } from "./reactions";
import { type Notice, Room } from "./room";

/** Most comments kept in the page. */
const KEPT = 500;
const AUTHOR = "weir.author";

const notices: Record<Notice, string> = {
  live: "The broadcast is live.",
  away: "The broadcast was interrupted.",
  slate: "The broadcast was interrupted. It may go on in a moment.",
  ended: "The broadcast has ended.",
};

/** What the page hears of the viewer and of the broadcast. */
export interface Hooks {
  onPosted(): void;
  onReacted(kind: number): void;
  onNotice(): void;
}

export function showComments(root: HTMLElement, video: string, hooks: Hooks): void {
  const list = one(".list", root);
  const newer = one<HTMLButtonElement>(".newer", root);
  const watching = one(".watching", root);
  const output = one("output", root);
  let noticed: Notice | undefined;

  const atEnd = () => list.scrollHeight - list.scrollTop - list.clientHeight < 60;
  const follow = () => {
    list.scrollTop = list.scrollHeight;
    newer.hidden = true;
  };
  const add = (items: HTMLElement[]) => {
    const following = list.childElementCount === 0 || atEnd();
    list.append(...items);
    while (list.childElementCount > KEPT) list.firstElementChild?.remove();
    if (following) follow();
    else newer.hidden = false;
  };

  const react = showReactions(
    one(".reactions", root),
    video,
    (text) => (output.textContent = text),
    hooks.onReacted,
  );
  const room = new Room(video, {
    comments(comments, total) {
      one(".total", root).textContent = total > 0 ? count(total) : "";
      list.dataset["empty"] = total === 0 ? "No comments yet. Yours could be the first." : "";
      if (comments.length > 0) add(comments.map(item));
    },
    reactions: react,
    notice(notice) {
      // What was so when the page came is no news.
      if (noticed !== undefined && noticed !== notice) add([make("li", "notice", notices[notice])]);
      noticed = notice;
      hooks.onNotice();
    },
    viewers(viewers) {
      watching.hidden = viewers === undefined;
      watching.textContent = `${count(Math.max(viewers ?? 0, 1))} watching`;
    },
  });

  newer.addEventListener("click", follow);
  list.addEventListener("scroll", () => {
    if (atEnd()) newer.hidden = true;
  });
  form(one("form", root), video, async () => {
    hooks.onPosted();
    await room.posted();
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
