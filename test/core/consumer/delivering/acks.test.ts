import { map, mergeMap } from 'rxjs';
import { describe, expect, it } from 'vitest';
import { filterEach, processEach, type ConsumerOptions } from '../../../../src/index.js';
import { insidesOf } from '../../../support/insides.js';
import { Simulation } from '../../../support/simulation.js';
import { fill, offsetsOf, upTo, watch } from '../../../support/watching.js';

const TOPIC = 'orders';

async function start(options: ConsumerOptions) {
  const sim = await Simulation.start({ topics: { [TOPIC]: 1 } });
  fill(sim, TOPIC, 0, 6);
  const consumer = sim.kafka().consumer({ autoOffsetReset: 'earliest', ...options });
  const unacked = () => insidesOf(consumer).run!.partitions[0]!.ledger.unacked;
  return { sim, consumer, unacked, [Symbol.asyncDispose]: () => sim[Symbol.asyncDispose]() };
}

describe('an ack', () => {
  const auto = { ack: 'auto', maxUnackedRecords: 2 } as const;

  it('is done when its delivery returns, whatever is done with it later', async () => {
    await using run = await start(auto);
    const { sim, consumer, unacked } = run;
    let begun = 0;
    const working = consumer.records(TOPIC).pipe(
      mergeMap(() => {
        begun++;
        return new Promise<never>(() => undefined);
      }),
    );
    watch(working);
    await sim.until(() => begun === 6);
    expect(unacked()).toBe(0);
  });

  it('is done by the operator that took it over, not when its delivery returns', async () => {
    await using run = await start(auto);
    const { sim, consumer, unacked } = run;
    const finish: (() => void)[] = [];
    const work = () => new Promise<void>((resolve) => finish.push(resolve));
    watch(consumer.records(TOPIC).pipe(processEach(work, { concurrency: 6, order: 'none' })));
    await sim.until(() => finish.length === 2);
    await sim.advance(1000);
    expect(finish).toHaveLength(2);
    expect(unacked()).toBe(2);
    finish[0]!();
    await sim.until(() => finish.length === 3);
  });

  it('is done by nobody but who acks it, in a group', async () => {
    await using run = await start({ groupId: 'billing' });
    const { sim, consumer, unacked } = run;
    const odd = filterEach<Buffer | null, Buffer | null>(({ offset }) => offset % 2 === 1);
    const seen = watch(
      consumer.records(TOPIC).pipe(
        odd,
        map((record) => record),
      ),
    );
    await sim.until(() => seen.values.length === 3);
    expect(offsetsOf(seen.values)).toEqual(upTo(6).filter((offset) => offset % 2 === 1));
    expect(unacked()).toBe(3);
  });
});
