/**
 * Schedules, as the tag `atoll:schedule` says them: when an instance is started and stopped. Pure.
 *
 *     schedule = period *( ";" [ SP ] period ) SP zone
 *     period   = days SP ( time "-" time / time "-" / "-" time )
 *     days     = range *( "," range )                    `mon-fri`, `mon,wed,fri`, `sat-sun`
 *     range    = day [ "-" day ]                         may pass the end of the week: `fri-mon`
 *     time     = HH:MM                                   00:00 to 24:00
 *     zone     = a name of the IANA time zone database
 *
 * A period starts instances at its first time and stops them at its second. One that ends at or
 * before its start ends on the next day. With one time, it only starts (`08:00-`) or only stops
 * (`-18:00`). Periods that overlap or touch are one. Only these edges count: in between, people
 * start and stop an instance as they like.
 *
 * A local time that occurs twice, when a clock is put back, counts the first time. One that does
 * not occur counts as much later as the clock is put forward (`compatible` in ECMAScript's Temporal
 * and RFC 5545, 3.3.5).
 */

/** A parsed schedule. */
interface Schedule {
  readonly periods: readonly Period[]
  /** As the database spells it. */
  readonly zone: string
}

interface Period {
  /** ISO 8601: 1 is Monday. */
  readonly weekdays: ReadonlySet<number>
  /** Minutes since the day began; null: it only stops. */
  readonly start: number | null
  /** Minutes since the day of its start began, up to two days; null: it only starts. */
  readonly stop: number | null
}

/** A moment at which a schedule starts or stops its instances. */
export interface Edge {
  readonly kind: 'start' | 'stop'
  /** Milliseconds since the epoch. */
  readonly atMs: number
}

const DAYS = ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun']
/** Maximum number of periods. */
const PERIODS_MAX = 7
const DAY_MINUTES = 24 * 60
const PERIOD = /^(\S+) (?:(\d\d):(\d\d))?-(?:(\d\d):(\d\d))?$/
const ZONE = /^[A-Za-z][A-Za-z0-9_+-]*(?:\/[A-Za-z0-9_+-]+)*$/

/** The accepted forms, for people. */
export const SCHEDULE_FORMS =
  "Accepted are days, times and a time zone, such as 'mon-fri 08:00-18:00 Europe/Berlin', 'mon,wed,fri 22:00-06:00 UTC', 'mon-fri -19:00 America/New_York' (only stops) or 'mon-thu 08:00-18:00; fri 08:00-15:00 Europe/Berlin'"

/** The schedule, or what is wrong with the text, in words that follow its name. */
export function parseSchedule(text: string): Schedule | string {
  const [, listed = '', named = ''] = /^(.*\S) (\S+)$/.exec(text) ?? []
  const zone = zoneOf(named)
  if (zone === undefined)
    return `does not end with a space and the name of a time zone such as 'Europe/Berlin' or 'UTC'`
  const texts = listed.split(/; ?/)
  if (texts.length > PERIODS_MAX) return `has more than ${PERIODS_MAX} periods`
  const periods: Period[] = []
  for (const one of texts) {
    const period = parsePeriod(one)
    if (typeof period === 'string') return period
    periods.push(period)
  }
  return { periods, zone }
}

function zoneOf(name: string): string | undefined {
  if (!ZONE.test(name)) return undefined
  try {
    return Temporal.Instant.fromEpochMilliseconds(0).toZonedDateTimeISO(name).timeZoneId
  } catch {
    return undefined
  }
}

function parsePeriod(text: string): Period | string {
  const [, days = '', ...times] = PERIOD.exec(text) ?? []
  if (days === '') return `has '${text}' where days and times should be`
  const weekdays = parseDays(days)
  if (weekdays === undefined) return `has '${days}' where days should be, such as 'mon-fri'`
  const start = minutesOf(times[0], times[1])
  const stop = minutesOf(times[2], times[3])
  if (start === undefined || stop === undefined || start === DAY_MINUTES)
    return `has a time that does not exist in '${text}'`
  if (start === null && stop === null) return `has no time in '${text}'`
  if (start === stop) return `starts and stops at the same time in '${text}'`
  const isNextDay = start !== null && stop !== null && stop < start
  return { weekdays, start, stop: isNextDay ? stop + DAY_MINUTES : stop }
}

function parseDays(text: string): ReadonlySet<number> | undefined {
  const days = new Set<number>()
  for (const range of text.toLowerCase().split(',')) {
    const [first = '', last = first, more] = range.split('-')
    const from = DAYS.indexOf(first)
    const to = DAYS.indexOf(last)
    if (from === -1 || to === -1 || more !== undefined) return undefined
    for (let day = from; ; day = (day + 1) % DAYS.length) {
      days.add(day + 1)
      if (day === to) break
    }
  }
  return days
}

/** Null: none is given. Undefined: there is no such time. */
function minutesOf(hours?: string, minutes?: string): number | null | undefined {
  if (hours === undefined || minutes === undefined) return null
  const count = Number(hours) * 60 + Number(minutes)
  return Number(minutes) < 60 && count <= DAY_MINUTES ? count : undefined
}

/** The days that are looked at before and after a time. A period lasts less than two. */
const LOOK_DAYS = 9
/** Edges further away are not known for certain: periods beyond may touch these. */
const CERTAIN_MS = 7.5 * DAY_MINUTES * 60_000

/** The last edge at or before a time, and the first one after it. Null: there is none. */
export interface Edges {
  readonly last: Edge | null
  readonly next: Edge | null
}

/** The edges of a schedule around a time. */
export function edgesAround(schedule: Schedule, nowMs: number): Edges {
  const edges = allEdges(schedule, nowMs).filter(({ atMs }) => Math.abs(atMs - nowMs) <= CERTAIN_MS)
  return {
    last: edges.findLast(({ atMs }) => atMs <= nowMs) ?? null,
    next: edges.find(({ atMs }) => atMs > nowMs) ?? null,
  }
}

/** In ascending order; of two at the same time the one that starts is the last. */
function allEdges({ periods, zone }: Schedule, nowMs: number): readonly Edge[] {
  const today = Temporal.Instant.fromEpochMilliseconds(nowMs).toZonedDateTimeISO(zone).toPlainDate()
  const edges: Edge[] = []
  const spans: Span[] = []
  for (let ahead = -LOOK_DAYS; ahead <= LOOK_DAYS; ahead += 1) {
    const date = today.add({ days: ahead })
    for (const { start, stop } of periods.filter((one) => one.weekdays.has(date.dayOfWeek))) {
      const from = start === null ? null : instantOf(date, start, zone)
      const to = stop === null ? null : instantOf(date, stop, zone)
      if (from !== null && to !== null && from < to) spans.push({ from, to })
      else if (to !== null) edges.push({ kind: 'stop', atMs: to })
      else if (from !== null) edges.push({ kind: 'start', atMs: from })
    }
  }
  for (const { from, to } of joined(spans))
    edges.push({ kind: 'start', atMs: from }, { kind: 'stop', atMs: to })
  const order = ({ kind, atMs }: Edge) => atMs + (kind === 'start' ? 0.5 : 0)
  return edges.sort((a, b) => order(a) - order(b))
}

/** Milliseconds since the epoch. */
interface Span {
  readonly from: number
  readonly to: number
}

function joined(spans: readonly Span[]): readonly Span[] {
  const whole: Span[] = []
  for (const span of spans.toSorted((a, b) => a.from - b.from)) {
    const last = whole.at(-1)
    if (last === undefined || span.from > last.to) whole.push(span)
    else whole[whole.length - 1] = { from: last.from, to: Math.max(last.to, span.to) }
  }
  return whole
}

/** A local time as an instant. */
function instantOf(date: Temporal.PlainDate, minutes: number, timeZone: string): number {
  const day = date.add({ days: Math.floor(minutes / DAY_MINUTES) })
  const time = new Temporal.PlainTime(Math.floor((minutes % DAY_MINUTES) / 60), minutes % 60)
  return day.toPlainDateTime(time).toZonedDateTime(timeZone).epochMilliseconds
}
