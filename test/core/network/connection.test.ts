import { describe, expect, test, vi } from 'vitest';
import {
  Connection,
  type ConnectionOptions,
  type LinkEvents,
  type Transport,
} from '../../../src/core/network/index.js';
import { apis, encodeResponseFrame, peekRequest } from '../../../src/core/protocol/index.js';
import { ConnectionError, ProtocolError, TimeoutError } from '../../../src/core/util/errors.js';
import { FakeClock, settled } from '../../support/fake-clock.js';
import { MemoryTransport } from '../../support/memory-transport.js';

const { Metadata, Produce, ListGroups } = apis;

describe('opening', () => {
  test('resolves when the transport is open', async () => {
    const { connection } = await open();
    expect(connection.isOpen).toBe(true);
    expect(connection.inFlight).toBe(0);
    expect(connection.address).toEqual({ host: 'b1', port: 9092 });
  });

  test('rejects with a ConnectionError that names the address when the transport fails', async () => {
    const { transport, opening } = begin();
    transport.last.hangUp(new Error('no route'));
    const error = await failureOf(opening);
    expect(error).toBeInstanceOf(ConnectionError);
    expect(error.message).toMatch(/b1:9092.*no route/);
  });

  test('passes on what the transport itself explained', async () => {
    const { transport, opening } = begin();
    const reason = new ConnectionError('Cannot connect to b1:9092: refused');
    transport.last.hangUp(reason);
    expect(await failureOf(opening)).toBe(reason);
  });

  test('rejects when the peer closes before it is open', async () => {
    const { transport, opening } = begin();
    transport.last.hangUp();
    await expect(opening).rejects.toThrow(/b1:9092 closed the connection/);
  });

  test('rejects when a transport fails at once', async () => {
    const transport: Transport = {
      open() {
        throw new RangeError('port out of range');
      },
    };
    const error = await failureOf(Connection.open(optionsWith({ transport })));
    expect(error).toBeInstanceOf(ConnectionError);
    expect(error.message).toMatch(/b1:9092.*port out of range/);
  });

  test('can be aborted, which gives the link back', async () => {
    const abort = new AbortController();
    const { transport, opening } = begin({}, abort.signal);
    abort.abort(new Error('changed my mind'));
    const error = await failureOf(opening);
    expect(error).toBeInstanceOf(ConnectionError);
    expect(error.message).toMatch(/b1:9092.*aborted/);
    expect(error.cause).toBe(abort.signal.reason);
    expect(transport.last.isClosed).toBe(true);
  });

  test('opens nothing when it was aborted before', async () => {
    const { transport, opening } = begin({}, AbortSignal.abort());
    await expect(opening).rejects.toThrow(/aborted/);
    expect(transport.links).toHaveLength(0);
  });

  test('lets go of the signal once it is open', async () => {
    const abort = new AbortController();
    const remove = vi.spyOn(abort.signal, 'removeEventListener');
    const { connection } = await open({}, abort.signal);
    abort.abort();
    expect(connection.isOpen).toBe(true);
    expect(remove).toHaveBeenCalledTimes(1);
  });
});

describe('requests', () => {
  test('are pipelined, and answered in their order', async () => {
    const { connection, link } = await open();
    const answers = [1, 2, 3].map(() => connection.request(Metadata, 1, { topics: null }));
    expect(link.requests.map((request) => peekRequest(request).correlationId)).toEqual([0, 1, 2]);
    expect(connection.inFlight).toBe(3);
    for (const i of [0, 1, 2]) link.answer(i, Metadata, { ...nobody, controllerId: i });
    expect(await Promise.all(answers)).toMatchObject([
      { controllerId: 0 },
      { controllerId: 1 },
      { controllerId: 2 },
    ]);
    expect(connection.inFlight).toBe(0);
  });

  test('are answered by several frames in one chunk', async () => {
    const { connection, link } = await open();
    const answers = [0, 1].map(() => connection.request('ListGroups', 0, {}));
    const frames = [0, 1].flatMap((id) => encodeResponseFrame(ListGroups, 0, id, noGroups));
    link.deliver(Buffer.concat(frames));
    expect(await Promise.all(answers)).toHaveLength(2);
  });

  test('carry the client id', async () => {
    const { connection, link } = await open({ clientId: 'shop' });
    connection.post(ListGroups, 0, {});
    expect(link.requests[0]!.includes('shop')).toBe(true);
  });

  test('work over a transport that answers within the call', async () => {
    let events: LinkEvents | undefined;
    const transport: Transport = {
      open(_, given) {
        events = given;
        given.onOpen();
        return {
          queuedBytes: 0,
          write: () =>
            events!.onBytes(Buffer.concat(encodeResponseFrame(ListGroups, 0, 0, noGroups))),
          destroy: (error) => events!.onClose(error),
        };
      },
    };
    const connection = await Connection.open(optionsWith({ transport }));
    expect(await connection.request(ListGroups, 0, {})).toMatchObject({ groups: [] });
  });

  test('are rejected at once by a transport that closes within the call', async () => {
    const clock = new FakeClock();
    const transport: Transport = {
      open(_, events) {
        events.onOpen();
        return { queuedBytes: 0, write: () => events.onClose(undefined), destroy: () => undefined };
      },
    };
    const connection = await Connection.open(optionsWith({ transport, clock }));
    await expect(connection.request(ListGroups, 0, {})).rejects.toThrow(ConnectionError);
    expect(clock.pending).toBe(0);
  });

  test('posted for no answer leave the order of the others as it is', async () => {
    const { connection, link } = await open();
    connection.post(Produce, 3, { acks: 0, timeoutMs: 0, topicData: [] });
    const answer = connection.request(ListGroups, 0, {});
    expect(connection.inFlight).toBe(1);
    link.answer(1, ListGroups, noGroups);
    expect(await answer).toMatchObject({ errorCode: 0 });
  });
});

describe('a request that can’t be encoded', () => {
  test('sends nothing, and the connection goes on', async () => {
    const { connection, link, clock } = await open();
    const wrong = connection.request(Metadata, 1, { topics: 'orders' as never });
    await expect(wrong).rejects.toThrow(ProtocolError);
    expect(link.requests).toHaveLength(0);
    expect(connection.inFlight).toBe(0);
    expect(clock.pending).toBe(0);
    const right = connection.request(ListGroups, 0, {});
    link.answer(0, ListGroups, noGroups);
    expect(await right).toBeDefined();
  });

  test('is rejected, not thrown', async () => {
    const { connection } = await open();
    await expect(connection.request('Metadata', 99, { topics: null })).rejects.toThrow(
      /no MetadataRequest version 99/,
    );
    await expect(connection.request('Metdata' as 'Metadata', 1, { topics: null })).rejects.toThrow(
      /no API named 'Metdata'/,
    );
  });
});

describe('an answer that can’t be decoded', () => {
  test('rejects its request only', async () => {
    const { connection, link } = await open();
    const first = connection.request(Metadata, 1, { topics: null });
    const second = connection.request(ListGroups, 0, {});
    link.deliver(Buffer.from('00000006' + '00000000' + '7fff', 'hex'));
    await expect(first).rejects.toThrow(ProtocolError);
    link.answer(1, ListGroups, noGroups);
    expect(await second).toBeDefined();
    expect(connection.isOpen).toBe(true);
  });
});

describe('bytes that break the protocol', () => {
  test('end the connection when they answer another request', async () => {
    const { connection, link, clock } = await open();
    const requests = Promise.allSettled([
      connection.request(Metadata, 1, { topics: null }),
      connection.request(ListGroups, 0, {}),
    ]);
    link.deliver(Buffer.concat(encodeResponseFrame(ListGroups, 0, 1, noGroups)));
    const [first, second] = (await requests).map(reasonOf);
    expect(first).toBeInstanceOf(ProtocolError);
    expect(first?.message).toMatch(
      /answered request 1 when the answer to 0 \(Metadata@1\) was due/,
    );
    expect(second).toBeInstanceOf(ConnectionError);
    expect(connection.isOpen).toBe(false);
    expect(clock.pending).toBe(0);
  });

  test('end it when nobody asked for them', async () => {
    const { connection, link } = await open();
    const closed = new Promise((resolve) => connection.whenClosed(resolve));
    link.deliver(Buffer.concat(encodeResponseFrame(ListGroups, 0, 0, noGroups)));
    expect(await closed).toMatchObject({
      message: expect.stringMatching(/b1:9092 sent 10 bytes that nobody asked for/) as string,
    });
    expect(link.isClosed).toBe(true);
  });

  test('end it when they are too few to be an answer', async () => {
    const { connection, link } = await open();
    const request = connection.request(ListGroups, 0, {});
    link.deliver(Buffer.from('000000020000', 'hex'));
    await expect(request).rejects.toThrow(ProtocolError);
    expect(connection.isOpen).toBe(false);
  });

  test('end it when they are HTTP, and say so', async () => {
    const { connection, link } = await open();
    const request = connection.request(ListGroups, 0, {});
    link.deliver(Buffer.from('HTTP/1.1 400 Bad Request\r\n'));
    const error = await failureOf(request);
    expect(error).toBeInstanceOf(ConnectionError);
    expect(error.message).toMatch(/the peer speaks HTTP/);
    expect(error.cause).toBeInstanceOf(ProtocolError);
  });
});

describe('time', () => {
  test('ends the connection when an answer is overdue, with one error each', async () => {
    const { connection, link, clock } = await open({ requestTimeoutMs: 1000 });
    const closed = vi.fn();
    connection.whenClosed(closed);
    const rejections = [vi.fn(), vi.fn(), vi.fn()];
    const requests = rejections.map((onRejected, i) =>
      connection.request(ListGroups, 0, {}, i === 1 ? 500 : undefined).catch(onRejected),
    );
    clock.advance(499);
    expect(connection.isOpen).toBe(true);
    clock.advance(1);
    await Promise.all(requests);
    const [first, second, third] = rejections.map(({ mock }) => mock.calls[0]![0] as Error);
    expect(first).toBeInstanceOf(ConnectionError);
    expect(second).toBeInstanceOf(TimeoutError);
    expect(second!.message).toMatch(/b1:9092 did not answer ListGroups@0 within 500 ms/);
    expect(third).toBeInstanceOf(ConnectionError);
    for (const rejection of rejections) expect(rejection).toHaveBeenCalledTimes(1);
    expect(closed).toHaveBeenCalledExactlyOnceWith(second);
    expect(link.isClosed).toBe(true);
    expect(clock.pending).toBe(0);
  });

  test('is not kept for what was answered', async () => {
    const { connection, link, clock } = await open();
    const request = connection.request(ListGroups, 0, {});
    link.answer(0, ListGroups, noGroups);
    await request;
    expect(clock.pending).toBe(0);
    clock.advance(1_000_000);
    expect(connection.isOpen).toBe(true);
  });
});

describe('closing', () => {
  test('rejects what is pending, once, with the reason', async () => {
    const { connection, link, clock } = await open();
    const request = connection.request(Metadata, 1, { topics: null });
    connection.close(new Error('going home'));
    connection.close(new Error('again'));
    const error = await failureOf(request);
    expect(error).toMatchObject({ code: 'DISCONNECTED', context: { api: 'Metadata@1' } });
    expect(error.message).toMatch(/to b1:9092 was closed before Metadata@1 was answered: going/);
    expect(link.isClosed).toBe(true);
    expect(clock.pending).toBe(0);
  });

  test('by the peer rejects what is pending', async () => {
    const { connection, link } = await open();
    const request = connection.request(Metadata, 1, { topics: null });
    link.hangUp(new Error('read ECONNRESET'));
    await expect(request).rejects.toThrow(/read ECONNRESET/);
    expect(connection.isOpen).toBe(false);
  });

  test('makes later requests fail, and say that nothing was sent', async () => {
    const { connection, link } = await open();
    connection.close();
    const error = await failureOf(connection.request(ListGroups, 0, {}));
    expect(error).toMatchObject({ code: 'DISCONNECTED' });
    expect(error.message).toMatch(/b1:9092 is closed, ListGroups@0 was not sent/);
    expect(() => connection.post(ListGroups, 0, {})).toThrow(ConnectionError);
    expect(link.requests).toHaveLength(0);
  });

  test('tells each listener once, also one that comes late', async () => {
    const { connection, link } = await open();
    const [early, late] = [vi.fn(), vi.fn()];
    connection.whenClosed(early);
    link.hangUp();
    connection.whenClosed(late);
    connection.close(new Error('too late'));
    expect(early).toHaveBeenCalledExactlyOnceWith(undefined);
    expect(late).toHaveBeenCalledExactlyOnceWith(undefined);
  });

  test('ignores bytes that come all the same', async () => {
    const { connection, transport } = await open();
    const answer = Buffer.concat(encodeResponseFrame(ListGroups, 0, 0, noGroups));
    const request = connection.request(ListGroups, 0, {});
    connection.close();
    transport.last.isClosed = false;
    transport.last.deliver(answer);
    await expect(request).rejects.toThrow(ConnectionError);
    await settled();
  });
});

const nobody = { brokers: [], topics: [] };
const noGroups = { errorCode: 0, groups: [] };

function optionsWith(overrides: Partial<ConnectionOptions> = {}): ConnectionOptions {
  return {
    address: { host: 'b1', port: 9092 },
    transport: new MemoryTransport(),
    clock: new FakeClock(),
    clientId: null,
    requestTimeoutMs: 30_000,
    setupTimeoutMs: 10_000,
    maxResponseBytes: 1_000_000,
    ...overrides,
  };
}

function begin(overrides: Partial<ConnectionOptions> = {}, signal?: AbortSignal) {
  const clock = new FakeClock();
  const transport = new MemoryTransport();
  const opening = Connection.open(optionsWith({ clock, transport, ...overrides }), signal);
  return { clock, transport, opening };
}

async function open(overrides: Partial<ConnectionOptions> = {}, signal?: AbortSignal) {
  const { clock, transport, opening } = begin(overrides, signal);
  transport.last.accept();
  return { clock, transport, link: transport.last, connection: await opening };
}

async function failureOf(promise: Promise<unknown>): Promise<Error> {
  return promise.then(
    () => expect.unreachable('it should have been rejected'),
    (error: unknown) => error as Error,
  );
}

function reasonOf(result: PromiseSettledResult<unknown>): Error {
  return result.status === 'rejected' ? (result.reason as Error) : expect.unreachable();
}
