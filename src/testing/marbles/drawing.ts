import { inspect, isDeepStrictEqual } from 'node:util';
import type { Observed } from './observed.js';

/** Gaps that are longer are drawn as a time. */
const LONGEST_DASHES = 20;

/** Draws what was observed, with a legend for what is no letter. */
export class Drawing {
  private readonly legend = new Map<string, unknown>();

  /** @param values what letters stand for, as a diagram was given them. */
  constructor(private readonly values: Readonly<Record<string, unknown>>) {}

  /** The line, or a list of moments where no line can be drawn: groups are wider than the time. */
  draw(observed: readonly Observed[]): string {
    const moments = new Map<number, string>();
    for (const event of observed) {
      const { frame } = event;
      moments.set(frame, (moments.get(frame) ?? '') + this.markOf(event));
    }
    return drawLine(moments) ?? listMoments(moments);
  }

  /** What the marks mean that no diagram has named. */
  get explanation(): string[] {
    return [...this.legend].map(
      ([mark, value]) => `    ${mark} is ${inspect(value, { depth: 4 })}`,
    );
  }

  private markOf({ notification }: Observed): string {
    if (notification.kind === 'C') return '|';
    if (notification.kind === 'E') {
      this.legend.set('#', notification.error);
      return '#';
    }
    const { value } = notification;
    for (const [letter, known] of Object.entries(this.values)) {
      if (isDeepStrictEqual(value, known)) return letter;
    }
    if (typeof value === 'string' && Array.from(value).length === 1) return value;
    for (const [mark, known] of this.legend) if (isDeepStrictEqual(value, known)) return mark;
    const mark = String.fromCharCode('①'.charCodeAt(0) + this.legend.size);
    this.legend.set(mark, value);
    return mark;
  }
}

function drawLine(moments: ReadonlyMap<number, string>): string | undefined {
  let line = '';
  let now = 0;
  for (const [frame, marks] of moments) {
    const gap = frame - now;
    if (gap < 0 || !Number.isInteger(gap)) return undefined;
    if (gap <= LONGEST_DASHES) line += '-'.repeat(gap);
    else line += `${line === '' ? '' : ' '}${gap}ms `;
    const drawn = Array.from(marks).length === 1 ? marks : `(${marks})`;
    line += drawn;
    now = frame + Array.from(drawn).length;
  }
  return line === '' ? '(nothing)' : line;
}

function listMoments(moments: ReadonlyMap<number, string>): string {
  return [...moments]
    .map(([frame, marks]) => `${frame}ms ${Array.from(marks).join(' ')}`)
    .join(', ');
}
