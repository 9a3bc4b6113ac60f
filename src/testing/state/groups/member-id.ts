import type { Clock } from '../../../core/util/clock.js';

/** An id that no member has, after a client's id or a static member's instance. */
export function newMemberId(prefix: string, clock: Clock): string {
  const digit = () => Math.floor(clock.random() * 16).toString(16);
  const digits = (count: number) => Array.from({ length: count }, digit).join('');
  return `${prefix}-${digits(8)}-${digits(4)}-4${digits(3)}-a${digits(3)}-${digits(12)}`;
}
