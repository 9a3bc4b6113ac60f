/** Where a broker listens. */
export interface Address {
  readonly host: string;
  readonly port: number;
}

/** What a {@link Link} reports. After `onClose` nothing more comes. */
export interface LinkEvents {
  onOpen(): void;
  /** The bytes are the transport's own and are valid during the call only. */
  onBytes(bytes: Buffer): void;
  /** Exactly once, whether the link was open or never came to be. */
  onClose(error: Error | undefined): void;
}

/** One open, opening or closed connection. */
export interface Link {
  /** Sends the chunks in order and together. They must not change until they are sent. */
  write(chunks: readonly Uint8Array[]): void;
  /** Bytes that were written but that the system has not yet taken. */
  readonly queuedBytes: number;
  /** Ends the link at once; `onClose` follows. */
  destroy(error?: Error): void;
}

/**
 * How bytes reach a broker: TCP, TLS, or a queue in memory for a test. Given to the client as an
 * option, so that everything above it can be run without a socket.
 */
export interface Transport {
  open(address: Address, events: LinkEvents, options: { setupTimeoutMs: number }): Link;
}

/** An address as people write it: brackets around IPv6. */
export function formatAddress({ host, port }: Address): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}
