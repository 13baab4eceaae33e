// The player's renewal of playback tokens, on a clock of the test's own: when it asks the page, which
// token its URLs carry, and what it does when the page has none. Prints what it saw as JSON.

import { mock } from "node:test";
import { rolldown } from "../../www/node_modules/rolldown/dist/index.mjs";

const ORIGIN = "https://video.example.org";
const MINUTE = 60_000;

const bundle = await rolldown({ input: new URL("../../www/player/token.ts", import.meta.url).pathname });
const { output } = await bundle.generate({ format: "esm" });
const { Renewal, endOf } = await import(`data:text/javascript,${encodeURIComponent(output[0].code)}`);

// Of which Node warns that they may change.
process.removeAllListeners("warning");
mock.timers.enable({ apis: ["setTimeout", "Date"], now: 1_795_367_096_000 });
performance.now = () => Date.now();
console.warn = () => {};

/** A token that ends `minutes` from now. */
function token(name, minutes) {
  const exp = Math.floor((Date.now() + minutes * MINUTE) / 1000);
  const payload = Buffer.from(JSON.stringify({ name, exp, ü: "?>" })).toString("base64url");
  return `e30.${payload}.${name}`;
}

const url = (token) => `${ORIGIN}/t/${token}/v/pabcdefghijk/index.m3u8`;
const name = (url) => /\.(\w+)\/v\//.exec(url)?.[1] ?? null;

/** Lets time pass, and what was promised come true. */
async function pass(ms) {
  mock.timers.tick(ms);
  for (let turn = 0; turn < 10; turn += 1) await Promise.resolve();
}

let asked = 0;
let answer = async () => url(token("second", 60));
const old = token("first", 10);
const renewal = new Renewal(url(old), () => {
  asked += 1;
  return answer();
});
const segment = `${ORIGIN}/t/${old}/v/pabcdefghijk/3/480p/12.m4s?x=1`;
const seen = {};

await pass(8 * MINUTE);
seen.early = [asked, name(renewal.current(segment))];
await pass(1 * MINUTE);
seen.renewed = [asked, name(renewal.current(segment))];
seen.kept = renewal.current(segment).endsWith("/v/pabcdefghijk/3/480p/12.m4s?x=1");
seen.elsewhere = renewal.current("https://ads.example.org/t/a.b.c/v/x") === "https://ads.example.org/t/a.b.c/v/x";

// Refused: the page is asked at once, but not again and again.
answer = async () => url(token("third", 60));
await pass(MINUTE);
void renewal.now();
void renewal.now();
await pass(1);
void renewal.now();
await pass(1);
seen.refused = [asked, name(renewal.current(segment))];

// A page that fails is asked again.
answer = async () => {
  throw new Error("no");
};
await pass(59 * MINUTE);
const failed = asked;
answer = async () => "/t/" + token("fourth", 60) + "/v/pabcdefghijk/index.m3u8";
await pass(5_000);
seen.again = [failed, asked, name(renewal.current(segment))];

renewal.stop();
await pass(120 * MINUTE);
seen.stopped = asked;
seen.ends = [endOf(token("x", 1)) - Date.now() <= MINUTE, endOf("garbage") ?? null, endOf("e30.e30.") ?? null];
console.log(JSON.stringify(seen));
