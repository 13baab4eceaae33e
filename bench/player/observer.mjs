// What every player is measured by: the same observer in each page, which asks no player anything.

/**
 * Runs in a page before its own scripts. `window.observed` then holds, each as one flat list, so that
 * ten minutes of them take little memory:
 *
 * - `frames`: of every frame shown, when it was in ms since the navigation, its time in the media in s,
 *   and its height
 * - `ticks`: every 50 ms or so, when it was in ms, the playhead in s, and 1 if the video had ended, else 0
 *
 * and `wasmBytes()`, the memories of the WebAssembly modules that the page itself has made.
 */
export function observe() {
  const TICK_MS = 50;
  const observed = { frames: [], ticks: [], memories: [], wasmBytes: () => sum(observed.memories) };
  window.observed = observed;
  window.fatal = [];

  const sum = (memories) => memories.reduce((sum, { buffer }) => sum + buffer.byteLength, 0);
  for (const name of ["instantiate", "instantiateStreaming"]) {
    const original = WebAssembly[name];
    WebAssembly[name] = async (...given) => {
      const made = await original.apply(WebAssembly, given);
      const { exports } = made.instance ?? made;
      observed.memories.push(...Object.values(exports).filter((one) => one instanceof WebAssembly.Memory));
      return made;
    };
  }

  const find = (root) => {
    for (const element of root.querySelectorAll("*")) {
      const video = element instanceof HTMLVideoElement ? element : null;
      const found = video ?? (element.shadowRoot && find(element.shadowRoot));
      if (found) return found;
    }
    return null;
  };

  const look = () => {
    const video = find(document);
    if (!video) return requestAnimationFrame(look);
    const onFrame = (now, { expectedDisplayTime, mediaTime, height }) => {
      observed.frames.push(Math.max(now, expectedDisplayTime), mediaTime, height);
      video.requestVideoFrameCallback(onFrame);
    };
    video.requestVideoFrameCallback(onFrame);
    setInterval(() => observed.ticks.push(performance.now(), video.currentTime, Number(video.ended)), TICK_MS);
  };
  requestAnimationFrame(look);
}
