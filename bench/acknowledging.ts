import type { SinkEngine } from '../src/core/producer/sink-engine.js';
import type { SinkProducer } from '../src/sinks/target.js';
import { FakeClock } from '../test/support/fake-clock.js';

/** A producer that acknowledges at once what it is given: what is left is what the sink costs. */
export function acknowledging(): SinkProducer {
  let offset = 0;
  const engine: SinkEngine = {
    clock: new FakeClock(),
    options: { bufferMemory: Infinity },
    hasRoom: true,
    wantsMore: true,
    isClosed: false,
    submit: (topic, _record, submitter, token) => {
      submitter.acknowledged(token, topic, 0, offset++, 0);
      return true;
    },
    whenRoom: () => undefined,
    onDrain: () => () => undefined,
    flush: () => Promise.resolve(),
    dropOldest: () => 0,
    reportDropped: () => undefined,
  };
  return { engine };
}
