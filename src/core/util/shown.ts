import { inspect, type InspectOptions } from 'node:util';

/** What `console.log()` shows of a handle: what it was made with, and not all that it is made of. */
export function shown(name: string, madeWith: object, options: InspectOptions): string {
  return `${name} ${inspect(madeWith, options)}`;
}
