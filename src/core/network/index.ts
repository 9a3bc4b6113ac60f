export {
  capabilitiesOf,
  chooseVersion,
  findVersion,
  inferRelease,
  usableVersions,
  type BrokerCapabilities,
} from './api-versions.js';
export {
  checkVersion,
  isUnanswered,
  probe,
  type BrokerVersion,
  type CheckVersionOptions,
} from './check-version.js';
export {
  Connection,
  type ConnectionOptions,
  type OnClosed,
  type TrafficObserver,
} from './connection.js';
export { clientSoftware, openSession, type Session } from './negotiate.js';
export { connect, type ConnectOptions, type PromptClient } from './prompt-client.js';
export { tcpTransport, type TcpOptions } from './tcp.js';
export {
  formatAddress,
  type Address,
  type Link,
  type LinkEvents,
  type Transport,
} from './transport.js';
