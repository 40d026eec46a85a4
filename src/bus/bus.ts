/**
 * The port to the bus: bells and questions between hosts.
 *
 * A bell carries no truth: losing, repeating or reordering one costs only a delay. A question is
 * answered by one host within a deadline, or fails. Two implementations pass the same contract
 * suite: in process, and RabbitMQ.
 */
import type { HostName, InstanceId, VpcId } from '../model/ids.ts'

/** What one host may ask another. The answer's type stands beside it. */
export interface Questions {
  readonly console: {
    readonly ask: { readonly instance: InstanceId }
    /**
     * The last output (at most 64 KiB, oldest dropped), base64, and when it was read (ISO 8601).
     */
    readonly answer: { readonly output: string; readonly at: string }
  }
  readonly attach: {
    readonly ask: { readonly instance: InstanceId }
    /**
     * Where to connect to the instance's terminal, and a ticket that is valid once and for some
     * seconds.
     */
    readonly answer: { readonly address: string; readonly port: number; readonly ticket: string }
  }
}
export type Question = keyof Questions

/**
 * `own`: this host's part of the records changed. `shared`: what all hosts share did. A VPC: what
 * belongs to it did.
 */
export type Bell = 'own' | 'shared' | VpcId

/** The shortest time between two bells to all, or to all that follow one VPC... */
const ALL_BELL_MS = 200
/**
 * ...and for each host that hears them: what all of them are told a second stays the same however
 * many they are.
 */
const ALL_BELL_MS_PER_HOST = 2

/**
 * VPCs whose last bell is remembered; beyond it the ones that were rung first are forgotten, and
 * may be rung again sooner.
 */
export const VPCS_LIMIT = 1_024

/** The shortest time between two bells to all, among so many hosts. */
export function allBellMs(hosts: number): number {
  return Math.max(ALL_BELL_MS, hosts * ALL_BELL_MS_PER_HOST)
}

export interface Bus {
  /**
   * "Look again at what is yours." Never fails: a bell that cannot be sent is found by the timer.
   */
  ring(host: HostName): void
  /**
   * "Look again at what all hosts share": reaches every host, this one too. Not urgent: those rung
   * within `allBellMs` of each other go out as one.
   */
  ringAll(): void
  /**
   * "Look again at this VPC" (its members, names, groups): reaches every host that follows it, this
   * one too. Not urgent: those rung for one VPC within `allBellMs` of each other go out as one, so
   * that a storm of launches does not multiply by hosts.
   */
  ringVpc(vpc: VpcId): void
  /**
   * Follows these VPCs from now on, and no others. Of each that is new a bell is heard as soon as
   * none is missed any more: what was read of it before may be old.
   */
  follow(vpcs: readonly VpcId[]): void
  /** Calls `heard` for each bell that reaches this host until the returned function is called. */
  onBell(heard: (bell: Bell) => void): () => void
  /**
   * Asks a host. Rejects with `unavailable` when no answer comes in time, or with the error that
   * the answer is.
   */
  ask<Q extends Question>(
    host: HostName,
    question: Q,
    ask: Questions[Q]['ask'],
    options: { readonly timeoutMs: number; readonly signal?: AbortSignal },
  ): Promise<Questions[Q]['answer']>
  /** Answers a kind of question that is put to this host. One answerer a kind. */
  onAsk<Q extends Question>(
    question: Q,
    answer: (ask: Questions[Q]['ask']) => Promise<Questions[Q]['answer']>,
  ): void
  close(): Promise<void>
}
