import { fromAfter } from '../util/from-after.js';

/**
 * In which order the addresses of host names are tried: those first that follow the one whose
 * connection broke last. It may accept connections and be no broker, or none that works.
 */
export class AddressOrder {
  private readonly broken = new Map<string, string>();

  of(host: string, ips: readonly string[]): string[] {
    return fromAfter(this.broken.get(host), ips);
  }

  noteBroken(host: string, ip: string): void {
    this.broken.set(host, ip);
  }
}
