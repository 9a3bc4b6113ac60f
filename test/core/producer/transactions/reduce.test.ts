import { describe, expect, it } from 'vitest';
import {
  AuthorizationError,
  FencedError,
  KafkaError,
  TimeoutError,
  TransactionAbortedError,
} from '../../../../src/index.js';
import { mayAdd } from '../../../../src/core/producer/transactions/reduce.js';
import { Machine } from './machine.js';

const failed = (code: string) => new KafkaError('no', { code });
const operation = { id: 1, group: { groupId: 'g' }, offsets: [] };
const both = [1, 2] as const;
const epoch = (n: number) => ({ producerId: 7, epoch: n });

describe('taking the id over', () => {
  it('asks for an identity, once', () => {
    const machine = new Machine().give({ type: 'init', protocol: 2, canBump: true });
    expect(machine.phase).toBe('INITIALIZING');
    expect(machine.sent).toEqual({ type: 'init-producer-id', identity: undefined });
    expect(machine.give({ type: 'init', protocol: 2, canBump: true }).did).toEqual([]);
    machine.answer('NONE', epoch(0));
    expect([machine.phase, machine.did]).toEqual(['READY', ['initialized', 'wake']]);
    expect(machine.state.identity).toEqual(epoch(0));
  });

  it('waits for a predecessor’s transaction to end, for as long as it takes', () => {
    const machine = new Machine().give({ type: 'init', protocol: 2, canBump: true });
    for (let failures = 1; failures < 20; failures++) {
      machine.answer('CONCURRENT_TRANSACTIONS');
      expect(machine.effects).toEqual([{ type: 'retry-later', failures, isShort: true }]);
      expect(machine.give({ type: 'retry-due' }).sent?.type).toBe('init-producer-id');
    }
  });

  it('fails for good where the principal may not', () => {
    const machine = new Machine().give({ type: 'init', protocol: 2, canBump: true });
    machine.answer('TRANSACTIONAL_ID_AUTHORIZATION_FAILED');
    expect(machine.phase).toBe('FATAL_ERROR');
    expect(machine.did).toEqual(['failed', 'initialized']);
    expect(machine.effect('initialized')!.error).toBeInstanceOf(AuthorizationError);
  });
});

describe('a transaction', () => {
  it('begins only when ready', () => {
    const machine = new Machine().give({ type: 'begin', protocol: 2, canBump: true });
    expect(machine.phase).toBe('UNINITIALIZED');
  });

  it.each(both)('of nothing asks nobody (transaction.version %i)', (protocol) => {
    for (const end of ['commit', 'abort'] as const) {
      const machine = Machine.inTransaction(protocol).give({ type: end });
      machine.give({ type: 'drained' });
      expect([machine.phase, machine.did]).toEqual(['READY', ['emit', 'ended']]);
    }
  });

  it.each(both)('ends only when all that was sent is answered (version %i)', (protocol) => {
    const machine = Machine.inTransaction(protocol).touch();
    if (protocol === 1) machine.answer('NONE');
    machine.give({ type: 'sent', isAdding: false }).give({ type: 'commit' });
    expect([machine.phase, machine.did]).toEqual(['COMMITTING', ['flush']]);
    machine.give({ type: 'drained' });
    expect(machine.sent).toEqual({ type: 'end', identity: epoch(0), protocol, isCommit: true });
    machine.answer('NONE', protocol === 2 ? epoch(1) : undefined);
    expect([machine.phase, machine.did]).toEqual(['READY', ['emit', 'ended']]);
    expect(machine.state.identity).toEqual(epoch(protocol === 2 ? 1 : 0));
  });

  it('version 1 adds partitions before their records, those that come meanwhile together', () => {
    const machine = Machine.inTransaction(1).touch(0);
    expect(machine.sent).toMatchObject({ type: 'add-partitions', partitions: [{ partition: 0 }] });
    expect(machine.touch(0).touch(1).touch(2).did).toEqual([]);
    machine.answer('NONE');
    expect(machine.sent).toMatchObject({ partitions: [{ partition: 1 }, { partition: 2 }] });
    expect(machine.did).toContain('wake');
    expect([...machine.state.partitions]).toEqual(['t-0']);
    machine.answer('NONE');
    expect([...machine.state.partitions]).toEqual(['t-0', 't-1', 't-2']);
    expect(machine.touch(1).did).toEqual([]);
  });

  it('version 2 leaves that to the brokers', () => {
    expect(Machine.inTransaction(2).touch().did).toEqual([]);
  });

  it('version 2 lets one request at a time add something, for a coordinator refuses a second one', () => {
    const machine = Machine.inTransaction(2);
    expect(mayAdd(machine.state)).toBe(true);
    machine.give({ type: 'sent', isAdding: true });
    expect(mayAdd(machine.state)).toBe(false);
    machine.give({ type: 'offsets', operation });
    expect(machine.state.current).toBeUndefined();
    machine.give({ type: 'added', names: ['t-0'] });
    expect([...machine.state.partitions]).toEqual(['t-0']);
    expect(machine.sent).toMatchObject({ type: 'commit-offsets' });
    expect(mayAdd(machine.state)).toBe(false);
    expect(machine.answer('NONE').did).toContain('wake');
    expect(mayAdd(machine.state)).toBe(true);
  });

  it('version 1 adds a group before its offsets, once; version 2 sends them at once', () => {
    const first = Machine.inTransaction(1).give({ type: 'offsets', operation });
    expect(first.sent).toMatchObject({ type: 'add-offsets', groupId: 'g' });
    expect(first.answer('NONE').sent).toMatchObject({ type: 'commit-offsets', operation });
    expect(first.answer('NONE').effects).toEqual([
      { type: 'offsets-sent', id: 1 },
      { type: 'wake' },
    ]);
    first.give({ type: 'offsets', operation: { ...operation, id: 2 } });
    expect(first.sent).toMatchObject({ type: 'commit-offsets' });
    const second = Machine.inTransaction(2).give({ type: 'offsets', operation });
    expect(second.sent).toMatchObject({ type: 'commit-offsets' });
  });

  it('asks one thing at a time: partitions before offsets, both before the end', () => {
    const machine = Machine.inTransaction(1).touch(0).give({ type: 'offsets', operation }).touch(1);
    machine.give({ type: 'commit' }).give({ type: 'drained' });
    const asked: (string | undefined)[] = [];
    for (let i = 0; i < 5; i++) {
      asked.push(machine.answer('NONE').sent?.type);
      if (machine.phase === 'READY') break;
    }
    expect(asked).toEqual(['add-partitions', 'add-offsets', 'commit-offsets', 'end', undefined]);
  });

  it('repeats what no answer came to, and ignores answers that nobody waits for', () => {
    const machine = Machine.inTransaction(2)
      .give({ type: 'sent', isAdding: false })
      .give({ type: 'commit' });
    machine.give({ type: 'drained' });
    const request = machine.sent!;
    machine.give({ type: 'unanswered', request, error: new TimeoutError('late') });
    expect(machine.effects).toEqual([{ type: 'retry-later', failures: 1, isShort: false }]);
    machine.give({ type: 'retry-due' }).answer('NONE', epoch(1));
    const before = machine.state;
    machine.give({ type: 'unanswered', request, error: failed('X') });
    expect(machine.state).toBe(before);
  });

  it('takes no offsets outside', () => {
    const machine = Machine.ready(2).give({ type: 'offsets', operation });
    expect(machine.effect('offsets-sent')!.error?.code).toBe('NO_TRANSACTION');
  });
});

describe('a spoilt transaction', () => {
  it.each(both)(
    'can only be aborted; the next goes on with a new epoch (version %i)',
    (protocol) => {
      const machine = Machine.inTransaction(protocol).touch();
      if (protocol === 1) machine.answer('NONE');
      machine
        .give({ type: 'sent', isAdding: false })
        .give({ type: 'record-failed', error: failed('MESSAGE_TOO_LARGE') });
      expect([machine.phase, machine.did]).toEqual(['ABORTABLE_ERROR', ['doomed']]);
      machine.give({ type: 'commit' });
      expect(machine.effect('ended')!.error).toBeInstanceOf(TransactionAbortedError);
      expect(machine.effect('ended')!.error!.cause).toMatchObject({ code: 'MESSAGE_TOO_LARGE' });
      machine.give({ type: 'abort' }).give({ type: 'drained' });
      expect(machine.sent).toMatchObject({ type: 'end', isCommit: false });
      machine.answer('NONE', protocol === 2 ? epoch(1) : undefined);
      if (protocol === 1) {
        expect(machine.sent).toEqual({ type: 'init-producer-id', identity: epoch(0) });
        expect(machine.answer('NONE', epoch(1)).did).toEqual(['emit', 'ended']);
      }
      expect([machine.phase, machine.state.identity]).toEqual(['READY', epoch(1)]);
    },
  );

  it('keeps its epoch with brokers that can’t raise it', () => {
    const machine = Machine.inTransaction(1, false).touch().answer('NONE');
    machine.give({ type: 'record-failed', error: failed('MESSAGE_TOO_LARGE') });
    machine.give({ type: 'abort' }).give({ type: 'drained' }).answer('NONE');
    expect([machine.phase, machine.state.identity]).toEqual(['READY', epoch(0)]);
  });

  it('is the end of the producer where only a new epoch would help, and none can be had', () => {
    const machine = Machine.inTransaction(1, false).touch().answer('NONE');
    machine.give({ type: 'numbering-lost', error: failed('OUT_OF_ORDER_SEQUENCE_NUMBER') });
    expect([machine.phase, machine.did]).toEqual(['FATAL_ERROR', ['failed']]);
  });

  it('refuses the offsets that were to be part of it', () => {
    const machine = Machine.inTransaction(2).give({ type: 'offsets', operation });
    machine.answer('ILLEGAL_GENERATION');
    expect(machine.phase).toBe('ABORTABLE_ERROR');
    expect(machine.effect('offsets-sent')!.error).toBeInstanceOf(TransactionAbortedError);
  });

  it('during the commit makes the commit fail', () => {
    const machine = Machine.inTransaction(2)
      .give({ type: 'sent', isAdding: false })
      .give({ type: 'commit' });
    machine.give({ type: 'record-failed', error: failed('X') });
    expect([machine.phase, machine.did]).toEqual(['ABORTABLE_ERROR', ['doomed', 'ended']]);
  });

  it('that the coordinator says to abort, is', () => {
    const machine = Machine.inTransaction(2)
      .give({ type: 'sent', isAdding: false })
      .give({ type: 'commit' });
    machine.give({ type: 'drained' }).answer('TRANSACTION_ABORTABLE');
    expect(machine.phase).toBe('ABORTABLE_ERROR');
    expect(machine.effect('ended')!.error).toBeInstanceOf(TransactionAbortedError);
  });

  it('that took too long is aborted already, and version 2 goes on (KIP-890)', () => {
    const machine = Machine.inTransaction(2)
      .give({ type: 'sent', isAdding: false })
      .give({ type: 'commit' });
    machine.give({ type: 'drained' }).answer('INVALID_TXN_STATE');
    expect(machine.phase).toBe('ABORTABLE_ERROR');
    machine.give({ type: 'abort' }).give({ type: 'drained' }).answer('NONE', epoch(1));
    expect([machine.phase, machine.state.identity]).toEqual(['READY', epoch(1)]);
  });

  it('that the coordinator doesn’t know any more is left behind with a new epoch', () => {
    const machine = Machine.inTransaction(1).touch().answer('INVALID_PRODUCER_ID_MAPPING');
    machine.give({ type: 'abort' }).give({ type: 'drained' });
    expect(machine.sent).toEqual({ type: 'init-producer-id', identity: epoch(0) });
  });

  it('whose abort is refused is left behind with a new epoch', () => {
    const machine = Machine.inTransaction(1).touch().answer('NONE');
    machine.give({ type: 'abort' }).give({ type: 'drained' }).answer('UNKNOWN_PRODUCER_ID');
    expect(machine.sent).toEqual({ type: 'init-producer-id', identity: epoch(0) });
    machine.answer('NONE', epoch(1));
    expect([machine.phase, machine.did]).toEqual(['READY', ['emit', 'ended']]);
  });

  it('an abort does not wait for a topic that nobody knows', () => {
    const machine = Machine.inTransaction(1).touch().answer('UNKNOWN_TOPIC_OR_PARTITION');
    machine.give({ type: 'record-failed', error: failed('DELIVERY_TIMED_OUT') });
    machine.give({ type: 'abort' }).give({ type: 'drained' });
    expect(machine.give({ type: 'retry-due' }).sent?.type).toBe('add-partitions');
    expect(machine.answer('UNKNOWN_TOPIC_OR_PARTITION').sent?.type).toBe('init-producer-id');
    expect(machine.answer('NONE', epoch(1)).did).toEqual(['emit', 'ended']);
  });

  it.each(both)('nor for the offsets of one (version %i)', (protocol) => {
    const machine = Machine.inTransaction(protocol).give({ type: 'offsets', operation });
    if (protocol === 1) machine.answer('NONE');
    machine.give({ type: 'abort' }).give({ type: 'drained' });
    expect(machine.sent).toBeUndefined();
    expect(machine.answer('UNKNOWN_TOPIC_OR_PARTITION').sent).toMatchObject({
      type: 'end',
      isCommit: false,
    });
  });

  it('an abort gives up the partitions that were still to be added', () => {
    const machine = Machine.inTransaction(1).touch(0).touch(1).give({ type: 'abort' });
    expect(machine.effect('doomed')!.error).toBeInstanceOf(TransactionAbortedError);
    machine.give({ type: 'drained' }).answer('NONE');
    expect(machine.sent).toMatchObject({ type: 'end', isCommit: false });
  });
});

describe('INVALID_PRODUCER_EPOCH', () => {
  it('from Produce spoils the transaction, from a coordinator it ends the producer (rule 24, KIP-588)', () => {
    const produced = Machine.inTransaction(2).give({ type: 'sent', isAdding: false });
    produced.give({ type: 'record-failed', error: failed('INVALID_PRODUCER_EPOCH') });
    expect(produced.phase).toBe('ABORTABLE_ERROR');
    for (const end of ['commit', 'abort'] as const) {
      const machine = Machine.inTransaction(2)
        .give({ type: 'sent', isAdding: false })
        .give({ type: end });
      machine.give({ type: 'drained' }).answer('INVALID_PRODUCER_EPOCH');
      expect(machine.phase).toBe('FATAL_ERROR');
      expect(machine.effect('ended')!.error).toBeInstanceOf(FencedError);
    }
  });

  it('PRODUCER_FENCED ends the producer wherever it comes from, and an event tells (rule 24)', () => {
    const fenced = new FencedError('no', { code: 'PRODUCER_FENCED' });
    const machine = Machine.inTransaction(2).give({ type: 'sent', isAdding: false });
    machine.give({ type: 'record-failed', error: fenced });
    expect([machine.phase, machine.did]).toEqual(['FATAL_ERROR', ['emit', 'failed']]);
    expect(machine.effect('emit')!.event.type).toBe('fenced');
    expect(machine.give({ type: 'commit' }).effect('ended')!.error).toBe(fenced);
    expect(machine.give({ type: 'abort' }).effect('ended')!.error).toBe(fenced);
    expect(machine.give({ type: 'begin', protocol: 2, canBump: true }).phase).toBe('FATAL_ERROR');
  });
});
