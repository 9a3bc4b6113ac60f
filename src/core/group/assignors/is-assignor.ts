import type { Assignor, BuiltInAssignor, RebalanceProtocol } from './assignor.js';

const builtIn: ReadonlySet<unknown> = new Set<BuiltInAssignor>([
  'range',
  'roundrobin',
  'sticky',
  'cooperative-sticky',
]);
const protocols: ReadonlySet<unknown> = new Set<RebalanceProtocol>(['eager', 'cooperative']);

/** Whether something can share partitions out: the name of a built-in assignor, or one of the user's. */
export function isAssignor(value: unknown): value is BuiltInAssignor | Assignor {
  if (typeof value !== 'object' || value === null) return builtIn.has(value);
  const { name, supportedProtocols, assign } = value as Partial<Assignor>;
  return (
    typeof name === 'string' &&
    name !== '' &&
    typeof assign === 'function' &&
    Array.isArray(supportedProtocols) &&
    supportedProtocols.length > 0 &&
    supportedProtocols.every((protocol) => protocols.has(protocol))
  );
}
