/** A terminal with lines that stay and, below them, one that is written over. */
export interface Terminal {
  /** Prints a line that stays. */
  say(text: string): void;
  /** Replaces the last line; where there is no terminal, it is printed once a second instead. */
  update(text: string): void;
}

export const bold = (text: string) => (process.stdout.isTTY ? `\u001b[1m${text}\u001b[0m` : text);
export const dim = (text: string) => (process.stdout.isTTY ? `\u001b[2m${text}\u001b[0m` : text);

const CLEAR_LINE = '\r\u001b[2K';

/** The process's own terminal. */
export function openTerminal(): Terminal {
  return process.stdout.isTTY ? liveTerminal() : plainTerminal();
}

function liveTerminal(): Terminal {
  let live = '';
  return {
    say(text) {
      process.stdout.write(`${CLEAR_LINE}${text}\n${live}`);
    },
    update(text) {
      live = text.slice(0, process.stdout.columns - 1);
      process.stdout.write(`${CLEAR_LINE}${live}`);
    },
  };
}

function plainTerminal(): Terminal {
  let saidAt = -Infinity;
  return {
    say: (text) => console.log(text),
    update(text) {
      if (performance.now() - saidAt < 1000) return;
      saidAt = performance.now();
      console.log(text);
    },
  };
}
