import { readdirSync, readFileSync } from 'node:fs';
import type { KafkaCluster } from '../test/support/kafka/cluster.js';

/** Linux counts a process's time in hundredths of a second. */
const TICK_US = 10_000;

/** CPU time that the brokers have used up to now; NaN where there is no /proc. */
export function brokerCpuUs({ processGroups }: KafkaCluster): number {
  let ticks = 0;
  try {
    for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
      const { group, used } = timesOf(pid);
      if (processGroups.includes(group)) ticks += used;
    }
  } catch {
    return NaN;
  }
  return ticks * TICK_US;
}

/** See proc_pid_stat(5); the name may hold spaces, so it is counted from behind it. */
function timesOf(pid: string): { readonly group: number; readonly used: number } {
  let stat: string;
  try {
    stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  } catch {
    return { group: -1, used: 0 }; // It has ended meanwhile.
  }
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return { group: Number(fields[2]), used: Number(fields[11]) + Number(fields[12]) };
}
