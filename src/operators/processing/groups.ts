import type { ConsumerRecord } from '../../core/consumer/index.js';

/** How records are put into groups. */
export type Grouping<K, V> =
  'all' | 'partition' | 'key' | ((record: ConsumerRecord<K, V>) => unknown);

type Place = (record: ConsumerRecord<unknown, unknown>) => object;

const byPipeline: Place = (record) => record.pipeline;
const byOwner: Place = (record) => record.owner;

/**
 * Something for each group of records: those of one consumer, of one partition, of one key in it, or
 * what a function says. Consumers that are merged are never in one group.
 */
export class Groups<K, V, G> {
  private readonly places = new Map<object, Map<unknown, G>>();
  private readonly placeOf: Place;
  private readonly nameOf: (record: ConsumerRecord<K, V>) => unknown;

  constructor(by: Grouping<K, V>) {
    this.placeOf = by === 'partition' || by === 'key' ? byOwner : byPipeline;
    if (typeof by === 'function') this.nameOf = by;
    else if (by === 'key') this.nameOf = ({ rawKey }) => rawKey?.toString('latin1');
    else this.nameOf = () => undefined;
  }

  /** The group that a record belongs to, made where there is none. */
  find(record: ConsumerRecord<K, V>, make: (remove: () => void) => G): G {
    const name = this.nameOf(record);
    const place = this.placeOf(record);
    let groups = this.places.get(place);
    if (groups === undefined) this.places.set(place, (groups = new Map<unknown, G>()));
    let group = groups.get(name);
    if (group === undefined) {
      const known = groups;
      group = make(() => {
        if (known.get(name) === group) known.delete(name);
        if (known.size === 0 && this.places.get(place) === known) this.places.delete(place);
      });
      groups.set(name, group);
    }
    return group;
  }
}
