import { lastValueFrom, of, toArray } from 'rxjs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { toTopic } from '../../../src/index.js';
import { Simulation } from '../../support/simulation.js';

const TOPIC = 'orders';

/** As code without types gives them: a promise in the place of what it is for, which may reject. */
const rejecting = () => Promise.reject(new Error('later')) as never;
const resolving = () => Promise.resolve('v') as never;

const unhandled: unknown[] = [];
const note = (reason: unknown) => unhandled.push(reason);
beforeEach(() => {
  unhandled.length = 0;
  process.on('unhandledRejection', note);
});
afterEach(() => process.off('unhandledRejection', note));

/** Node tells of rejections once all microtasks are done. */
async function expectNoneUnhandled(sim: Simulation) {
  await sim.calm();
  await new Promise<void>((resolve) => setImmediate(resolve));
  expect(unhandled).toEqual([]);
}

describe('what is asynchronous and must not be', () => {
  it.each([
    ['keySerializer', rejecting],
    ['keySerializer', resolving],
    ['valueSerializer', rejecting],
    ['valueSerializer', resolving],
  ] as const)('fails the record alone (%s)', async (name, serializer) => {
    await using sim = await Simulation.start({ topics: { [TOPIC]: 1 } });
    const part = name === 'keySerializer' ? 'key' : 'value';
    const producer = sim.kafka().producer({
      [name]: (given: string) => (given === 'bad' ? serializer() : given),
    });
    const outcomes = await sim.run(
      Promise.allSettled(
        ['a', 'bad', 'c'].map((given) =>
          producer.send({ topic: TOPIC, value: 'v', [part]: given }),
        ),
      ),
    );
    expect(outcomes).toMatchObject([
      { status: 'fulfilled' },
      {
        reason: {
          code: 'SERIALIZATION_FAILED',
          message: expect.stringMatching(
            new RegExp(`${part} of a record for orders: .*a Promise.*must not be asynchronous`),
          ) as string,
        },
      },
      { status: 'fulfilled' },
    ]);
    await expectNoneUnhandled(sim);
  });

  it.each([
    ['rejects', rejecting],
    ['resolves', resolving],
  ])('fails the record alone (a partitioner that %s)', async (_, partitioner) => {
    await using sim = await Simulation.start({ topics: { [TOPIC]: 1 } });
    const producer = sim.kafka().producer({
      partitioner: ({ value }) => (String(value) === 'bad' ? partitioner() : 0),
    });
    const outcomes = await sim.run(
      Promise.allSettled(['a', 'bad', 'c'].map((value) => producer.send({ topic: TOPIC, value }))),
    );
    expect(outcomes).toMatchObject([
      { status: 'fulfilled' },
      { reason: { code: 'INVALID_PARTITION', context: { topic: TOPIC } } },
      { status: 'fulfilled' },
    ]);
    await expectNoneUnhandled(sim);
  });

  it.each([
    ['toRecord', TOPIC, { toRecord: rejecting }],
    ['a function for the topic', rejecting, { toRecord: (value: string) => ({ value }) }],
  ])('fails the record alone (%s)', async (_, topic, options) => {
    await using sim = await Simulation.start({ topics: { [TOPIC]: 1 } });
    const failures = await sim.run(
      lastValueFrom(
        of('a').pipe(toTopic(sim.kafka(), topic, { ...options, onError: 'emit' }), toArray()),
      ),
    );
    expect(failures).toMatchObject([{ error: { code: 'INVALID_RECORD_INPUT' }, origin: 'a' }]);
    await expectNoneUnhandled(sim);
  });
});
