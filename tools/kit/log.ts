/** A log for parts that are tested alone. */
import type { Log } from '../../src/lib/log.ts'

/** A logger that writes nothing. */
export const silentLog: Log = {
  debug() {},
  info() {},
  warn() {},
  error() {},
  child: () => silentLog,
}
