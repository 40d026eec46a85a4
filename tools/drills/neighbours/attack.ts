/** One attack on a shared resource, and where it takes place. */
import type { LabHost } from '../../lab/host.ts'
import type { Lab } from '../../lab/lab.ts'

/** An instance of the drill, as the lab's machine sees it. */
export interface Place {
  readonly id: string
  readonly ip: string
  readonly mac: string
  /** File of its network namespace. */
  readonly netnsFile: string
  /**
   * Directories of the control groups for its processor time and its processes. Null when this
   * machine hides them.
   */
  readonly cpuGroup: string | null
  readonly processGroup: string | null
}

export interface AttackContext {
  readonly lab: Lab
  readonly host: LabHost
  /** The hostile instance. The attacker is root in it. */
  readonly mallory: Place
  /** An instance on the same host, in a group with it. */
  readonly neighbour: Place
}

/** `C`: what it needs. */
export interface Attack<C = AttackContext> {
  readonly name: string
  /** The shared resource. */
  readonly shared: string
  /** The attempt, in one sentence. */
  readonly tried: string
  /**
   * Attacks for some seconds at most, and returns what it achieved. Throws when it could not be
   * tried.
   */
  run(context: C): Promise<string>
}

/** How long a flood lasts. */
export const FLOOD_SECONDS = 4
