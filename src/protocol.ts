/** Every message of every version, record batches and codecs: usable without a client. */
export * from './core/protocol/index.js';
export * from './core/records/index.js';
export {
  checkVersion,
  connect,
  type BrokerVersion,
  type CheckVersionOptions,
  type ConnectOptions,
  type PromptClient,
} from './core/network/index.js';
