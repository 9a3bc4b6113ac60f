import type { Address, Link, LinkEvents, Transport } from '../../src/core/network/index.js';

/**
 * A way to brokers that can be cut off for good, as when the process at this end has been killed: nothing
 * more is sent, not even a farewell.
 *
 * @example
 * const wire = new Severable(sim.cluster.transport);
 * const kafka = sim.kafka({ transport: wire });
 * wire.sever();
 */
export class Severable implements Transport {
  private readonly links = new Set<Link>();
  private isSevered = false;

  constructor(private readonly transport: Transport) {}

  open(address: Address, events: LinkEvents, options: { setupTimeoutMs: number }): Link {
    const link = this.transport.open(
      address,
      {
        onOpen: () => events.onOpen(),
        onBytes: (bytes) => events.onBytes(bytes),
        onClose: (error) => {
          this.links.delete(link);
          events.onClose(error);
        },
      },
      options,
    );
    this.links.add(link);
    if (this.isSevered) queueMicrotask(() => link.destroy(new Error('severed')));
    return link;
  }

  sever(): void {
    this.isSevered = true;
    for (const link of [...this.links]) link.destroy(new Error('severed'));
  }
}
