// The player alone, for an <iframe> of somebody's page: /embed/ID, or /embed.html?src=… with a path of
// this server, which may carry a playback token. Options are autoplay, muted, real-time, controls and t.

import { preload } from "../player/element";
import { type Video, getVideo } from "./api";

const VIDEO = /^[op][a-z2-7]{11}$/;
const SOURCE = /^(?:\/t\/[\w.-]+)?\/v\/([op][a-z2-7]{11})\/(?:index\.m3u8|dvr\.m3u8|manifest\.mpd)$/;

const asked = new URLSearchParams(location.search);
const source = sourceOf(location.pathname, asked);
if (source) play(source.src, source.id);
else refuse();

interface Source {
  src: string;
  id: string;
}

/** What to play, if that is a video of this server: a frame is no window to anything else. */
function sourceOf(path: string, asked: URLSearchParams): Source | undefined {
  const id = asked.get("video") ?? path.split("/")[2] ?? "";
  if (VIDEO.test(id)) return { src: `/v/${id}/index.m3u8`, id };
  try {
    const { origin, pathname } = new URL(asked.get("src") ?? "", location.origin);
    const [src, video] = SOURCE.exec(pathname) ?? [];
    return origin === location.origin && src && video ? { src, id: video } : undefined;
  } catch {
    return undefined;
  }
}

function play(src: string, id: string): void {
  preload();
  const player = document.createElement("weir-player");
  player.setAttribute("video", id);
  for (const option of ["autoplay", "muted", "real-time"]) {
    player.toggleAttribute(option, asked.has(option) && asked.get(option) !== "0");
  }
  if (asked.get("controls") === "none" || asked.get("controls") === "0") player.setAttribute("controls", "none");
  player.setAttribute("src", src);
  const start = Number(asked.get("t"));
  if (start > 0) {
    const begin = () => player.state?.live === false && player.seekTo(start);
    player.video.addEventListener("loadedmetadata", begin, { once: true });
  }
  document.body.append(player);
  void getVideo(id).then(describe).catch(() => {});

  function describe(video: Video): void {
    document.title = video.title || "Weir";
    player.setAttribute("media-title", document.title);
  }
}

function refuse(): void {
  const text = document.createElement("p");
  text.setAttribute("role", "alert");
  text.textContent = "There is nothing to play at this address.";
  document.body.append(text);
}
