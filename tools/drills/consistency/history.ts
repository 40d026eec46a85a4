/** Requests and answers, in the order in which they ended. */

/** `unknown`: no answer, or the service was unavailable: it may have happened or not. */
export type Outcome = 'ok' | 'refused' | 'unknown'

interface Asked {
  readonly outcome: Outcome
  /** The host that was asked. */
  readonly host: string
  /** `performance.now()`. */
  readonly at: number
  readonly endedAt: number
  /** The error, if there was one. */
  readonly why?: string
}

export interface LaunchAsked extends Asked {
  readonly kind: 'launch'
  readonly token: string
  readonly count: number
  /** The instances in the answer. Empty without one. */
  readonly ids: readonly string[]
}

/** The requests of one worker for its own instance, one after the other. */
export interface ChangeAsked extends Asked {
  readonly kind: 'stop' | 'start' | 'terminate'
  readonly id: string
}

interface TagAsked extends Asked {
  readonly kind: 'tag'
  readonly id: string
  readonly key: string
  readonly value: string
}

/** Each name belongs to one worker and is created once. */
interface KeyAsked extends Asked {
  readonly kind: 'create-key' | 'delete-key'
  readonly name: string
}

/** A read by a worker of what it has just written successfully. */
interface ReadAsked extends Asked {
  readonly kind: 'read'
  /** What was written, and at which host. */
  readonly of: string
  /** Whether the answer shows it. False without an answer. */
  readonly saw: boolean
}

export type Event = LaunchAsked | ChangeAsked | TagAsked | KeyAsked | ReadAsked

/** The final record of an instance, even if terminated. */
export interface FinalInstance {
  readonly id: string
  readonly state: string
  readonly token: string | null
  readonly tags: Readonly<Record<string, string>>
}

export interface Final {
  readonly instances: readonly FinalInstance[]
  readonly keys: readonly string[]
}

/** A workload on a real host at one moment. */
export interface Sighting {
  readonly at: number
  readonly host: string
  readonly instance: string
  readonly addresses: readonly string[]
}
