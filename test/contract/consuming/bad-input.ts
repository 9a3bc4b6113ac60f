import { take, tap } from 'rxjs';
import { describe, expect, test, vi } from 'vitest';
import {
  ConfigError,
  fromOffsetRange,
  fromPartitions,
  fromTopics,
  json,
  KafkaError,
  processEach,
  SerializationError,
  type LifecycleEvent,
  type PartitionOffset,
} from '../../../src/index.js';
import { collect, uniqueTopic, type ContractSetup } from '../setup.js';

const PATIENCE_MS = 20_000;

/** What can't be read, and what was not meant. */
export function badConsumingContract(setup: ContractSetup): void {
  async function goodBadGood(): Promise<string> {
    const topic = uniqueTopic('odd');
    await setup.cluster.createTopic(topic);
    await setup.cluster.write(topic, 0, [
      { value: '{"n":1}' },
      { value: '{' },
      { value: '{"n":3}' },
    ]);
    return topic;
  }

  describe('a value that its deserializer can’t read', () => {
    const valueDeserializer = json<{ n: number }>();

    test('ends the stream with an error that names it, after what came before', async () => {
      const topic = await goodBadGood();
      await using kafka = setup.connect();
      const seen: number[] = [];
      const source = fromOffsetRange(kafka, [{ topic, partition: 0 }], { valueDeserializer }).pipe(
        tap(({ offset }) => seen.push(offset)),
      );
      const error: unknown = await collect(source).catch((reason: unknown) => reason);
      expect(error).toBeInstanceOf(SerializationError);
      expect(error).toMatchObject({ context: { topic, partition: 0, offset: 1 } });
      expect((error as Error).message).toMatch(new RegExp(`${topic}.*0.*1`));
      expect(seen).toEqual([0]);
    });

    test('is passed over with an event, where the policy says skip', async () => {
      const topic = await goodBadGood();
      await using kafka = setup.connect();
      const events: LifecycleEvent[] = [];
      kafka.lifecycle.subscribe((event) => events.push(event));
      const options = { valueDeserializer, onDeserializationError: 'skip' } as const;
      const records = await collect(fromOffsetRange(kafka, [{ topic, partition: 0 }], options));
      expect(records.map(({ value }) => value.n)).toEqual([1, 3]);
      const skipped = events.filter(({ type }) => type === 'skipped');
      expect(skipped).toMatchObject([{ topic, partition: 0, offset: 1, nextOffset: 2 }]);
    });

    test('is replaced by what a function makes of it', async () => {
      const topic = await goodBadGood();
      await using kafka = setup.connect();
      const failures: PartitionOffset[] = [];
      const options = {
        valueDeserializer,
        onDeserializationError: (failure: PartitionOffset) => {
          failures.push(failure);
          return { n: -1 };
        },
      };
      const records = await collect(fromOffsetRange(kafka, [{ topic, partition: 0 }], options));
      expect(records.map(({ value }) => value.n)).toEqual([1, -1, 3]);
      expect(failures).toMatchObject([{ topic, partition: 0, offset: 1, part: 'value' }]);
    });
  });

  test('what a callback throws ends the stream with it, and the record is not committed', async () => {
    const topic = uniqueTopic('throws');
    await setup.cluster.createTopic(topic);
    await setup.cluster.write(topic, 0, [{ value: 'a' }, { value: 'b' }, { value: 'c' }]);
    const options = { groupId: uniqueTopic('group'), autoOffsetReset: 'earliest' } as const;
    const partitions = [{ topic, partition: 0 }];
    await using kafka = setup.connect();
    const source = fromPartitions(kafka, partitions, options).pipe(
      processEach(({ value }) => {
        if (String(value) === 'b') throw new Error('mine');
      }),
    );
    await expect(collect(source)).rejects.toThrow('mine');
    // What was acked is committed after the stream has ended.
    const consumer = kafka.consumer(options);
    const offsets = () => consumer.committed(partitions).then((all) => all.map((at) => at.offset));
    await vi.waitUntil(async () => (await offsets()).length > 0, { timeout: PATIENCE_MS });
    expect(await offsets()).toEqual([1]);
  });

  test('an error of the pipeline can be retried from where it was acked', async () => {
    const topic = uniqueTopic('retried');
    await setup.cluster.createTopic(topic);
    await setup.cluster.write(topic, 0, [{ value: 'a' }, { value: 'b' }, { value: 'c' }]);
    const options = { groupId: uniqueTopic('group'), autoOffsetReset: 'earliest' } as const;
    await using kafka = setup.connect();
    const worked: string[] = [];
    const source = fromPartitions(kafka, [{ topic, partition: 0 }], options).pipe(
      processEach(({ value }) => {
        worked.push(String(value));
        if (worked.length === 2) throw new Error('once');
        return [String(value)];
      }),
      take(2),
    );
    await expect(collect(source)).rejects.toThrow('once');
    // The next one waits for the commit of the last.
    expect(await collect(source)).toEqual(['b', 'c']);
    expect(worked).toEqual(['a', 'b', 'b', 'c']);
  });

  test('a topic that does not exist, and may not be created, is told of, and found once it is there', async () => {
    const topic = uniqueTopic('later');
    await using kafka = setup.connect({ allowAutoCreateTopics: false, metadataMaxAgeMs: 200 });
    const options = { autoOffsetReset: 'earliest', metadataMaxAgeMs: 200 } as const;
    const first = collect(fromTopics(kafka, topic, options).pipe(take(1)));
    const { cluster, capabilities } = setup;
    // Before 0.11 brokers make whatever they are asked for.
    if (capabilities.canForbidAutoCreation) await cluster.createTopic(topic);
    else await cluster.awaitTopic(topic);
    await setup.cluster.write(topic, 0, [{ value: 'here' }]);
    expect((await first).map(({ value }) => String(value))).toEqual(['here']);
  });

  test.each(['', '.', 'a b', 'x'.repeat(250), undefined, 7])(
    'the topic %j is refused at once',
    async (topic) => {
      await using kafka = setup.connect();
      expect(() => fromTopics(kafka, topic as never)).toThrow(KafkaError);
    },
  );

  test.each([
    [{ groupid: 'g' }, /groupid.*groupId/],
    [{ groupId: '' }, /groupId/],
    [{ autoOffsetReset: 'first' }, /autoOffsetReset.*first.*earliest/],
    [{ isolationLevel: 'committed' }, /isolationLevel.*committed.*read_committed/],
    [{ maxPollRecords: 0 }, /maxPollRecords.*0/],
    [{ groupProtocol: 'new' }, /groupProtocol.*new/],
    [{ maxBufferedBytes: -1 }, /maxBufferedBytes.*-1/],
    [{ valueDeserializer: 'json' }, /valueDeserializer/],
  ])('%j is refused at once, naming the option and the fix', async (options, says) => {
    await using kafka = setup.connect();
    expect(() => kafka.consumer(options as never)).toThrow(ConfigError);
    expect(() => kafka.consumer(options as never)).toThrow(says);
    expect(() => fromTopics(kafka, 'a', options as never)).toThrow(says);
  });
}
