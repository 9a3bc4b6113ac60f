import { defineConfig } from 'vitest/config';

const kafkaTests = 'test/**/*.kafka.test.ts';
const layerTests = 'test/layers.test.ts';

export default defineConfig({
  test: {
    projects: [
      {
        // Needs nothing but Node.
        test: {
          name: 'unit',
          include: ['test/**/*.test.ts', 'examples/**/*.test.ts'],
          exclude: [kafkaTests, layerTests],
          setupFiles: ['test/support/steady-seed.ts'],
          // Ends tests that hang, not those that a busy machine makes slow.
          testTimeout: 30_000,
        },
      },
      {
        // Compiles the assertions on inferred types.
        test: {
          name: 'types',
          include: [],
          typecheck: { enabled: true, only: true, include: ['test/types/**/*.test-d.ts'] },
        },
      },
      {
        // Keeps imports pointing downwards.
        test: { name: 'layers', include: [layerTests] },
      },
      {
        // Needs Java and Maven: starts real brokers. One file at a time, brokers are big.
        test: {
          name: 'kafka',
          include: [kafkaTests],
          fileParallelism: false,
          testTimeout: 60_000,
          hookTimeout: 180_000,
        },
      },
    ],
  },
});
