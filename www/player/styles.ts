// The player's look. A constructed sheet needs no inline style, so a strict CSP holds.

export const styles = new CSSStyleSheet();
styles.replaceSync(`
:host {
  --accent: #2dd4bf;
  --live: #ff4d5e;
  display: block;
  position: relative;
  aspect-ratio: 16 / 9;
  overflow: hidden;
  background: #000;
  color: #fff;
  font: 500 14px/1.4 system-ui, sans-serif;
  container-type: inline-size;
  user-select: none;
  -webkit-tap-highlight-color: transparent;
}
:host(:fullscreen) { aspect-ratio: auto; width: 100%; height: 100%; border-radius: 0; }
:host([hidden]) { display: none; }
:host(.idle) { cursor: none; }
*, ::before, ::after { box-sizing: border-box; }
video { position: absolute; inset: 0; width: 100%; height: 100%; object-fit: contain; }

.chrome {
  position: absolute;
  inset: auto 0 0;
  padding: 56px 12px 8px;
  background: linear-gradient(transparent, rgb(0 0 0 / .38) 45%, rgb(0 0 0 / .78));
  transition: opacity .2s;
}
.readout {
  position: absolute;
  inset: 12px 12px auto auto;
  display: flex;
  gap: 12px;
  padding: 3px 10px;
  border-radius: 99px;
  background: rgb(0 0 0 / .55);
  font-size: 12px;
  font-variant-numeric: tabular-nums;
  pointer-events: none;
  transition: opacity .2s;
}
.readout b { font-weight: 650; }
:host(.idle) :is(.chrome, .readout) { opacity: 0; pointer-events: none; }

.row { display: flex; align-items: center; gap: 4px; }
.grow { flex: 1; }
button {
  all: unset;
  box-sizing: border-box;
  display: inline-grid;
  place-items: center;
  min-width: 40px;
  height: 40px;
  border-radius: 10px;
  cursor: pointer;
}
button svg { width: 24px; height: 24px; fill: currentColor; }
@media (hover: hover) { .row button:hover, .menu button:hover { background: rgb(255 255 255 / .14); } }
:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; }
.time { padding: 0 6px; font-variant-numeric: tabular-nums; white-space: nowrap; }

.live { display: inline-flex; gap: 7px; align-items: center; padding: 0 10px; font-weight: 700; font-size: 12px; letter-spacing: .06em; }
.live::before { content: ""; width: 8px; height: 8px; border-radius: 50%; background: #9aa0a6; }
.live[aria-pressed=true]::before { background: var(--live); }
.quality { grid-auto-flow: column; gap: 5px; padding: 0 8px; font-size: 13px; }

input[type=range] {
  --at: 0%;
  --track: linear-gradient(90deg, var(--accent) var(--at), rgb(255 255 255 / .32) var(--at));
  appearance: none;
  margin: 0;
  height: 20px;
  background: none;
  cursor: pointer;
  border-radius: 4px;
}
input[type=range]::-webkit-slider-runnable-track { height: 4px; border-radius: 2px; background: var(--track); }
input[type=range]::-moz-range-track { height: 4px; border-radius: 2px; background: var(--track); }
input[type=range]::-webkit-slider-thumb { appearance: none; width: 14px; height: 14px; margin-top: -5px; border-radius: 50%; background: #fff; }
input[type=range]::-moz-range-thumb { width: 14px; height: 14px; border: 0; border-radius: 50%; background: #fff; }
.seek { width: 100%; display: block; }
.volume { width: 76px; }

.menu {
  position: absolute;
  inset: auto 12px 56px auto;
  min-width: 180px;
  max-height: calc(100% - 76px);
  overflow: auto;
  padding: 6px;
  border-radius: 12px;
  background: rgb(20 22 26 / .96);
  box-shadow: 0 8px 30px rgb(0 0 0 / .5);
}
.menu[hidden] { display: none; }
.menu button { display: flex; gap: 10px; width: 100%; height: 36px; padding: 0 12px 0 8px; align-items: center; border-radius: 8px; }
.menu button::before { content: ""; width: 16px; text-align: center; color: var(--accent); }
.menu button[aria-checked=true]::before { content: "✓"; }
.menu small { margin-left: auto; color: #aab; font-size: 12px; }

.centre { position: absolute; inset: 0; display: grid; place-items: center; pointer-events: none; }
.big { pointer-events: auto; width: 76px; height: 76px; border-radius: 50%; background: rgb(10 12 16 / .66); }
.big svg { width: 38px; height: 38px; }
.spinner { width: 52px; height: 52px; border-radius: 50%; border: 4px solid rgb(255 255 255 / .25); border-top-color: #fff; animation: spin 1s linear infinite; }
@keyframes spin { to { rotate: 1turn; } }

.message { max-width: 90%; padding: 20px 28px; border-radius: 16px; background: rgb(14 16 20 / .86); text-align: center; pointer-events: auto; }
.message h2 { margin: 0 0 4px; font-size: 18px; }
.message p { margin: 0; color: #c3c8d0; }
.message button { margin-top: 14px; padding: 0 18px; background: #fff; color: #0b0d10; font-weight: 650; }
.unmute { position: absolute; inset: 12px auto auto 12px; padding: 0 14px 0 10px; grid-auto-flow: column; gap: 6px; background: #fff; color: #0b0d10; font-weight: 650; }
.notice { position: absolute; inset: 12px 12px auto; margin: 0 auto; width: max-content; max-width: calc(100% - 24px); padding: 6px 14px; border-radius: 10px; background: rgb(14 16 20 / .86); text-align: center; }
[hidden] { display: none !important; }

@container (max-width: 520px) {
  .volume, .time .of { display: none; }
  .chrome { padding-inline: 6px; }
  .readout { inset: 8px 8px auto auto; font-size: 11px; }
  .message { padding: 14px 18px; }
  .message h2 { font-size: 16px; }
}
@media (prefers-reduced-motion: reduce) {
  .chrome, .readout { transition: none; }
  .spinner { animation-duration: 4s; }
}
`);
