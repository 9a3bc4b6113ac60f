import { Errors } from '../../error-codes.js';
import { Rejection } from '../rejection.js';
import { messageOf } from '../../../core/util/message-of.js';

/** Letters that mean something after a backslash to RE2 and the same to JavaScript. */
const SHARED_ESCAPES = 'dDsSwWbBfnrtv';

/**
 * Compiles a regular expression of RE2's syntax, which brokers match topics with, as far as
 * JavaScript can express it. It has to match the whole name.
 *
 * @throws Rejection for what RE2 does not know: looking around, references to groups, and errors.
 */
export function compileTopicRegex(regex: string): RegExp {
  const { body, flags } = splitFlags(regex);
  try {
    return new RegExp(`^(?:${translate(body)})$`, flags);
  } catch (error) {
    if (error instanceof Rejection) throw error;
    throw invalid(regex, messageOf(error));
  }
}

/** Flags for the whole expression stand in front of it. */
function splitFlags(regex: string): { body: string; flags: string } {
  const found = /^\(\?([ims]+)\)/.exec(regex);
  if (found === null) return { body: regex, flags: '' };
  return { body: regex.slice(found[0].length), flags: [...new Set(found[1])].join('') };
}

function translate(regex: string): string {
  let out = '';
  for (let i = 0; i < regex.length;) {
    const [text, length] = token(regex, i);
    out += text;
    i += length;
  }
  return out;
}

/** What stands at a position, in JavaScript's words, and how long it was. */
function token(regex: string, at: number): readonly [text: string, length: number] {
  const rest = regex.slice(at);
  if (rest.startsWith('\\')) return escape(regex, rest);
  if (/^\(\?(?:[=!]|<[=!])/.test(rest)) throw invalid(regex, 'RE2 does not look around');
  if (rest.startsWith('(?P<')) return ['(?<', 4];
  if (/^[*+?}]\+/.test(rest)) throw invalid(regex, 'RE2 has no possessive quantifiers');
  return [rest[0]!, 1];
}

function escape(regex: string, rest: string): readonly [text: string, length: number] {
  const quoted = /^\\Q(.*?)(?:\\E|$)/s.exec(rest);
  if (quoted !== null) return [quote(quoted[1]!), quoted[0].length];
  const letter = rest[1];
  if (letter === undefined) throw invalid(regex, 'a backslash stands at its end');
  if (letter === 'A') return ['^', 2];
  if (letter === 'z') return ['$', 2];
  if (letter === 'a') return ['\\x07', 2];
  const hex = /^\\x(?:\{([0-9a-fA-F]+)\}|([0-9a-fA-F]{2}))/.exec(rest);
  if (hex !== null) {
    return [quote(String.fromCodePoint(parseInt(hex[1] ?? hex[2]!, 16))), hex[0].length];
  }
  const isPlain = !/[a-zA-Z0-9]/.test(letter) || SHARED_ESCAPES.includes(letter);
  if (isPlain) return [`\\${letter}`, 2];
  throw invalid(regex, `RE2 has no \\${letter}, or it can't be told here what it matches`);
}

function quote(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|/-]/g, '\\$&');
}

function invalid(regex: string, why: string): Rejection {
  return new Rejection(
    Errors.INVALID_REGULAR_EXPRESSION,
    `SubscribedTopicRegex \`${regex}\` is not a valid regular expression: ${why}.`,
  );
}
