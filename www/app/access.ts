// What lets a viewer of this page in: the playback token of a protected video, which stands behind the
// page's address, /watch/VIDEO#token=TOKEN. Browsers send that part of an address to nobody, so that it
// is in no log and in no Referer.

const token = new URLSearchParams(location.hash.slice(1)).get("token");

// Another link to the same page, with a token that is good for longer perhaps.
addEventListener("hashchange", () => location.reload());

/** `path`, of a video's media or of its calls in the API, under the viewer's token. */
export function admitted(path: string): string {
  return token ? `/t/${encodeURIComponent(token)}${path}` : path;
}
