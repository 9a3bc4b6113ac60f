import { UnsupportedVersionError } from '../util/errors.js';
import type { Decoded, Encodable, Fields } from './schema.js';
import { includesVersion, parseVersions, type VersionRange } from './versions.js';

/** One struct on the wire in all its versions. */
export interface Message<F extends Fields = Fields> {
  /** Apache's name, as in `MetadataRequest`. */
  readonly name: string;
  readonly versions: VersionRange;
  /** Versions with compact lengths and tagged fields (KIP-482). */
  readonly flexible: VersionRange;
  readonly fields: F;
}

/** A request with its response: what Kafka calls an API. */
export interface Api<
  Name extends string = string,
  Req extends Fields = Fields,
  Res extends Fields = Fields,
> {
  readonly name: Name;
  readonly key: number;
  readonly minVersion: number;
  /** The newest version that is declared here. */
  readonly maxVersion: number;
  /** The newest version that brokers enable in production; what negotiation may choose. */
  readonly maxStableVersion: number;
  /** Whether a KRaft controller answers it as well. */
  readonly isOnController: boolean;
  readonly request: Message<Req>;
  readonly response: Message<Res>;
}

/** A decoded request of an API: `RequestOf<typeof Metadata>`. */
export type RequestOf<A extends Api> = Decoded<A['request']['fields']>;
/** A decoded response of an API: `ResponseOf<typeof Metadata>`. */
export type ResponseOf<A extends Api> = Decoded<A['response']['fields']>;
/** What may be encoded as a request: fields with a default may be left out. */
export type RequestInput<A extends Api> = Encodable<A['request']['fields']>;
/** What may be encoded as a response: fields with a default may be left out. */
export type ResponseInput<A extends Api> = Encodable<A['response']['fields']>;

/** Declares a struct that travels outside requests, such as a header or an embedded protocol. */
export function message<const F extends Fields>(
  name: string,
  versions: string,
  flexible: string,
  fields: F,
): Message<F> {
  return { name, versions: parseVersions(versions), flexible: parseVersions(flexible), fields };
}

/** Declares an API. */
export function api<
  const Name extends string,
  const Req extends Fields,
  const Res extends Fields,
>(declaration: {
  readonly name: Name;
  readonly key: number;
  readonly versions: string;
  readonly flexible: string;
  /** The newest version that may be used, where the last one is still in development. */
  readonly maxStable?: number;
  readonly onController?: true;
  readonly request: Req;
  readonly response: Res;
}): Api<Name, Req, Res> {
  const { name, key, versions, flexible, request, response } = declaration;
  const { min, max } = parseVersions(versions);
  return {
    name,
    key,
    minVersion: min,
    maxVersion: max,
    maxStableVersion: declaration.maxStable ?? max,
    isOnController: declaration.onController ?? false,
    request: message(`${name}Request`, versions, flexible, request),
    response: message(`${name}Response`, versions, flexible, response),
  };
}

/** Throws {@link UnsupportedVersionError} for a version that is not declared. */
export function checkDeclared(of: Message, version: number): void {
  if (Number.isInteger(version) && includesVersion(of.versions, version)) return;
  const { min, max } = of.versions;
  throw new UnsupportedVersionError(
    `There is no ${of.name} version ${version}: it has versions ${min} to ${max}`,
    { context: { api: `${of.name}@${version}` } },
  );
}
