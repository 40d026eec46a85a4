/**
 * What the agent and the process `fence` say to each other: one JSON object a line, over a UNIX
 * stream socket. Neither believes what does not have these types. Pure.
 */
import { parseGuarded } from '../fence/files.ts'
import type { WatchdogKind } from '../host/watchdog.ts'
import type { Guarded } from '../model/guarded.ts'
import { type HostName, parseHostName } from '../model/ids.ts'

/** Of the agent. `n` numbers those that are answered. */
export type FenceOrder =
  /** The orders in the file have changed. */
  | { readonly kind: 'orders'; readonly n: number }
  | { readonly kind: 'guard'; readonly n: number; readonly guarded: readonly Guarded[] }
  | { readonly kind: 'consent'; readonly n: number; readonly about: HostName }

/** What the process is in, said at the start of a connection and when it changes. */
export interface FenceState {
  readonly kind: 'state'
  /** Names the code that it runs. */
  readonly build: string
  readonly term: number
  /** Of the term. */
  readonly id: string
  /** Null: there is no permission. */
  readonly untilMs: number | null
  /** The membership that it goes by; 0: none yet. */
  readonly version: number
  /** What resets this machine. */
  readonly watchdog: WatchdogKind | null
}

/** An answer. */
export interface FenceReply {
  readonly kind: 'reply'
  readonly n: number
  /** Why it was not done; absent: it was. */
  readonly error?: string
  /** Who has consented, and when that was asked. */
  readonly round?: {
    readonly id: string
    readonly askedAtMs: number
    readonly version: number
    readonly members: readonly HostName[]
    readonly yes: readonly HostName[]
  }
}

const MAX_ERROR = 2_000

type Fields = Readonly<Record<string, unknown>>

function parseFields(line: string): Fields | null {
  try {
    const value: unknown = JSON.parse(line)
    return typeof value === 'object' && value !== null ? (value as Fields) : null
  } catch {
    return null
  }
}

function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0
}

function isTime(value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(value)
}

function hostsOf(value: unknown): readonly HostName[] | null {
  if (!Array.isArray(value)) return null
  const hosts = value.flatMap((one) => (typeof one === 'string' ? (parseHostName(one) ?? []) : []))
  return hosts.length === value.length ? hosts : null
}

/** A line of the agent. Null: it is none. */
export function parseFenceOrder(line: string): FenceOrder | null {
  const fields = parseFields(line)
  const n = fields?.['n']
  if (fields === null || !isCount(n)) return null
  if (fields['kind'] === 'orders') return { kind: 'orders', n }
  if (fields['kind'] === 'guard') {
    const guarded = parseGuarded(fields['guarded'])
    return guarded === null ? null : { kind: 'guard', n, guarded }
  }
  const name = fields['about']
  const about = typeof name === 'string' ? parseHostName(name) : undefined
  return fields['kind'] === 'consent' && about !== undefined ? { kind: 'consent', n, about } : null
}

/** A line of the process. Null: it is none. */
export function parseFenceSaying(line: string): FenceState | FenceReply | null {
  const fields = parseFields(line)
  if (fields?.['kind'] === 'state') return parseState(fields)
  return fields?.['kind'] === 'reply' ? parseReply(fields) : null
}

function parseState(fields: Fields): FenceState | null {
  const { build, term, id, untilMs, version, watchdog } = fields
  if (typeof build !== 'string' || typeof id !== 'string' || !isCount(term) || !isCount(version))
    return null
  if (untilMs !== null && !isTime(untilMs)) return null
  if (watchdog !== null && watchdog !== 'softdog' && watchdog !== 'watchdog') return null
  return { kind: 'state', build, term, id, untilMs, version, watchdog }
}

function parseReply({ n, error, round: said }: Fields): FenceReply | null {
  if (!isCount(n)) return null
  if (typeof error === 'string') return { kind: 'reply', n, error: error.slice(0, MAX_ERROR) }
  if (typeof said !== 'object' || said === null) return { kind: 'reply', n }
  const { id, askedAtMs, version, members, yes } = said as Fields
  const [all, for_] = [hostsOf(members), hostsOf(yes)]
  if (typeof id !== 'string' || !isTime(askedAtMs) || !isCount(version)) return null
  if (all === null || for_ === null) return null
  return { kind: 'reply', n, round: { id, askedAtMs, version, members: all, yes: for_ } }
}
