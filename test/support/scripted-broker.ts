import { Buffer } from 'node:buffer';
import { createServer, type AddressInfo, type Socket } from 'node:net';
import {
  decodeRequestWithHeader,
  encodeResponseFrame,
  findApi,
  peekRequest,
} from '../../src/core/protocol/index.js';

/** A request as a script sees it. `body` is decoded on access. */
export interface ScriptedRequest {
  readonly name: string;
  readonly key: number;
  readonly version: number;
  readonly body: Record<string, unknown>;
}

/** The fields of the answer, in another version if wanted; or none. Bytes are sent as they are. */
export type Reply =
  { readonly body: object; readonly version?: number } | Buffer | 'hang up' | 'say nothing';

/** What a broker of the test answers. */
export type Script = (request: ScriptedRequest) => Reply;

/** What a script's reply to a request is on the wire. */
export function encodeReply(script: Script, request: Buffer): Buffer | 'hang up' | 'say nothing' {
  const { apiKey, version, correlationId } = peekRequest(request);
  const api = findApi(apiKey)!;
  const reply = script({
    name: api.name,
    key: apiKey,
    version,
    get body() {
      return decodeRequestWithHeader(request).body;
    },
  });
  if (typeof reply === 'string' || Buffer.isBuffer(reply)) return reply;
  const chunks = encodeResponseFrame(api, reply.version ?? version, correlationId, reply.body);
  return Buffer.concat(chunks);
}

/** A server on a free port of this machine that follows a script. */
export interface ScriptedBroker extends AsyncDisposable {
  readonly host: string;
  readonly port: number;
  /** As users write it. */
  readonly address: string;
  /** What was asked for so far, as in `Metadata@12`. */
  readonly asked: readonly string[];
  /** Cuts every connection and accepts no more. */
  close(): Promise<void>;
}

/**
 * @example
 * await using broker = await startScriptedBroker(kafka43);
 * await checkVersion(broker.host, broker.port);
 */
export async function startScriptedBroker(script: Script): Promise<ScriptedBroker> {
  const sockets = new Set<Socket>();
  const asked: string[] = [];
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
    socket.on('error', () => undefined);
    eachFrame(socket, (request) => {
      const { apiKey, version } = peekRequest(request);
      asked.push(`${findApi(apiKey)?.name ?? apiKey}@${version}`);
      const reply = encodeReply(script, request);
      if (reply === 'hang up') socket.destroy();
      else if (reply !== 'say nothing') socket.write(reply);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { address: host, port } = server.address() as AddressInfo;
  const close = () =>
    new Promise<void>((resolve) => {
      server.close(() => resolve());
      for (const socket of sockets) socket.destroy();
    });
  return { host, port, address: `${host}:${port}`, asked, close, [Symbol.asyncDispose]: close };
}

function eachFrame(socket: Socket, onFrame: (frame: Buffer) => void): void {
  let rest = Buffer.alloc(0);
  socket.on('data', (bytes) => {
    rest = Buffer.concat([rest, bytes]);
    while (rest.length >= 4 && rest.length >= 4 + rest.readInt32BE(0)) {
      const end = 4 + rest.readInt32BE(0);
      onFrame(rest.subarray(4, end));
      rest = rest.subarray(end);
    }
  });
}

/** A port of this machine on which nobody listens. */
export async function closedPort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}
