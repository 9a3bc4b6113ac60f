import type { MessagePort } from 'node:worker_threads';
import type { Serialized } from '../../serde/index.js';
import type { Clock } from '../../util/clock.js';
import { KafkaError } from '../../util/errors.js';
import { Queue } from '../../util/queue.js';
import { complaintAbout, complaintAboutTopic, headerList, serialized } from '../check-record.js';
import {
  invalidPartition,
  invalidRecord,
  producerClosed,
  serviceEnded,
  serializationFailure,
  unknowable,
  unreadableRecord,
} from '../errors.js';
import type { PartitionInfo } from '../producer.js';
import type { ProducerRecord, Submitter } from '../record.js';
import type { SinkEngine } from '../sink-engine.js';
import {
  reviveError,
  type SharedOutcome,
  type SharedRecord,
  type ToProducer,
  type ToWorker,
} from './messages.js';

interface Unsettled {
  readonly topic: string;
  readonly bytes: number;
  readonly submitter: Submitter;
  readonly token: unknown;
}

/** The producer of another thread, as sinks in this one see it. */
export class RemoteEngine implements SinkEngine {
  isClosed = false;
  private usedBytes = 0;
  private nextId = 0;
  private nextCall = 0;
  private outbox: SharedRecord[] = [];
  private readonly unsettled = new Map<number, Unsettled>();
  private readonly roomListeners = new Queue<() => void>();
  private readonly calls = new Map<number, (message: ToWorker) => void>();

  constructor(
    private readonly port: MessagePort,
    readonly clock: Clock,
    readonly options: { readonly bufferMemory: number },
  ) {
    port.on('message', (message: ToWorker) => this.receive(message));
    port.once('close', () => this.lost());
    this.updateRef();
  }

  get hasRoom(): boolean {
    return this.usedBytes < this.options.bufferMemory;
  }

  get wantsMore(): boolean {
    return this.hasRoom;
  }

  submit(
    topic: string,
    record: Omit<ProducerRecord, 'topic'>,
    submitter: Submitter,
    token: unknown,
  ): boolean {
    if (!this.hasRoom && !this.isClosed) return false;
    const shared = this.isClosed ? producerClosed() : this.read(topic, record, submitter);
    if (shared instanceof KafkaError) {
      submitter.failed(token, shared);
      return true;
    }
    const bytes = heldBytes(shared, submitter);
    this.usedBytes += bytes;
    this.unsettled.set(this.nextId++, { topic, bytes, submitter, token });
    if (this.outbox.length === 0) queueMicrotask(() => this.sendOutbox());
    this.outbox.push(shared);
    this.updateRef();
    return true;
  }

  whenRoom(callback: () => void): void {
    if (this.isClosed) queueMicrotask(callback);
    else this.roomListeners.push(callback);
  }

  /** The client is of another thread, which doesn't tell. */
  onDrain(): () => void {
    return () => undefined;
  }

  async flush(): Promise<void> {
    if (this.isClosed) return;
    this.sendOutbox();
    await this.call((call) => ({ type: 'flush', call }));
  }

  async partitionsFor(topic: string): Promise<readonly PartitionInfo[]> {
    if (this.isClosed) throw producerClosed();
    const complaint = complaintAboutTopic(topic);
    if (complaint !== undefined) throw unknowable(complaint);
    const answer = await this.call((call) => ({ type: 'partitions', call, topic }));
    if (answer.type !== 'partitions') throw producerClosed();
    if (answer.error !== undefined) throw reviveError(answer.error);
    return answer.partitions ?? [];
  }

  /** Finishes what was given, then lets go of the port. */
  async close(): Promise<void> {
    if (this.isClosed) return;
    await this.flush();
    this.post({ type: 'close' });
    this.port.close();
    this.lost();
  }

  /** What has crossed to the other thread can't be taken back. */
  dropOldest(): number {
    return 0;
  }

  reportDropped(topic: string, _partition: number, records: number): void {
    process.emitWarning(
      `rx-kafka dropped ${records} record(s) for ${topic}: bufferMemory is used up`,
    );
  }

  /** What can't cross to the other thread is refused here: it would take those beside it along. */
  private read(
    topic: string,
    record: Omit<ProducerRecord, 'topic'>,
    submitter: Submitter,
  ): SharedRecord | KafkaError {
    const complaint = complaintAboutTopic(topic);
    if (complaint !== undefined) return invalidRecord('', complaint);
    try {
      return this.serialize(topic, record, submitter);
    } catch (cause) {
      return unreadableRecord(topic, cause);
    }
  }

  private serialize(
    topic: string,
    record: Omit<ProducerRecord, 'topic'>,
    submitter: Submitter,
  ): SharedRecord | KafkaError {
    const complaint = complaintAbout(record);
    if (complaint !== undefined) return invalidRecord(topic, complaint);
    const { key, value, headers, partition, timestamp } = record;
    if (partition !== undefined && typeof partition !== 'number') {
      return invalidPartition(topic, partition);
    }
    let part: 'key' | 'value' = 'key';
    try {
      const keyBytes =
        key == null ? null : serialized(submitter.serializeKey(key as never, { topic }));
      part = 'value';
      const valueBytes =
        value == null ? null : serialized(submitter.serializeValue(value as never, { topic }));
      return {
        topic,
        key: detached(keyBytes),
        value: detached(valueBytes),
        headers: headerList(headers).map(([name, part]) => [name, detached(part)] as const),
        partition,
        timestamp: timestamp ?? this.clock.now(),
      };
    } catch (error) {
      return serializationFailure(topic, part, error);
    }
  }

  private sendOutbox(): void {
    if (this.outbox.length === 0) return;
    const records = this.outbox;
    this.outbox = [];
    this.post({ type: 'records', firstId: this.nextId - records.length, records });
  }

  private receive(message: ToWorker): void {
    switch (message.type) {
      case 'outcomes':
        for (const outcome of message.outcomes) this.settle(outcome);
        break;
      case 'flushed':
      case 'partitions':
        this.calls.get(message.call)?.(message);
        this.calls.delete(message.call);
        break;
      case 'closed':
        this.lost();
    }
    this.wakeBlocked();
    this.updateRef();
  }

  private settle({ id, partition, offset, timestamp, error }: SharedOutcome): void {
    const record = this.unsettled.get(id);
    if (record === undefined) return;
    this.unsettled.delete(id);
    this.usedBytes -= record.bytes;
    const { submitter, token, topic } = record;
    if (error === undefined) submitter.acknowledged(token, topic, partition, offset, timestamp);
    else submitter.failed(token, reviveError(error));
  }

  /** The other thread has gone: what is not settled will not be told about. */
  private lost(): void {
    if (this.isClosed) return;
    this.isClosed = true;
    this.usedBytes = 0;
    const firstUnsent = this.nextId - this.outbox.length;
    for (const [id, { submitter, token, topic }] of this.unsettled) {
      submitter.failed(token, id < firstUnsent ? serviceEnded(topic) : producerClosed());
    }
    this.unsettled.clear();
    for (const answer of this.calls.values()) answer({ type: 'closed' });
    this.calls.clear();
    this.wakeBlocked();
  }

  private wakeBlocked(): void {
    // Those who find no room wait again: once around, then.
    for (let left = this.roomListeners.length; left > 0; left--) {
      if (!this.hasRoom && !this.isClosed) return;
      this.roomListeners.shift()!();
    }
  }

  private call(message: (call: number) => ToProducer): Promise<ToWorker> {
    const call = this.nextCall++;
    return new Promise((resolve) => {
      this.calls.set(call, resolve);
      this.post(message(call));
      this.updateRef();
    });
  }

  private post(message: ToProducer): void {
    this.port.postMessage(message);
  }

  /** The port keeps the thread alive only while something is expected from it. */
  private updateRef(): void {
    if (this.unsettled.size > 0 || this.calls.size > 0) this.port.ref();
    else this.port.unref();
  }
}

function heldBytes({ key, value, headers }: SharedRecord, submitter: Submitter): number {
  let bytes = lengthOf(key) + lengthOf(value);
  for (const [name, part] of headers) bytes += name.length + lengthOf(part);
  return bytes + submitter.heldBytes(bytes);
}

/** Bytes in memory of their own: a view would take all of the memory behind it to the other thread. */
function detached(bytes: Serialized): Serialized {
  if (bytes === null || typeof bytes === 'string') return bytes;
  return Uint8Array.prototype.slice.call(bytes);
}

function lengthOf(bytes: Serialized): number {
  return bytes === null ? 0 : bytes.length;
}
