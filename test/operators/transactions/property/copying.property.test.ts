import fc from 'fast-check';
import { describe, it } from 'vitest';
import { Simulation } from '../../../support/simulation.js';
import { IN, OUT } from './copier.js';
import { BROKERS, PARTITIONS, settings, steps } from './steps.js';
import { World } from './world.js';

const RUNS = Number(process.env['ENGINE_RUNS'] ?? 40);

describe('members that copy by transactions, whatever befalls them and their cluster', () => {
  it(
    'write each record once and in order, and commit what they have written',
    async () => {
      await fc.assert(
        fc.asyncProperty(settings, steps, fc.nat(1000), async (given, all, seed) => {
          const { version, features } = given.line;
          const topics = { [IN]: PARTITIONS, [OUT]: PARTITIONS };
          const options = { brokers: BROKERS, topics, version, features };
          await using sim = await Simulation.start(
            { ...options, autoCreateTopicsEnable: false },
            seed,
          );
          const world = new World(sim, given);
          for (const log of world.logs) {
            for (let i = 0; i < given.batches; i++) log.write({ count: 4, isPacked: false });
          }
          for (const each of all) await world.perform(each);
          await world.perform({ do: 'audit' });
          await world.perform({ do: 'settle' });
        }),
        { numRuns: RUNS },
      );
    },
    RUNS * 3000,
  );
});
