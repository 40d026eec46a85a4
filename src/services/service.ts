/** The one interface of everything that makes a part of the want real on this host. */
import type { Log } from '../lib/log.ts'
import type { Fact, HostWant } from '../model/want.ts'

export interface Pass {
  readonly want: HostWant
  /** Read the kernel back and repair what differs, even where nothing seems to have changed since the last pass. */
  readonly resync: boolean
  /** Aborts when the daemon stops: finish the step at hand and return. */
  readonly signal: AbortSignal
  readonly log: Log
}

export interface HostService {
  readonly name: string
  /** When `apply` fails, later services wait for the next pass: traffic must not open before its rules are in. */
  readonly gate: boolean
  /** It makes nothing reachable that was not: it does not wait for a gate before it that is shut, or that does not answer. */
  readonly passesGates?: boolean
  /**
   * The program that it needs beside the kernel, which may hang. Services that stand together in the order and have each an engine are
   * applied side by side.
   */
  readonly engine?: string
  /** Whether it looks after what the kernel tells of when somebody changes it: then it is applied at once, also beside a pass. */
  readonly heedsKernel?: boolean
  /**
   * Makes reality equal to `pass.want`; safe to repeat. Never waits for a guest or a download: it starts such work, returns,
   * and wakes the agent when there is news.
   */
  apply(pass: Pass): Promise<readonly Fact[]>
  /** Ends sockets and timers. Instances, links and rules stay as they are. */
  close(): Promise<void>
}
