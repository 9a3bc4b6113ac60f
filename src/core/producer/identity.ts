import type { Cluster } from '../cluster/index.js';
import { apis, brokerError } from '../protocol/index.js';
import { AuthorizationError, KafkaError, UnsupportedVersionError } from '../util/errors.js';
import { isSameIdentity, type ProducerIdentity } from './sequences.js';

const MAX_EPOCH = 0x7fff;

/** What an {@link IdentityHolder} reports to the producer it belongs to. */
export interface IdentityEvents {
  /** There is an identity, or it is settled that there will be none: sending may go on. */
  onSettled(): void;
  /** Idempotence was not insisted on and can't be had. */
  onForegone(reason: KafkaError): void;
  /** Idempotence was insisted on and can't be had: nothing can be sent. */
  onFailed(reason: KafkaError): void;
}

/** Under which identity batches are numbered. */
export interface Identities {
  /** `undefined` while there is none, or for a producer that isn't idempotent. */
  readonly current: ProducerIdentity | undefined;
  /** Whether sending has to wait for an identity. */
  readonly isPending: boolean;
  /** Why there is none yet, where that isn't told otherwise. */
  readonly lastError?: KafkaError | undefined;
  /** Goes one epoch up, unless that has happened already. */
  bumpFrom(stale: ProducerIdentity): void;
  close(): void;
}

/** The identity under which an idempotent producer numbers its batches, from the first on. */
export class IdentityHolder implements Identities {
  /** `undefined` while there is none, or for a producer that isn't idempotent. */
  current: ProducerIdentity | undefined;
  lastError: KafkaError | undefined;
  private state: 'wanted' | 'asked' | 'settled';
  private readonly abort = new AbortController();

  constructor(
    private readonly cluster: Cluster,
    private readonly options: {
      readonly isIdempotent: boolean;
      readonly isRequired: boolean;
      readonly timeoutMs: number;
    },
    private readonly events: IdentityEvents,
  ) {
    this.state = options.isIdempotent ? 'wanted' : 'settled';
  }

  /** Whether sending has to wait for an identity; asks for one when nobody has yet. */
  get isPending(): boolean {
    if (this.state === 'wanted') this.ask();
    return this.state !== 'settled';
  }

  /** Goes one epoch up, unless that has happened already. Asks for a new id when epochs are used up. */
  bumpFrom(stale: ProducerIdentity): void {
    if (this.current === undefined || !isSameIdentity(this.current, stale)) return;
    if (stale.epoch < MAX_EPOCH) {
      this.current = { producerId: stale.producerId, epoch: stale.epoch + 1 };
      return;
    }
    this.current = undefined;
    this.state = 'wanted';
  }

  close(): void {
    this.abort.abort();
  }

  private ask(): void {
    this.state = 'asked';
    this.obtain().then(
      (identity) => {
        this.current = identity;
        this.lastError = undefined;
        this.state = 'settled';
        this.events.onSettled();
      },
      (error: unknown) => this.refused(error as KafkaError),
    );
  }

  private refused(error: KafkaError): void {
    if (this.abort.signal.aborted) return;
    this.lastError = error;
    const isCurable = error.isRetriable;
    this.state = isCurable ? 'wanted' : 'settled';
    if (isCurable) {
      this.events.onSettled();
      return;
    }
    const isForegoable =
      error instanceof UnsupportedVersionError || error instanceof AuthorizationError;
    if (isForegoable && !this.options.isRequired) this.events.onForegone(error);
    else this.events.onFailed(error);
  }

  private async obtain(): Promise<ProducerIdentity> {
    const answer = await this.cluster.request(
      'any',
      apis.InitProducerId,
      { transactionalId: null, transactionTimeoutMs: 0x7fff_ffff },
      { timeoutMs: this.options.timeoutMs, signal: this.abort.signal },
    );
    const error = brokerError(answer.errorCode);
    if (error.code === 0) return { producerId: answer.producerId, epoch: answer.producerEpoch };
    const message = `Cannot obtain a producer id: the broker said ${error.name}: ${error.message}`;
    if (error.isAuthorization) throw new AuthorizationError(message, { code: error.name });
    throw new KafkaError(message, { code: error.name, isRetriable: error.isRetriable });
  }
}
