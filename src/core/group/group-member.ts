import type { BrokerCapabilities } from '../network/index.js';
import type { KafkaError } from '../util/errors.js';
import type { Assignor, RebalanceProtocol } from './assignors/assignor.js';
import { builtInAssignor } from './assignors/built-in.js';
import { chooseProtocol, classic, type ProtocolChoice } from './choose-protocol.js';
import { Coordinator } from './coordinator.js';
import type { MemberContext } from './create-member.js';
import { asKafkaError } from './errors.js';
import type { GroupEvent } from './events.js';
import { HandlerCalls } from './handler-calls.js';
import { MachineRun } from './machine-run.js';
import { classicMachine, consumerMachine, randomMemberId } from './machines.js';
import { MatchedTopics } from './matched-topics.js';
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
  private matched: MatchedTopics | undefined;
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
    this.matched?.stop();
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
    await this.followPattern(choice, pattern);
  }

  /** Subscribes to what a pattern matches now, and later. */
  private async followPattern(choice: ProtocolChoice, pattern: RegExp): Promise<void> {
    const { clock, options } = this.context;
    const matched = new MatchedTopics({
      clock,
      options,
      topics: this.topics,
      pattern,
      onRetry: (error) => this.emitRetry('Metadata', error),
    });
    this.matched = matched;
    const topics = await matched.find();
    if (topics === undefined) return;
    this.startRun(choice, topics);
    matched.follow(
      (found) => this.run?.dispatch({ type: 'topics-matched', topics: found }),
      (error) => this.run?.dispatch({ type: 'broke', error }),
    );
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
        ? classicMachine(options, topics, assignors, rebalanceProtocol)
        : consumerMachine(options, topics, regex, this.ownId(choice)),
      cluster,
      clock,
      options,
      coordinator: this.newCoordinator(rebalanceProtocol, rebalanceTimeoutMs),
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

  private newCoordinator(
    rebalanceProtocol: RebalanceProtocol,
    rebalanceTimeoutMs: number,
  ): Coordinator {
    const { cluster, options, metrics } = this.context;
    return new Coordinator(cluster, {
      group: options,
      assignors: this.assignors,
      rebalanceProtocol,
      rebalanceTimeoutMs,
      metrics,
      onRetry: (api, reason) => this.emitRetry(api, reason),
    });
  }

  /** Empty where brokers choose it. */
  private ownId({ version }: ProtocolChoice): string {
    return version >= WITH_OWN_ID_AND_REGEX ? randomMemberId(this.context.clock) : '';
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
    this.matched?.stop();
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
