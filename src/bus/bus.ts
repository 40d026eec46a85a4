/**
 * The port to the bus: bells and questions between hosts.
 *
 * A bell carries no truth: losing, repeating or reordering one costs only a delay. A question is
 * answered by one host within a deadline, or fails. Two implementations pass the same contract
 * suite: in process, and RabbitMQ.
 */
import type { CloudEvent } from '../model/cloud-event.ts'
import type { HostName, InstanceId, VpcId } from '../model/ids.ts'
import type { TraceAnswer, TraceAsk } from '../model/trace.ts'

/** The questions that one host may ask another, with the types of their answers. */
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
     * Where to connect to the instance's terminal, and a ticket. The ticket is valid once, for some
     * seconds.
     */
    readonly answer: { readonly address: string; readonly port: number; readonly ticket: string }
  }
  /**
   * One step of a trace: look out for a packet, send it, or say what was seen of it
   * (`api/trace.ts`).
   */
  readonly trace: { readonly ask: TraceAsk; readonly answer: TraceAnswer }
}
export type Question = keyof Questions

/**
 * `own`: this host's part of the records changed. `shared`: what all hosts share changed. A VPC:
 * something of the VPC changed.
 */
export type Bell = 'own' | 'shared' | VpcId

/** The shortest interval between two bells to all hosts, or to all that follow one VPC. */
const ALL_BELL_MS = 200
/**
 * The interval grows by this for each host that hears the bells, so that the load on the database
 * does not grow with the number of hosts.
 */
const ALL_BELL_MS_PER_HOST = 2

/**
 * Maximum number of VPCs whose last bell is remembered. The ones rung first are forgotten, and may
 * be rung again sooner.
 */
export const VPCS_LIMIT = 1_024

/** The shortest interval between two bells to this many hosts. */
export function allBellMs(hosts: number): number {
  return Math.max(ALL_BELL_MS, hosts * ALL_BELL_MS_PER_HOST)
}

export interface Bus {
  /**
   * "Read again what is yours." Never fails: the timer of the other host makes up for a lost bell.
   */
  ring(host: HostName): void
  /**
   * "Read again what all hosts share." Reaches every host, including this one. It is not urgent:
   * bells within `allBellMs` are merged into one.
   */
  ringAll(): void
  /**
   * "Read this VPC again" (its members, names, groups). Reaches every host that follows it,
   * including this one. It is not urgent: bells for one VPC within `allBellMs` are merged, so that
   * many launches do not cause many bells for each host.
   */
  ringVpc(vpc: VpcId): void
  /**
   * Follows exactly these VPCs from now on. For each new one there is a bell as soon as no later
   * bell can be missed, because what was read of it before may be old.
   */
  follow(vpcs: readonly VpcId[]): void
  /** Calls `heard` for each bell to this host, until the returned function is called. */
  onBell(heard: (bell: Bell) => void): () => void
  /**
   * Asks a host. Rejects with `unavailable` when no answer arrives in time, or with the error that
   * the host answers.
   */
  ask<Q extends Question>(
    host: HostName,
    question: Q,
    ask: Questions[Q]['ask'],
    options: { readonly timeoutMs: number; readonly signal?: AbortSignal },
  ): Promise<Questions[Q]['answer']>
  /** Answers one kind of question to this host. There may be only one answerer for each kind. */
  onAsk<Q extends Question>(
    question: Q,
    answer: (ask: Questions[Q]['ask']) => Promise<Questions[Q]['answer']>,
  ): void
  /**
   * Publishes an event for programs outside. Resolves when the bus has taken it: `refused` when a
   * queue that it was for is full and refuses it. Rejects with `unavailable` when the bus does not
   * take it in time; then it may have been published, or not.
   */
  publish(event: CloudEvent): Promise<'taken' | 'refused'>
  /**
   * Calls `heard` for each event that this host publishes, whether or not a broker takes it, until
   * the returned function is called.
   */
  onEvent(heard: (event: CloudEvent) => void): () => void
  close(): Promise<void>
}

/** What the API does with the bus: it is rung and asked for clients, and hears nothing. */
export type BusCaller = Pick<Bus, 'ring' | 'ringAll' | 'ringVpc' | 'ask'>
