// The page for going live: choose, look, go, and see how it is going.

import { make, one } from "../dom";
import { type Source, type Wish, capture, devices, stop } from "./capture";
import { type PublisherEvents, Publisher, type State } from "./publisher";
import type { Report } from "./report";
import { Sound } from "./sound";

/** In kbit/s, the middle one by default: what H.264 in real time takes for a face, and for a game. */
const BITRATES = { 720: [1500, 2500, 4000], 1080: [3000, 4500, 6000] } as const;
const FRAMES_PER_SECOND = 30;
const METER_MS = 100;
const KEY = "weir.streamkey";

const form = one<HTMLFormElement>(".settings");
const field = <T extends HTMLInputElement | HTMLSelectElement>(name: string) => one<T>(`[name=${name}]`, form);
const size = field<HTMLSelectElement>("size");
const bitrate = field<HTMLSelectElement>("bitrate");
const camera = field<HTMLSelectElement>("camera");
const microphone = field<HTMLSelectElement>("microphone");
const key = field<HTMLInputElement>("key");
const preview = one<HTMLVideoElement>("video");
const start = one<HTMLButtonElement>(".start");
const halt = one<HTMLButtonElement>(".stop");

let stream: MediaStream | undefined;
let sound: Sound | undefined;
let publisher: Publisher | undefined;
let page: string | undefined;
let awake: WakeLockSentinel | undefined;

takeFragment();
offerBitrates();
void listDevices();

form.addEventListener("submit", (event) => {
  event.preventDefault();
  void goLive();
});
halt.addEventListener("click", () => publisher?.end());
one(".preview").addEventListener("click", () => void look());
size.addEventListener("change", offerBitrates);
for (const choice of [size, camera, microphone]) choice.addEventListener("change", () => stream && void look());
for (const choice of form.querySelectorAll("[name=source]")) {
  choice.addEventListener("change", () => {
    one(".camera").hidden = source() === "screen";
    release();
  });
}
navigator.mediaDevices?.addEventListener("devicechange", () => void listDevices());
setInterval(() => (one<HTMLMeterElement>("meter").value = sound?.level() ?? 0), METER_MS);
addEventListener("beforeunload", (event) => publisher && event.preventDefault());
addEventListener("pagehide", () => publisher?.end());

/** `#key=…&video=…`: a fragment is never sent to a server, and leaves the address bar at once. */
function takeFragment(): void {
  const given = new URLSearchParams(location.hash.slice(1));
  const video = given.get("video");
  if (video) page = `/watch/${encodeURIComponent(video)}`;
  key.value = given.get("key") ?? kept() ?? "";
  if (location.hash) history.replaceState(null, "", location.pathname);
  keep();
}

/** For as long as the tab lasts, so that loading the page again loses nothing. */
function keep(): void {
  try {
    sessionStorage.setItem(KEY, key.value.trim());
  } catch {
    // Forbidden: it can be pasted again.
  }
}

function kept(): string | null {
  try {
    return sessionStorage.getItem(KEY);
  } catch {
    return null;
  }
}

function source(): Source {
  return new FormData(form).get("source") === "screen" ? "screen" : "camera";
}

function height(): 720 | 1080 {
  return size.value === "1080" ? 1080 : 720;
}

function offerBitrates(): void {
  const rates = BITRATES[height()];
  const label = (rate: number) => `${rate / 1000} Mbit/s`;
  bitrate.replaceChildren(...rates.map((rate) => new Option(label(rate), String(rate))));
  bitrate.selectedIndex = 1;
  one(".hint").textContent =
    height() === 1080 ? "Encoded on this device: 1080p takes a fast one, and an uplink of twice the bitrate." : "";
}

async function listDevices(): Promise<void> {
  const list = async (select: HTMLSelectElement, kind: MediaDeviceKind, first: HTMLOptionElement[], name: string) => {
    const { value } = select;
    const known = await devices(kind);
    const options = known.map(({ deviceId, label }, at) => new Option(label || `${name} ${at + 1}`, deviceId));
    select.replaceChildren(...first, ...options);
    if (Array.from(select.options).some((option) => option.value === value)) select.value = value;
  };
  await list(camera, "videoinput", [new Option("The default one", "")], "Camera");
  await list(microphone, "audioinput", [new Option("The default one", ""), new Option("None", "none")], "Microphone");
}

/** Shows what would be sent; says whether there is anything. */
async function look(): Promise<boolean> {
  const wish: Wish = {
    source: source(),
    camera: camera.value || undefined,
    microphone: microphone.value === "none" ? null : microphone.value || undefined,
    size: { height: height(), framesPerSecond: FRAMES_PER_SECOND },
  };
  try {
    // Some devices can be open once only.
    if (!publisher) release();
    const before = stream;
    stream = await capture(wish);
    if (before !== stream) stop(before);
  } catch (error) {
    say(error instanceof Error ? error.message : String(error), true);
    return false;
  }
  say("");
  sound ??= new Sound();
  const voice = sound.take(stream);
  const [picture] = stream.getVideoTracks();
  if (!picture) return false;
  // Viewers of a film mind stutter, readers of a screen mind blur.
  picture.contentHint = wish.source === "screen" ? "detail" : "motion";
  picture.addEventListener("ended", () => {
    if (stream?.getVideoTracks().includes(picture)) publisher?.end("Nothing is shared any more.");
    release();
  });
  preview.srcObject = stream;
  one(".nothing").hidden = true;
  await publisher?.replace("video", picture);
  if (voice) await publisher?.replace("audio", voice);
  void listDevices();
  return true;
}

function release(): void {
  if (publisher) return;
  stop(stream);
  stream = undefined;
  preview.srcObject = null;
  one(".nothing").hidden = false;
}

async function goLive(): Promise<void> {
  start.disabled = true;
  keep();
  const ready = stream !== undefined || (await look());
  start.disabled = false;
  const [video] = stream?.getVideoTracks() ?? [];
  if (!ready || !video || !stream) return;
  const audio = sound?.take(stream);
  const plan = {
    key: key.value.trim(),
    video,
    audio,
    kilobits: Number(bitrate.value),
    framesPerSecond: FRAMES_PER_SECOND,
  };
  const events: PublisherEvents = { state: show, report };
  publisher = new Publisher(plan, events);
}

function show(state: State): void {
  const going = state.is !== "ended";
  if (!going) publisher = undefined;
  start.hidden = going;
  halt.hidden = !going;
  one(".preview").hidden = going;
  // What the encoder is opened with stays; devices may be changed on the way.
  for (const control of [size, bitrate, key]) control.disabled = going;
  for (const choice of form.querySelectorAll<HTMLInputElement>("[name=source]")) choice.disabled = going;
  one(".statistics").hidden = state.is !== "live";
  const badge = one(".state");
  badge.hidden = !going;
  const words = { connecting: "Connecting", live: "Live", lost: "Interrupted", ended: "" };
  badge.textContent = words[state.is];
  badge.dataset["state"] = { connecting: "waiting", live: "live", lost: "away", ended: "" }[state.is];
  if (state.is === "connecting") say("Connecting…");
  else if (state.is === "live") say("You are live.");
  else if (state.is === "lost") say(`${state.why} Trying again…`, true);
  else say(state.why ?? "The broadcast has been stopped.", state.why !== undefined);
  if (state.is === "live") page = state.page ?? page;
  showPage(going);
  void stayAwake(going);
}

function showPage(going: boolean): void {
  const line = one(".watching");
  line.hidden = !going || !page;
  const link = one<HTMLAnchorElement>("a", line);
  if (!page) return;
  link.href = page;
  link.textContent = link.href;
}

/** A phone that goes to sleep stops its camera. */
async function stayAwake(going: boolean): Promise<void> {
  if (going) awake ??= await navigator.wakeLock?.request("screen").catch(() => undefined);
  else {
    void awake?.release();
    awake = undefined;
  }
}

function report(now: Report): void {
  const limits = { cpu: "this device", bandwidth: "the network", other: "something else" };
  const texts: [string, string][] = [
    [".bitrate", `${(now.bitsPerSecond / 1e6).toFixed(1)} Mbit/s`],
    [".size", `${now.width}×${now.height}`],
    [".frames", `${Math.round(now.framesPerSecond)} a second`],
    [".trip", now.roundTripMs === null ? "–" : `${Math.round(now.roundTripMs)} ms`],
    [".lost", now.packetsLost === null ? "–" : String(now.packetsLost)],
    [".limit", now.limitedBy ? limits[now.limitedBy] : "nothing"],
  ];
  for (const [selector, text] of texts) one(selector).textContent = text;
}

function say(text: string, wrong = false): void {
  const line = one(".said");
  line.replaceChildren(...(text ? [make("span", "", text)] : []));
  line.dataset["wrong"] = String(wrong);
}
