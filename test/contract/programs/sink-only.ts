/** Uses a sink and closes nothing: the sink's own producer closes with it. */
import { of } from 'rxjs';
import { createKafka, toTopic } from '../../../src/index.js';

const kafka = createKafka({ bootstrapServers: process.argv[2]! });
of({ value: 'v' })
  .pipe(toTopic(kafka, 'orders'))
  .subscribe({ complete: () => void kafka.close().then(() => console.log('closed')) });
