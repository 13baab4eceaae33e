// The controls: shows how playback goes, and hands on what the viewer does.
//
// - `template`, `styles`, `icons`: what they look like
// - `seekbar` with `storyboard`, `menu` with `settings`: the two that need more than a click
// - `keys`, `touch`, `mediasession`: other ways to the same
// - `messages`: what is said in place of a picture
// - `nerds`: statistics, loaded when they are opened

import type { WeirPlayer } from "../element";
import type { Snapshot } from "../playback";
import { clock } from "./format";
import { type Icon, setIcon } from "./icons";
import { Keys } from "./keys";
import { SystemControls } from "./mediasession";
import { Menu } from "./menu";
import { messageFor } from "./messages";
import type { Nerds } from "./nerds";
import { SeekBar, slide } from "./seekbar";
import { entries, quality } from "./settings";
import { styles } from "./styles";
import { template } from "./template";
import { Touch } from "./touch";

const IDLE_MS = 2600;
const FLASH_MS = 900;

export class Controls {
  private readonly player: WeirPlayer;
  private readonly root: ShadowRoot;
  private readonly menu: Menu;
  private readonly seekBar: SeekBar;
  private readonly keys: Keys;
  private readonly touch: Touch;
  private readonly system: SystemControls;
  private nerds: Nerds | undefined;
  private idleTimer = 0;
  private flashTimer = 0;

  constructor(player: WeirPlayer, root: ShadowRoot) {
    this.player = player;
    this.root = root;
    root.adoptedStyleSheets.push(styles);
    root.append(template.content.cloneNode(true));
    const statistics = () => ({ open: this.nerds !== undefined, toggle: () => void this.toggleNerds() });
    this.menu = new Menu(this.find(".menu"), this.find(".quality"), () => entries(player, statistics()));
    this.seekBar = new SeekBar(player, root);
    const flash = (text: string, side?: "left" | "right") => this.flash(text, side);
    this.keys = new Keys(player, flash);
    this.touch = new Touch(player, flash);
    this.system = new SystemControls(player);
  }

  /** Listens until `signal`. */
  connect(signal: AbortSignal): void {
    const { player } = this;
    const on = (selector: string, event: string, act: (event: Event) => void) =>
      this.find(selector).addEventListener(event, act, { signal });
    const clicks: [string, () => void][] = [
      [".big", () => player.togglePlay()],
      [".toggle", () => player.togglePlay()],
      [".mute", () => player.toggleMute()],
      [".unmute", () => player.toggleMute()],
      [".full", () => player.toggleFullscreen()],
      [".pip", () => player.togglePictureInPicture()],
      [".live", () => player.goLive()],
      [".captions", () => player.captions?.toggle()],
      [".quality", () => this.menu.toggle()],
      [".message button", () => (player.state?.phase === "ended" ? player.play() : player.retry())],
    ];
    for (const [selector, act] of clicks) {
      const acted = () => {
        act();
        this.show();
      };
      on(selector, "click", acted);
    }
    const volume = this.find<HTMLInputElement>(".volume");
    on(".volume", "input", () => player.setVolume(volume.valueAsNumber));
    on(".menu", "keydown", (event) => this.menu.press(event as KeyboardEvent));
    this.keys.listen(signal);
    this.touch.listen(player.video, () => player.classList.add("idle"), signal);
    this.seekBar.listen(signal);
    this.system.listen(signal);
    for (const event of ["play", "pause", "volumechange", "ended", "enterpictureinpicture", "leavepictureinpicture"]) {
      player.video.addEventListener(event, () => this.show(), { signal });
    }
    const closeMenu = (event: Event) => {
      const inside = event.composedPath().some((node) => node === this.find(".menu") || node === this.find(".quality"));
      if (this.menu.open && !inside) this.menu.toggle();
    };
    document.addEventListener("pointerdown", closeMenu, { signal });
    for (const event of ["pointermove", "pointerdown", "keydown", "focusin"]) {
      player.addEventListener(event, () => this.awake(), { signal });
    }
    const leave = (event: Event) => (event as PointerEvent).pointerType === "mouse" && this.awake(400);
    player.addEventListener("pointerleave", leave, { signal });
    document.addEventListener("fullscreenchange", () => this.show(), { signal });
    signal.addEventListener("abort", () => this.closeNerds());
    setIcon(this.find(".big"), "play");
    this.awake();
    this.show();
  }

  /** Shows how it is now. */
  show(): void {
    const { player } = this;
    const { video } = player;
    const now = player.state;
    this.showButtons(now);
    slide(this.find(".volume"), video.muted ? 0 : video.volume);
    this.showMessage(now);
    this.showTime(now);
    this.seekBar.show(now);
    this.system.show();
    setText(this.find(".notice"), player.notice);
    this.find(".notice").hidden = !player.notice;
  }

  private showButtons(now: Snapshot | undefined): void {
    const { player } = this;
    const { video } = player;
    const ended = now?.phase === "ended";
    this.label(".toggle", ended ? "again" : video.paused ? "play" : "pause", ended ? "Play again" : video.paused ? "Play (k)" : "Pause (k)");
    this.label(".mute", video.muted ? "muted" : "sound", video.muted ? "Unmute (m)" : "Mute (m)");
    const full = document.fullscreenElement === player;
    this.label(".full", full ? "shrink" : "expand", full ? "Leave fullscreen (f)" : "Fullscreen (f)");
    const pip = document.pictureInPictureElement === video;
    this.label(".pip", "pip", pip ? "Leave picture-in-picture (i)" : "Picture-in-picture (i)");
    this.find(".pip").hidden = !document.pictureInPictureEnabled || !("requestPictureInPicture" in video);

    const captions = this.find(".captions");
    captions.hidden = !player.captions?.list.length;
    const shown = player.captions?.current;
    this.label(".captions", shown ? "captionsOn" : "captions", "Captions (c)");
    captions.ariaPressed = String(shown !== undefined);

    const unmute = this.find(".unmute");
    unmute.hidden = !(player.begunMuted && video.muted);
    if (!unmute.hidden) setIcon(unmute, "muted", "Unmute");

    const active = player.renditions[now?.active ?? -1];
    setIcon(this.find(".quality"), "gear", active?.height ? `${active.height}p` : "");
    this.find(".quality").ariaLabel = `Settings. Quality: ${quality(player)}`;
  }

  private label(selector: string, icon: Icon, label: string): void {
    const button = this.find(selector);
    setIcon(button, icon);
    button.ariaLabel = label;
    if (button.title !== label) button.title = label;
  }

  private showMessage(now: Snapshot | undefined): void {
    const { player } = this;
    const message = messageFor(now, player.broken);
    const loading = !message && !!now && (now.phase === "loading" || now.stalled) && !player.video.paused;
    this.find(".spinner").hidden = !loading;
    this.find(".big").hidden = !!message || loading || !player.video.paused;
    this.find(".message").hidden = !message;
    if (!message) return;
    setText(this.find(".message h2"), message.title);
    setText(this.find(".message p"), message.text);
    const button = this.find(".message button");
    button.hidden = !message.action;
    setText(button, message.action ?? "");
    const left = player.retryAt === undefined ? 0 : Math.ceil((player.retryAt - performance.now()) / 1000);
    setText(this.find(".countdown"), left > 0 ? `Trying again in ${left} s` : "");
  }

  private showTime(now: Snapshot | undefined): void {
    const { player } = this;
    const live = this.find(".live");
    const [start, end] = [now?.windowStart ?? 0, now?.windowEnd ?? 0];
    live.hidden = !now?.live || (end === 0 && !player.realTime);
    live.ariaPressed = String(now?.following ?? false);
    live.ariaLabel = now?.following ? "Live" : "Go to live";
    const at = player.video.currentTime;
    let [shown, of] = [clock(at - start), ` / ${clock(end - start)}`];
    if (now?.live) [shown, of] = [now.following ? "" : `−${clock(end - at)}`, ""];
    if (end === 0) [shown, of] = ["", ""];
    setText(this.find(".time .at"), shown);
    setText(this.find(".time .of"), of);
    this.find(".readout").hidden = now?.startupMs == null || this.nerds !== undefined;
    const latency = this.find(".latency");
    (latency.parentElement as HTMLElement).hidden = now?.latencyMs == null;
    setText(latency, `${((now?.latencyMs ?? 0) / 1000).toFixed(1)} s`);
    setText(this.find(".buffer"), `${(now?.bufferSeconds ?? 0).toFixed(1)} s`);
  }

  /** Shows the controls, and hides them again when nothing happens for a while as it plays. */
  private awake(ms = IDLE_MS): void {
    this.player.classList.remove("idle");
    clearTimeout(this.idleTimer);
    this.idleTimer = window.setTimeout(() => {
      const busy = this.player.video.paused || this.seekBar.held || this.menu.open;
      const focused = this.root.activeElement?.matches(":focus-visible");
      if (!busy && !focused) this.player.classList.add("idle");
    }, ms);
  }

  /** Says for a moment what a key or a tap has done; a screen reader hears it. */
  private flash(text: string, side: "left" | "right" | "" = ""): void {
    const flash = this.find(".flash");
    flash.dataset["side"] = side;
    setText(flash, text);
    clearTimeout(this.flashTimer);
    this.flashTimer = window.setTimeout(() => setText(flash, ""), FLASH_MS);
    this.show();
  }

  private async toggleNerds(): Promise<void> {
    if (this.nerds) return this.closeNerds();
    const { Nerds } = await import("./nerds");
    this.nerds ??= new Nerds(this.player, this.root, () => this.closeNerds());
    this.show();
  }

  private closeNerds(): void {
    this.nerds?.close();
    this.nerds = undefined;
  }

  private find<T extends HTMLElement>(selector: string): T {
    return this.root.querySelector(selector) as T;
  }
}

function setText(element: HTMLElement, text: string): void {
  if (element.textContent !== text) element.textContent = text;
}
