// Sound on its way out: its level, and screen and microphone made one.

/** The softest level that the meter shows. */
const FLOOR_DECIBELS = -60;

export class Sound {
  private readonly context = new AudioContext();
  private readonly analyser = this.context.createAnalyser();
  private readonly samples = new Float32Array(this.analyser.fftSize);
  private sources: MediaStreamAudioSourceNode[] = [];

  /** Listens to the sound of `stream`, and yields the one track that is to be sent of it. */
  take(stream: MediaStream): MediaStreamTrack | undefined {
    for (const source of this.sources) source.disconnect();
    void this.context.resume();
    const tracks = stream.getAudioTracks();
    this.sources = tracks.map((track) => this.context.createMediaStreamSource(new MediaStream([track])));
    for (const source of this.sources) source.connect(this.analyser);
    // One goes out as it is; only several have to be mixed.
    if (this.sources.length < 2) return tracks[0];
    const mix = this.context.createMediaStreamDestination();
    for (const source of this.sources) source.connect(mix);
    return mix.stream.getAudioTracks()[0];
  }

  /** Of the last moment, from 0 to 1 in equal steps of decibels. */
  level(): number {
    if (this.sources.length === 0) return 0;
    this.analyser.getFloatTimeDomainData(this.samples);
    const peak = this.samples.reduce((most, sample) => Math.max(most, Math.abs(sample)), 0);
    return Math.max(0, 1 - (20 * Math.log10(Math.max(peak, 1e-6))) / FLOOR_DECIBELS);
  }
}
