import type { MetadataChange } from './metadata.js';

/** What happens to the connections and to what is known of a cluster. */
export type ClusterEvent =
  | {
      readonly type: 'connected';
      readonly broker: string;
      readonly purpose: string;
    }
  | {
      readonly type: 'connect-failed';
      readonly broker: string;
      readonly purpose: string;
      /** How many attempts have failed in a row; another one follows. */
      readonly attempt: number;
      readonly reason: string;
    }
  | {
      readonly type: 'disconnected';
      readonly broker: string;
      readonly purpose: string;
      readonly reason: string;
    }
  | {
      readonly type: 'throttled';
      readonly broker: string;
      readonly api: string;
      readonly throttleTimeMs: number;
    }
  | { readonly type: 'metadata-changed'; readonly changes: readonly MetadataChange[] }
  | { readonly type: 'rebootstrapped'; readonly reason: string }
  | { readonly type: 'warning'; readonly code: string; readonly message: string };
