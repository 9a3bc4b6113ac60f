import type { ObservableNotification } from 'rxjs';

/** Something that happened in virtual time, in the form in which RxJS notes it. */
export interface Observed {
  readonly frame: number;
  readonly notification: ObservableNotification<unknown>;
}

export function nextAt(frame: number, value: unknown): Observed {
  return { frame, notification: { kind: 'N', value } };
}

export function errorAt(frame: number, error: unknown): Observed {
  return { frame, notification: { kind: 'E', error } };
}

export function completeAt(frame: number): Observed {
  return { frame, notification: { kind: 'C' } };
}
