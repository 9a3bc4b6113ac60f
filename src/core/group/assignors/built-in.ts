import { unreachable } from '../../util/assert.js';
import type { Assignor, BuiltInAssignor } from './assignor.js';
import { rangeAssignor } from './range.js';
import { roundRobinAssignor } from './roundrobin.js';
import { cooperativeStickyAssignor, stickyAssignor } from './sticky.js';

/** A new one for each member: some remember what the member was given. */
export function builtInAssignor(name: BuiltInAssignor): Assignor {
  switch (name) {
    case 'range':
      return rangeAssignor();
    case 'roundrobin':
      return roundRobinAssignor();
    case 'sticky':
      return stickyAssignor();
    case 'cooperative-sticky':
      return cooperativeStickyAssignor();
    default:
      return unreachable(name);
  }
}
