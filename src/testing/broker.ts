import {
  apis,
  decodeMessage,
  encodeResponseFrame,
  findApi,
  includesVersion,
  peekRequest,
  Reader,
  RequestHeader,
  requestHeaderVersion,
} from '../core/protocol/index.js';
import { KafkaError } from '../core/util/errors.js';
import type { Faults } from './control/faults.js';
import type { RequestLog } from './control/request-log.js';
import { unsupportedApiVersions } from './handlers/api-versions.js';
import {
  HANG_UP,
  NO_ANSWER,
  type AnyAnswer,
  type AnyHandler,
  type HandlerContext,
  type IncomingRequest,
} from './handlers/handler.js';
import { handlers } from './handlers/index.js';
import { BrokerConnection, type Reply } from './network/broker-connection.js';
import type { ServerLink, ServerLinkEvents } from './network/link.js';
import type { BrokerNode, Cluster } from './state/cluster.js';

/** What the brokers of a cluster share. */
export interface BrokerEnvironment {
  readonly cluster: Cluster;
  readonly faults: Faults;
  readonly requests: RequestLog;
  readonly maxRequestBytes: number;
}

const CLOSE: Reply = { kind: 'close' };
const STUCK: Reply = { kind: 'stuck' };

/** One broker: decodes requests, has them answered by their handlers, encodes the answers. */
export class Broker {
  private readonly connections = new Set<BrokerConnection>();
  private readonly context: HandlerContext;

  constructor(
    readonly node: BrokerNode,
    private readonly environment: BrokerEnvironment,
  ) {
    this.context = { brokerId: node.id, cluster: environment.cluster };
  }

  get connectionCount(): number {
    return this.connections.size;
  }

  /** Takes a new connection in. */
  accept(link: ServerLink): ServerLinkEvents {
    const connection = new BrokerConnection(link, {
      clock: this.environment.cluster.clock,
      maxFrameBytes: this.environment.maxRequestBytes,
      answer: (frame, signal) => this.answer(frame, signal),
      onGarbage: (complaint) => this.complain(complaint),
      onClose: () => this.connections.delete(connection),
    });
    this.connections.add(connection);
    return connection;
  }

  private answer(frame: Buffer, signal: AbortSignal): Reply | Promise<Reply> {
    const request = this.receive(frame, signal);
    if ('kind' in request) return request;
    const handler = handlers.get(request.api.key)!;
    try {
      if (!this.environment.faults.isQuiet) {
        return this.answerWithFaults(request, handler).catch((error: unknown) => this.fail(error));
      }
      const answer = handler.handle(request, this.context);
      if (!(answer instanceof Promise)) return this.encode(request, answer, 0);
      return answer
        .then((late) => this.encode(request, late, 0))
        .catch((error: unknown) => this.fail(error));
    } catch (error) {
      return this.fail(error);
    }
  }

  /** Hangs up on bytes that make no sense, as a real broker does. */
  private receive(frame: Buffer, signal: AbortSignal): IncomingRequest | Reply {
    try {
      return this.decode(frame, signal);
    } catch (error) {
      if (!(error instanceof KafkaError)) return this.fail(error);
      this.complain(error.message);
      return CLOSE;
    }
  }

  /** The request, or what becomes of one that the broker does not know. */
  private decode(frame: Buffer, signal: AbortSignal): IncomingRequest | Reply {
    const { cluster, requests } = this.environment;
    const { profile } = cluster;
    const { apiKey, version, correlationId } = peekRequest(frame);
    const range = profile.served.get(apiKey);
    if (range === undefined || !includesVersion(range, version)) {
      if (range !== undefined && apiKey === apis.ApiVersions.key) {
        requests.count(this.node.id, apis.ApiVersions);
        const body = unsupportedApiVersions(cluster);
        return send(encodeResponseFrame(apis.ApiVersions, 0, correlationId, body), 0);
      }
      this.complain(`a ${profile.release} broker lacks API ${apiKey} version ${version}`);
      return profile.onUnknownRequest === 'close' ? CLOSE : STUCK;
    }
    const api = findApi(apiKey)!;
    // Bytes that are left over are ignored, as by the Java broker: librdkafka 2.16 sends some.
    const reader = new Reader(frame);
    const headerVersion = requestHeaderVersion(api.request, version);
    const { clientId } = decodeMessage(reader, RequestHeader, headerVersion);
    const body = decodeMessage(reader, api.request, version);
    requests.count(this.node.id, api);
    return { api, version, body, header: { correlationId, clientId }, signal };
  }

  private async answerWithFaults(request: IncomingRequest, handler: AnyHandler): Promise<Reply> {
    const { faults, cluster } = this.environment;
    const { api } = request;
    const { id } = this.node;
    if (faults.takeDrop(api, id, 'before')) return CLOSE;
    const answer = await this.interceptedOr(request, () => {
      const failure = faults.takeFailure(api, id);
      if (failure === undefined) return handler.handle(request, this.context);
      return handler.fail(request, failure, this.context);
    });
    await this.pause(faults.delayFor(api, id), request.signal);
    if (faults.takeDrop(api, id, 'after')) return CLOSE;
    const throttleMs = faults.throttleFor(api, id);
    if (cluster.profile.mutesWhenThrottled) return this.encode(request, answer, throttleMs);
    await this.pause(throttleMs, request.signal);
    return { ...this.encode(request, answer, throttleMs), muteMs: 0 } as Reply;
  }

  private async interceptedOr(
    request: IncomingRequest,
    answer: () => AnyAnswer | Promise<AnyAnswer>,
  ): Promise<AnyAnswer> {
    const { id } = this.node;
    const { api, version, body, header } = request;
    for (const intercept of this.environment.faults.interceptorsFor(api, id)) {
      const given = await intercept({ api, version, body, header, broker: id });
      if (given !== undefined) return given;
    }
    return answer();
  }

  private encode(request: IncomingRequest, answer: AnyAnswer, throttleMs: number): Reply {
    if (answer === NO_ANSWER) return { kind: 'silence', muteMs: throttleMs };
    if (answer === HANG_UP) return CLOSE;
    const { api, version, header } = request;
    const isTold = throttleMs > 0 && 'throttleTimeMs' in api.response.fields;
    const body = isTold ? { ...answer, throttleTimeMs: throttleMs } : answer;
    return send(encodeResponseFrame(api, version, header.correlationId, body as never), throttleMs);
  }

  private pause(ms: number, signal: AbortSignal): Promise<void> {
    if (ms <= 0) return Promise.resolve();
    return new Promise((resolve) => {
      const done = () => {
        cancel();
        signal.removeEventListener('abort', done);
        resolve();
      };
      const cancel = this.environment.cluster.clock.schedule(ms, done);
      signal.addEventListener('abort', done, { once: true });
    });
  }

  /** A fault of the broker's own, or of a test's interceptor. */
  private fail(error: unknown): Reply {
    this.complain(String(error));
    process.emitWarning(error instanceof Error ? error : String(error));
    return CLOSE;
  }

  private complain(what: string): void {
    this.environment.requests.complain(`Broker ${this.node.id}: ${what}`);
  }
}

function send(chunks: readonly Uint8Array[], muteMs: number): Reply {
  return { kind: 'send', chunks, muteMs };
}
