import { AssertionError } from 'node:assert';
import { isDeepStrictEqual } from 'node:util';
import { TestScheduler } from 'rxjs/testing';
import { lettersOf, parseDiagram, type DiagramRules } from './diagram.js';
import { Drawing } from './drawing.js';
import { completeAt, errorAt, nextAt, type Observed } from './observed.js';

/** What an expectation is held against. */
export interface Expectable {
  /**
   * Says what is expected, as a diagram.
   *
   * @param values what letters stand for, where they don't stand for the record of that name.
   * @param error what `#` stands for. Default `'error'`, as in RxJS.
   */
  toBe(marbles: string, values?: Readonly<Record<string, unknown>>, error?: unknown): void;
}

interface Expected {
  readonly marbles: string;
  readonly observed: readonly Observed[];
  readonly values: Readonly<Record<string, unknown>>;
}

/** One assertion: what was observed, and, once it was said, what was expected. */
export class Expectation implements Expectable {
  private expected: Expected | undefined;

  constructor(
    /** How messages call it, as in `expectAcks(orders)`. */
    private readonly name: string,
    private readonly observe: () => readonly Observed[],
    private readonly rules: Omit<DiagramRules, 'name'>,
    /** Letters that stand for something else than themselves. */
    private readonly legend: Readonly<Record<string, unknown>> = {},
    private readonly defaultError: unknown = 'error',
  ) {}

  toBe(
    marbles: string,
    values: Readonly<Record<string, unknown>> = {},
    error: unknown = this.defaultError,
  ): void {
    const name = `${this.name}.toBe('${marbles}')`;
    const explain = (letter: string) =>
      letter in values || letter in this.legend ? undefined : this.rules.explain(letter);
    const moments = parseDiagram(marbles, { ...this.rules, name, explain });
    const known: Record<string, unknown> = { ...this.legend, ...values };
    for (const letter of lettersOf(moments)) known[letter] ??= letter;
    const observed = moments.flatMap(({ frame, marks }) =>
      marks.map((mark) => {
        if (mark === '|') return completeAt(frame);
        return mark === '#' ? errorAt(frame, error) : nextAt(frame, known[mark]);
      }),
    );
    this.expected = { marbles, observed, values: known };
  }

  /** @throws AssertionError with both diagrams where they differ, Error where nothing was said. */
  check(): void {
    const { name, expected } = this;
    const observed = this.observe();
    if (expected === undefined) {
      throw new Error(`${name} asserts nothing: say what is expected, with .toBe('--a--b')`);
    }
    if (isDeepStrictEqual(observed, expected.observed)) return;
    throw difference(name, observed, expected.observed, expected.values);
  }
}

/** What a TestScheduler asks whether two logs are the same. */
export function assertSame(observed: unknown, expected: unknown): void {
  if (isDeepStrictEqual(observed, expected)) return;
  if (!isLog(observed) || !isLog(expected)) {
    throw new AssertionError({ actual: observed, expected, operator: 'deepStrictEqual' });
  }
  throw difference('expectObservable()', observed, expected, {});
}

function difference(
  name: string,
  observed: readonly Observed[],
  expected: readonly Observed[],
  values: Readonly<Record<string, unknown>>,
): AssertionError {
  const drawing = new Drawing(values);
  const wanted = drawing.draw(expected);
  const got = drawing.draw(observed);
  const lines = [
    `${name} is not as it was drawn`,
    `  expected  ${wanted}`,
    `  observed  ${got}`,
    ...drawing.explanation,
  ];
  return new AssertionError({
    message: lines.join('\n'),
    actual: got,
    expected: wanted,
    operator: 'toBe',
  });
}

function isLog(log: unknown): log is Observed[] {
  return Array.isArray(log) && log.every((entry) => hasNotification(entry));
}

function hasNotification(entry: unknown): boolean {
  return typeof entry === 'object' && entry !== null && 'notification' in entry;
}

/** Subscription diagrams by RxJS's rules. */
export function subscriptionFrames(marbles: string | undefined): { from: number; to: number } {
  const { subscribedFrame, unsubscribedFrame } = TestScheduler.parseMarblesAsSubscriptions(
    marbles ?? null,
    true,
  );
  return { from: subscribedFrame === Infinity ? 0 : subscribedFrame, to: unsubscribedFrame };
}
