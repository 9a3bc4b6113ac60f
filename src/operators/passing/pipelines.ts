import type { Pipeline, PipelineListener } from '../../core/consumer/index.js';

/**
 * The consumers whose records come by, listened to from the first record on. There may be several:
 * consumers that are merged, or that follow one another with retry().
 */
export class Pipelines {
  private latest: Pipeline | undefined;
  private readonly listening = new Map<Pipeline, () => void>();

  constructor(private readonly listener: PipelineListener) {}

  note(pipeline: Pipeline): void {
    if (pipeline === this.latest) return;
    this.latest = pipeline;
    if (this.listening.has(pipeline)) return;
    for (const known of this.listening.keys()) if (known.isOver) this.listening.delete(known);
    this.listening.set(pipeline, pipeline.listen(this.listener));
  }

  stop(): void {
    for (const stopListening of this.listening.values()) stopListening();
    this.listening.clear();
  }
}
