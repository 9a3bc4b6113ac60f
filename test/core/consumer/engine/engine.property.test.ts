import fc from 'fast-check';
import { describe, it } from 'vitest';
import { Simulation } from '../../../support/simulation.js';
import { TOPIC } from './member.js';
import { PARTITIONS, settings, step } from './steps.js';
import { World } from './world.js';

const RUNS = Number(process.env['ENGINE_RUNS'] ?? 60);

describe('any interleaving of deliver, ack, nack, revoke, assign, seek, pause and commit', () => {
  it(
    'commits nothing past an unacked record, keeps within window and bytes, and never stays stuck',
    async () => {
      await fc.assert(
        fc.asyncProperty(
          settings,
          fc.array(step, { minLength: 5, maxLength: 40 }),
          fc.nat(1000),
          async (given, steps, seed) => {
            await using sim = await Simulation.start(
              { brokers: 2, topics: { [TOPIC]: PARTITIONS }, autoCreateTopicsEnable: false },
              seed,
            );
            const world = new World(sim, given);
            for (const log of world.logs) {
              for (let i = 0; i < given.batches; i++) log.write({ count: 4, isPacked: false });
            }
            for (const each of steps) await world.perform(each);
            await world.perform({ do: 'settle' });
            // All of it once more after a crash: what was committed is what was done.
            await world.perform({ do: 'wait', ms: 2000 });
          },
        ),
        { numRuns: RUNS },
      );
    },
    RUNS * 2000,
  );
});
