/**
 * The time to live of an instance, as its tag `atoll:ttl` says it. Pure.
 *
 *     duration = 1*( 1*6DIGIT ( "w" / "d" / "h" / "m" ) )     each unit once, the larger first
 *     time     = an ISO 8601 date and time with `Z` or an offset
 */

/** A parsed time to live. */
export type Ttl = { readonly durationMs: number } | { readonly atMs: number }

const MINUTE_MS = 60_000
const HOUR_MS = 60 * MINUTE_MS
const DAY_MS = 24 * HOUR_MS
/** The longest duration. */
const DURATION_MAX_MS = 3_650 * DAY_MS
const DURATION = /^(?=\d)(?:(\d{1,6})w)?(?:(\d{1,6})d)?(?:(\d{1,6})h)?(?:(\d{1,6})m)?$/
const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?(?:Z|[+-]\d\d:\d\d)$/

/** The accepted forms, for people. */
export const TTL_FORMS =
  "Accepted are a duration from one minute to 3650 days, such as '90m', '8h', '3d', '2w' or '1d12h', and a time with its offset, such as '2027-01-31T18:00:00Z' or '2027-01-31T18:00+01:00'"

/** The time to live, or what is wrong with the text, in words that follow its name. */
export function parseTtl(text: string): Ttl | string {
  const units = DURATION.exec(text)
  if (units !== null) return durationOf(units.slice(1).map((count) => Number(count ?? 0)))
  if (!TIME.test(text)) return 'is neither a duration nor a time with its offset'
  try {
    return { atMs: Temporal.Instant.from(text).epochMilliseconds }
  } catch {
    return 'is a time that does not exist'
  }
}

function durationOf([weeks = 0, days = 0, hours = 0, minutes = 0]: readonly number[]) {
  const durationMs = (weeks * 7 + days) * DAY_MS + hours * HOUR_MS + minutes * MINUTE_MS
  if (durationMs < MINUTE_MS) return 'is shorter than a minute'
  return durationMs <= DURATION_MAX_MS ? { durationMs } : 'is longer than 3650 days'
}

/** When it ends, in milliseconds since the epoch, if its tag was set at `fromMs`. */
export function endOfTtl(ttl: Ttl, fromMs: number): number {
  return 'atMs' in ttl ? ttl.atMs : fromMs + ttl.durationMs
}
