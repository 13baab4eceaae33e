// What lets a viewer of this page in: the playback token of a protected video, which stands behind the
// page's address, /watch/VIDEO#token=TOKEN. Browsers send that part of an address to nobody, so that it
// is in no log and in no Referer. Behind `&token-url=` may stand a path of this host where the site gives
// a new one, before the old one ends.

import { fetched, type Renew, tokenPath } from "../player/token";

const given = new URLSearchParams(location.hash.slice(1));
let token = given.get("token");

// Another link to the same page, with a token that is good for longer perhaps.
addEventListener("hashchange", () => location.reload());

/** `path`, of a video's media or of its calls in the API, under the viewer's token. */
export function admitted(path: string): string {
  return token ? `/t/${encodeURIComponent(token)}${path}` : path;
}

/** Gives the video's URL under a new token, if the site does. */
export const renew: Renew | undefined = renewal(given.get("token-url"));

function renewal(path: string | null): Renew | undefined {
  if (!token || !path) return undefined;
  const { origin, href } = new URL(path, location.origin);
  // Cookies of this host open it, and a link may have been made by anyone.
  if (origin !== location.origin) return undefined;
  const ask = fetched(href);
  return async () => {
    const url = new URL(await ask(), location.origin).href;
    const renewed = tokenPath(url).slice("/t/".length);
    if (renewed) {
      token = decodeURIComponent(renewed);
      given.set("token", token);
      // A reload goes on with it.
      history.replaceState(history.state, "", `#${given}`);
    }
    return url;
  };
}
