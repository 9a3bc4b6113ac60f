import { Subject } from 'rxjs';
import { describe, expect, it } from 'vitest';
import { TimeoutError, toTopic, type SinkRecord } from '../../../src/index.js';
import { rejectionOf, Simulation } from '../../support/simulation.js';
import { watch } from '../../support/watching.js';

const TOPIC = 'orders';
const NO_PARTITION = 9;

function stored(sim: Simulation, topic = TOPIC): string[] {
  return sim.cluster.records(topic).map(({ value }) => String(value));
}

describe('records that wait for the whereabouts of their topic', () => {
  it('are not overtaken by what is sent when one of them is refused', async () => {
    await using sim = await Simulation.start({ topics: { [TOPIC]: 1 } });
    const producer = sim.kafka().producer();
    const source = new Subject<SinkRecord>();
    const codes: string[] = [];
    watch(source.pipe(toTopic(producer, TOPIC, { onError: 'emit' })), (outcome) => {
      if (!('error' in outcome)) return;
      codes.push(outcome.error.code);
      if (codes.length === 1) source.next({ value: 'instead', partition: NO_PARTITION });
      source.next({ value: `late ${codes.length}` });
    });
    source.next({ value: 'a' });
    source.next({ value: 'bad', partition: NO_PARTITION });
    source.next({ value: 'b' });
    source.next({ value: 'c' });
    await sim.until(() => stored(sim).length === 5);
    expect(codes).toEqual(['INVALID_PARTITION', 'INVALID_PARTITION']);
    expect(stored(sim)).toEqual(['a', 'b', 'c', 'late 1', 'late 2']);
    await sim.run(producer.flush());
    expect(producer.metrics()['producer-metrics']!['buffer-available-bytes']).toBe(
      producer.metrics()['producer-metrics']!['buffer-total-bytes'],
    );
  });

  it('go on where it could not be asked whether there are more partitions, but for those beyond', async () => {
    await using sim = await Simulation.start({ topics: { [TOPIC]: 2 } });
    const producer = sim.kafka({ requestTimeoutMs: 1000 }).producer({ maxBlockMs: 3000 });
    const send = (value: string, partition: number) =>
      producer.send({ topic: TOPIC, value, partition });
    await sim.run(send('warm', 0));
    sim.cluster.drop('Metadata', 1000);
    const beyond = rejectionOf(send('beyond', NO_PARTITION));
    const others = [send('a', 0), send('b', 1)];
    const error = await sim.run(beyond);
    expect(error).toBeInstanceOf(TimeoutError);
    expect(error).toMatchObject({ code: 'METADATA_TIMED_OUT', context: { topic: TOPIC } });
    sim.cluster.clearFaults();
    await sim.run(Promise.all(others));
    expect(stored(sim)).toEqual(['warm', 'a', 'b']);
  });

  it('are waited for by the commit of their transaction, when those of one before were given up', async () => {
    await using sim = await Simulation.start({
      topics: { [TOPIC]: 1 },
      autoCreateTopicsEnable: false,
    });
    const producer = sim.kafka().producer({ transactionalId: 'id', maxBlockMs: 5000 });
    const first = await sim.run(producer.beginTransaction());
    const givenUp = rejectionOf(first.send({ topic: 'new', value: 'a' }));
    await sim.run(first.abort());
    expect(await givenUp).toMatchObject({ code: 'TRANSACTION_ABORTED' });
    await sim.advance(3000);
    const second = await sim.run(producer.beginTransaction());
    const sent = second.send({ topic: 'new', value: 'b' });
    // By then nobody waits for the answer to the first question any more.
    await sim.advance(3000);
    const committed = second.commit();
    await sim.calm();
    sim.cluster.createTopic('new', { partitions: 1 });
    expect(await sim.run(sent)).toMatchObject({ offset: 0 });
    await sim.run(committed);
    expect(sim.cluster.committedRecords('new').map(({ value }) => String(value))).toEqual(['b']);
  });
});
