import { brokerError, type BrokerError } from '../protocol/index.js';
import {
  AuthorizationError,
  ConfigError,
  FencedError,
  KafkaError,
  UnsupportedVersionError,
  type ErrorContext,
} from '../util/errors.js';
import { messageOf } from '../util/message-of.js';

/** What to do about errors that a member can't get over by itself. */
const remedies: Readonly<Record<string, string>> = {
  FENCED_INSTANCE_ID: 'give each running member a groupInstanceId of its own',
  UNRELEASED_INSTANCE_ID:
    'give each running member a groupInstanceId of its own, or wait until the other one has left',
  INCONSISTENT_GROUP_PROTOCOL:
    'set groupProtocol and partitionAssignmentStrategy as the other members have them',
  INVALID_SESSION_TIMEOUT: 'set sessionTimeoutMs within those bounds',
  INVALID_GROUP_ID: 'set another groupId',
  GROUP_MAX_SIZE_REACHED: 'run fewer members, or raise group.max.size on the brokers',
  GROUP_AUTHORIZATION_FAILED: 'grant READ on the group',
  TOPIC_AUTHORIZATION_FAILED: 'grant READ and DESCRIBE on the topics',
  UNSUPPORTED_ASSIGNOR: 'set groupRemoteAssignor to one that the brokers have, as uniform or range',
  UNSUPPORTED_VERSION:
    'set groupProtocol to auto or classic, or finalize group.version 1 in the cluster',
  INVALID_REGULAR_EXPRESSION: 'use a pattern that RE2 understands',
};

const isFencing: ReadonlySet<string> = new Set(['FENCED_INSTANCE_ID', 'UNRELEASED_INSTANCE_ID']);

const isConfiguration: ReadonlySet<string> = new Set([
  'INCONSISTENT_GROUP_PROTOCOL',
  'INVALID_SESSION_TIMEOUT',
  'INVALID_GROUP_ID',
  'UNSUPPORTED_ASSIGNOR',
  'INVALID_REGULAR_EXPRESSION',
]);

/** The failure that ends a membership. */
export function groupError(
  groupId: string,
  api: string,
  code: number,
  detail: string | null = null,
): KafkaError {
  const error = brokerError(code);
  const said = detail === null || detail === '' ? '' : ` ("${detail}")`;
  const remedy = remedies[error.name];
  const todo = remedy === undefined ? '' : `; ${remedy}`;
  const message =
    `Cannot be a member of group '${groupId}': the broker answered ${api} with ${error.name}: ` +
    `${error.message}${said}${todo}`;
  return make(message, error, { api, groupId });
}

function make(message: string, error: BrokerError, context: ErrorContext): KafkaError {
  const options = { code: error.name, context };
  if (error.isAuthorization) return new AuthorizationError(message, options);
  if (error.name === 'UNSUPPORTED_VERSION') return new UnsupportedVersionError(message, options);
  if (isFencing.has(error.name)) return new FencedError(message, options);
  if (isConfiguration.has(error.name)) return new ConfigError(message, options);
  return new KafkaError(message, options);
}

/** What was thrown, as an error of ours. */
export function asKafkaError(error: unknown): KafkaError {
  if (error instanceof KafkaError) return error;
  const reason = messageOf(error);
  return new KafkaError(`rx-kafka internal error, please report it: ${reason}`, {
    code: 'INTERNAL_ERROR',
    cause: error,
  });
}
