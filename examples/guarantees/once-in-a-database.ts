/**
 * Exactly once outside Kafka: effects and offsets are written in one transaction of a database, and
 * whoever gets a partition begins where the database says. Members may be killed at any moment.
 *
 *     npm ci --prefix examples
 *     npx tsx examples/guarantees/once-in-a-database.ts
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { of } from 'rxjs';
import {
  createKafka,
  fromTopics,
  type ConsumerRecord,
  type TopicPartition,
} from '../../src/index.js';
import { example } from './setting.js';

const RECORDS = 3000;
const [role, bootstrapServers, file, clientId] = process.argv.slice(2);

if (role === 'member') member(bootstrapServers!, file!, clientId!);
else await demonstrate();

/** What each process does: books orders until it is killed. */
function member(servers: string, path: string, id: string): void {
  const ledger = openLedger(path);
  const kafka = createKafka({ bootstrapServers: servers, clientId: id });
  fromTopics(kafka, 'orders', {
    groupId: 'ledger',
    autoOffsetReset: 'earliest',
    enableAutoCommit: false,
    onAssign: (partitions) => of(ledger.positionsOf(partitions)),
  }).subscribe((order) => {
    ledger.book(order);
    order.ack();
  });
}

/** Accounts, and how far each partition is booked, in one database. */
function openLedger(path: string) {
  const database = new Database(path, { timeout: 10_000 });
  database.pragma('journal_mode = WAL');
  database.exec(`
    CREATE TABLE IF NOT EXISTS accounts (customer TEXT PRIMARY KEY, orders INTEGER, total INTEGER);
    CREATE TABLE IF NOT EXISTS positions (topic TEXT, partition INTEGER, next INTEGER,
      PRIMARY KEY (topic, partition));
  `);
  const advance = database.prepare<[string, number, number]>(`
    INSERT INTO positions VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET next = excluded.next
      WHERE next < excluded.next`);
  const add = database.prepare<[string, number]>(`
    INSERT INTO accounts VALUES (?, 1, ?)
      ON CONFLICT DO UPDATE SET orders = orders + 1, total = total + excluded.total`);
  const position = database
    .prepare<[string, number], number>(
      'SELECT next FROM positions WHERE topic = ? AND partition = ?',
    )
    .pluck();
  const count = database.prepare<[], number | null>('SELECT sum(orders) FROM accounts').pluck();
  return {
    /** Books an order, unless somebody else has: a member may be late to hear that it is none any more. */
    book: database.transaction(({ topic, partition, offset, key, value }: ConsumerRecord) => {
      const { changes } = advance.run(topic, partition, offset + 1);
      if (changes === 1) add.run(String(key), Number(value));
    }),
    positionsOf: (partitions: readonly TopicPartition[]) =>
      partitions.flatMap(({ topic, partition }) => {
        const offset = position.get(topic, partition);
        return offset === undefined ? [] : [{ topic, partition, offset }];
      }),
    booked: () => count.get() ?? 0,
    total: () => database.prepare<[], number>('SELECT sum(total) FROM accounts').pluck().get()!,
    close: () => database.close(),
  };
}

async function demonstrate(): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'rx-kafka-ledger-'));
  const path = join(folder, 'ledger.db');
  const ledger = openLedger(path);
  const members = new Map<string, ChildProcess>();
  const setting = { partitions: 3, records: RECORDS, groupConsumerHeartbeatIntervalMs: 200 };
  await example(setting, async ({ cluster, check, until }) => {
    const group = () => cluster.inspect().groups['ledger']?.members ?? [];
    const start = (id: string) => {
      const command = ['--import', 'tsx', import.meta.filename, 'member'];
      const child = spawn(process.execPath, [...command, cluster.bootstrapServers, path, id], {
        stdio: ['ignore', 'inherit', 'inherit'],
      });
      members.set(id, child);
    };
    /** As if the power had gone: nobody commits, nobody says goodbye. */
    const kill = (id: string) => {
      members.get(id)!.kill('SIGKILL');
      const known = group().find((each) => each.clientId === id);
      if (known !== undefined) cluster.expireMember('ledger', known.memberId);
    };
    const bookedAtKill: number[] = [];
    const killAt = async (count: number, id: string, successor: string) => {
      await until(() => ledger.booked() >= count);
      kill(id);
      bookedAtKill.push(ledger.booked());
      start(successor);
    };
    try {
      start('first');
      await until(() => ledger.booked() > 0);
      start('second');
      await killAt(500, 'first', 'third');
      await killAt(1500, 'second', 'fourth');
      await until(() => ledger.booked() >= RECORDS);
    } finally {
      for (const child of members.values()) child.kill('SIGKILL');
    }
    check(
      `members were killed in the middle, after ${bookedAtKill.join(' and ')} orders`,
      bookedAtKill.every((count) => count < RECORDS),
    );
    const sum = (RECORDS * (RECORDS - 1)) / 2;
    check(`each of ${RECORDS} orders is booked once`, ledger.booked() === RECORDS);
    check(`and the accounts are right to the cent: ${sum}`, ledger.total() === sum);
    check(
      'though Kafka knows no offsets',
      Object.keys(cluster.groupOffsets('ledger')).length === 0,
    );
  });
  ledger.close();
  rmSync(folder, { recursive: true });
}
