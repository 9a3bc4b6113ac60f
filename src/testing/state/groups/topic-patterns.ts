import type { Clock } from '../../../core/util/clock.js';
import type { Topic } from '../topic.js';
import { compileTopicRegex } from './topic-regex.js';

/** Kafka looks no more often whether topics match. */
const MIN_INTERVAL_MS = 10_000;

/**
 * The regular expressions that members of a group subscribe with. Kafka matches them aside from the
 * heartbeat that brings them, so that topics are found at the next one only.
 */
export class TopicPatterns {
  /** Topics that match each expression; `undefined` where that is not known yet. */
  private readonly matches = new Map<string, readonly string[] | undefined>();
  private resolvedAtMs = -Infinity;
  private isRequired = false;

  constructor(
    private readonly clock: Clock,
    private readonly topics: ReadonlyMap<string, Topic>,
  ) {}

  /** @throws Rejection for an expression that is none. */
  check(regex: string): void {
    compileTopicRegex(regex);
  }

  topicsOf(regex: string): readonly string[] {
    return this.matches.get(regex) ?? [];
  }

  /** Says which expressions are in use; a look at the topics is due when it may find something. */
  require(regexes: readonly string[]): void {
    const used = new Set(regexes.filter((regex) => regex !== ''));
    for (const regex of [...this.matches.keys()]) {
      if (!used.has(regex)) this.matches.delete(regex);
    }
    for (const regex of used) {
      if (!this.matches.has(regex)) this.matches.set(regex, undefined);
    }
    const isTooSoon = this.clock.monotonic() - this.resolvedAtMs <= MIN_INTERVAL_MS;
    this.isRequired ||= used.size > 0 && !isTooSoon;
  }

  /** Looks what matches, if that is due. Whether anything has changed. */
  resolve(): boolean {
    if (!this.isRequired) return false;
    this.isRequired = false;
    let hasChanged = false;
    for (const [regex, known] of this.matches) {
      const pattern = compileTopicRegex(regex);
      const found = [...this.topics.keys()].filter((name) => pattern.test(name)).sort();
      hasChanged ||= known?.join() !== found.join();
      this.matches.set(regex, found);
    }
    this.resolvedAtMs = this.clock.monotonic();
    return hasChanged;
  }
}
