/** One attack upon something that all share: what it is, and where it happens. */
import type { LabHost } from '../../lab/host.ts'
import type { Lab } from '../../lab/lab.ts'

/** An instance of the drill, as seen from the machine that the lab is on. */
export interface Place {
  readonly id: string
  readonly ip: string
  readonly mac: string
  /** File of its network namespace. */
  readonly netnsFile: string
  /**
   * Directories of the control groups that count its processor time and its processes; null when
   * this machine hides them.
   */
  readonly cpuGroup: string | null
  readonly processGroup: string | null
}

export interface AttackContext {
  readonly lab: Lab
  readonly host: LabHost
  /** The hostile instance: everything inside is root's. */
  readonly mallory: Place
  /** A neighbour on the same host, in a group with it. */
  readonly neighbour: Place
}

/** `C`: what it needs to know. */
export interface Attack<C = AttackContext> {
  readonly name: string
  /** What is shared. */
  readonly shared: string
  /** What is tried, in one sentence. */
  readonly tried: string
  /**
   * Does it, for some seconds at most, and says what it got. Throws when it could not even be
   * tried.
   */
  run(context: C): Promise<string>
}

/** How long a flood lasts. */
export const FLOOD_SECONDS = 4
