import type { MessagePort } from 'node:worker_threads';
import { badOption } from '../../util/options.js';
import { Queue } from '../../util/queue.js';
import { Producer } from '../producer.js';
import type { Submitter } from '../record.js';
import {
  type SharedOutcome,
  type SharedRecord,
  type ToProducer,
  type ToWorker,
} from './messages.js';
import { isPort, PORT } from './port.js';
import { shareError } from './shared-error.js';

/**
 * Lets a worker thread use a producer of this thread, through one end of a `MessageChannel`. Call it
 * once for each worker; all of them share the producer's connections, batches and numbering.
 *
 * **Guarantees.** Records of one worker keep their order. What a worker may have unacknowledged is
 * bounded by its own `bufferMemory`, so a fast worker can't fill this thread. Closing the port, or
 * the worker, leaves the producer open.
 *
 * @returns a function that ends the service.
 * @example
 * const { port1, port2 } = new MessageChannel();
 * serveProducer(producer, port1);
 * new Worker('./crunch.js', { workerData: { port: port2 }, transferList: [port2] });
 */
export function serveProducer(producer: Producer, port: MessagePort): () => void {
  if (!(producer instanceof Producer)) {
    throw badOption(
      'serveProducer',
      'producer',
      producer,
      'must be what kafka.producer() returned',
    );
  }
  if (!isPort(port)) throw badOption('serveProducer', 'port', port, PORT);
  const service = new ProducerService(producer, port);
  const receive = (message: ToProducer) => service.receive(message);
  port.on('message', receive);
  port.once('close', () => service.end());
  return () => {
    port.off('message', receive);
    service.end();
    port.close();
  };
}

interface Waiting {
  readonly id: number;
  readonly record: SharedRecord;
}

/** A number in three arrays; the record itself is kept by the worker, and counted there. */
const TOKEN_BYTES = 64;

class ProducerService {
  private readonly submitter: Submitter<number>;
  private readonly waiting = new Queue<Waiting>();
  private outcomes: SharedOutcome[] = [];
  private isReplyQueued = false;
  private isAwaitingRoom = false;
  private isOver = false;
  private lastId = -1;

  constructor(
    private readonly producer: Producer,
    private readonly port: MessagePort,
  ) {
    this.submitter = {
      // The worker's serializers have run already.
      serializeKey: (key) => key,
      serializeValue: (value) => value,
      heldBytes: () => TOKEN_BYTES,
      acknowledged: (id, _topic, partition, offset, timestamp) =>
        this.settled({ id, partition, offset, timestamp }),
      failed: (id, error) =>
        this.settled({ id, partition: -1, offset: -1, timestamp: -1, error: shareError(error) }),
    };
  }

  receive(message: ToProducer): void {
    switch (message.type) {
      case 'records':
        for (const [i, record] of message.records.entries()) {
          this.lastId = message.firstId + i;
          this.waiting.push({ id: this.lastId, record });
        }
        this.submitWaiting();
        return;
      case 'flush':
        void this.flush(message.call);
        return;
      case 'partitions':
        void this.tellPartitions(message.call, message.topic);
        return;
      case 'close':
        this.reply({ type: 'closed' });
        this.end();
    }
  }

  end(): void {
    this.isOver = true;
  }

  private submitWaiting(): void {
    for (let next = this.waiting.peek(); next !== undefined; next = this.waiting.peek()) {
      const { topic } = next.record;
      if (!this.producer.engine.submit(topic, next.record, this.submitter, next.id)) {
        this.awaitRoom();
        return;
      }
      this.waiting.shift();
    }
  }

  private awaitRoom(): void {
    if (this.isAwaitingRoom) return;
    this.isAwaitingRoom = true;
    this.producer.engine.whenRoom(() => {
      this.isAwaitingRoom = false;
      this.submitWaiting();
    });
  }

  private settled(outcome: SharedOutcome): void {
    this.outcomes.push(outcome);
    if (this.isReplyQueued) return;
    this.isReplyQueued = true;
    // One message for all that is settled by the same answer.
    queueMicrotask(() => {
      this.isReplyQueued = false;
      const { outcomes } = this;
      this.outcomes = [];
      this.reply({ type: 'outcomes', outcomes });
    });
  }

  private async flush(call: number): Promise<void> {
    // Those that come meanwhile are for the next flush: they might never end.
    const { lastId } = this;
    while ((this.waiting.peek()?.id ?? Infinity) <= lastId) {
      await new Promise<void>((resolve) => this.producer.engine.whenRoom(resolve));
    }
    await this.producer.engine.flush();
    // The outcomes that this flush waited for are on their way before the word that it is over.
    await Promise.resolve();
    this.reply({ type: 'flushed', call });
  }

  private async tellPartitions(call: number, topic: string): Promise<void> {
    try {
      const partitions = await this.producer.partitionsFor(topic);
      this.reply({ type: 'partitions', call, partitions });
    } catch (error) {
      this.reply({ type: 'partitions', call, error: shareError(error) });
    }
  }

  private reply(message: ToWorker): void {
    if (!this.isOver) this.port.postMessage(message);
  }
}
