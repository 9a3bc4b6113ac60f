import type { MessagePort } from 'node:worker_threads';
import { Subject } from 'rxjs';
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
import { dropped, type Dropped } from '../events.js';
import type { PartitionInfo } from '../producer.js';
import type { ProducerRecord, Submitter } from '../record.js';
import type { SinkEngine } from '../sink-engine.js';
import {
  type SharedOutcome,
  type SharedRecord,
  type ToProducer,
  type ToWorker,
} from './messages.js';
import { reviveError } from './shared-error.js';

interface Unsettled {
  /** Ascends with the order in which records were given. */
  readonly order: number;
  readonly topic: string;
  readonly bytes: number;
  readonly submitter: Submitter;
  readonly token: unknown;
  /** Until it has crossed to the other thread. */
  record: SharedRecord | undefined;
}

/**
 * The producer of another thread, as sinks in this one see it.
 *
 * What has crossed to that thread can't be taken back. So of what may be given up for newer records at most
 * half of the buffer crosses before it is settled: the rest is here, where it can be dropped.
 */
export class RemoteEngine implements SinkEngine {
  isClosed = false;
  /** Records that were dropped. Completes when nothing more can be sent. */
  readonly events = new Subject<Dropped>();
  private usedBytes = 0;
  /** Those of them that the other thread has. */
  private crossedBytes = 0;
  private nextId = 0;
  private nextOrder = 0;
  private nextCall = 0;
  private isSendQueued = false;
  /** What has not crossed yet, in order. */
  private readonly outbox = new Set<Unsettled>();
  /** What has, by the number under which it is answered. */
  private readonly crossed = new Map<number, Unsettled>();
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
    const order = this.nextOrder++;
    this.outbox.add({ order, topic, bytes, submitter, token, record: shared });
    this.sendSoon();
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
    const end = this.nextOrder;
    do {
      if (this.isClosed) return;
      this.sendOutbox();
      await this.call((call) => ({ type: 'flush', call }));
      // What was held back has followed when something was settled.
    } while (this.oldestUnsettled < end);
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

  /** Makes room by giving up the submitter's oldest records of those that have not crossed. */
  dropOldest(submitter: Submitter, isDroppable: (token: unknown) => boolean): number {
    const given: SharedRecord[] = [];
    for (const held of this.outbox) {
      if (this.hasRoom) break;
      if (held.submitter !== submitter || !isDroppable(held.token)) continue;
      this.outbox.delete(held);
      this.usedBytes -= held.bytes;
      given.push(held.record!);
    }
    for (const { topic, partition } of given) this.reportDropped(topic, partition ?? -1, 1);
    this.wakeBlocked();
    this.updateRef();
    return given.length;
  }

  reportDropped(topic: string, partition: number, records: number): void {
    this.events.next(dropped(topic, partition, records));
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

  private get oldestUnsettled(): number {
    for (const { order } of this.crossed.values()) return order;
    for (const { order } of this.outbox) return order;
    return Infinity;
  }

  /** Once the code at work now is done: what is given at once crosses in one message. */
  private sendSoon(): void {
    if (this.isSendQueued) return;
    this.isSendQueued = true;
    queueMicrotask(() => {
      this.isSendQueued = false;
      this.sendOutbox();
    });
  }

  private sendOutbox(): void {
    const firstId = this.nextId;
    const records: SharedRecord[] = [];
    for (const held of this.outbox) {
      if (held.submitter.dropsOldest === true && !this.hasRoomAcross) break;
      this.outbox.delete(held);
      this.crossed.set(this.nextId++, held);
      this.crossedBytes += held.bytes;
      records.push(held.record!);
      held.record = undefined;
    }
    if (records.length > 0) this.post({ type: 'records', firstId, records });
  }

  private get hasRoomAcross(): boolean {
    return this.crossedBytes < this.options.bufferMemory / 2;
  }

  private receive(message: ToWorker): void {
    switch (message.type) {
      case 'outcomes':
        for (const outcome of message.outcomes) this.settle(outcome);
        this.sendOutbox();
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
    const record = this.crossed.get(id);
    if (record === undefined) return;
    this.crossed.delete(id);
    const { submitter, token, topic, bytes } = record;
    this.usedBytes -= bytes;
    this.crossedBytes -= bytes;
    if (error === undefined) submitter.acknowledged(token, topic, partition, offset, timestamp);
    else submitter.failed(token, reviveError(error));
  }

  /** The other thread has gone: what is not settled will not be told about. */
  private lost(): void {
    if (this.isClosed) return;
    this.isClosed = true;
    this.usedBytes = 0;
    this.crossedBytes = 0;
    for (const { submitter, token, topic } of this.crossed.values()) {
      submitter.failed(token, serviceEnded(topic));
    }
    this.crossed.clear();
    for (const { submitter, token } of this.outbox) submitter.failed(token, producerClosed());
    this.outbox.clear();
    for (const answer of this.calls.values()) answer({ type: 'closed' });
    this.calls.clear();
    this.wakeBlocked();
    this.events.complete();
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
    if (this.crossed.size + this.outbox.size + this.calls.size > 0) this.port.ref();
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
