/** Sends one record in each way, closes, and has nothing more to do. */
import { lastValueFrom, of } from 'rxjs';
import { createKafka, sendAll, toTopic } from '../../../src/index.js';

const kafka = createKafka({ bootstrapServers: process.argv[2]! });
const producer = kafka.producer();
await producer.send({ topic: 'orders', value: 'send' });
await lastValueFrom(of({ value: 'toTopic' }).pipe(toTopic(producer, 'orders')));
await lastValueFrom(of({ value: 'own' }).pipe(toTopic(kafka, 'orders')));
await lastValueFrom(sendAll(kafka, 'orders', [{ value: 'sendAll' }]));
await kafka.close();
console.log('closed');
