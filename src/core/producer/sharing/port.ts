/** What to say of something else that was given in its place. */
export const PORT = 'must be one end of a MessageChannel';

/** Whether something is the end of a channel, as far as it is used. */
export function isPort(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false;
  return ['postMessage', 'on', 'ref', 'close'].every(
    (name) => typeof (value as Record<string, unknown>)[name] === 'function',
  );
}
