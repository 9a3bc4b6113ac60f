import { start, type REPLServer } from 'node:repl';
import { inspect, parseArgs } from 'node:util';
import { connect, formatAddress, type Address, type PromptClient } from '../core/network/index.js';
import { allApis, resolveApi, type Api, type ApiName } from '../core/protocol/index.js';
import { decodeRecords, encodeRecords } from '../core/records/index.js';
import { KafkaError } from '../core/util/errors.js';
import { parseAddress } from './address.js';
import { UsageError, type Command, type Streams } from './command.js';
import { messageOf } from '../core/util/message-of.js';

const WELCOME = `
  apis                                 what this broker understands
  request('Metadata', { topics: null })   ask it; answers come without await
  fields('CreateTopics')               what a request takes
  encodeRecords([{ value: 'hello' }]), decodeRecords(buffer)
  connect('host:port')                 another broker
  .exit                                or Ctrl-D
`;

/** `rx-kafka repl [HOST:PORT]` */
export const repl: Command = {
  summary: '[HOST:PORT]        a prompt on a connected broker',
  usage: `rx-kafka repl [HOST:PORT]

Opens a JavaScript prompt on a broker, localhost:9092 by default.
${WELCOME}`,
  async run(args, streams) {
    const { positionals } = parseArgs({ args: [...args], allowPositionals: true, options: {} });
    if (positionals.length > 1) throw new UsageError('name one HOST:PORT');
    const address = parseAddress(positionals[0] ?? 'localhost:9092');
    const session = new PromptSession();
    try {
      await session.connect(address);
    } catch (error) {
      const reason = messageOf(error);
      streams.stderr.write(`rx-kafka: ${reason}\n${HOW_TO_START}`);
      return 1;
    }
    await session.prompt(address, streams);
    return 0;
  },
};

const HOW_TO_START = `
A broker on localhost:9092, from a clone of rx-kafka: npm run kafka -- start 4.3
With Docker: docker run -p 9092:9092 apache/kafka:4.3.1
`;

/** The broker that a prompt is connected to. */
class PromptSession {
  private client: PromptClient | undefined;

  async connect({ host, port }: Address): Promise<PromptClient> {
    const next = await connect(host, port);
    this.client?.close();
    this.client = next;
    return next;
  }

  prompt(address: Address, { stdin, stdout }: Streams): Promise<void> {
    stdout.write(`Kafka ${this.client!.version} at ${formatAddress(address)}\n${WELCOME}\n`);
    const server = start({
      prompt: 'kafka> ',
      input: stdin,
      output: stdout,
      ignoreUndefined: true,
      writer: show,
    });
    settleAnswers(server);
    Object.defineProperties(server.context, {
      apis: { get: () => listApis(this.client!), enumerable: true },
    });
    Object.assign(server.context, {
      request: (api: ApiName, body: object = {}, options?: { version?: number }) =>
        this.client!.request(api, body as never, options),
      connect: async (text: string) => {
        const { version } = await this.connect(parseAddress(text));
        return `Kafka ${version} at ${text}`;
      },
      fields: (api: ApiName) => listFields(resolveApi(api)),
      decodeRecords,
      encodeRecords,
    });
    completeNames(server);
    return new Promise((resolve) => {
      server.once('exit', () => {
        this.client?.close();
        resolve();
      });
    });
  }
}

/** Prints what a promise comes to rather than the promise, and what we refuse without a stack. */
function settleAnswers(server: REPLServer): void {
  const evaluate = server.eval;
  const settling: typeof evaluate = function (this: REPLServer, code, context, file, done) {
    const fail = (error: unknown) => {
      if (!(error instanceof KafkaError)) {
        done(error as Error, undefined);
        return;
      }
      server.output.write(`${error.name}: ${error.message}\n`);
      done(null, undefined);
    };
    evaluate.call(this, code, context, file, (error, result: unknown) => {
      if (error !== null) fail(error);
      else if (result instanceof Promise) result.then((value: unknown) => done(null, value), fail);
      else done(null, result);
    });
  };
  Object.assign(server, { eval: settling });
}

/** Completes the names of APIs inside quotes; everything else as Node does. */
function completeNames(server: REPLServer): void {
  const complete = server.completer.bind(server) as (
    line: string,
    done: (error: Error | null, result: [string[], string]) => void,
  ) => void;
  const completer: typeof complete = (line, done) => {
    const match = /\b(?:request|fields)\(\s*['"](\w*)$/.exec(line);
    if (match === null) {
      complete(line, done);
      return;
    }
    const typed = match[1]!;
    const names = allApis.map(({ name }) => name).filter((name) => name.startsWith(typed));
    done(null, [names, typed]);
  };
  Object.assign(server, { completer });
}

function listApis({ apis }: PromptClient): Record<string, string> {
  return Object.fromEntries(
    Object.entries(apis).map(([name, { min, max }]) => [name, `${min} to ${max}`]),
  );
}

function listFields(api: Api): Record<string, string> {
  return Object.fromEntries(
    Object.entries(api.request.fields).map(([name, { kind, versions }]) => {
      const until = versions.max === Infinity ? 'on' : `to ${versions.max}`;
      return [name, `${kind}, from version ${versions.min} ${until}`];
    }),
  );
}

function show(value: unknown): string {
  return inspect(value, { depth: 6, colors: process.stdout.isTTY, breakLength: 100 });
}
