/** What happens to a producer besides what its receipts say. */
export type ProducerEvent =
  | {
      readonly type: 'retried';
      readonly topic: string;
      readonly partition: number;
      readonly records: number;
      readonly attempt: number;
      /** Kafka's name of the error that the attempt met. */
      readonly reason: string;
    }
  | {
      readonly type: 'dropped';
      readonly topic: string;
      readonly partition: number;
      readonly records: number;
      readonly reason: string;
    }
  | {
      readonly type: 'warning';
      readonly code: string;
      readonly message: string;
    };
