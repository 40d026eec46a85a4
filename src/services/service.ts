/** The interface of every service that makes a part of the want real on this host. */
import type { Log } from '../lib/log.ts'
import type { Fact, HostWant } from '../model/want.ts'

export interface Pass {
  readonly want: HostWant
  /**
   * Read the kernel back and repair what differs, even where nothing seems to have changed since
   * the last pass.
   */
  readonly resync: boolean
  /** Aborts when the daemon stops: finish the step at hand and return. */
  readonly signal: AbortSignal
  readonly log: Log
}

export interface HostService {
  readonly name: string
  /**
   * When `apply` fails, later services wait for the next pass: traffic must not open before its
   * rules are in.
   */
  readonly gate: boolean
  /**
   * It opens nothing to traffic, so it does not wait for a gate that has failed or does not answer.
   */
  readonly passesGates?: boolean
  /**
   * The program that it needs beside the kernel, and that may hang. Neighbours in the order that
   * have different engines are applied in parallel.
   */
  readonly engine?: string
  /**
   * Whether kernel notifications concern it: then it is applied at once, also beside a running
   * pass.
   */
  readonly heedsKernel?: boolean
  /**
   * Makes reality equal to `pass.want`; safe to repeat. Never waits for a guest or a download: it
   * starts such work, returns, and wakes the agent when there is news.
   */
  apply(pass: Pass): Promise<readonly Fact[]>
  /**
   * What it has waited for too long, a sentence each: health names it, though `apply` went well.
   */
  hanging?(): readonly string[]
  /** Closes sockets and timers. Instances, links and rules stay as they are. */
  close(): Promise<void>
}
