import { Errors } from '../error-codes.js';
import { Rejection } from './rejection.js';

/** How Kafka numbers the types of configuration values. */
const BOOLEAN = 1;
const STRING = 2;
const INT = 3;
const LONG = 5;
const DOUBLE = 6;
const LIST = 7;

/** What is known of one setting. */
export interface Setting {
  readonly type: number;
  readonly default: string;
  /** The values that are allowed, or each element of a list. */
  readonly oneOf?: readonly string[];
  readonly min?: number;
}

/** What Kafka calls no limit: the largest int64. */
export const UNLIMITED = '9223372036854775807';

/** The topic settings of Kafka with their defaults; most are kept and told, the first act. */
const settings: Readonly<Record<string, Setting>> = {
  'cleanup.policy': { type: LIST, default: 'delete', oneOf: ['delete', 'compact'] },
  'compression.type': {
    type: STRING,
    default: 'producer',
    oneOf: ['uncompressed', 'zstd', 'lz4', 'snappy', 'gzip', 'producer'],
  },
  'max.message.bytes': { type: INT, default: '1048588', min: 0 },
  'message.timestamp.after.max.ms': { type: LONG, default: '3600000', min: 0 },
  'message.timestamp.before.max.ms': { type: LONG, default: UNLIMITED, min: 0 },
  'message.timestamp.type': {
    type: STRING,
    default: 'CreateTime',
    oneOf: ['CreateTime', 'LogAppendTime'],
  },
  'min.insync.replicas': { type: INT, default: '1', min: 1 },
  'retention.bytes': { type: LONG, default: '-1', min: -1 },
  'segment.bytes': { type: INT, default: '1073741824', min: 1 },

  'compression.gzip.level': { type: INT, default: '-1', min: -1 },
  'compression.lz4.level': { type: INT, default: '9', min: 1 },
  'compression.zstd.level': { type: INT, default: '3', min: -131072 },
  'delete.retention.ms': { type: LONG, default: '86400000', min: 0 },
  'file.delete.delay.ms': { type: LONG, default: '60000', min: 0 },
  'flush.messages': { type: LONG, default: UNLIMITED, min: 1 },
  'flush.ms': { type: LONG, default: UNLIMITED, min: 0 },
  'follower.replication.throttled.replicas': { type: LIST, default: '' },
  'index.interval.bytes': { type: INT, default: '4096', min: 0 },
  'leader.replication.throttled.replicas': { type: LIST, default: '' },
  'local.retention.bytes': { type: LONG, default: '-2', min: -2 },
  'local.retention.ms': { type: LONG, default: '-2', min: -2 },
  'max.compaction.lag.ms': { type: LONG, default: UNLIMITED, min: 1 },
  'min.cleanable.dirty.ratio': { type: DOUBLE, default: '0.5', min: 0 },
  'min.compaction.lag.ms': { type: LONG, default: '0', min: 0 },
  preallocate: { type: BOOLEAN, default: 'false', oneOf: ['true', 'false'] },
  'remote.log.copy.disable': { type: BOOLEAN, default: 'false', oneOf: ['true', 'false'] },
  'remote.log.delete.on.disable': { type: BOOLEAN, default: 'false', oneOf: ['true', 'false'] },
  'remote.storage.enable': { type: BOOLEAN, default: 'false', oneOf: ['true', 'false'] },
  'retention.ms': { type: LONG, default: '604800000', min: -1 },
  'segment.index.bytes': { type: INT, default: '10485760', min: 4 },
  'segment.jitter.ms': { type: LONG, default: '0', min: 0 },
  'segment.ms': { type: LONG, default: '604800000', min: 1 },
  'unclean.leader.election.enable': { type: BOOLEAN, default: 'false', oneOf: ['true', 'false'] },
};

/** One setting as DescribeConfigs tells it. */
export interface ConfigEntry {
  readonly name: string;
  readonly value: string;
  /** What it would be if it were not set. */
  readonly defaultValue: string;
  readonly isDefault: boolean;
  readonly type: number;
}

/** The settings of one topic: those that were set, over the cluster's defaults. */
export class TopicConfig {
  private readonly own = new Map<string, string>();

  // Read with each append, so kept as numbers and flags.
  maxMessageBytes = 0;
  minInsyncReplicas = 1;
  retentionBytes = -1;
  segmentBytes = 0;
  isCompacted = false;
  isCompactedOnly = false;
  usesLogAppendTime = false;
  timestampBeforeMaxMs = Infinity;
  timestampAfterMaxMs = Infinity;
  compressionType = 'producer';

  constructor(
    private readonly clusterDefaults: ReadonlyMap<string, string>,
    given: Readonly<Record<string, string>> = {},
  ) {
    for (const [name, value] of Object.entries(given)) {
      checkSetting(name, value);
      this.own.set(name, value);
    }
    this.refresh();
  }

  get entries(): ConfigEntry[] {
    return Object.keys(settings)
      .sort()
      .map((name) => ({
        name,
        value: this.get(name),
        defaultValue: this.clusterDefaults.get(name) ?? settings[name]!.default,
        isDefault: !this.own.has(name),
        type: settings[name]!.type,
      }));
  }

  get overrides(): Readonly<Record<string, string>> {
    return Object.fromEntries(this.own);
  }

  get(name: string): string {
    return this.own.get(name) ?? this.clusterDefaults.get(name) ?? settings[name]!.default;
  }

  /** Sets what was not set before, and resets what is `undefined`, after all was checked. */
  apply(changes: ReadonlyMap<string, string | undefined>): void {
    for (const [name, value] of changes) {
      if (value === undefined) this.own.delete(name);
      else this.own.set(name, value);
    }
    this.refresh();
  }

  private refresh(): void {
    this.maxMessageBytes = Number(this.get('max.message.bytes'));
    this.minInsyncReplicas = Number(this.get('min.insync.replicas'));
    this.retentionBytes = Number(this.get('retention.bytes'));
    this.segmentBytes = Number(this.get('segment.bytes'));
    const policies = this.get('cleanup.policy').split(',');
    this.isCompacted = policies.includes('compact');
    this.isCompactedOnly = this.isCompacted && !policies.includes('delete');
    this.usesLogAppendTime = this.get('message.timestamp.type') === 'LogAppendTime';
    this.timestampBeforeMaxMs = limit(this.get('message.timestamp.before.max.ms'));
    this.timestampAfterMaxMs = limit(this.get('message.timestamp.after.max.ms'));
    this.compressionType = this.get('compression.type');
  }
}

function limit(value: string): number {
  return value === UNLIMITED ? Infinity : Number(value);
}

export function isListSetting(name: string): boolean {
  return settings[name]?.type === LIST;
}

/** @throws Rejection with INVALID_CONFIG when topics have no such setting. */
export function checkKnown(name: string): Setting {
  const setting = settings[name];
  if (setting !== undefined) return setting;
  throw new Rejection(Errors.INVALID_CONFIG, `Unknown topic config name: ${name}`);
}

/** @throws Rejection with INVALID_CONFIG as a broker words it. */
export function checkSetting(name: string, value: string | null): asserts value is string {
  const setting = checkKnown(name);
  const complaint = value === null ? 'must not be null' : complaintOf(setting, value);
  if (complaint === undefined) return;
  throw new Rejection(
    Errors.INVALID_CONFIG,
    `Invalid value ${value ?? 'null'} for configuration ${name}: ${complaint}`,
  );
}

function complaintOf({ type, oneOf, min }: Setting, value: string): string | undefined {
  const parts = type === LIST ? value.split(',').filter((part) => part !== '') : [value];
  if (oneOf !== undefined && !parts.every((part) => oneOf.includes(part.trim()))) {
    return `String must be one of: ${oneOf.join(', ')}`;
  }
  if (min === undefined) return undefined;
  const number = Number(value);
  if (value.trim() === '' || Number.isNaN(number)) return 'Not a number';
  if (type !== DOUBLE && !Number.isInteger(number)) return 'Not a number of type LONG';
  return number < min ? `Value must be at least ${min}` : undefined;
}
