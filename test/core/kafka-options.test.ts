import { inspect } from 'node:util';
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
  [
    { bootstrapServers: 'localhost:9092', ssl: true },
    'createKafka: there is no option ssl; TLS and SASL are not supported yet, so that it needs a PLAINTEXT listener',
  ],
  [
    { bootstrapServers: 'localhost:9092', sasl: { mechanism: 'plain' } },
    'createKafka: there is no option sasl; TLS and SASL are not supported yet',
  ],
  [
    { bootstrapServers: 'SASL_SSL://localhost:9092' },
    "createKafka: option bootstrapServers has the entry 'SASL_SSL://localhost:9092', but SASL_SSL is not supported",
  ],
  [{ bootstrapServers: 'localhost:9092,http://b:80' }, 'but http is not supported'],
])('%j makes no client, and the error says what would', (given, message) => {
  expect(() => createKafka(given as never)).toThrow(ConfigError);
  expect(() => createKafka(given as never)).toThrow(message);
});

test('the protocol of a plain listener may stand before its address', async () => {
  await using kafka = createKafka({ bootstrapServers: 'PLAINTEXT://localhost:9092' });
  expect(inspect(kafka)).toContain('localhost:9092');
});

test('console.log() shows what a client and its handles were made with', async () => {
  await using kafka = createKafka({ bootstrapServers: 'localhost:9092', clientId: 'shop' });
  expect(inspect(kafka)).toBe("Kafka { bootstrapServers: 'localhost:9092', clientId: 'shop' }");
  expect(inspect(kafka.producer({ acks: 1 }))).toBe('Producer { acks: 1 }');
  expect(inspect({ of: kafka.consumer({ groupId: 'billing' }) })).toBe(
    "{ of: Consumer { groupId: 'billing' } }",
  );
});
