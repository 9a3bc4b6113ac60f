import type { Figures } from './figures.js';

/** The same sensors once for everything and once for each topic that was heard of. */
export class PerTopic<S> {
  readonly all: S;
  private readonly topics = new Map<string, readonly [S, S]>();

  constructor(private readonly make: () => S) {
    this.all = make();
  }

  /** Whichever measure what happens to a topic. */
  of(topic: string): readonly [S, S] {
    let both = this.topics.get(topic);
    if (both === undefined) this.topics.set(topic, (both = [this.all, this.make()]));
    return both;
  }

  /** The figures of each topic, in groups that its name is appended to. */
  snapshot(group: string, figuresOf: (sensors: S) => Figures): Record<string, Figures> {
    return Object.fromEntries(
      [...this.topics].map(([topic, [, sensors]]) => [`${group}.${topic}`, figuresOf(sensors)]),
    );
  }
}
