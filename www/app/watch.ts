// The watch page: player, what is known of the video, comments.

import { preload } from "../player/element";
import { admitted, renew } from "./access";
import { Refused, type Video, getVideo } from "./api";
import { showComments } from "./comments";
import { ago, make, one, poll } from "./dom";
import { showState } from "./state";
import { showStatistics } from "./statistics";

preload();

const id = location.pathname.split("/")[2] ?? "";
const player = document.createElement("weir-player");
player.setAttribute("video", id);
player.setAttribute("autoplay", "");
player.renew = renew;
player.setAttribute("src", admitted(`/v/${id}/index.m3u8`));
one(".stage").append(player);

const refresh = async () => {
  try {
    describe(await getVideo(id));
  } catch (error) {
    if (error instanceof Refused && error.status === 404) {
      one(".title").textContent = "There is no such video";
    }
    if (error instanceof Refused && error.status === 403) {
      one(".title").textContent = "This link is not, or no longer, good for watching";
    }
  }
};
showComments(one(".comments"), id, {
  onPosted: () => player.report("comment"),
  onReacted: (kind) => player.report("reaction", kind),
  // A video's state is shared for a second: by then the news is in it.
  onNotice: () => setTimeout(refresh, 1100),
});
showStatistics(id);
poll(4000, refresh);

function describe(video: Video): void {
  const title = video.title || "Untitled";
  document.title = `${title} · Weir`;
  one(".title").textContent = title;
  showState(one(".state"), video.state);
  const { started_at, ended_at } = video;
  const since = ended_at ? `ended ${ago(ended_at)}` : started_at ? `started ${ago(started_at)}` : "";
  one(".since").textContent = since;
  const warnings = one(".warnings");
  warnings.hidden = !video.warnings?.length;
  warnings.replaceChildren(...(video.warnings ?? []).map((warning) => make("li", "", warning)));
}

const liked = `weir.liked.${id}`;
const like = one<HTMLButtonElement>(".like");
like.ariaPressed = String(localStorage.getItem(liked) !== null);
like.addEventListener("click", () => {
  const takesBack = like.ariaPressed === "true";
  like.ariaPressed = String(!takesBack);
  if (takesBack) localStorage.removeItem(liked);
  else localStorage.setItem(liked, "1");
  player.report("like", takesBack ? 0 : undefined);
});

one(".share").addEventListener("click", async () => {
  const label = one(".share span");
  try {
    // Without what stands behind it: a token is the viewer's own.
    const url = new URL(location.pathname, location.href).href;
    if (navigator.share) await navigator.share({ title: document.title, url });
    else await navigator.clipboard.writeText(url);
    player.report("share");
    label.textContent = "Link copied";
    setTimeout(() => (label.textContent = "Share"), 2500);
  } catch {
    // The viewer changed their mind, or the browser forbids it.
  }
});

one(".embed").addEventListener("click", async () => {
  const label = one(".embed span");
  try {
    await navigator.clipboard.writeText(frameOf(new URL(`/embed/${id}`, location.href).href));
    label.textContent = "Code copied";
    setTimeout(() => (label.textContent = "Embed"), 2500);
  } catch {
    // The browser forbids it.
  }
});

/** A frame that keeps its place while it loads. */
function frameOf(address: string): string {
  const allow = "autoplay; fullscreen; picture-in-picture";
  const style = "width: 100%; aspect-ratio: 16 / 9; border: 0";
  return `<iframe src="${address}" title="Video" allow="${allow}" loading="lazy" style="${style}"></iframe>`;
}
