import { expect, test } from 'vitest';
import { createKafka } from '../../src/core/kafka.js';
import { ConfigError } from '../../src/core/util/errors.js';

test.each([
  [undefined, 'createKafka: the options are undefined, but they must be an object'],
  ['localhost:9092', "createKafka: the options are 'localhost:9092', but they must be an object"],
  [{}, 'createKafka: option bootstrapServers must be'],
  [
    { bootstrapServer: 'localhost:9092' },
    'createKafka: there is no option bootstrapServer; did you mean bootstrapServers?',
  ],
])('%j makes no client, and the error says what would', (given, message) => {
  expect(() => createKafka(given as never)).toThrow(ConfigError);
  expect(() => createKafka(given as never)).toThrow(message);
});
