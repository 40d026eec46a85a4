/** Records probes and computes losses: each probe is sent at a time, and answered or not. */
import { assertNever } from '../../src/model/errors.ts'

/** A time during which losses of a host are expected. */
export interface FaultWindow {
  readonly host: string
  /**
   * `all`: what its instances send and receive. `services`: what the host answers its instances,
   * DHCP and DNS. `fabric`: packets between its instances and those of other hosts.
   */
  readonly what: 'all' | 'services' | 'fabric'
  readonly from: number
  /** Null while it lasts. */
  to: number | null
}

export type ProbeKind = 'packets' | 'dns' | 'dhcp'

/** One series of probes of an instance. */
export interface Series {
  readonly kind: ProbeKind
  /** The hosts that an answer depends on. */
  readonly hosts: readonly string[]
  readonly label: string
  /** Times of sending (`performance.now()`) and of answers. NaN: none. */
  readonly sentAt: number[]
  readonly answeredAt: number[]
}

export interface Loss {
  readonly sent: number
  readonly lost: number
  /**
   * The longest time without an answer in the worst series, in milliseconds. 0 when nothing was
   * lost.
   */
  readonly longestMs: number
}

/** An empty series. */
export function newSeries(kind: ProbeKind, label: string, hosts: readonly string[]): Series {
  return { kind, label, hosts, sentAt: [], answeredAt: [] }
}

/** The losses of one kind since a time: expected ones, and others. */
export function lossesOf(
  all: readonly Series[],
  kind: ProbeKind,
  from: number,
  excuses: readonly FaultWindow[],
): { readonly own: Loss; readonly others: Loss } {
  const chosen = all.filter((series) => series.kind === kind)
  const excused = (series: Series, at: number) =>
    excuses.some(
      (one) =>
        series.hosts.includes(one.host) &&
        concerns(one.what, series) &&
        at >= one.from &&
        at <= (one.to ?? Number.POSITIVE_INFINITY),
    )
  return {
    own: sum(chosen.map((series) => lossOf(series, (at) => at >= from && excused(series, at)))),
    others: sum(chosen.map((series) => lossOf(series, (at) => at >= from && !excused(series, at)))),
  }
}

function concerns(what: FaultWindow['what'], { kind, hosts }: Series): boolean {
  switch (what) {
    case 'all':
      return true
    case 'services':
      return kind !== 'packets'
    case 'fabric':
      return hosts.length > 1
    default:
      return assertNever(what)
  }
}

function lossOf({ sentAt, answeredAt }: Series, counts: (at: number) => boolean): Loss {
  let [sent, lost, longestMs] = [0, 0, 0]
  let lastAnswered: number | null = null
  let lostSince: number | null = null
  for (const [index, at] of sentAt.entries()) {
    const answered = !Number.isNaN(answeredAt[index] ?? Number.NaN)
    if (counts(at)) {
      sent += 1
      if (!answered) {
        lost += 1
        lostSince ??= lastAnswered ?? at
        longestMs = Math.max(longestMs, at - lostSince)
      }
    }
    if (!answered) continue
    if (lostSince !== null) longestMs = Math.max(longestMs, at - lostSince)
    lostSince = null
    lastAnswered = at
  }
  return { sent, lost, longestMs }
}

function sum(losses: readonly Loss[]): Loss {
  return losses.reduce(
    (a, b) => ({
      sent: a.sent + b.sent,
      lost: a.lost + b.lost,
      longestMs: Math.max(a.longestMs, b.longestMs),
    }),
    { sent: 0, lost: 0, longestMs: 0 },
  )
}

/**
 * For each series with losses, how much and when. Explains a missed target.
 */
export function lossLines(all: readonly Series[], zero: number): readonly string[] {
  return all.flatMap(({ kind, label, sentAt, answeredAt }) => {
    const lost = sentAt.filter((_, index) => Number.isNaN(answeredAt[index] ?? Number.NaN))
    const [first] = lost
    if (first === undefined) return []
    const seconds = (at: number) => `${((at - zero) / 1000).toFixed(2)} s`
    return [
      `${kind} ${label}: ${lost.length} of ${sentAt.length} lost, from ${seconds(first)} to ${seconds(lost.at(-1) ?? first)}`,
    ]
  })
}
