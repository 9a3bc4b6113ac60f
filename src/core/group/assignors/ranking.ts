import { compareStrings } from './java-order.js';

/**
 * Members from the one with the fewest partitions to the one with the most. A member must be taken
 * out before its count changes.
 */
export class Ranking {
  private readonly ids: string[] = [];
  private readonly members = new Set<string>();

  constructor(private readonly countOf: (memberId: string) => number) {}

  has(memberId: string): boolean {
    return this.members.has(memberId);
  }

  add(memberId: string): void {
    this.members.add(memberId);
    this.ids.splice(this.placeOf(memberId), 0, memberId);
  }

  remove(memberId: string): void {
    if (!this.members.delete(memberId)) return;
    this.ids.splice(this.placeOf(memberId), 1);
  }

  first(): string {
    return this.ids[0]!;
  }

  last(): string {
    return this.ids.at(-1)!;
  }

  /** The member with the fewest that will do. */
  find(isFit: (memberId: string) => boolean): string | undefined {
    return this.ids.find(isFit);
  }

  private placeOf(memberId: string): number {
    const count = this.countOf(memberId);
    let low = 0;
    let high = this.ids.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const other = this.ids[middle]!;
      const order = this.countOf(other) - count || compareStrings(other, memberId);
      if (order < 0) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
