import { describe, expect, it } from 'vitest';
import { Sensor } from '../../../src/core/metrics/index.js';
import { FakeClock } from '../../support/fake-clock.js';

describe('a sensor', () => {
  it('gives rate, mean and maximum of what was recorded lately, and the sum of all', () => {
    const clock = new FakeClock();
    const sensor = new Sensor(clock);
    for (const value of [1, 2, 6]) sensor.record(value);
    clock.advance(3000);
    expect(sensor).toMatchObject({ rate: 3, avg: 3, max: 6, total: 9 });
  });

  it('tells how often something was recorded as well', () => {
    const clock = new FakeClock();
    const sensor = new Sensor(clock);
    for (const value of [1, 2, 6]) sensor.record(value);
    clock.advance(2000);
    expect(sensor).toMatchObject({ frequency: 1.5, count: 3 });
    clock.advance(60_000);
    expect(sensor).toMatchObject({ frequency: 0, count: 3 });
  });

  it('forgets what is older than a minute, but for the sum', () => {
    const clock = new FakeClock();
    const sensor = new Sensor(clock);
    sensor.record(100);
    clock.advance(40_000);
    sensor.record(2);
    expect(sensor.max).toBe(100);
    clock.advance(20_000);
    expect(sensor).toMatchObject({ avg: 2, max: 2, total: 102 });
  });

  it('has no mean and no maximum when nothing happened, and a rate of 0', () => {
    const sensor = new Sensor(new FakeClock());
    expect(sensor.avg).toBeNaN();
    expect(sensor.max).toBeNaN();
    expect(sensor.rate).toBe(0);
  });

  it('does not blow up a rate in its first moments', () => {
    const clock = new FakeClock();
    const sensor = new Sensor(clock);
    sensor.record(10);
    clock.advance(1);
    expect(sensor.rate).toBe(10);
  });
});
