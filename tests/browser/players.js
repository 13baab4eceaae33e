// Runs in a page with `<video>` and the library of one player. `window.players[player](video,
// source, limit)` plays, of renditions none with more than `limit` lines unless that is null, and
// yields what the scripts here ask of any player:
//
// - `told()`: {live, latencyMs, heights, height}, the last being the one it plays
// - `dateMs()`: Unix ms of the picture at the playhead, by the stream's own dates
// - `seekBy(seconds)`: forward or back, to the beginning at most
//
// `window.fatal` collects the errors after which a player plays on only if the page is loaded again.

"use strict";

window.fatal = [];

window.players = {
  hlsjs(video, source, limit) {
    const { Hls } = window;
    const hls = new Hls({ lowLatencyMode: true });
    hls.on(Hls.Events.ERROR, (_, { fatal, details }) => fatal && window.fatal.push(details));
    hls.on(Hls.Events.MANIFEST_PARSED, () => {
      if (limit) hls.autoLevelCapping = hls.levels.findLastIndex(({ height }) => height <= limit);
      video.play();
    });
    hls.loadSource(source);
    hls.attachMedia(video);
    return {
      told: () => ({
        live: hls.latestLevelDetails?.live ?? null,
        latencyMs: hls.latency * 1000,
        heights: hls.levels.map(({ height }) => height),
        height: hls.levels[hls.currentLevel]?.height ?? null,
        // Of the playlist of the level that plays.
        lowLatency: hls.latestLevelDetails?.partList?.length > 0,
      }),
      dateMs: () => hls.playingDate?.getTime() ?? null,
      seekBy: (seconds) => seekElementBy(video, seconds),
    };
  },

  async shaka(video, source, limit) {
    const { shaka } = window;
    shaka.polyfill.installAll();
    const player = new shaka.Player();
    await player.attach(video);
    player.addEventListener("error", ({ detail }) => {
      const critical = detail.severity === shaka.util.Error.Severity.CRITICAL;
      if (critical) window.fatal.push(`${detail.code}: ${detail.data}`);
    });
    player.configure("streaming.lowLatencyMode", true);
    // Of small parts it learns too little to choose better than at first.
    player.configure("abr", { defaultBandwidthEstimate: 20e6, useNetworkInformation: false });
    if (limit) player.configure("restrictions.maxHeight", limit);
    try {
      await player.load(source);
      video.play();
    } catch (error) {
      window.fatal.push(`${error.code ?? error}: ${error.data ?? ""}`);
    }
    return {
      told: () => ({
        live: player.isLive(),
        latencyMs: player.isLive() ? player.getStats().liveLatency * 1000 : null,
        heights: [...new Set(player.getVariantTracks().map(({ height }) => height))],
        height: player.getVariantTracks().find(({ active }) => active)?.height ?? null,
      }),
      // Shaka adds the ProducerReferenceTime of a manifest whose times count from 1970 already.
      dateMs: () => {
        if (player.getManifestType() === "DASH") return video.currentTime * 1000;
        return player.getPlayheadTimeAsDate()?.getTime() ?? null;
      },
      seekBy: (seconds) => seekElementBy(video, seconds),
    };
  },

  dashjs(video, source, limit) {
    const { MediaPlayer } = window.dashjs;
    const player = MediaPlayer().create();
    // A segment that cannot be had is left for another representation's.
    const passing = MediaPlayer.errors.DOWNLOAD_ERROR_ID_CONTENT_CODE;
    player.on(MediaPlayer.events.ERROR, ({ error }) => {
      if (error.code !== passing) window.fatal.push(`${error.code}: ${error.message}`);
    });
    player.on(MediaPlayer.events.STREAM_INITIALIZED, () => {
      const fitting = player.getRepresentationsByType("video").filter(({ height }) => height <= (limit ?? Infinity));
      const video = Math.max(...fitting.map(({ bandwidth }) => Math.ceil(bandwidth / 1000)));
      if (limit) player.updateSettings({ streaming: { abr: { maxBitrate: { video } } } });
    });
    // It begins with the best, as the others do here, and does not have to climb on a busy machine.
    if (limit) player.updateSettings({ streaming: { abr: { initialBitrate: { video: 20_000 } } } });
    player.initialize(video, source, true);
    return {
      told: () => ({
        live: player.isDynamic(),
        latencyMs: player.isDynamic() ? player.getCurrentLiveLatency() * 1000 : null,
        heights: player.getRepresentationsByType("video").map(({ height }) => height),
        height: player.getCurrentRepresentationForType("video")?.height ?? null,
      }),
      dateMs: () => player.timeAsUTC() * 1000,
      // Of a seek by the element it would catch up with the live edge.
      seekBy: (seconds) => player.seekToPresentationTime(video.currentTime + seconds),
    };
  },
};

function seekElementBy(video, seconds) {
  video.currentTime = Math.max(video.seekable.start(0) + 0.2, video.currentTime + seconds);
}
