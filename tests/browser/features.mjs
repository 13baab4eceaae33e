// What the player offers beside playing. Input: {page, embed, source, package, cases}: addresses of the
// watch page, of the page for frames and of the multivariant playlist, the folder of the npm package,
// and which of the cases below are run. A case that fails throws; the output is {passed: [case, …]}.

import assert from "node:assert/strict";
import { createReadStream, existsSync } from "node:fs";
import { createServer } from "node:http";
import { join } from "node:path";

import { collectErrors, input, withChromium } from "./chromium.mjs";

const cases = { settings, captions, subtitles, storyboard, trouble, frame, refusal, packaged };

const given = input();

await withChromium(async (browser) => {
  for (const name of given.cases) {
    const context = await browser.newContext({ viewport: { width: 1280, height: 800 } });
    const page = await context.newPage();
    page.setDefaultTimeout(60_000);
    const errors = [];
    collectErrors(page, errors);
    try {
      await cases[name](page, errors);
    } catch (error) {
      error.message = `${name}: ${error.message} ${errors}`;
      throw error;
    }
    await page.unrouteAll({ behavior: "ignoreErrors" });
    await context.close();
  }
  return { passed: given.cases };
});

/** The menu and the statistics by keyboard alone. */
async function settings(page, errors) {
  await page.goto(given.page);
  await plays(page);
  await inPlayer(page, (player) => player.shadowRoot.querySelector(".quality").focus());
  const focused = () => inPlayer(page, (player) => player.shadowRoot.activeElement?.firstChild.textContent);
  await page.keyboard.press("Enter");
  assert.equal(await focused(), "Quality");
  await page.keyboard.press("ArrowRight");
  assert.equal(await focused(), "Auto", "what is taken has the focus");
  await page.keyboard.press("ArrowLeft");
  assert.equal(await focused(), "Quality", "the way back leads to where it came from");
  await page.keyboard.press("End");
  assert.equal(await focused(), "Statistics");
  await page.keyboard.press("Enter");
  await page.locator("weir-player .nerds", { hasText: "Throughput" }).waitFor();
  await page.waitForFunction(() => /\d s/.test(document.querySelector("weir-player").shadowRoot.querySelector(".nerds dd").textContent));
  await page.locator("weir-player .nerds .close").click();
  await page.locator("weir-player .nerds").waitFor({ state: "detached" });

  // At the live edge there is no speed to choose; behind it there is.
  const speeds = () => page.locator("weir-player .menu").getByRole("menuitem", { name: "Speed" }).count();
  await inPlayer(page, (player) => player.shadowRoot.querySelector(".quality").click());
  assert.equal(await speeds(), 0);
  await page.keyboard.press("Escape");
  await page.keyboard.press("j");
  await holds(page, (player) => player.state.following === false);
  await inPlayer(page, (player) => player.shadowRoot.querySelector(".quality").click());
  assert.equal(await speeds(), 1);
  await page.keyboard.press("Escape");
  await page.keyboard.press("<");
  await holds(page, (player) => player.speed === 0.75 && player.video.playbackRate === 0.75);
  assert.deepEqual(faults(errors), []);
}

/** A file that the page names: shown, turned off, and remembered. */
async function captions(page) {
  const file = "WEBVTT\n\n1\n00:00.000 --> 20:00:00.000 align:start\n<b>Hello</b> there\n";
  await page.route("**/hello.vtt", (route) => route.fulfill({ contentType: "text/vtt", body: file }));
  const track = () =>
    inPlayer(page, (player) => {
      const track = document.createElement("track");
      Object.assign(track, { kind: "captions", src: "/hello.vtt", srclang: "en", label: "English", default: true });
      player.append(track);
    });
  await page.goto(given.page);
  await plays(page);
  await track();
  await page.locator("weir-player .cues", { hasText: "Hello there" }).waitFor();
  assert.equal(await page.locator("weir-player .cues b").textContent(), "Hello");
  await page.locator("weir-player .captions").waitFor();
  await page.keyboard.press("c");
  await page.locator("weir-player .cues", { hasText: "Hello" }).waitFor({ state: "hidden" });

  await page.reload();
  await plays(page);
  await track();
  await holds(page, (player) => player.captions?.list.length === 1);
  assert.equal(await inPlayer(page, (player) => player.captions.chosen), null, "off stays off");
  await page.keyboard.press("c");
  await page.locator("weir-player .cues", { hasText: "Hello there" }).waitFor();
}

/** A group of subtitles in the multivariant playlist, in segments that go by the stream's dates. */
async function subtitles(page) {
  const dated = (at) => new Date(Math.floor(at / 2000) * 2000);
  await page.route("**/subtitles/index.m3u8", (route) => route.fulfill({ body: playlist(dated(Date.now())) }));
  const multivariant = (url) => /^\/v\/[^/]+\/index\.m3u8$/.test(url.pathname);
  await page.route(multivariant, async (route) => {
    const answer = await route.fetch();
    const listed = '#EXT-X-MEDIA:TYPE=SUBTITLES,GROUP-ID="subs",NAME="Deutsch",LANGUAGE="de",DEFAULT=YES,URI="subtitles/index.m3u8"\n';
    const body = (await answer.text()).replace("#EXT-X-STREAM-INF", `${listed}#EXT-X-STREAM-INF`);
    await route.fulfill({ response: answer, body });
  });
  // Each segment says its own date.
  await page.route("**/subtitles/*.vtt", (route) => {
    const at = Number(/(\d+)\.vtt/.exec(route.request().url())[1]);
    return route.fulfill({ contentType: "text/vtt", body: `WEBVTT\n\n00:00.000 --> 00:02.000\nat ${at}\n` });
  });
  await page.goto(given.page);
  await plays(page);
  await page.locator("weir-player .cues", { hasText: /^at \d+$/ }).waitFor();
  // The date on the screen is that of the picture under it, up to a turn of the player's own clock.
  await holds(page, (player) => {
    const shown = Number(player.shadowRoot.querySelector(".cues").textContent.replace("at ", ""));
    const behind = player.stats().playheadPdtMs - shown;
    return shown > 0 && behind > -600 && behind < 2600;
  });

  function playlist(now) {
    const lines = ["#EXTM3U", "#EXT-X-VERSION:6", "#EXT-X-TARGETDURATION:2"];
    for (let at = now.getTime() - 60_000; at < now.getTime() + 10_000; at += 2000) {
      lines.push(`#EXT-X-PROGRAM-DATE-TIME:${new Date(at).toISOString()}`, "#EXTINF:2,", `${at}.vtt`);
    }
    return `${lines.join("\n")}\n`;
  }
}

/** Pictures along the bar of time, from the page's own file. */
async function storyboard(page) {
  const file = "WEBVTT\n\n00:00.000 --> 20:00:00.000\nsprite.png#xywh=160,90,160,90\n";
  await page.route("**/thumbs/list.vtt", (route) => route.fulfill({ contentType: "text/vtt", body: file }));
  await page.route("**/thumbs/sprite.png", (route) => route.fulfill({ contentType: "image/png", body: "" }));
  await page.goto(given.page);
  await plays(page);
  await inPlayer(page, (player) => {
    const track = document.createElement("track");
    Object.assign(track, { kind: "metadata", label: "thumbnails", src: "/thumbs/list.vtt" });
    player.append(track);
  });
  await pointed(page, page.locator("weir-player .seek"), page.locator("weir-player .thumb"));
  const { backgroundImage, backgroundPosition } = await inPlayer(page, (player) => {
    const { backgroundImage, backgroundPosition } = getComputedStyle(player.shadowRoot.querySelector(".thumb"));
    return { backgroundImage, backgroundPosition };
  });
  assert.match(backgroundImage, /\/thumbs\/sprite\.png"\)$/);
  assert.equal(backgroundPosition, "-160px -90px");
  assert.match(await page.locator("weir-player .tip").textContent(), /^(Live|−\d+:\d\d)$/);
}

/** What went wrong is said, and mends by itself. */
async function trouble(page) {
  const broken = (url) => url.pathname.endsWith("/index.m3u8");
  await page.route(broken, (route) => route.fulfill({ status: 500 }));
  await page.goto(given.page);
  await page.locator("weir-player .message", { hasText: "It answered 500." }).waitFor();
  await page.unroute(broken);
  await plays(page);
  await page.locator("weir-player .message").waitFor({ state: "hidden" });
}

/** The page for frames, on a page of another origin: it plays, and moves nothing as it loads. */
async function frame(page) {
  const html = `<!doctype html><p>Above</p><iframe src="${given.embed}?autoplay&muted" width="640" height="360"
    allow="autoplay; fullscreen; picture-in-picture"></iframe><p>Below</p>`;
  await served({ "/": ["text/html", () => html] }, async (address) => {
    await page.goto(address);
    const frame = await (await page.$("iframe")).contentFrame();
    await frame.waitForFunction(() => document.querySelector("weir-player")?.stats().playedSeconds > 1, null, { timeout: 60_000 });
    const { width, height, shifts } = await frame.evaluate(async () => {
      const { width, height } = document.querySelector("weir-player").getBoundingClientRect();
      const shifts = await new Promise((resolve) => {
        new PerformanceObserver((list) => resolve(list.getEntries().length)).observe({ type: "layout-shift", buffered: true });
        setTimeout(resolve, 500, 0);
      });
      return { width, height, shifts };
    });
    assert.deepEqual({ width, height, shifts }, { width: 640, height: 360, shifts: 0 });
  });
}

/** Nothing but videos of the server is played in a frame. */
async function refusal(page) {
  const { origin } = new URL(given.embed);
  const sources = ["https://example.com/v/oabcdefghijk/index.m3u8", "javascript:alert(1)", "/api/v1/videos", "//example.com/v/oabcdefghijk/index.m3u8"];
  for (const source of sources) {
    await page.goto(`${origin}/embed.html?src=${encodeURIComponent(source)}`);
    await page.getByRole("alert").waitFor();
    assert.equal(await page.locator("weir-player").count(), 0, source);
  }
  const answer = await page.goto(given.page);
  assert.match(answer.headers()["content-security-policy"], /frame-ancestors 'none'/);
}

/** The npm package as it is, without a bundler, on a page of another origin. */
async function packaged(page, errors) {
  const html = `<!doctype html><style>weir-player { display: block; aspect-ratio: 16 / 9 }</style>
    <script type="module">import "/package/index.js";</script>
    <weir-player src="${given.source}" autoplay muted></weir-player>`;
  const posts = [];
  page.on("request", (request) => request.method() === "POST" && posts.push(request.url()));
  const files = existsSync(given.package) && ((path) => createReadStream(join(given.package, path)));
  await served({ "/": ["text/html", () => html], "/package/": [typeOf, files] }, async (address) => {
    await page.goto(address);
    await plays(page);
    await page.locator("weir-player .toggle").waitFor();
  });
  assert.deepEqual(faults(errors), []);
  assert.deepEqual(posts, [], "a source that no video's id comes with is nobody's to count");
}

function typeOf(path) {
  return path.endsWith(".wasm") ? "application/wasm" : "text/javascript";
}

/** Moves the mouse over a control until `shown` is there: controls that hid take nothing before a move. */
async function pointed(page, control, shown) {
  const { x, y, width, height } = await control.boundingBox();
  const deadline = Date.now() + 60_000;
  while (!(await shown.isVisible())) {
    assert.ok(Date.now() < deadline, "nothing shows under the pointer");
    await page.mouse.move(x + width / 3, y - 40);
    await page.mouse.move(x + width / 2, y + height / 2);
    await page.waitForTimeout(100);
  }
}

/** What is wrong with the page; that a busy machine leaves a part out is not. */
function faults(errors) {
  return errors.filter((error) => !error.startsWith("Failed to load resource"));
}

/** Serves pages by path, or by a folder's prefix, while `use(address)` runs. */
async function served(pages, use) {
  const server = createServer((request, response) => {
    const { pathname } = new URL(request.url, "http://server");
    const prefix = Object.keys(pages).findLast((prefix) => pathname === prefix || (prefix !== "/" && pathname.startsWith(prefix)));
    if (!prefix || pathname.includes("..")) return response.writeHead(204).end();
    const [type, body] = pages[prefix];
    response.writeHead(200, { "content-type": typeof type === "string" ? type : type(pathname) });
    const content = body(pathname.slice(prefix.length));
    if (typeof content === "string") response.end(content);
    else content.pipe(response);
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  try {
    await use(`http://127.0.0.1:${server.address().port}/`);
  } finally {
    server.closeAllConnections();
    server.close();
  }
}

async function plays(page) {
  await holds(page, (player) => player.stats().playedSeconds > 1 && player.shadowRoot.querySelector(".toggle"));
}

function inPlayer(page, act) {
  return page.$eval("weir-player", act);
}

/** Waits until `test(player)` holds. */
async function holds(page, test) {
  const player = await page.waitForSelector("weir-player", { state: "attached" });
  await page.waitForFunction(test, player);
}
