import { describe, expect, it } from 'vitest';
import { parseOffsetReset } from '../../../../src/core/consumer/positions/offset-reset.js';

describe('auto.offset.reset', () => {
  it.each(['earliest', 'latest', 'none'])('may be %s', (type) => {
    expect(parseOffsetReset(type)).toEqual({ type });
  });

  it.each([
    ['PT1H', 3_600_000],
    ['P1D', 86_400_000],
    ['P1DT2H3M4.5S', 93_784_500],
    ['PT0S', 0],
    ['PT90M', 5_400_000],
    ['PT0.001S', 1],
  ])('may be by_duration:%s', (text, durationMs) => {
    expect(parseOffsetReset(`by_duration:${text}`)).toEqual({ type: 'by-duration', durationMs });
  });

  it.each([
    'by_duration:',
    'by_duration:P',
    'by_duration:PT',
    'by_duration:P1DT',
    'by_duration:-PT1H',
    'by_duration:PT-1H',
    'by_duration:1H',
    'by_duration:P1Y',
    'by_duration:PT1H ',
    'Earliest',
    '',
    'smallest',
    42,
    undefined,
  ])('can’t be %j', (value) => {
    expect(parseOffsetReset(value)).toBeUndefined();
  });
});
