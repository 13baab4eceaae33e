// What the controls are made of.

export const template = document.createElement("template");
template.innerHTML = `
<div class="centre">
  <button class="big" aria-label="Play"></button>
  <div class="spinner" role="progressbar" aria-label="Loading" hidden></div>
  <div class="message" part="message" hidden><div role="alert"><h2></h2><p></p></div><p class="countdown" aria-hidden="true"></p><button hidden></button></div>
</div>
<div class="flash" role="status"></div>
<button class="unmute" hidden></button>
<div class="notice" role="status" hidden></div>
<div class="readout" aria-hidden="true" hidden><span>Latency <b class="latency"></b></span><span>Buffer <b class="buffer"></b></span></div>
<div class="chrome" part="controls">
  <div class="line">
    <input class="seek" type="range" step="0.1" aria-label="Seek">
    <div class="tip" aria-hidden="true" hidden><div class="thumb" hidden></div><span></span></div>
  </div>
  <div class="row">
    <button class="toggle"></button>
    <button class="mute"></button>
    <input class="volume" type="range" min="0" max="1" step="0.05" aria-label="Volume">
    <button class="live" hidden>LIVE</button>
    <span class="time"><span class="at"></span><span class="of"></span></span>
    <span class="grow"></span>
    <button class="captions" hidden></button>
    <button class="quality" aria-haspopup="menu" aria-expanded="false" aria-controls="menu"></button>
    <button class="pip" hidden></button>
    <button class="full"></button>
  </div>
</div>
<div class="menu" id="menu" role="menu" aria-label="Settings" hidden></div>`;
