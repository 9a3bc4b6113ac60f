import type { Clock } from '../util/clock.js';
import { ConnectionError, KafkaError } from '../util/errors.js';

/** The error of everything that was cut short because the client was closed. */
export function clientClosed(): KafkaError {
  return new KafkaError('The client is closed', { code: 'CLIENT_CLOSED' });
}

/** The error of what the caller has called off. */
export function aborted(signal: AbortSignal): KafkaError {
  return new KafkaError('The request was aborted', { code: 'ABORTED', cause: signal.reason });
}

/** Why a channel can't be used: its broker has left, or has moved. Another one can. */
export function channelClosed(nodeId: number): ConnectionError {
  return new ConnectionError(`Broker ${nodeId} has left the cluster, or has moved`, {
    code: 'DISCONNECTED',
  });
}

export interface Bounds {
  readonly clock: Clock;
  readonly timeoutMs: number;
  /** The first that is aborted ends the wait, with its reason where that is an error of ours. */
  readonly signals: readonly (AbortSignal | undefined)[];
  readonly onTimeout: () => Error;
}

/** Waits no longer than allowed for work that goes on regardless. */
export function within<T>(work: Promise<T>, bounds: Bounds): Promise<T> {
  const { clock, timeoutMs, onTimeout } = bounds;
  const signals = bounds.signals.filter((signal) => signal !== undefined);
  return new Promise((resolve, reject) => {
    const tidy = () => {
      cancel();
      for (const signal of signals) signal.removeEventListener('abort', stop);
    };
    const stop = () => {
      tidy();
      reject(reasonOf(signals));
    };
    const cancel = clock.schedule(Math.max(0, timeoutMs), () => {
      tidy();
      reject(onTimeout());
    });
    for (const signal of signals) signal.addEventListener('abort', stop, { once: true });
    if (signals.some(({ aborted: isAborted }) => isAborted)) stop();
    void work.then(resolve, reject).finally(tidy);
  });
}

/** Lets time pass, unless one of the signals is aborted. */
export function pause(
  clock: Clock,
  waitMs: number,
  signals: readonly (AbortSignal | undefined)[],
): Promise<void> {
  const present = signals.filter((signal) => signal !== undefined);
  return new Promise((resolve, reject) => {
    const done = (act: () => void) => {
      cancel();
      for (const signal of present) signal.removeEventListener('abort', stop);
      act();
    };
    const stop = () => done(() => reject(reasonOf(present)));
    const cancel = clock.schedule(Math.max(0, waitMs), () => done(resolve));
    for (const signal of present) signal.addEventListener('abort', stop, { once: true });
    if (present.some(({ aborted: isAborted }) => isAborted)) stop();
  });
}

function reasonOf(signals: readonly AbortSignal[]): Error {
  const signal = signals.find(({ aborted: isAborted }) => isAborted)!;
  return signal.reason instanceof KafkaError ? signal.reason : aborted(signal);
}
