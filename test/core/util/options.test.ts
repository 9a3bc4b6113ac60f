import { expect, test } from 'vitest';
import { ConfigError } from '../../../src/core/util/errors.js';
import { custom, flag, integer, oneOf, resolveOptions } from '../../../src/core/util/options.js';

const rules = {
  lingerMs: integer(5, { max: 1000 }),
  isEager: flag(false),
  mode: oneOf<'a' | 'b'>('a', 'a', 'b'),
  hook: custom<(() => void) | undefined>(undefined, 'a function', (v) => typeof v === 'function'),
};
const resolve = (given: object) =>
  resolveOptions('thing', rules, given as Record<string, unknown>, ['elsewhere']);

test('what is not given takes its default, also when it is given as undefined', () => {
  expect(resolve({ isEager: true, mode: undefined })).toEqual({
    lingerMs: 5,
    isEager: true,
    mode: 'a',
    hook: undefined,
  });
});

test('the result can’t be changed', () => {
  expect(Object.isFrozen(resolve({}))).toBe(true);
});

test.each([
  [
    { lingerMs: -1 },
    'thing: option lingerMs is -1, but it must be a whole number of at least 0 and at most 1000',
  ],
  [{ lingerMs: '5' }, "thing: option lingerMs is '5', but it must be a whole number"],
  [{ lingerMs: 0.5 }, 'option lingerMs is 0.5'],
  [{ isEager: 'yes' }, "option isEager is 'yes', but it must be true or false"],
  [{ mode: 'c' }, "option mode is 'c', but it must be one of 'a', 'b'"],
  [{ hook: 5 }, 'option hook is 5, but it must be a function'],
  [{ linger: 5 }, 'there is no option linger; did you mean lingerMs?'],
  [{ 'linger.ms': 5 }, 'did you mean lingerMs?'],
  [{ lngerMs: 5 }, 'did you mean lingerMs?'],
  [{ mod: 5 }, 'did you mean mode?'],
  [{ hikk: 5 }, 'known are'],
  [{ elsewher: 5 }, 'did you mean elsewhere?'],
  [
    { nonsense: 5 },
    'there is no option nonsense; known are elsewhere, lingerMs, isEager, mode, hook',
  ],
])('%j is refused, naming option, value and what would do', (given, message) => {
  expect(() => resolve(given)).toThrow(ConfigError);
  expect(() => resolve(given)).toThrow(message);
});

test.each([
  ['brokers', 'bootstrapServers', 'did you mean bootstrapServers?'],
  ['fromBeginning', 'autoOffsetReset', "did you mean autoOffsetReset: 'earliest'?"],
  ['minBytes', 'maxBytes', 'did you mean maxBytes?'],
  ['constructor', 'autoOffsetReset', 'known are autoOffsetReset'],
  ['brokers', 'topics', 'known are topics'],
])(
  '%s, which kafkajs or every object has, is refused where %s is known',
  (name, known, message) => {
    const rule = { [known]: flag(false) };
    expect(() => resolveOptions('thing', rule, { [name]: true })).toThrow(message);
  },
);

test.each([undefined, null, 'lingerMs=5', 5])(
  '%j in place of options is refused by name',
  (given) => {
    expect(() => resolve(given as never)).toThrow(ConfigError);
    expect(() => resolve(given as never)).toThrow(/^thing: the options are .* must be an object$/);
  },
);
