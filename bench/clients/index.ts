import type { Client } from './client.js';
import { peer } from './peer.js';

const OWN = 'rx-kafka';

interface ClientModule {
  readonly client: Client;
}

/** Loaded only in the process that measures it. */
const modules: Readonly<Record<string, () => Promise<ClientModule>>> = {
  [OWN]: () => import('./rx-kafka.js'),
  kafkajs: () => import('./kafkajs.js'),
  '@platformatic/kafka': () => import('./platformatic.js'),
  'kafka-ts': () => import('./kafka-ts.js'),
  'node-rdkafka': () => import('./node-rdkafka.js'),
  'kafka-crab-js': () => import('./kafka-crab.js'),
};

/** Every client by name, rx-kafka first. */
export const clientNames: readonly string[] = Object.keys(modules);

/** @throws where a client is not installed, as those with a native part may not be. */
export async function loadClient(name: string): Promise<Client> {
  const { client } = await modules[name]!();
  if (name !== OWN) await peer(name);
  return client;
}
