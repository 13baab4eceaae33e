// WebRTC from glass to glass: one page publishes a canvas over WHIP and plays it over WHEP. The
// canvas shows a number, as black and white squares, that is read back off the screen.
// Input: {viewer, key, video, seconds}. Output: {latencies} in ms, of every frame shown.

import { input, withChromium } from "./chromium.mjs";

const given = input();

await withChromium(
  async (browser) => {
    const page = await browser.newPage();
    await page.goto(given.viewer);
    return await page.evaluate(measure, given);
  },
  ["--disable-background-timer-throttling", "--disable-renderer-backgrounding"],
);

/** Runs in the page. */
async function measure({ key, video, seconds }) {
  const [width, height, bits, side] = [640, 360, 16, 40];
  const drawnAt = new Map();

  function paper() {
    const canvas = Object.assign(document.createElement("canvas"), { width, height });
    return canvas.getContext("2d", { willReadFrequently: true });
  }

  function draw(pen) {
    const number = (drawnAt.size + 1) & 0xffff;
    pen.fillStyle = `hsl(${number % 360} 50% 50%)`;
    pen.fillRect(0, 0, width, height);
    for (let bit = 0; bit < bits; bit += 1) {
      pen.fillStyle = (number >> bit) & 1 ? "white" : "black";
      pen.fillRect(bit * side, 0, side, 2 * side);
    }
    drawnAt.set(number, performance.now());
  }

  function read(pen, element) {
    pen.drawImage(element, 0, 0, width, height);
    const row = pen.getImageData(0, side, width, 1).data;
    let number = 0;
    for (let bit = 0; bit < bits; bit += 1) {
      const middle = (bit * side + side / 2) * 4;
      if (row[middle + 1] > 128) number |= 1 << bit;
    }
    return number;
  }

  async function open(connection, url, headers = {}) {
    await connection.setLocalDescription();
    const answer = await fetch(url, {
      method: "POST",
      headers: { "content-type": "application/sdp", ...headers },
      body: connection.localDescription.sdp,
    });
    const sdp = await answer.text();
    if (answer.status !== 201) throw new Error(sdp);
    await connection.setRemoteDescription({ type: "answer", sdp });
    return answer.headers.get("location");
  }

  const wait = (ms) => new Promise((resume) => setTimeout(resume, ms));
  const pen = paper();
  setInterval(draw, 33, pen);
  const stream = pen.canvas.captureStream(30);
  const publisher = new RTCPeerConnection();
  publisher.addTransceiver(stream.getVideoTracks()[0], { direction: "sendonly", streams: [stream] });
  const published = await open(publisher, "/api/v1/whip", { authorization: `Bearer ${key}` });
  // The publisher finds out what the network bears.
  await wait(5000);

  const element = Object.assign(document.createElement("video"), { muted: true, autoplay: true });
  document.body.append(element);
  const viewer = new RTCPeerConnection();
  viewer.addTransceiver("video", { direction: "recvonly" });
  viewer.ontrack = ({ track }) => (element.srcObject = new MediaStream([track]));
  const played = await open(viewer, `/v/${video}/whep`);
  const latencies = [];
  const screen = paper();
  const shown = () => {
    const at = drawnAt.get(read(screen, element));
    if (at !== undefined) latencies.push(performance.now() - at);
    element.requestVideoFrameCallback(shown);
  };
  element.requestVideoFrameCallback(shown);
  await wait(seconds * 1000);
  for (const session of [played, published]) await fetch(session, { method: "DELETE" });
  return { latencies };
}
