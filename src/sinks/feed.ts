import { Subject, takeUntil, type Observable } from 'rxjs';
import type { SinkRun } from './sink-run.js';

/** Gives a run what a source emits, until either ends; also a source that never returns from subscribe(). */
export function feed<T, R>(run: SinkRun<T, R>, source: Observable<T>): void {
  const enough = new Subject<void>();
  run.onEnough(() => enough.next());
  source.pipe(takeUntil(enough)).subscribe({
    next: (value) => run.accept(value),
    error: (error: unknown) => run.finish({ error }),
    complete: () => run.finish(undefined),
  });
}
