/** A dependency as Maven writes it: `group:artifact:version`. */
type Artifact = string;

/** What is needed to run one release of Kafka. */
export interface Release {
  readonly version: string;
  readonly scala: string;
  readonly mode: 'zookeeper' | 'kraft-static' | 'kraft-standalone';
  /** Besides the broker itself. */
  readonly artifacts: readonly Artifact[];
  /** Dependencies that Maven Central lacks, as `group:artifact`. */
  readonly exclusions?: readonly Artifact[];
  /** What the broker's log says when it is up. */
  readonly startedLine: RegExp;
}

const reload4j = ['ch.qos.reload4j:reload4j:1.2.25', 'org.slf4j:slf4j-reload4j:1.7.36'];
const log4j2 = ['org.apache.logging.log4j:log4j-slf4j-impl:2.24.3'];
const jaxb = 'jakarta.xml.bind:jakarta.xml.bind-api:2.3.3';
const unavailable = ['com.sun.jdmk:jmxtools', 'com.sun.jmx:jmxri', 'javax.jms:jms'];
const startedOld = /\[Kafka Server 1\], [Ss]tarted/;
const startedZk = /\[KafkaServer id=1\] started/;
const startedKraft = /Kafka Server started/;

const zk = (version: string, scala: string, rest: Partial<Release> = {}): Release => ({
  version,
  scala,
  mode: 'zookeeper',
  artifacts: reload4j,
  startedLine: startedZk,
  ...rest,
});
const kraft = (version: string): Release => ({
  version,
  scala: '2.13',
  mode: 'kraft-standalone',
  artifacts: [...log4j2, `org.apache.kafka:kafka-tools:${version}`],
  startedLine: startedKraft,
});

/** One release of each line, all proven on Java 17. */
export const releases: readonly Release[] = [
  zk('0.8.0', '2.10', { artifacts: [], exclusions: unavailable, startedLine: startedOld }),
  zk('0.8.1.1', '2.10', { artifacts: [], exclusions: unavailable, startedLine: startedOld }),
  zk('0.8.2.2', '2.11', { artifacts: [], startedLine: startedOld }),
  zk('0.9.0.1', '2.11', { artifacts: [], startedLine: startedOld }),
  zk('0.10.2.2', '2.11', { artifacts: [jaxb], startedLine: startedOld }),
  zk('0.11.0.3', '2.12', { artifacts: [jaxb], startedLine: startedOld }),
  zk('1.1.1', '2.12'),
  zk('2.0.1', '2.12', { artifacts: [...reload4j, 'org.apache.zookeeper:zookeeper:3.4.12'] }),
  zk('2.4.1', '2.13'),
  zk('2.5.1', '2.13'),
  zk('2.8.2', '2.13'),
  { ...kraft('3.3.2'), mode: 'kraft-static', artifacts: reload4j },
  {
    ...kraft('3.9.2'),
    mode: 'kraft-static',
    artifacts: [...reload4j, 'org.apache.kafka:kafka-tools:3.9.2'],
  },
  kraft('4.0.2'),
  kraft('4.1.2'),
  kraft('4.2.1'),
  kraft('4.3.1'),
];

/** The release of a version or of a line: `4.3` is `4.3.1`. */
export function findRelease(version: string): Release {
  const found = releases.find(
    (release) => release.version === version || release.version.startsWith(`${version}.`),
  );
  if (found !== undefined) return found;
  const known = releases.map((release) => release.version).join(', ');
  throw new Error(`No recipe for Kafka ${version}; there are ${known}`);
}

/** Whether a release is of a version or later: `isAtLeast('0.10.2.2', '0.9')`. */
export function isAtLeast(version: string, other: string): boolean {
  const a = version.split('.').map(Number);
  const b = other.split('.').map(Number);
  for (let i = 0; i < Math.max(a.length, b.length); i++) {
    const difference = (a[i] ?? 0) - (b[i] ?? 0);
    if (difference !== 0) return difference > 0;
  }
  return true;
}
