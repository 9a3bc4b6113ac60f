import type { TopicMetadata } from '../cluster/index.js';

/** Topics of Kafka's own, which a client can't tell before it has their metadata. */
const internalTopics = [
  '__consumer_offsets',
  '__transaction_state',
  '__share_group_state',
  '__cluster_metadata',
];

/**
 * Tells which topics a pattern matches. As with Kafka's own clients the whole name has to match.
 */
export function topicMatcher(pattern: RegExp): (topic: string) => boolean {
  const flags = pattern.flags.replace(/[gy]/g, '');
  const whole = new RegExp(`^(?:${pattern.source})$`, flags);
  return (topic) => whole.test(topic);
}

/** The topics to subscribe to, sorted. */
export function matchingTopics(
  topics: Iterable<Pick<TopicMetadata, 'name' | 'isInternal'>>,
  pattern: RegExp,
  excludesInternal: boolean,
): string[] {
  const matches = topicMatcher(pattern);
  return [...topics]
    .filter(({ name, isInternal }) => matches(name) && !(excludesInternal && isInternal))
    .map(({ name }) => name)
    .sort();
}

/**
 * The pattern for a broker to match, which knows RE2; `undefined` where that might mean something
 * else there, or where it would match internal topics that are not wanted: the broker leaves none
 * out.
 */
export function brokerPattern(pattern: RegExp, excludesInternal: boolean): string | undefined {
  if (pattern.flags !== '' || !isCommonSyntax(pattern.source)) return undefined;
  const matches = topicMatcher(pattern);
  if (excludesInternal && internalTopics.some(matches)) return undefined;
  return pattern.source;
}

/** One piece of syntax that JavaScript and RE2 read alike; the order matters. */
const commonPieces = [
  /^\\[dDwWsSbB]/, // classes and word boundaries
  /^\\[^A-Za-z0-9]/, // an escaped sign
  /^\(\?:/,
  /^\((?!\?)/,
  /^\)/,
  /^\{\d{1,3}(?:,\d{0,3})?\}\??/,
  /^\[\^?(?:\\[dDwWsS]|\\[^A-Za-z0-9]|[A-Za-z0-9_. -])+\]/,
  /^[*+?]\??/,
  /^[|.^$]/,
  /^[A-Za-z0-9_ -]/,
];

/** Whether a pattern is made of nothing else. */
function isCommonSyntax(source: string): boolean {
  let rest = source;
  while (rest !== '') {
    const piece = commonPieces.map((common) => common.exec(rest)?.[0]).find(Boolean);
    if (piece === undefined) return false;
    rest = rest.slice(piece.length);
  }
  return true;
}
