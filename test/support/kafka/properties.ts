import { isAtLeast, type Release } from './releases.js';

export type Properties = Readonly<Record<string, string | number>>;

/** The ports of one node: clients, and ZooKeeper or the controller. */
export interface NodePorts {
  readonly broker: number;
  readonly internal: number;
}

/** A properties file. */
export function formatProperties(properties: Properties): string {
  return Object.entries(properties)
    .map(([name, value]) => `${name}=${value}\n`)
    .join('');
}

export function zookeeperProperties(port: number): Properties {
  return {
    dataDir: 'zk',
    clientPort: port,
    clientPortAddress: '127.0.0.1',
    maxClientCnxns: 0,
    tickTime: 2000,
    'admin.enableServer': 'false',
  };
}

export function zookeeperBrokerProperties({ version }: Release, ports: NodePorts): Properties {
  const listener = `PLAINTEXT://127.0.0.1:${ports.broker}`;
  const address: Properties = isAtLeast(version, '0.9')
    ? {
        listeners: listener,
        'advertised.listeners': listener,
        'group.min.session.timeout.ms': 1000,
      }
    : {
        'host.name': '127.0.0.1',
        port: ports.broker,
        'advertised.host.name': '127.0.0.1',
        'advertised.port': ports.broker,
      };
  const sinceTransactions: Properties = isAtLeast(version, '0.11')
    ? {
        'group.initial.rebalance.delay.ms': 0,
        'transaction.state.log.replication.factor': 1,
        'transaction.state.log.min.isr': 1,
      }
    : {};
  return {
    'broker.id': 1,
    'zookeeper.connect': `127.0.0.1:${ports.internal}`,
    'zookeeper.connection.timeout.ms': 15_000,
    'log.dirs': 'logs',
    'num.partitions': 1,
    'offsets.topic.replication.factor': 1,
    'offsets.topic.num.partitions': 2,
    'log.cleaner.enable': 'false',
    ...address,
    ...sinceTransactions,
  };
}

export function kraftProperties(
  { version }: Release,
  nodeId: number,
  nodes: readonly NodePorts[],
): Properties {
  const { broker, internal } = nodes[nodeId - 1]!;
  const replication = Math.min(3, nodes.length);
  const minIsr = Math.min(2, nodes.length);
  const is4 = isAtLeast(version, '4.0');
  const controllers = nodes.map((ports) => `localhost:${ports.internal}`);
  const listeners = `PLAINTEXT://localhost:${broker},CONTROLLER://localhost:${internal}`;
  return {
    'process.roles': 'broker,controller',
    'node.id': nodeId,
    ...(is4
      ? { 'controller.quorum.bootstrap.servers': controllers.join(',') }
      : {
          'controller.quorum.voters': controllers
            .map((controller, i) => `${i + 1}@${controller}`)
            .join(','),
        }),
    listeners,
    'advertised.listeners': is4 ? listeners : `PLAINTEXT://localhost:${broker}`,
    'controller.listener.names': 'CONTROLLER',
    'inter.broker.listener.name': 'PLAINTEXT',
    'listener.security.protocol.map':
      'CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,SSL:SSL,SASL_PLAINTEXT:SASL_PLAINTEXT,SASL_SSL:SASL_SSL',
    'log.dirs': 'logs',
    'num.partitions': 1,
    'default.replication.factor': replication,
    'min.insync.replicas': minIsr,
    'offsets.topic.replication.factor': replication,
    'offsets.topic.num.partitions': 2,
    'transaction.state.log.replication.factor': replication,
    'transaction.state.log.min.isr': minIsr,
    'transaction.state.log.num.partitions': 2,
    ...(is4 && {
      'share.coordinator.state.topic.replication.factor': replication,
      'share.coordinator.state.topic.min.isr': minIsr,
      'share.coordinator.state.topic.num.partitions': 2,
    }),
    'group.initial.rebalance.delay.ms': 0,
    'group.min.session.timeout.ms': 1000,
    ...(nodes.length > 1 && { 'broker.session.timeout.ms': 6000, 'broker.rack': `r${nodeId}` }),
  };
}
