import fc from 'fast-check';

/** Where a run has to tell the same each time, properties try the same cases; elsewhere new ones. */
const SEED = 20_261_128;

if (process.env['CI'] !== undefined) fc.configureGlobal({ seed: SEED });
