import { expectTypeOf, test } from 'vitest';
import {
  apis,
  decodeRequest,
  decodeResponse,
  encodeRequest,
  type RequestInput,
  type RequestOf,
  type ResponseOf,
} from '../../src/core/protocol/index.js';

test('a decoded message has every field', () => {
  type Request = RequestOf<typeof apis.Metadata>;
  expectTypeOf<Request['allowAutoTopicCreation']>().toEqualTypeOf<boolean>();
  expectTypeOf<Request['topics']>().toEqualTypeOf<
    { topicId: string; name: string | null }[] | null
  >();
  expectTypeOf<ResponseOf<typeof apis.Heartbeat>>().toEqualTypeOf<{
    throttleTimeMs: number;
    errorCode: number;
  }>();
});

test('names stand for APIs', () => {
  expectTypeOf(decodeRequest('Metadata', 1, Buffer.alloc(0))).toEqualTypeOf<
    RequestOf<typeof apis.Metadata>
  >();
  expectTypeOf(decodeResponse(apis.Metadata, 1, Buffer.alloc(0))).toEqualTypeOf<
    ResponseOf<typeof apis.Metadata>
  >();
  // @ts-expect-error there is no such API
  encodeRequest('Metadat', 1, {});
});

test('to encode, what every version has and has no default must be given', () => {
  encodeRequest('Heartbeat', 1, { groupId: 'g', generationId: 1, memberId: 'm' });
  // @ts-expect-error memberId is missing
  encodeRequest('Heartbeat', 1, { groupId: 'g', generationId: 1 });
  // @ts-expect-error there is no such field
  encodeRequest('Heartbeat', 1, { groupId: 'g', generationId: 1, memberId: 'm', more: 1 });
  // @ts-expect-error wrong type
  encodeRequest('Heartbeat', 1, { groupId: 'g', generationId: '1', memberId: 'm' });
  encodeRequest('ApiVersions', 0, {});
});

test('null is allowed where some version allows it', () => {
  type Topics = RequestInput<typeof apis.Metadata>['topics'];
  expectTypeOf<null>().toExtend<Topics>();
  // @ts-expect-error a group id is never null
  encodeRequest('Heartbeat', 1, { groupId: null, generationId: 1, memberId: 'm' });
});

test('bytes come as Buffers and may be given as any Uint8Array', () => {
  type Partition = RequestOf<typeof apis.Produce>['topicData'][number]['partitionData'][number];
  expectTypeOf<Partition['records']>().toEqualTypeOf<Buffer | null>();
  type Given = RequestInput<typeof apis.Produce>['topicData'][number]['partitionData'][number];
  expectTypeOf<Given['records']>().toEqualTypeOf<Uint8Array | null>();
});

test('fields beyond 2^53 are bigints, and may be given as numbers', () => {
  type Partition = RequestOf<typeof apis.ListOffsets>['topics'][number]['partitions'][number];
  expectTypeOf<Partition['timestamp']>().toEqualTypeOf<bigint>();
  type Given = RequestInput<typeof apis.ListOffsets>['topics'][number]['partitions'][number];
  expectTypeOf<Given['timestamp']>().toEqualTypeOf<bigint | number>();
});
