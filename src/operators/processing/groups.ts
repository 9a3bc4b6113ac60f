import type { ConsumerRecord } from '../../core/consumer/index.js';

/** How records are put into groups. */
export type Grouping<K, V> =
  'all' | 'partition' | 'key' | ((record: ConsumerRecord<K, V>) => unknown);

type Place = (record: ConsumerRecord<unknown, unknown>) => object;

const byPipeline: Place = (record) => record.pipeline;
const byOwner: Place = (record) => record.owner;

/** Where there may be something for one group. */
export class Cell<G> {
  content: G | undefined;

  constructor(
    private readonly name: unknown,
    private readonly siblings: Map<unknown, Cell<G>>,
  ) {}

  /** Nothing is there any more. */
  clear(): void {
    this.content = undefined;
    // There is one group without a name, but any number of names.
    if (this.name !== undefined && this.siblings.get(this.name) === this) {
      this.siblings.delete(this.name);
    }
  }
}

/**
 * Something for each group of records: those of one consumer, of one partition, of one key in it, or
 * what a function says. Consumers that are merged are never in one group.
 */
export class Groups<K, V, G> {
  private readonly places = new WeakMap<object, Map<unknown, Cell<G>>>();
  private readonly placeOf: Place;
  private readonly nameOf: (record: ConsumerRecord<K, V>) => unknown;
  /** Most records come from where the one before came from. */
  private latestPlace: object | undefined;
  private latest = new Map<unknown, Cell<G>>();

  constructor(by: Grouping<K, V>) {
    this.placeOf = by === 'partition' || by === 'key' ? byOwner : byPipeline;
    if (typeof by === 'function') this.nameOf = by;
    else if (by === 'key') this.nameOf = ({ rawKey }) => rawKey?.toString('latin1');
    else this.nameOf = () => undefined;
  }

  /** The cell of the group that a record belongs to. */
  find(record: ConsumerRecord<K, V>): Cell<G> {
    const name = this.nameOf(record);
    const place = this.placeOf(record);
    if (place !== this.latestPlace) this.enter(place);
    let cell = this.latest.get(name);
    if (cell === undefined) this.latest.set(name, (cell = new Cell(name, this.latest)));
    return cell;
  }

  private enter(place: object): void {
    this.latestPlace = place;
    this.latest = this.places.get(place) ?? new Map<unknown, Cell<G>>();
    this.places.set(place, this.latest);
  }
}
