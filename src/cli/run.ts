import { clientSoftware } from '../core/network/index.js';
import { KafkaError } from '../core/util/errors.js';
import { UsageError, type Command, type Streams } from './command.js';
import { decode } from './decode.js';
import { repl } from './repl.js';
import { version } from './version.js';
import { messageOf } from '../core/util/message-of.js';

const commands: Readonly<Record<string, Command>> = { version, repl, decode };

const OK = 0;
const FAILURE = 1;
const USAGE = 2;

/** Runs the command line and returns the exit code: 0 well, 1 failed, 2 used wrongly. */
export async function run(
  args: readonly string[],
  streams: Streams & { readonly isDebugging: boolean },
): Promise<number> {
  const [verb, ...rest] = args;
  if (verb === undefined || verb === '--help' || verb === '-h' || verb === 'help') {
    const isAsked = verb !== undefined;
    (isAsked ? streams.stdout : streams.stderr).write(overview());
    return isAsked ? OK : USAGE;
  }
  if (verb === '--version') {
    streams.stdout.write(`${clientSoftware.version}\n`);
    return OK;
  }
  const command = Object.hasOwn(commands, verb) ? commands[verb] : undefined;
  if (command === undefined) {
    streams.stderr.write(`rx-kafka: there is no command '${verb}'\n\n${overview()}`);
    return USAGE;
  }
  if (rest.includes('--help') || rest.includes('-h')) {
    streams.stdout.write(command.usage);
    return OK;
  }
  try {
    return await command.run(rest, streams);
  } catch (error) {
    return fail(error, command, streams);
  }
}

function fail(
  error: unknown,
  { usage }: Command,
  { stderr, isDebugging }: Streams & { readonly isDebugging: boolean },
): number {
  const isUsage = error instanceof UsageError || isBadArgument(error);
  const text = messageOf(error);
  stderr.write(`rx-kafka: ${text}\n`);
  if (isUsage) stderr.write(`\n${usage}`);
  else if (isDebugging && error instanceof Error) stderr.write(`${error.stack ?? ''}\n`);
  else if (!(error instanceof KafkaError)) stderr.write('Set RX_KAFKA_DEBUG=1 to see more.\n');
  return isUsage ? USAGE : FAILURE;
}

/** What node:util's parseArgs throws. */
function isBadArgument(error: unknown): boolean {
  return String((error as { code?: unknown } | null)?.code).startsWith('ERR_PARSE_ARGS');
}

function overview(): string {
  const lines = Object.entries(commands).map(
    ([name, { summary }]) => `  rx-kafka ${name.padEnd(9)} ${summary}\n`,
  );
  return `Talks to Kafka brokers from 0.8 to 4.x.\n\n${lines.join('')}\nrx-kafka COMMAND --help says more.\n`;
}
