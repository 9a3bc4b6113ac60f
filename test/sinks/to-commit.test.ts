import { from, NEVER, throwError } from 'rxjs';
import { describe, expect, test } from 'vitest';
import { batchEach, toCommit } from '../../src/index.js';
import { behavesLikeAnOperator } from '../support/operator-spec.js';
import { TestPartition } from '../support/records.js';
import { watch } from '../support/watching.js';

describe('toCommit', () => {
  behavesLikeAnOperator(() => toCommit(), { enough: 0 });

  test('acks what reaches it, emits nothing, and completes with its source', () => {
    const partition = new TestPartition();
    const seen = watch(from(partition.deliver('a', 'b')).pipe(toCommit()));
    expect(seen).toMatchObject({ values: [], isComplete: true });
    expect(partition.committable).toBe(2);
  });

  test('acks batches as one', () => {
    const partition = new TestPartition();
    watch(from(partition.deliver('a', 'b', 'c')).pipe(batchEach({ maxRecords: 2 }), toCommit()));
    expect(partition.committable).toBe(3);
  });

  test('never completes where its source does not, and passes on its error', () => {
    expect(watch(NEVER.pipe(toCommit())).isComplete).toBe(false);
    const error = new Error('upstream');
    expect(watch(throwError(() => error).pipe(toCommit())).error).toBe(error);
  });
});
