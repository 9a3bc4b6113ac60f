import { pause } from '../cluster/index.js';
import type { BrokerCapabilities } from '../network/index.js';
import { bytesToUuid } from '../protocol/index.js';
import { backoffMs } from '../util/backoff.js';
import type { Cancel, Clock } from '../util/clock.js';
import type { KafkaError } from '../util/errors.js';
import type { Assignor } from './assignors/assignor.js';
import { builtInAssignor } from './assignors/built-in.js';
import { chooseProtocol, classic, type ProtocolChoice } from './choose-protocol.js';
import { reduceClassic } from './classic/reduce.js';
import { initialClassicState, viewClassic } from './classic/state.js';
import { reduceConsumer } from './consumer/reduce.js';
import { initialConsumerState, viewConsumer } from './consumer/state.js';
import { Coordinator } from './coordinator.js';
import type { MemberContext } from './create-member.js';
import type { GroupEvent } from './events.js';
import { HandlerCalls } from './handler-calls.js';
import { asKafkaError, machineOf, MachineRun, type Machine } from './machine-run.js';
import type { GroupMetadata, Member } from './member.js';
import { brokerPattern } from './pattern.js';
import { commonProtocol } from './share-out.js';
import { Topics } from './topics.js';

/** What says that the cluster, or this group, does without the new protocol after all. */
const meansClassic: ReadonlySet<string> = new Set([
  'UNSUPPORTED_VERSION',
  'GROUP_ID_NOT_FOUND',
  'INCONSISTENT_GROUP_PROTOCOL',
]);

/** From this version of ConsumerGroupHeartbeat on members choose their ids, and brokers match. */
const WITH_OWN_ID_AND_REGEX = 1;

/** Finds out which protocol a group has, and runs a member by it. */
export class GroupMember implements Member {
  protocol: 'classic' | 'consumer' | undefined;
  private run: MachineRun | undefined;
  private capabilities: BrokerCapabilities | undefined;
  private readonly assignors: readonly Assignor[];
  private readonly topics: Topics;
  private readonly abort = new AbortController();
  private calls: HandlerCalls | undefined;
  private cancelMatching: Cancel | undefined;
  private matchFailures = 0;
  private hasStarted = false;
  private hasJoined = false;
  private isOver = false;
  private leaving: Promise<void> | undefined;
  private leftListener: () => void = () => undefined;

  constructor(private readonly context: MemberContext) {
    const { cluster, clock, options } = context;
    const strategy = options.partitionAssignmentStrategy ?? ['range', 'cooperative-sticky'];
    this.assignors = strategy.map((each) =>
      typeof each === 'string' ? builtInAssignor(each) : each,
    );
    const { requestTimeoutMs } = options;
    this.topics = new Topics(cluster, clock, { requestTimeoutMs, signal: this.abort.signal });
  }

  get metadata(): GroupMetadata | undefined {
    const view = this.run?.view;
    if (this.isOver || view === undefined || view.generationId < 0) return undefined;
    const { groupId, groupInstanceId = null } = this.context.options;
    const { memberId, generationId } = view;
    return { groupId, memberId, generationId, groupInstanceId };
  }

  get isJoined(): boolean {
    return !this.isOver && this.run?.view.isJoined === true;
  }

  join(): void {
    if (this.hasStarted || this.isOver) return;
    this.hasStarted = true;
    this.start().catch((error: unknown) => this.failed(asKafkaError(error)));
  }

  requestRejoin(_reason: string): void {
    if (!this.isOver) this.run?.dispatch({ type: 'check-wanted' });
  }

  leave(options: { readonly keepsMembership?: boolean } = {}): Promise<void> {
    // Whoever asks again waits for the same goodbye.
    return (this.leaving ??= this.isOver ? Promise.resolve() : this.leaveOnce(options));
  }

  private async leaveOnce({ keepsMembership }: { readonly keepsMembership?: boolean }) {
    const keeps = keepsMembership ?? this.context.options.groupInstanceId !== undefined;
    const memberId = this.run?.view.memberId ?? '';
    this.end();
    await this.sayGoodbye(keeps);
    this.run?.stop();
    const { groupId } = this.context.options;
    if (memberId === '') return;
    const event: GroupEvent = { type: 'left', groupId, memberId, keepsMembership: keeps };
    this.context.handler.onEvent(event);
  }

  private sayGoodbye(keepsMembership: boolean): Promise<void> {
    const { run } = this;
    if (run === undefined) return Promise.resolve();
    const { clock, options } = this.context;
    return new Promise((resolve) => {
      const cancel = clock.schedule(options.requestTimeoutMs, resolve);
      this.leftListener = () => {
        cancel();
        resolve();
      };
      run.dispatch({ type: 'leave', keepsMembership });
    });
  }

  /** Calls nobody back from now on. */
  private end(): void {
    this.isOver = true;
    this.abort.abort();
    this.calls?.close();
    this.cancelMatching?.();
  }

  private async start(): Promise<void> {
    this.capabilities = await this.findCapabilities();
    await this.begin(chooseProtocol(this.context.options, this.capabilities));
  }

  /** What the coordinator can do, once it is there. */
  private async findCapabilities(): Promise<BrokerCapabilities> {
    const { cluster, options } = this.context;
    const { groupId, requestTimeoutMs: timeoutMs } = options;
    const { signal } = this.abort;
    for (;;) {
      try {
        return await cluster.capabilities({ group: groupId }, { timeoutMs, signal });
      } catch (error) {
        const failure = asKafkaError(error);
        if (!failure.isRetriable || this.isOver) throw failure;
        this.emitRetry('FindCoordinator', failure);
      }
    }
  }

  private async begin(choice: ProtocolChoice): Promise<void> {
    const { subscription, options } = this.context;
    const { groupId } = options;
    const { protocol, reason } = choice;
    if (this.isOver) return;
    this.protocol = protocol;
    this.emit({ type: 'group-protocol-chosen', groupId, protocol, reason });
    if (subscription.type === 'topics') {
      this.startRun(choice, [...new Set(subscription.topics)]);
      return;
    }
    const { pattern } = subscription;
    const canAskBroker = protocol === 'consumer' && choice.version >= WITH_OWN_ID_AND_REGEX;
    const regex = canAskBroker ? brokerPattern(pattern, options.excludeInternalTopics) : undefined;
    if (regex !== undefined) {
      this.startRun(choice, [], regex);
      return;
    }
    const topics = await this.match(pattern);
    if (topics === undefined) return;
    this.startRun(choice, topics);
    this.matchLater(pattern);
  }

  private startRun(choice: ProtocolChoice, topics: readonly string[], regex?: string): void {
    if (this.isOver) return;
    const { cluster, clock, options, handler, metrics } = this.context;
    const { assignors, topics: lookup } = this;
    const isClassic = choice.protocol === 'classic';
    const rebalanceProtocol = commonProtocol(options.groupId, assignors);
    // Before JoinGroup had a time for rebalancing, it was the session's.
    const isOld = isClassic && choice.version === 0;
    const rebalanceTimeoutMs = isOld ? options.sessionTimeoutMs : options.rebalanceTimeoutMs;
    const coordinator = new Coordinator(cluster, {
      group: options,
      assignors,
      rebalanceProtocol,
      rebalanceTimeoutMs,
      metrics,
      onRetry: (api, reason) => this.emitRetry(api, reason),
    });
    // The rebalance began up to a heartbeat before this member heard of it.
    const drainTimeoutMs = Math.max(
      rebalanceTimeoutMs / 2,
      rebalanceTimeoutMs - options.heartbeatIntervalMs,
    );
    const calls = new HandlerCalls({
      handler,
      clock,
      drainTimeoutMs,
      onDone: (call) => run.dispatch({ type: 'called-back', call }),
      onFailed: (error) => run.dispatch({ type: 'broke', error }),
    });
    const run: MachineRun = new MachineRun({
      machine: isClassic
        ? this.classicMachine(topics, rebalanceProtocol)
        : this.consumerMachine(topics, regex, choice.version),
      cluster,
      clock,
      options,
      coordinator,
      metrics,
      calls,
      topics: lookup,
      assignors,
      isCooperative: rebalanceProtocol === 'cooperative',
      onEvent: (event) => this.emit(event),
      onFailed: (error) => this.failed(error),
      onGaveUp: (error) => {
        if (!this.isOver) handler.onFatal(error);
      },
      onLeft: () => this.leftListener(),
    });
    this.calls = calls;
    this.run = run;
    run.dispatch({ type: 'join' });
  }

  private classicMachine(
    topics: readonly string[],
    rebalanceProtocol: 'eager' | 'cooperative',
  ): Machine {
    const {
      groupId,
      groupInstanceId = null,
      heartbeatIntervalMs,
      clientRack,
    } = this.context.options;
    const settings = {
      groupId,
      groupInstanceId,
      rebalanceProtocol,
      assignors: this.assignors.map(({ name }) => name),
      heartbeatIntervalMs,
      isRackAware: clientRack !== '',
    };
    return machineOf(initialClassicState(settings, topics), reduceClassic, viewClassic);
  }

  private consumerMachine(
    topics: readonly string[],
    topicRegex: string | undefined,
    version: number,
  ): Machine {
    const { options, clock } = this.context;
    const { groupId, groupInstanceId = null, clientRack, rebalanceTimeoutMs } = options;
    const settings = {
      groupId,
      groupInstanceId,
      rackId: clientRack === '' ? undefined : clientRack,
      rebalanceTimeoutMs,
      serverAssignor: options.groupRemoteAssignor,
      topicRegex,
    };
    const memberId = version >= WITH_OWN_ID_AND_REGEX ? randomId(clock) : '';
    const initial = initialConsumerState(settings, topics, memberId);
    return machineOf(initial, reduceConsumer, viewConsumer);
  }

  /** The topics that a pattern matches now; `undefined` when the member has left meanwhile. */
  private async match(pattern: RegExp): Promise<string[] | undefined> {
    while (!this.isOver) {
      try {
        const topics = await this.topics.match(pattern, this.context.options.excludeInternalTopics);
        this.matchFailures = 0;
        return topics;
      } catch (error) {
        const failure = asKafkaError(error);
        if (!failure.isRetriable) throw failure;
        this.matchFailures++;
        this.emitRetry('Metadata', failure);
        await this.pause();
      }
    }
    return undefined;
  }

  private matchLater(pattern: RegExp): void {
    const { clock, options } = this.context;
    this.cancelMatching = clock.schedule(options.metadataMaxAgeMs, () => {
      this.match(pattern).then(
        (topics) => {
          if (topics === undefined || this.isOver) return;
          this.run?.dispatch({ type: 'topics-matched', topics });
          this.matchLater(pattern);
        },
        (error: unknown) => this.run?.dispatch({ type: 'broke', error: asKafkaError(error) }),
      );
    });
  }

  private pause(): Promise<void> {
    const { clock, options } = this.context;
    const { retryBackoffMs, retryBackoffMaxMs } = options;
    const failures = this.matchFailures;
    const waitMs = backoffMs(failures, retryBackoffMs, retryBackoffMaxMs, clock.random());
    // Whoever waits looks whether the member has left meanwhile.
    return pause(clock, waitMs, [this.abort.signal]).catch(() => undefined);
  }

  /** The end, unless the group is only not one of the new protocol. */
  private failed(error: KafkaError): void {
    if (this.isOver) return;
    const { options, handler } = this.context;
    this.run?.stop();
    const wasGuess = options.groupProtocol === 'auto' && this.protocol === 'consumer';
    if (wasGuess && !this.hasJoined && meansClassic.has(error.code)) {
      this.fallBack(error);
      return;
    }
    this.end();
    handler.onFatal(error);
  }

  private fallBack(error: KafkaError): void {
    const fallBack = async () => {
      const reason = `the coordinator said ${error.code} to the new protocol`;
      await this.begin(classic(this.context.options, this.capabilities!, reason));
    };
    this.calls?.close();
    this.cancelMatching?.();
    this.run = undefined;
    fallBack().catch((failure: unknown) => this.failed(asKafkaError(failure)));
  }

  private emit(event: GroupEvent): void {
    if (this.isOver) return;
    if (event.type === 'joined') this.hasJoined = true;
    this.context.handler.onEvent(event);
  }

  private emitRetry(api: string, error: KafkaError): void {
    const { groupId } = this.context.options;
    this.emit({ type: 'group-retried', groupId, api, reason: error.message });
  }
}

/** An id that no other member has, as Kafka's clients make them. */
function randomId(clock: Clock): string {
  const bytes = Uint8Array.from({ length: 16 }, () => Math.floor(clock.random() * 256));
  return bytesToUuid(bytes);
}
