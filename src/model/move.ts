/** Moves of instances from one host to another: the record, and what hosts do for it. */
import type { Ipv4 } from './addr.ts'
import type { DriverName } from './driver.ts'
import type { HostName, InstanceId, VpcId } from './ids.ts'
import type { Instance } from './records.ts'

/**
 * - `stopping`: the instance is being stopped.
 * - `copying`: it is stopped, or runs if the move is live, and the new host copies it.
 * - `starting`: it belongs to the new host, which starts it.
 * - `done`: it belongs to the new host.
 * - `failed`: it stays where it was; `message` says why.
 */
export const MOVE_STATES = ['stopping', 'copying', 'starting', 'done', 'failed'] as const
export type MoveState = (typeof MOVE_STATES)[number]

/** The last move of an instance. There is one record for each, so never two moves at once. */
export interface Move {
  readonly instance: InstanceId
  readonly from: HostName
  readonly to: HostName
  readonly state: MoveState
  /** Whether it runs meanwhile, and is passed on without an end. It is never `stopping` then. */
  readonly live: boolean
  /** Whether it is to run afterwards, or to run again where it was if the move fails. */
  readonly restart: boolean
  /** The boot that was stopped: a copy of an earlier one is worth nothing. */
  readonly bootCount: number
  /** What the new host keeps for it until it arrives. */
  readonly vcpus: number
  readonly memoryMiB: number
  readonly diskGiB: number
  /** How far it is, or why it failed. For people. */
  readonly message: string
  /** Milliseconds since the epoch, for people. Null: not yet. */
  readonly askedAtMs: number
  /** Of a live move, as long before its end as it stood still; null: nobody knows how long. */
  readonly stoppedAtMs: number | null
  readonly endedAtMs: number | null
}

/** Whether the instance still belongs to its old host, and the new one keeps room for it. */
export function isOpenMove({ state }: Pick<Move, 'state'>): boolean {
  return state === 'stopping' || state === 'copying'
}

/** What a host reads of moves. */
export interface HostMoves {
  /** Those from or to the host that have not ended. */
  readonly moves: readonly Move[]
  /** The instances that move to the host and belong to another one yet. */
  readonly arriving: readonly Instance[]
  /** The VPCs of those that run meanwhile. Absent: none does. */
  readonly vpcs?: readonly VpcId[] | undefined
}

/** An instance that is on its way. `Image` is `ImageWant`. */
export type MoveWant<Image> = ArrivingWant<Image> | DepartingWant

/** By instance, in ascending order. */
export function byInstance<One extends { readonly instance: InstanceId }>(
  all: readonly One[],
): readonly One[] {
  return all.toSorted((a, b) => (a.instance < b.instance ? -1 : 1))
}

/** It is to be copied to this host. Until it belongs to it, nothing of it is removed here. */
export interface ArrivingWant<Image> {
  readonly kind: 'arriving'
  readonly instance: InstanceId
  /** `askedAtMs` of the move, by which a copy for an earlier one is recognised. */
  readonly move: number
  readonly bootCount: number
  /** It runs, and is to be taken over while it does. Absent: it is stopped. */
  readonly live?: true | undefined
  readonly driver: DriverName
  readonly image: Image
  readonly from: HostName
  /** Of that host on the fabric. Null: unknown. */
  readonly address: Ipv4 | null
}

/** That host may copy it. */
export interface DepartingWant {
  readonly kind: 'departing'
  readonly instance: InstanceId
  readonly move: number
  readonly bootCount: number
  /** It runs, and is to be sent while it does. Absent: it is stopped. */
  readonly live?: true | undefined
  readonly driver: DriverName
  readonly to: HostName
}

/** A move of an instance to a host. */
export interface Arrival {
  readonly moved: InstanceId
  /** `askedAtMs` of the move: what is found out about one says nothing of the next one. */
  readonly move: number
}

/** One of which everything is here, with the boot in which it was sent. */
export type Arrived = Arrival & { readonly bootCount: number }

/** What a host found out about a move to it. */
export type MoveFact =
  | ({ readonly kind: 'move-progress'; readonly message: string } & Arrival)
  /** Everything of this boot is here and on the disk. */
  | ({ readonly kind: 'move-arrived' } & Arrived)
  | ({ readonly kind: 'move-failed'; readonly message: string } & Arrival)
