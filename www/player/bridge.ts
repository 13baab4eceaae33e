// The numbers by which shim and module know what the other says. `crates/player-wasm/src/web.rs` has
// them under the same names, and says what goes with each.

// What the shim tells the module.
export const BEGIN = 0;
export const WAKE = 1;
export const OBSERVED = 2;
export const RENDERED = 3;
export const TEXT = 4;
export const REDIRECTED = 5;
export const BYTES = 6;
export const HEAD = 7;
export const PROGRESS = 8;
export const COMPLETED = 9;
export const FAILED = 10;
export const QUOTA_EXCEEDED = 11;
export const DECODE_FAILED = 12;
export const ATTENDED = 13;
export const ONLINE = 14;
export const STREAMING = 15;
export const CHOSEN = 16;
export const SOUND_CHOSEN = 17;
export const SEEK = 18;
export const GO_LIVE = 19;
export const PAUSED = 20;
export const REPORTED = 21;
export const ANSWERED = 22;
export const UNANSWERED = 23;

// What it asks; the answer is text.
export const REFUSED = 24;
export const FAREWELL = 25;
export const UNSENT = 26;
export const RENDITIONS = 27;
export const SOUNDS = 28;

// What the module has the shim do.
export const DO_OPEN = 0;
export const DO_FETCH = 1;
export const DO_ABORT = 2;
export const DO_RELEASE = 3;
export const DO_TYPE = 4;
export const DO_OFFSET = 5;
export const DO_REMOVE = 6;
export const DO_DURATION = 7;
export const DO_END_OF_STREAM = 8;
export const DO_SEEK = 9;
export const DO_RATE = 10;
export const DO_POST = 11;
export const DO_CHANGED = 12;
export const DO_SLEEP = 13;
export const DO_ANSWER = 14;
