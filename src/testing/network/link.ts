/** The broker's end of a connection, whatever it runs over. */
export interface ServerLink {
  /** Sends the chunks in order and together. They must not change afterwards. */
  write(chunks: readonly Uint8Array[]): void;
  /** More is waiting to be sent than the other side takes; `onDrain` follows. */
  readonly isCongested: boolean;
  /** Stops and resumes the arrival of bytes. */
  pause(): void;
  resume(): void;
  /** Ends the link at once; `onClose` follows. */
  destroy(): void;
}

/** What a {@link ServerLink} reports. */
export interface ServerLinkEvents {
  /** The bytes may be kept, and are never written to. */
  onBytes(bytes: Buffer): void;
  onDrain(): void;
  /** Exactly once; nothing follows. */
  onClose(): void;
}

/** Takes a new connection in. */
export type Accept = (link: ServerLink) => ServerLinkEvents;
