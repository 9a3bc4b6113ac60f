import { TestScheduler } from 'rxjs/testing';

/** What happens at one moment of a diagram, in order. */
export interface Moment {
  readonly frame: number;
  /** Letters; `|` and `#` where they are allowed. */
  readonly marks: readonly string[];
}

/** Which characters a kind of diagram has besides letters and time. */
export interface DiagramRules {
  /** How messages call it, as in `records('a-b')`. */
  readonly name: string;
  /** Whether it may end, or fail. */
  readonly ends: 'never' | 'may-end' | 'may-fail' | 'may-end-and-fail';
  /** What a letter has to be, as it is said to whoever drew another one. */
  readonly explain: (letter: string) => string | undefined;
}

const LETTER = /^[\p{L}\p{N}]$/u;
const TIME = /(?<=^| )\d+(?:\.\d+)?(?:ms|s|m) /g;

/**
 * Reads a diagram by RxJS's rules, and refuses what RxJS would silently take for something else.
 *
 * @throws Error that says which character is wrong, and what to draw instead.
 */
export function parseDiagram(marbles: string, rules: DiagramRules): Moment[] {
  checkRunMode();
  checkCharacters(marbles, rules);
  const messages = TestScheduler.parseMarbles(marbles, undefined, undefined, false, true);
  const moments = new Map<number, string[]>();
  for (const { frame, notification } of messages) {
    const mark =
      notification.kind === 'N'
        ? String(notification.value)
        : notification.kind === 'C'
          ? '|'
          : '#';
    const marks = moments.get(frame);
    if (marks === undefined) moments.set(frame, [mark]);
    else marks.push(mark);
  }
  return [...moments].map(([frame, marks]) => ({ frame, marks }));
}

/** The letters that a diagram uses, each once, in order. */
export function lettersOf(moments: readonly Moment[]): string[] {
  const letters = moments.flatMap(({ marks }) => marks).filter((mark) => LETTER.test(mark));
  return [...new Set(letters)];
}

/** @throws Error outside of `TestScheduler.run()`, where a marble is ten frames wide. */
export function checkRunMode(): void {
  const [message] = TestScheduler.parseMarbles('-a', undefined, undefined, false, true);
  if (message?.frame === 1) return;
  throw new Error(
    'The marbles of rx-kafka are drawn in run mode: write the test with kafkaMarbles(), or call ' +
      'kafkaMarblesOn(scheduler) within scheduler.run()',
  );
}

function checkCharacters(marbles: string, { name, ends, explain }: DiagramRules): void {
  // Time has letters of its own: it is blanked out, so that positions stay as they are.
  const drawn = marbles.replace(TIME, (time) => ' '.repeat(time.length));
  const wrong = (at: number, why: string) => {
    const pointer = `${' '.repeat(at)}^`;
    return new Error(`${name}: ${why}\n  ${marbles}\n  ${pointer}`);
  };
  let isInGroup = false;
  let isOver = false;
  for (const [at, mark] of Array.from(drawn).entries()) {
    if (mark === ' ') continue;
    if (isOver && mark !== '-' && mark !== ')') throw wrong(at, 'nothing can come after the end');
    if (mark === '-') {
      if (isInGroup) throw wrong(at, 'no time passes within a group');
    } else if (mark === '(') {
      if (isInGroup) throw wrong(at, 'a group can’t be within a group');
      isInGroup = true;
    } else if (mark === ')') {
      if (!isInGroup) throw wrong(at, 'there is no group that could end here');
      isInGroup = false;
    } else if (mark === '|') {
      if (!ends.startsWith('may-end')) throw wrong(at, 'it has no end: leave the | out');
      isOver = true;
    } else if (mark === '#') {
      if (!ends.endsWith('fail')) throw wrong(at, 'it can’t fail: leave the # out');
    } else if (!LETTER.test(mark)) {
      throw wrong(at, `${mark} means nothing here; draw letters, - ( ) and times such as '10ms '`);
    } else {
      const complaint = explain(mark);
      if (complaint !== undefined) throw wrong(at, complaint);
    }
  }
  if (isInGroup) throw wrong(marbles.length, 'the group has no end');
}
