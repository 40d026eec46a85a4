/** A log for parts that are tried on their own. */
import type { Log } from '../../src/lib/log.ts'

/** A logger that says nothing. */
export const silentLog: Log = {
  debug() {},
  info() {},
  warn() {},
  error() {},
  child: () => silentLog,
}
