import { describe, expect, it } from 'vitest';
import { Alarm } from '../../../src/core/util/alarm.js';
import { FakeClock } from '../../support/fake-clock.js';

function start() {
  const clock = new FakeClock();
  const rung: number[] = [];
  const alarm = new Alarm(clock, () => rung.push(clock.monotonic()));
  return { clock, rung, alarm };
}

describe('an alarm', () => {
  it('rings once, at the earliest of the times it was set to', () => {
    const { clock, rung, alarm } = start();
    for (const at of [300, 100, 200]) alarm.set(at);
    clock.advance(1000);
    expect(rung).toEqual([100]);
    expect(clock.pending).toBe(0);
  });

  it('can be set again when it has rung, also from within', () => {
    const clock = new FakeClock();
    const rung: number[] = [];
    const alarm: Alarm = new Alarm(clock, () => {
      rung.push(clock.monotonic());
      if (rung.length < 3) alarm.set(clock.monotonic() + 10);
    });
    alarm.set(5);
    clock.advance(1000);
    expect(rung).toEqual([5, 15, 25]);
  });

  it('rings at once where the time is over', () => {
    const { clock, rung, alarm } = start();
    clock.advance(50);
    alarm.set(20);
    clock.advance(0);
    expect(rung).toEqual([50]);
  });

  it('never rings once it is cancelled, and leaves nothing behind', () => {
    const { clock, rung, alarm } = start();
    alarm.set(100);
    alarm.cancel();
    expect(clock.pending).toBe(0);
    clock.advance(1000);
    expect(rung).toEqual([]);
  });
});
