import { of, type Observable } from 'rxjs';
import { describe, expectTypeOf, test } from 'vitest';
import {
  createKafka,
  json,
  sendAll,
  string,
  toTopic,
  type KafkaError,
  type Producer,
  type Receipt,
  type SendFailure,
} from '../../src/index.js';

interface Click {
  readonly user: string;
}

const kafka = createKafka({ bootstrapServers: 'localhost:9092' });
const clicks = of<Click>({ user: 'anna' });

test('a failure says whether the record may have been written', () => {
  expectTypeOf<KafkaError>().toHaveProperty('mayBeWritten').toEqualTypeOf<boolean>();
});

describe('a producer', () => {
  test('takes the keys and values that its serializers take', () => {
    const producer = kafka.producer({ keySerializer: string(), valueSerializer: json<Click>() });
    expectTypeOf(producer).toEqualTypeOf<Producer<string, Click>>();
    expectTypeOf(
      producer.send({ topic: 't', key: 'k', value: { user: 'a' } }),
    ).resolves.toEqualTypeOf<Receipt>();
    // @ts-expect-error a key of another type
    void producer.send({ topic: 't', key: 5, value: { user: 'a' } });
    // @ts-expect-error a value of another type
    void producer.send({ topic: 't', key: 'k', value: 'text' });
    void producer.send({ topic: 't', key: null, value: null });
  });

  test('has options of the right types only', () => {
    // @ts-expect-error no such choice
    kafka.producer({ acks: 2 });
    // @ts-expect-error not a number
    kafka.producer({ lingerMs: '5' });
    // @ts-expect-error no such codec
    kafka.producer({ compressionType: 'brotli' });
  });

  test('calls a partitioner with bytes', () => {
    kafka.producer({
      partitioner: ({ key, partitionCount }) => {
        expectTypeOf(key).toEqualTypeOf<Buffer | null>();
        return partitionCount - 1;
      },
    });
  });
});

describe('toTopic', () => {
  test('gives receipts whose origin is what was sent', () => {
    const receipts = clicks.pipe(
      toTopic(kafka, 'clicks', { toRecord: (click) => ({ value: click.user }) }),
    );
    expectTypeOf(receipts).toEqualTypeOf<Observable<Receipt<Click>>>();
  });

  test('gives failures besides with onError emit', () => {
    const all = clicks.pipe(toTopic(kafka, 'clicks', { onError: 'emit' }));
    expectTypeOf(all).toEqualTypeOf<Observable<Receipt<Click> | SendFailure<Click>>>();
  });

  test('gives what an onError function makes besides', () => {
    const all = clicks.pipe(
      toTopic(kafka, 'clicks', {
        onError: (failure: SendFailure<Click>) => of(failure.error.code),
      }),
    );
    expectTypeOf(all).toEqualTypeOf<Observable<Receipt<Click> | string>>();
  });

  test('takes options of the producer only where it makes one', () => {
    const producer = kafka.producer();
    clicks.pipe(toTopic(kafka, 'clicks', { lingerMs: 5 }));
    // @ts-expect-error the producer exists already
    clicks.pipe(toTopic(producer, 'clicks', { lingerMs: 5 }));
  });
});

describe('sendAll', () => {
  test('gives receipts whose origin is what was pulled', () => {
    const toRecord = (value: string) => ({ value });
    expectTypeOf(sendAll(kafka, 't', ['a'], { toRecord })).toEqualTypeOf<
      Observable<Receipt<string>>
    >();
    expectTypeOf(sendAll(kafka, 't', ['a'], { toRecord, onError: 'emit' })).toEqualTypeOf<
      Observable<Receipt<string> | SendFailure<string>>
    >();
  });
});

describe('request', () => {
  test('gives the answer of the API that was asked', () => {
    const answer = kafka.request('ListGroups', {});
    expectTypeOf(answer).resolves.toHaveProperty('groups');
    // @ts-expect-error no such API
    void kafka.request('ListGroupies', {});
  });
});
