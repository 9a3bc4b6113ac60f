import { describe, expect, it } from 'vitest';
import { fill, offsetsOf, upTo, watch } from '../../support/watching.js';
import { Simulation } from '../../support/simulation.js';

const TOPIC = 'orders';

function start() {
  return Simulation.start({ topics: { [TOPIC]: 1 } });
}

const manual = { ack: 'manual', autoOffsetReset: 'earliest' } as const;

describe('a nacked record', () => {
  it('comes again after a backoff, with its attempt, while others go on', async () => {
    await using sim = await start();
    fill(sim, TOPIC, 0, 3);
    const consumer = sim.kafka().consumer({ ...manual, nackBackoffMs: 1000 });
    const seen = watch(consumer.records(TOPIC), (record) => {
      if (record.offset === 1 && record.attempt === 1) record.nack('busy');
      else record.ack();
    });
    await sim.until(() => seen.values.length === 4);
    expect(offsetsOf(seen.values)).toEqual([0, 1, 2, 1]);
    expect(seen.values[3]!.attempt).toBe(2);
    expect(sim.eventsOf('redelivered')).toMatchObject([{ offset: 1, attempt: 2, reason: 'busy' }]);
  });

  it('lets the event loop turn when it is nacked within next and there is no backoff', async () => {
    await using sim = await start();
    fill(sim, TOPIC, 0, 1);
    const consumer = sim.kafka().consumer({ ...manual, nackBackoffMs: 0, nackBackoffMaxMs: 0 });
    let isEnough = false;
    const seen = watch(consumer.records(TOPIC), (record) => {
      if (isEnough) record.ack();
      else record.nack('no');
    });
    await sim.until(() => seen.values.length > 20);
    isEnough = true;
    await sim.advance(10);
    expect(consumer.metrics()).toBeDefined();
    expect(offsetsOf(seen.values)).toEqual(seen.values.map(() => 0));
  });

  it('gives its memory back when a policy has taken care of it', async () => {
    await using sim = await start();
    for (let i = 0; i < 50; i++) fill(sim, TOPIC, 0, 1, { padding: 2000 });
    const handled: number[] = [];
    const consumer = sim.kafka().consumer({
      ...manual,
      maxBufferedBytes: 20_000,
      maxUnackedRecords: 100,
      onNack: ({ offset }) => {
        handled.push(offset);
        return [];
      },
    });
    watch(consumer.records(TOPIC), (record) => record.nack('poison'));
    await sim.until(() => handled.length === 50);
    expect(handled).toEqual(upTo(50));
  });

  it('ends the stream when the policy says so', async () => {
    await using sim = await start();
    fill(sim, TOPIC, 0, 3);
    const consumer = sim.kafka().consumer({ ...manual, onNack: 'fail' });
    const seen = watch(consumer.records(TOPIC), (record) => {
      if (record.offset === 1) record.nack(new Error('no stock'));
      else record.ack();
    });
    await sim.until(() => seen.error !== undefined);
    expect(seen.error).toMatchObject({ code: 'RECORD_FAILED', context: { offset: 1 } });
  });
});
