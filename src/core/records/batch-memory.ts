/** Where the memory of batches comes from, and where it goes when nothing reads it any more. */
export interface BatchMemory {
  /** Memory of at least so many bytes, whatever they contain. */
  take(bytes: number): Buffer;
  /** Takes back what {@link BatchMemory.take} gave. */
  give(memory: Buffer): void;
}

/** Memory that is left to the garbage collector. */
export const freshMemory: BatchMemory = {
  take: (bytes) => Buffer.allocUnsafeSlow(bytes),
  give: () => undefined,
};
