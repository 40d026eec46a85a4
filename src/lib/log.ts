/**
 * Logs: JSON lines, or something pleasant on a terminal.
 *
 * One line per change: a constant message plus fields (host, service, instance, request, generation) and the reason.
 */
import { pino } from 'pino'
import pretty from 'pino-pretty'

/** The part of pino that the house uses: fields first, constant message second. */
export interface Log {
  debug(fields: object, message: string): void
  info(fields: object, message: string): void
  warn(fields: object, message: string): void
  error(fields: object, message: string): void
  child(fields: object): Log
}

export type LogLevel = 'debug' | 'info' | 'warn' | 'error' | 'silent'

/** A logger on stderr. `format: auto` is JSON unless stderr is a terminal. */
export function createLog(options: {
  readonly level: LogLevel
  readonly format: 'auto' | 'json' | 'pretty'
}): Log {
  const settings = {
    level: options.level,
    base: null,
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label: string) => ({ level: label }) },
    // Every thrown thing under `error` is printed with its whole chain of causes.
    serializers: { error: pino.stdSerializers.errWithCause },
  }
  const onTerminal =
    options.format === 'pretty' || (options.format === 'auto' && process.stderr.isTTY)
  return onTerminal
    ? pino(settings, pretty({ destination: 2, sync: true, ignore: 'pid,hostname' }))
    : pino(settings, pino.destination({ dest: 2, sync: true }))
}

/** A logger that says nothing, for tests. */
export const silentLog: Log = {
  debug() {},
  info() {},
  warn() {},
  error() {},
  child: () => silentLog,
}
