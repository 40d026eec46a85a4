/** What was asked and what was answered, in the order in which it ended. */

/** `unknown`: no answer, or one that the service was not available: it may have happened or not. */
export type Outcome = 'ok' | 'refused' | 'unknown'

interface Asked {
  readonly outcome: Outcome
  /** Whose API. */
  readonly host: string
  /** `performance.now()`. */
  readonly at: number
  readonly endedAt: number
  /** The error, where there was one. */
  readonly why?: string
}

export interface LaunchAsked extends Asked {
  readonly kind: 'launch'
  readonly token: string
  readonly count: number
  /** The instances that the answer named; empty without one. */
  readonly ids: readonly string[]
}

/** What one worker asks of an instance of its own, one thing after the other. */
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

/** A look, by the one who wrote it, at what was just written and acknowledged. */
interface ReadAsked extends Asked {
  readonly kind: 'read'
  /** What was written, and at which host. */
  readonly of: string
  /** Whether the answer shows it; false without an answer. */
  readonly saw: boolean
}

export type Event = LaunchAsked | ChangeAsked | TagAsked | KeyAsked | ReadAsked

/** An instance as the records have it in the end, terminated ones too. */
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

/** One real thing on a real host at one moment. */
export interface Sighting {
  readonly at: number
  readonly host: string
  readonly instance: string
  readonly addresses: readonly string[]
}
