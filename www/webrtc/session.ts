// A session of WHIP (RFC 9725) or WHEP (draft-ietf-wish-whep): an offer goes out by POST, an answer
// comes back with the session's address, and a DELETE ends it.

/** An offer that was not taken, with the problem's words for a person (RFC 9457). */
export class NotTaken extends Error {
  /** HTTP status; 0 is no answer at all. */
  readonly status: number;

  constructor(status: number, detail: string) {
    super(detail);
    this.status = status;
  }
}

export interface Opened {
  /** Where the session is ended. */
  location: string;
  /** A page about what the session is of, if the server names one. */
  page: string | undefined;
}

/**
 * Offers what `peer` has and takes in the answer. The server's candidates are in the answer, and it
 * learns the peer's from their checks, so that nothing waits for candidates to be gathered.
 */
export async function open(
  peer: RTCPeerConnection,
  endpoint: string,
  signal: AbortSignal,
  bearer?: string,
): Promise<Opened> {
  const offer = await peer.createOffer();
  const headers: Record<string, string> = { "content-type": "application/sdp" };
  if (bearer) headers["authorization"] = `Bearer ${bearer}`;
  const body = offer.sdp ?? "";
  const answer = await fetch(endpoint, { method: "POST", headers, body, signal }).catch((error: unknown) => {
    if (signal.aborted) throw error;
    throw new NotTaken(0, "The server can’t be reached.");
  });
  if (answer.status !== 201) throw await refusal(answer);
  const location = new URL(answer.headers.get("location") ?? "", answer.url).href;
  try {
    const links = parseLinks(answer.headers.get("link") ?? "");
    // From here on candidates are gathered: the servers have to be known before.
    const iceServers = links.filter(({ rel }) => rel === "ice-server").map(iceServer);
    if (iceServers.length > 0) peer.setConfiguration({ iceServers });
    await peer.setLocalDescription(offer);
    await peer.setRemoteDescription({ type: "answer", sdp: await answer.text() });
    signal.throwIfAborted();
    return { location, page: links.find(({ rel }) => rel === "alternate")?.uri };
  } catch (error) {
    close(location, peer);
    throw error;
  }
}

/** Ends a session, if there is one, also while the page goes. The connection goes last: without it
 *  the server ends the session by itself, and would not know it any more. */
export function close(location: string | undefined, peer: RTCPeerConnection): void {
  const told = location && fetch(location, { method: "DELETE", keepalive: true });
  void Promise.resolve(told)
    .catch(() => {})
    .finally(() => peer.close());
}

async function refusal(answer: Response): Promise<NotTaken> {
  const problem = (await answer.json().catch(() => ({}))) as { detail?: string };
  const detail = problem.detail ?? `The server answered ${answer.status}`;
  return new NotTaken(answer.status, sentence(detail));
}

function sentence(text: string): string {
  const ended = /[.!?]$/.test(text) ? text : `${text}.`;
  return ended.charAt(0).toUpperCase() + ended.slice(1);
}

interface Link {
  uri: string;
  rel: string;
  parameters: Map<string, string>;
}

/** A Link field (RFC 8288 section 3): `<uri>; name="value"; name=value, <uri>…`. */
export function parseLinks(field: string): Link[] {
  const links: Link[] = [];
  for (const [, uri = "", rest = ""] of field.matchAll(/<([^>]*)>((?:\s*;\s*[\w-]+\s*=\s*(?:"(?:[^"\\]|\\.)*"|[^\s;,"]+))*)/g)) {
    const parameters = new Map<string, string>();
    for (const [, name = "", value = ""] of rest.matchAll(/([\w-]+)\s*=\s*("(?:[^"\\]|\\.)*"|[^\s;,"]+)/g)) {
      parameters.set(name.toLowerCase(), value.replace(/^"|"$/g, "").replace(/\\(.)/g, "$1"));
    }
    links.push({ uri, rel: parameters.get("rel") ?? "", parameters });
  }
  return links;
}

function iceServer({ uri, parameters }: Link): RTCIceServer {
  const username = parameters.get("username");
  const credential = parameters.get("credential");
  return { urls: uri, ...(username && { username }), ...(credential && { credential }) };
}
