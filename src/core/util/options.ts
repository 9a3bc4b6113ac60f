import { inspect } from 'node:util';
import { ConfigError } from './errors.js';
import { similarName } from './similar.js';

/** One option: its default, and what is wrong with a value, as in `must be at least 0`. */
export interface OptionRule<T> {
  readonly default: T;
  complaint(value: unknown): string | undefined;
}

export type OptionRules = Readonly<Record<string, OptionRule<unknown>>>;

/** The complete options that a table of rules gives. */
export type ResolvedOptions<R extends OptionRules> = {
  readonly [K in keyof R]: R[K] extends OptionRule<infer T> ? T : never;
};

/**
 * Checks options once, where a handle is created, and completes them with their defaults, so that
 * nothing inside needs a default or a check.
 *
 * @param others names that stand in the same object and are checked elsewhere.
 * @throws ConfigError naming the option, its value and what would do.
 */
export function resolveOptions<R extends OptionRules>(
  what: string,
  rules: R,
  given: object,
  others: readonly string[] = [],
): ResolvedOptions<R> {
  checkNames(what, given, Object.keys(rules), others);
  const resolved: Record<string, unknown> = {};
  for (const [name, rule] of Object.entries(rules)) {
    const value = (given as Readonly<Record<string, unknown>>)[name];
    if (value === undefined) {
      resolved[name] = rule.default;
      continue;
    }
    const complaint = rule.complaint(value);
    if (complaint !== undefined) throw badOption(what, name, value, complaint);
    resolved[name] = value;
  }
  return Object.freeze(resolved) as ResolvedOptions<R>;
}

/** The error of an option whose value can't be used. */
export function badOption(
  what: string,
  name: string,
  value: unknown,
  complaint: string,
): ConfigError {
  return new ConfigError(`${what}: option ${name} is ${show(value)}, but it ${complaint}`);
}

/** @throws ConfigError if what was given can't have options. */
export function checkIsObject(what: string, given: unknown): void {
  if (typeof given === 'object' && given !== null) return;
  throw new ConfigError(`${what}: the options are ${show(given)}, but they must be an object`);
}

/** @throws ConfigError if what is to be called can't be. */
export function checkIsFunction(what: string, name: string, given: unknown): void {
  if (typeof given !== 'function') throw badOption(what, name, given, 'must be a function');
}

/**
 * Checks that there is no option that nobody knows.
 *
 * @param others names to tell of besides, which are checked elsewhere.
 */
export function checkNames(
  what: string,
  given: object,
  names: readonly string[],
  others: readonly string[] = [],
): void {
  checkIsObject(what, given);
  for (const name of Object.keys(given)) {
    if (!names.includes(name)) throw unknownOption(what, name, [...others, ...names]);
  }
}

/** What options are called elsewhere, where the names themselves have nothing in common with ours. */
const namesElsewhere: Readonly<Record<string, readonly [ours: string, meant?: string]>> = {
  brokers: ['bootstrapServers'],
  'metadata.broker.list': ['bootstrapServers'],
  connectionTimeout: ['socketConnectionSetupTimeoutMs'],
  fromBeginning: ['autoOffsetReset', "autoOffsetReset: 'earliest'"],
  maxBytes: ['fetchMaxBytes'],
  minBytes: ['fetchMinBytes'],
  maxBytesPerPartition: ['maxPartitionFetchBytes'],
  maxWaitTimeInMs: ['fetchMaxWaitMs'],
  rackId: ['clientRack'],
  readUncommitted: ['isolationLevel'],
  rebalanceTimeout: ['maxPollIntervalMs'],
  partitionAssigners: ['partitionAssignmentStrategy'],
  autoCommitThreshold: ['autoCommitRecords'],
  createPartitioner: ['partitioner'],
  idempotent: ['enableIdempotence'],
};

function meantElsewhere(name: string, known: readonly string[]): string | undefined {
  if (!Object.hasOwn(namesElsewhere, name)) return undefined;
  const [ours, meant = ours] = namesElsewhere[name]!;
  return known.includes(ours) ? meant : undefined;
}

/** What belongs to a listener that takes more than plain text. */
const security = /^(ssl|tls|sasl|authenticationTimeout|security\.?protocol)/i;

function unknownOption(what: string, name: string, known: readonly string[]): ConfigError {
  return new ConfigError(`${what}: there is no option ${name}; ${hintFor(name, known)}`, {
    code: 'UNKNOWN_OPTION',
  });
}

function hintFor(name: string, known: readonly string[]): string {
  if (security.test(name)) {
    return 'TLS and SASL are not supported yet, so that it needs a PLAINTEXT listener';
  }
  const similar = meantElsewhere(name, known) ?? similarName(name, known);
  return similar === undefined ? `known are ${known.join(', ')}` : `did you mean ${similar}?`;
}

function show(value: unknown): string {
  return inspect(value, { depth: 1, breakLength: Infinity });
}

/** A whole number within bounds, in the unit that the option's name ends with. */
export function integer(
  defaultValue: number,
  { min = 0, max = Number.MAX_SAFE_INTEGER }: { min?: number; max?: number } = {},
): OptionRule<number> {
  return {
    default: defaultValue,
    complaint(value) {
      if (typeof value === 'number' && Number.isInteger(value) && value >= min && value <= max) {
        return undefined;
      }
      const upTo = max === Number.MAX_SAFE_INTEGER ? '' : ` and at most ${max}`;
      return `must be a whole number of at least ${min}${upTo}`;
    },
  };
}

export function flag(defaultValue: boolean): OptionRule<boolean> {
  return {
    default: defaultValue,
    complaint: (value) => (typeof value === 'boolean' ? undefined : 'must be true or false'),
  };
}

/** One of a few values. */
export function oneOf<const T>(defaultValue: T, ...values: readonly T[]): OptionRule<T> {
  return {
    default: defaultValue,
    complaint: (value) =>
      values.includes(value as T)
        ? undefined
        : `must be one of ${values.map((allowed) => show(allowed)).join(', ')}`,
  };
}

/** Anything that passes a check; `expected` completes the sentence `it must be ...`. */
export function custom<T>(
  defaultValue: T,
  expected: string,
  isValid: (value: unknown) => boolean,
): OptionRule<T> {
  return {
    default: defaultValue,
    complaint: (value) => (isValid(value) ? undefined : `must be ${expected}`),
  };
}

const MAX_TIMEOUT_MS = 0x7fff_ffff;

/**
 * How long something may take that is given `{ timeoutMs }`, or nothing.
 *
 * @throws ConfigError naming what it is, and what was given.
 */
export function patienceOf(
  what: string,
  options: { readonly timeoutMs?: number },
): number | undefined {
  checkNames(what, options, ['timeoutMs']);
  const { timeoutMs } = options;
  if (timeoutMs === undefined) return undefined;
  const complaint = integer(0, { max: MAX_TIMEOUT_MS }).complaint(timeoutMs);
  if (complaint !== undefined) throw badOption(what, 'timeoutMs', timeoutMs, complaint);
  return timeoutMs;
}
