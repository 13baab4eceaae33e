// What the menu holds: quality, sound, captions, speed, statistics. What a stream has no choice of is
// left out.

import type { WeirPlayer } from "../element";
import { languageName, megabits, nameOf } from "./format";
import type { Choice, Entry } from "./menu";

const SPEEDS = [0.5, 0.75, 1, 1.25, 1.5, 2];

export interface Overlay {
  readonly open: boolean;
  toggle(): void;
}

export function entries(player: WeirPlayer, overlay: Overlay): Entry[] {
  const { sounds, captions, state } = player;
  const list: Entry[] = [];
  list.push({ name: "Quality", value: quality(player), choices: () => qualities(player) });
  if (sounds.length > 1) {
    const value = soundName(player, state?.sound ?? 0);
    list.push({ name: "Audio", value, choices: () => soundChoices(player) });
  }
  if (captions?.list.length) {
    const value = captions.current?.label ?? "Off";
    list.push({ name: "Captions", value, choices: () => captionChoices(player) });
  }
  // At the live edge the stream sets the pace.
  if (!state?.live || (!state.following && !player.realTime)) {
    list.push({ name: "Speed", value: times(player.speed), choices: () => speeds(player) });
  }
  if (player.canRewind) list.push({ name: "From the beginning", act: () => player.rewind() });
  list.push({ name: "Statistics", checked: overlay.open, toggle: () => overlay.toggle() });
  return list;
}

/** `Auto, 720p`. */
export function quality(player: WeirPlayer): string {
  const { state, renditions } = player;
  const active = renditions[state?.active ?? -1];
  const label = active ? nameOf(active) : "";
  return state?.chosen == null && !player.realTime ? `Auto${label && `, ${label}`}` : label;
}

export function times(speed: number): string {
  return `${speed}×`;
}

function qualities(player: WeirPlayer): Choice[] {
  const { state } = player;
  const soon = {
    label: "Real time",
    note: "under 1 s",
    taken: player.realTime,
    take: () => (player.realTime = true),
  };
  if (player.realTime) {
    const later = { label: "Auto", note: "a few seconds", taken: false, take: () => (player.realTime = false) };
    return [later, soon];
  }
  const renditions = player.renditions.map((rendition, index) => ({
    label: nameOf(rendition),
    note: megabits(rendition.bitsPerSecond),
    taken: state?.chosen === index,
    take: () => player.chooseRendition(rendition.name),
  }));
  const auto = { label: "Auto", taken: state?.chosen == null, take: () => player.chooseRendition(null) };
  // Only an origin of ours, which gives videos their ids, answers to WHEP beside the playlist.
  const offersRealTime = state?.live && player.hasAttribute("video") && "RTCPeerConnection" in window;
  return [auto, ...renditions.reverse(), ...(offersRealTime ? [soon] : [])];
}

function soundName({ sounds }: WeirPlayer, index: number): string {
  const sound = sounds[index];
  return sound?.name || languageName(sound?.language ?? null) || `Sound ${index + 1}`;
}

function soundChoices(player: WeirPlayer): Choice[] {
  const active = player.state?.sound;
  return player.sounds.map(({ name, language }, index) => {
    const spoken = languageName(language);
    return {
      label: soundName(player, index),
      note: spoken && spoken !== name ? spoken : "",
      taken: active === index,
      take: () => player.chooseSound(index),
    };
  });
}

function captionChoices({ captions }: WeirPlayer): Choice[] {
  if (!captions) return [];
  const choice = (label: string, index: number | null) => ({
    label,
    taken: captions.chosen === index,
    take: () => captions.choose(index),
  });
  return [choice("Off", null), ...captions.list.map(({ label }, index) => choice(label, index))];
}

function speeds(player: WeirPlayer): Choice[] {
  return SPEEDS.map((speed) => ({
    label: speed === 1 ? "Normal" : times(speed),
    taken: player.speed === speed,
    take: () => (player.speed = speed),
  }));
}
