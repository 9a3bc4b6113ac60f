import { connect } from 'node:net';

const API_VERSIONS = 18;
const METADATA = 3;
const POLL_MS = 100;

/**
 * Whether a broker answers a request on a port: ApiVersions v0, or Metadata v0 where there is no
 * ApiVersions. Written by hand, so that the client under test has no part in it.
 */
export function answers(port: number, hasApiVersions: boolean): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: '127.0.0.1', port });
    const done = (isReady: boolean) => {
      clearTimeout(timer);
      socket.destroy();
      resolve(isReady);
    };
    const timer = setTimeout(() => done(false), 2000);
    socket.once('connect', () => socket.write(request(hasApiVersions ? API_VERSIONS : METADATA)));
    socket.once('data', (bytes) => done(bytes.length >= 8 && bytes.readInt32BE(4) === 7));
    socket.once('error', () => done(false));
    socket.once('close', () => done(false));
  });
}

function request(key: number): Buffer {
  const noTopics = key === METADATA ? 4 : 0;
  const frame = Buffer.alloc(4 + 10 + noTopics);
  frame.writeInt32BE(frame.length - 4, 0);
  frame.writeInt16BE(key, 4);
  frame.writeInt32BE(7, 8);
  frame.writeInt16BE(-1, 12);
  return frame;
}

/** Asks again and again until something holds; throws with a reason after a while. */
export async function waitUntil(
  isTrue: () => boolean | Promise<boolean>,
  timeoutMs: number,
  complaint: () => string,
): Promise<void> {
  const deadline = Date.now() + timeoutMs;
  while (!(await isTrue())) {
    if (Date.now() > deadline) throw new Error(complaint());
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}
