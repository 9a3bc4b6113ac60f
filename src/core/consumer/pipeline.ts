/** What an operator that holds records back wants to be told. Called within a delivery: be quick. */
export interface PipelineListener {
  /**
   * Nothing more can come until something that is held back is let go.
   *
   * @param reason `'exhausted'` when windows or bytes are used up, `'idle'` when what isn't is at the
   * end of its log.
   */
  onStarved?(reason: 'exhausted' | 'idle'): void;
  /** Partitions are being given up: their records that were not started are to be returned. */
  onDraining?(): void;
}

/** The operators that hold back records of one subscription. */
export class Pipeline {
  private readonly listeners = new Set<PipelineListener>();
  /** The subscription has ended: nothing more will be told. */
  isOver = false;

  /** Whether somebody wants to know that nothing more can come. */
  get holdsBack(): boolean {
    for (const listener of this.listeners) if (listener.onStarved !== undefined) return true;
    return false;
  }

  /** Returns how to stop listening. */
  listen(listener: PipelineListener): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  starved(reason: 'exhausted' | 'idle'): void {
    for (const listener of [...this.listeners]) listener.onStarved?.(reason);
  }

  draining(): void {
    for (const listener of [...this.listeners]) listener.onDraining?.();
  }

  end(): void {
    this.isOver = true;
    this.listeners.clear();
  }
}
