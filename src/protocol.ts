/** Every message of every version, record batches and codecs: usable without a client. */
export * from './core/protocol/index.js';
export * from './core/records/index.js';
