import type { Reply, Script } from './scripted-broker.js';

type Range = readonly [key: number, min: number, max: number];

/** What a release advertises, as far as the tests need it. */
export const ranges43: readonly Range[] = [
  [0, 0, 13],
  [1, 4, 18],
  [2, 1, 11],
  [3, 0, 13],
  [18, 0, 4],
  [19, 2, 7],
  [20, 1, 6],
  [35, 1, 5],
];

/** An ApiVersions answer. */
export function apiVersions(ranges: readonly Range[], rest: object = {}): { body: object } {
  const apiKeys = ranges.map(([apiKey, minVersion, maxVersion]) => ({
    apiKey,
    minVersion,
    maxVersion,
  }));
  return { body: { errorCode: 0, apiKeys, ...rest } };
}

/** A refusal to answer ApiVersions in the version asked for, in version 0 as KIP-511 wants it. */
export function unsupportedVersion(ranges: readonly Range[]): Reply {
  const { body } = apiVersions(ranges);
  return { body: { ...body, errorCode: 35 }, version: 0 };
}

/** A broker that advertises ranges, and answers some other requests. */
export function modernBroker(
  ranges: readonly Range[],
  answers: Readonly<Record<string, object>> = {},
): Script {
  return ({ name }) => {
    if (name === 'ApiVersions') return apiVersions(ranges);
    const body = answers[name];
    return body === undefined ? 'hang up' : { body };
  };
}

/**
 * A broker that answers only certain requests, all in version 0; to others it hangs up, as 0.8 does,
 * or says nothing, as 0.9 does.
 */
export function oldBroker(
  known: Readonly<Record<string, object>>,
  otherwise: 'hang up' | 'say nothing',
): Script {
  return ({ name, version }) => {
    const body = known[name];
    return body === undefined || version !== 0 ? otherwise : { body };
  };
}

const metadata = { brokers: [], topics: [] };

export const old = {
  '0.8.0': oldBroker({ Metadata: metadata }, 'hang up'),
  '0.8.1': oldBroker({ Metadata: metadata, OffsetFetch: { topics: [] } }, 'hang up'),
  '0.8.2': oldBroker(
    {
      Metadata: metadata,
      OffsetFetch: { topics: [] },
      FindCoordinator: { errorCode: 15, nodeId: -1, host: '', port: -1 },
    },
    'hang up',
  ),
  '0.9': oldBroker({ Metadata: metadata, ListGroups: { errorCode: 0, groups: [] } }, 'say nothing'),
} as const;

/** Speaks something else than Kafka. */
export const httpServer: Script = () =>
  Buffer.from('HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n');

/** Answers plain text with a TLS alert. */
export const tlsServer: Script = () => Buffer.from('15030300020228', 'hex');
