import { describe, expect, it } from 'vitest';
import type { Kafka, ProducerOptions } from '../../../src/index.js';
import { rejectionOf, Simulation } from '../../support/simulation.js';

const TOPIC = 'orders';
const NOBODYS_CORRELATION_ID = 0x7777_7777;

type SimTransport = Simulation['cluster']['transport'];

/** A transport that spoils the next answer when it is told to. */
function spoiling(transport: SimTransport) {
  const state = {
    spoilsNext: false,
    open(...[address, events, options]: Parameters<SimTransport['open']>) {
      return transport.open(
        address,
        {
          onOpen: () => events.onOpen(),
          onClose: (error) => events.onClose(error),
          onBytes(bytes) {
            const own = Buffer.from(bytes);
            if (state.spoilsNext) own.writeInt32BE(NOBODYS_CORRELATION_ID, 4);
            state.spoilsNext = false;
            events.onBytes(own);
          },
        },
        options,
      );
    },
  };
  return state;
}

function stored(sim: Simulation): string[] {
  return sim.cluster.records(TOPIC).map(({ value }) => String(value));
}

async function start(options: ProducerOptions = {}) {
  const sim = await Simulation.start({ topics: { [TOPIC]: 1 } });
  const transport = spoiling(sim.cluster.transport);
  const kafka: Kafka = sim.kafka({ transport, requestTimeoutMs: 1000 });
  const producer = kafka.producer({ lingerMs: 0, ...options });
  const send = (value: string) => producer.send({ topic: TOPIC, value });
  await sim.run(send('warm'));
  return { sim, transport, send, [Symbol.asyncDispose]: () => sim[Symbol.asyncDispose]() };
}

describe('an answer that can not be read', () => {
  it('leaves open whether the record was written, and its number is not given to the next one', async () => {
    await using all = await start();
    const { sim, transport, send } = all;
    transport.spoilsNext = true;
    const error = await sim.run(rejectionOf(send('a')));
    expect(error).toMatchObject({
      code: 'PROTOCOL_VIOLATION',
      context: { topic: TOPIC, partition: 0 },
      mayBeWritten: true,
    });
    expect(String(error)).toMatch(/orders-0.*sent once and may have been written/);
    const receipt = await sim.run(send('b'));
    expect(stored(sim)).toEqual(['warm', 'a', 'b']);
    expect(receipt.offset).toBe(2);
  });

  it('keeps nothing waiting where its record had been given up', async () => {
    await using all = await start({
      requestTimeoutMs: 3000,
      deliveryTimeoutMs: 3000,
      retryBackoffMs: 1000,
    });
    const { sim, transport, send } = all;
    sim.cluster.failNext('Produce', 'NOT_ENOUGH_REPLICAS');
    const sent = rejectionOf(send('a'));
    await sim.until(() => sim.eventsOf('retried').length > 0);
    sim.cluster.delay('Produce', 2800);
    expect(await sim.run(sent)).toMatchObject({ code: 'DELIVERY_TIMED_OUT', mayBeWritten: true });
    transport.spoilsNext = true;
    await sim.until(() => !transport.spoilsNext);
    sim.cluster.clearFaults();
    await sim.run(send('b'));
    expect(stored(sim)).toEqual(['warm', 'a', 'b']);
  });
});
