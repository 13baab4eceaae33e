// The look of the controls. A constructed sheet needs no inline style, so a strict CSP holds.

export const styles = new CSSStyleSheet();
styles.replaceSync(`
:host {
  --accent: var(--weir-accent, #2dd4bf);
  --live: #ff4d5e;
  --veil: rgb(14 16 20 / .86);
  color: #fff;
  font: 500 14px/1.4 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif;
  container-type: inline-size;
  user-select: none;
  -webkit-user-select: none;
  touch-action: manipulation;
  -webkit-tap-highlight-color: transparent;
}
:host(.idle) { cursor: none; }
*, ::before, ::after { box-sizing: border-box; }
[hidden] { display: none !important; }

.chrome {
  position: absolute;
  inset: auto 0 0;
  padding: 48px 12px 6px;
  background: linear-gradient(transparent, rgb(0 0 0 / .38) 45%, rgb(0 0 0 / .78));
  transition: opacity .2s;
  pointer-events: none;
}
.chrome > * { pointer-events: auto; }
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
:host(.idle) :is(.chrome, .chrome > *, .readout) { opacity: 0; pointer-events: none; }

.row { display: flex; align-items: center; gap: 2px; }
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
@media (hover: hover) { .row button:hover, .menu button:hover, .nerds button:hover { background: rgb(255 255 255 / .14); } }
:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; }
.time { padding: 0 6px; font-variant-numeric: tabular-nums; white-space: nowrap; }
.time .of { color: #c3c8d0; }

.live { display: inline-flex; gap: 7px; align-items: center; padding: 0 10px; font-weight: 700; font-size: 12px; letter-spacing: .06em; }
.live::before { content: ""; flex: none; width: 8px; height: 8px; border-radius: 50%; background: #9aa0a6; }
.live[aria-pressed=true]::before { background: var(--live); }
.quality { grid-auto-flow: column; gap: 5px; padding: 0 8px; font-size: 13px; white-space: nowrap; }
.captions[aria-pressed=true] { color: var(--accent); }

input[type=range] {
  --at: 0%;
  --buffered: 0%;
  --track: linear-gradient(90deg, var(--accent) var(--at), rgb(255 255 255 / .5) var(--at) var(--buffered), rgb(255 255 255 / .26) max(var(--at), var(--buffered)));
  appearance: none;
  margin: 0;
  height: 20px;
  background: none;
  cursor: pointer;
  border-radius: 4px;
}
input[type=range]::-webkit-slider-runnable-track { height: 4px; border-radius: 2px; background: var(--track); }
input[type=range]::-moz-range-track { height: 4px; border-radius: 2px; background: var(--track); }
input[type=range]::-webkit-slider-thumb { appearance: none; width: 14px; height: 14px; margin-top: -5px; border: 0; border-radius: 50%; background: #fff; }
input[type=range]::-moz-range-thumb { width: 14px; height: 14px; border: 0; border-radius: 50%; background: #fff; }
.line { position: relative; }
.seek { width: 100%; display: block; }
.seek:disabled { visibility: hidden; }
.volume { width: 76px; }

.tip {
  position: absolute;
  inset: auto auto 24px 0;
  display: grid;
  justify-items: center;
  gap: 4px;
  padding: 4px;
  border-radius: 8px;
  background: var(--veil);
  font-size: 12px;
  font-variant-numeric: tabular-nums;
  pointer-events: none !important;
}
.tip span { padding: 0 4px; }
.thumb { border-radius: 5px; background-repeat: no-repeat; }

.menu {
  position: absolute;
  inset: auto 12px 54px auto;
  min-width: 220px;
  max-width: calc(100% - 16px);
  max-height: calc(100% - 66px);
  overflow: auto;
  overscroll-behavior: contain;
  padding: 6px;
  border-radius: 12px;
  background: rgb(20 22 26 / .96);
  box-shadow: 0 8px 30px rgb(0 0 0 / .5);
}
.menu button { display: flex; gap: 8px; width: 100%; height: 36px; padding: 0 12px 0 10px; align-items: center; border-radius: 8px; white-space: nowrap; }
.menu small { margin-left: auto; padding-left: 18px; color: #aab4c0; font-size: 12px; overflow: hidden; text-overflow: ellipsis; }
.menu :is([role=menuitemradio], [role=menuitemcheckbox])::before { content: ""; width: 16px; flex: none; text-align: center; color: var(--accent); }
.menu [aria-checked=true]::before { content: "✓"; }
.menu [aria-haspopup]::after { content: "›"; color: #aab4c0; font-size: 16px; }
.menu [role=menuitemcheckbox] { flex-direction: row-reverse; justify-content: space-between; }
.menu [role=menuitemcheckbox] small { display: none; }
.menu .back { margin-bottom: 4px; border-radius: 8px 8px 0 0; border-bottom: 1px solid rgb(255 255 255 / .14); font-weight: 650; }
.menu .back::before { content: "‹"; font-size: 16px; color: #aab4c0; }
.menu :focus-visible { outline-offset: -2px; }

.centre { position: absolute; inset: 0; display: grid; place-items: center; pointer-events: none; }
.big { pointer-events: auto; width: 76px; height: 76px; border-radius: 50%; background: rgb(10 12 16 / .66); }
.big svg { width: 38px; height: 38px; }
.spinner { width: 52px; height: 52px; border-radius: 50%; border: 4px solid rgb(255 255 255 / .25); border-top-color: #fff; animation: spin 1s linear infinite; }
@keyframes spin { to { rotate: 1turn; } }

.message { max-width: min(90%, 460px); padding: 20px 28px; border-radius: 16px; background: var(--veil); text-align: center; pointer-events: auto; }
.message h2 { margin: 0 0 4px; font-size: 18px; }
.message p { margin: 0; color: #c3c8d0; }
.message .countdown { margin-top: 4px; font-variant-numeric: tabular-nums; }
.message .countdown:empty { display: none; }
.message button { margin-top: 14px; padding: 0 18px; background: #fff; color: #0b0d10; font-weight: 650; }
.unmute { position: absolute; inset: 12px auto auto 12px; padding: 0 14px 0 10px; grid-auto-flow: column; gap: 6px; background: #fff; color: #0b0d10; font-weight: 650; }
.notice { position: absolute; inset: 12px 12px auto; margin: 0 auto; width: max-content; max-width: calc(100% - 24px); padding: 6px 14px; border-radius: 10px; background: var(--veil); text-align: center; }
.flash { position: absolute; inset: 0; margin: auto; width: max-content; height: max-content; padding: 10px 18px; border-radius: 99px; background: var(--veil); font-size: 17px; font-weight: 650; font-variant-numeric: tabular-nums; pointer-events: none; }
.flash:empty { padding: 0; background: none; }
.flash[data-side=left] { margin-left: 10%; }
.flash[data-side=right] { margin-right: 10%; }

@container (max-width: 560px) {
  .volume, .time .of, .readout span:last-child { display: none; }
  .chrome { padding-inline: 6px; }
  .readout { inset: 8px 8px auto auto; font-size: 11px; }
  .message { padding: 14px 18px; }
  .message h2 { font-size: 16px; }
  .menu { inset: auto 8px 8px auto; max-height: calc(100% - 16px); }
  .big { width: 64px; height: 64px; }
}
@container (max-width: 430px) {
  .quality { font-size: 0; padding: 0; }
  .live { padding: 0 6px; }
}
@container (max-width: 350px) { .pip { display: none; } }
@media (pointer: coarse) {
  .seek { height: 28px; }
  input[type=range]::-webkit-slider-thumb { width: 18px; height: 18px; margin-top: -7px; }
  input[type=range]::-moz-range-thumb { width: 18px; height: 18px; }
}
@media (prefers-reduced-motion: reduce) {
  .chrome, .readout { transition: none; }
  .spinner { animation-duration: 4s; }
}
@media (forced-colors: active) { .chrome, .menu, .message { background: Canvas; } button svg { fill: ButtonText; } }
`);
