import { parseArgs } from 'node:util';
import { checkVersion } from '../core/network/index.js';
import { parseAddress } from './address.js';
import { UsageError, type Command } from './command.js';

/** `rx-kafka version HOST:PORT` */
export const version: Command = {
  summary: 'HOST:PORT          which release a broker runs',
  usage: `rx-kafka version HOST:PORT [--apis] [--json]

Prints the release that a broker runs, as in 4.3 or 0.10.2.

  --apis  also print the versions of each API that can be used with it
  --json  print both as JSON
`,
  async run(args, { stdout }) {
    const { values, positionals } = parseArgs({
      args: [...args],
      allowPositionals: true,
      options: { apis: { type: 'boolean' }, json: { type: 'boolean' } },
    });
    const [address] = positionals;
    if (address === undefined || positionals.length > 1) throw new UsageError('name one HOST:PORT');
    const { host, port } = parseAddress(address);
    const found = await checkVersion(host, port);
    if (values.json === true) {
      stdout.write(`${JSON.stringify(found, undefined, 2)}\n`);
      return 0;
    }
    stdout.write(`${found.version}\n`);
    if (values.apis === true) {
      for (const [name, { min, max }] of Object.entries(found.apis)) {
        stdout.write(`${name.padEnd(32)} ${min === max ? max : `${min} to ${max}`}\n`);
      }
    }
    return 0;
  },
};
