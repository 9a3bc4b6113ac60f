import { MessageChannel } from 'node:worker_threads';
import { describe, expect, it } from 'vitest';
import {
  reviveError,
  shareError,
  type SharedError,
} from '../../../../src/core/producer/sharing/shared-error.js';
import {
  connectProducer,
  ConnectionError,
  createKafka,
  KafkaError,
  serveProducer,
  TimeoutError,
} from '../../../../src/index.js';
import { startEmbeddedKafka } from '../../../../src/testing/index.js';
import { rejectionOf } from '../../../support/simulation.js';

/** What arrives of an error that is sent through a port. */
async function crossed(error: unknown): Promise<KafkaError> {
  const { port1, port2 } = new MessageChannel();
  const arrived = new Promise<SharedError>((resolve) => port2.once('message', resolve));
  port1.postMessage(shareError(error));
  const shared = await arrived;
  port1.close();
  return reviveError(shared);
}

function withCause(cause: unknown): KafkaError {
  return new KafkaError('outer', { code: 'OUTER', cause });
}

describe('an error that crosses threads', () => {
  it('keeps its class, code, context and doubts', async () => {
    const error = new TimeoutError('too late', {
      code: 'DELIVERY_TIMED_OUT',
      context: { topic: 't', partition: 3 },
      mayBeWritten: true,
    });
    const arrived = await crossed(error);
    expect(arrived).toBeInstanceOf(TimeoutError);
    expect(arrived).toEqual(error);
    expect(arrived).toMatchObject({
      name: 'TimeoutError',
      code: 'DELIVERY_TIMED_OUT',
      context: { topic: 't', partition: 3 },
      isRetriable: true,
      mayBeWritten: true,
    });
    expect('cause' in arrived).toBe(false);
  });

  it('keeps the chain of its causes, of this library and others', async () => {
    const refused = Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' });
    const error = withCause(new ConnectionError('no way', { cause: refused }));
    const { cause } = await crossed(error);
    expect(cause).toBeInstanceOf(ConnectionError);
    expect(cause).toMatchObject({ message: 'no way', code: 'CONNECTION_FAILED' });
    const root = (cause as Error).cause;
    expect(root).toBeInstanceOf(Error);
    expect(root).toMatchObject({
      name: 'Error',
      message: 'connect ECONNREFUSED',
      code: 'ECONNREFUSED',
    });
  });

  it('keeps the name of a cause whose class is unknown there', async () => {
    const { cause } = await crossed(withCause(new RangeError('beyond')));
    expect(cause).toBeInstanceOf(Error);
    expect(String(cause)).toBe('RangeError: beyond');
  });

  it.each(['text', 7, 7n, true, null])('keeps %s that was thrown in its place', async (value) => {
    expect((await crossed(withCause(value))).cause).toBe(value);
  });

  it.each([
    ['a function', () => 1, '() => 1'],
    ['a symbol', Symbol('why'), 'Symbol(why)'],
    ['an object', { toString: () => 'an object', port: () => 1 }, 'an object'],
    ['what can not be shown', Object.create(null) as unknown, 'something that can not be shown'],
  ])('tells of %s as text, for it may not be cloneable', async (_, value, shown) => {
    expect((await crossed(withCause(value))).cause).toBe(shown);
    expect(await crossed(value)).toMatchObject({ code: 'UNKNOWN', message: shown });
  });

  it('leaves out what can not be cloned of a cause or a context', async () => {
    const hostile = Object.assign(new Error('hostile'), { code: () => 1 });
    Object.defineProperty(hostile, 'cause', {
      get() {
        throw new Error('not to be looked at');
      },
    });
    const context = { topic: 't', partition: (() => 1) as never };
    const error = new KafkaError('outer', { code: 'OUTER', context, cause: hostile });
    const arrived = await crossed(error);
    expect(arrived.context).toEqual({ topic: 't' });
    expect(arrived.cause).toMatchObject({ message: 'hostile' });
    expect('code' in (arrived.cause as object)).toBe(false);
  });

  it('ends a chain that goes round in circles', async () => {
    const error = new Error('round');
    error.cause = error;
    let depth = 0;
    for (let at: unknown = await crossed(withCause(error)); at instanceof Error; at = at.cause) {
      depth++;
    }
    expect(depth).toBeGreaterThan(3);
    expect(depth).toBeLessThan(20);
  });

  it('is told with its cause by send() of a worker', async () => {
    await using cluster = await startEmbeddedKafka({ topics: { results: 1 } });
    await using kafka = createKafka({ bootstrapServers: cluster.bootstrapServers });
    const boom = Object.assign(new TypeError('boom'), { code: 'E_BOOM', uncloneable: () => 1 });
    const producer = kafka.producer({
      partitioner: () => {
        throw boom;
      },
    });
    const { port1, port2 } = new MessageChannel();
    serveProducer(producer, port1);
    await using remote = connectProducer(port2);
    const error = await rejectionOf(remote.send({ topic: 'results', value: 'v' }));
    expect(error).toMatchObject({
      code: 'INVALID_RECORD_INPUT',
      cause: { name: 'TypeError', message: 'boom', code: 'E_BOOM' },
    });
  });
});
