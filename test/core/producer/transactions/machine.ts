import { brokerErrors, type BrokerError } from '../../../../src/core/protocol/index.js';
import { reduceTransaction } from '../../../../src/core/producer/transactions/reduce.js';
import {
  initialState,
  type TransactionEffect,
  type TransactionInput,
  type TransactionProtocol,
  type TransactionRequest,
  type TransactionState,
} from '../../../../src/core/producer/transactions/state.js';

export function errorNamed(name: string): BrokerError {
  const found = brokerErrors.find((error) => error.name === name);
  if (found === undefined) throw new Error(`there is no error ${name}`);
  return found;
}

/** The state machine with what it has done so far. */
export class Machine {
  state: TransactionState = initialState('id');
  /** What the last input led to. */
  effects: readonly TransactionEffect[] = [];

  /** One that has begun a transaction. */
  static inTransaction(protocol: TransactionProtocol, canBump = true): Machine {
    return Machine.ready(protocol, canBump).give({ type: 'begin', protocol, canBump });
  }

  static ready(protocol: TransactionProtocol, canBump = true): Machine {
    const machine = new Machine().give({ type: 'init', protocol, canBump });
    return machine.answer('NONE', { producerId: 7, epoch: 0 });
  }

  give(input: TransactionInput): this {
    const { state, effects } = reduceTransaction(this.state, input);
    this.state = state;
    this.effects = effects;
    return this;
  }

  touch(partition = 0): this {
    return this.give({ type: 'touched', topic: 't', partition });
  }

  /** Answers the request that is under way. */
  answer(error: string, identity?: { producerId: number; epoch: number }): this {
    const request = this.state.current;
    if (request === undefined) throw new Error('nothing was asked');
    const answer = { error: errorNamed(error), ...(identity && { identity }) };
    return this.give({ type: 'answered', request, answer });
  }

  get phase(): TransactionState['phase'] {
    return this.state.phase;
  }

  /** What was sent last, if the last input led to it. */
  get sent(): TransactionRequest | undefined {
    return this.effect('send')?.request;
  }

  get did(): TransactionEffect['type'][] {
    return this.effects.map(({ type }) => type);
  }

  effect<T extends TransactionEffect['type']>(
    type: T,
  ): Extract<TransactionEffect, { type: T }> | undefined {
    return this.effects.find((effect) => effect.type === type) as never;
  }
}
