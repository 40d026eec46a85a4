/** The interface of services. Each makes one part of the want real on this host. */
import type { Log } from '../lib/log.ts'
import type { Arrival, Arrived } from '../model/move.ts'
import type { Fact, HostWant } from '../model/want.ts'

export interface Pass {
  readonly want: HostWant
  /**
   * Read everything back from the kernel and repair what differs, even where nothing seems to have
   * changed.
   */
  readonly resync: boolean
  /** Aborts when the daemon stops: finish the current step and return. */
  readonly signal: AbortSignal
  /**
   * Aborts when another pass is due: do not wait for what goes on by itself. Absent: none is.
   */
  readonly hurry?: AbortSignal
  readonly log: Log
}

/**
 * Network namespaces in which somebody changed something: the machine's own, or some VPC's. What is
 * watched in those of VPCs is watched in the machine's own, too.
 */
export type WatchedNamespaces = 'machine' | 'vpcs'

export interface HostService {
  readonly name: string
  /**
   * When a gate's `apply` fails, later services are not applied in this pass: traffic must not open
   * before its rules exist.
   */
  readonly gate: boolean
  /**
   * The service opens nothing to traffic, so it does not wait for a gate that failed or is slow.
   */
  readonly passesGates?: boolean
  /**
   * The program beside the kernel that the service needs, and that may hang. Neighbours in the
   * order that have different engines are applied in parallel.
   */
  readonly engine?: string
  /**
   * Where changes in the kernel concern the service: it is then applied at once, even during a
   * pass. Absent: nowhere.
   */
  readonly watchesKernel?: WatchedNamespaces
  /**
   * Makes reality equal to `pass.want`. Safe to repeat. It never waits for a guest or a download:
   * it starts such work, returns, and wakes the agent later.
   */
  apply(pass: Pass): Promise<readonly Fact[]>
  /**
   * What it has waited for too long, one sentence each. Health reports it even though `apply`
   * succeeded.
   */
  hanging?(): readonly string[]
  /**
   * Whether it lost something since its last `apply`, or what it reads has changed. Asked of
   * services in namespaces of VPCs, which are not applied in every pass. Absent: never.
   */
  isDue?(): boolean
  /**
   * Reads no more, and resolves when what was begun is answered. Before `close`, by a process that
   * another one follows. Absent: `close` waits for that.
   */
  finish?(): Promise<void>
  /** Closes sockets and timers. Instances, links and rules stay. */
  close(): Promise<void>
}

/** The records, for running instances that arrive: they stand still meanwhile. */
export interface ArrivalRecords {
  /**
   * Gives an instance to this host, if its move still goes on. Whether it belongs to this host from
   * now on. Errors: those of the store; then only the records know. The facts of a pass say the
   * same.
   */
  take(arrived: Arrived): Promise<boolean>
  /** Says that it goes on here after it stood still for so long. Errors: those of the store. */
  wentOn(arrived: Arrival, ms: number): Promise<void>
  /** Asks for a pass at once. */
  wake(): void
}
