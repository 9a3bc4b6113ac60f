import type { Assignor } from './assignor.js';
import { compareStrings } from './java-order.js';
import { byIdentity, emptyShares, toAssignments } from './members.js';

/** All partitions of all topics in order, dealt one by one to the members that subscribe to them. */
export function roundRobinAssignor(): Assignor {
  return {
    name: 'roundrobin',
    supportedProtocols: ['eager'],
    assign(topics, members) {
      const shares = emptyShares(members);
      const circle = byIdentity(members).map(({ memberId, topics: names }) => ({
        share: shares.get(memberId)!,
        names: new Set(names),
      }));
      const isWanted = (topic: string) => circle.some(({ names }) => names.has(topic));
      let turn = 0;
      for (const topic of [...topics.keys()].filter(isWanted).sort(compareStrings)) {
        const { partitionCount } = topics.get(topic)!;
        for (let partition = 0; partition < partitionCount; partition++) {
          while (!circle[turn % circle.length]!.names.has(topic)) turn++;
          circle[turn % circle.length]!.share.push({ topic, partition });
          turn++;
        }
      }
      return toAssignments(shares);
    },
  };
}
