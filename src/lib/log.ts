/**
 * Logs: JSON lines, or readable text on a terminal.
 *
 * One line per change: a constant message plus fields (host, service, instance, request,
 * generation) and the reason.
 */
import { createRequire } from 'node:module'
import { pino } from 'pino'
import type { PinoPretty } from 'pino-pretty'
import { createLogSink } from './log-sink.ts'

/** The part of pino that the house uses: fields first, constant message second. */
export interface Log {
  debug(fields: object, message: string): void
  info(fields: object, message: string): void
  warn(fields: object, message: string): void
  error(fields: object, message: string): void
  child(fields: object): Log
}

export type LogLevel = 'debug' | 'info' | 'warn' | 'error' | 'silent'

/** The log of a process, which outlives what it is written to. */
export interface ProcessLog extends Log {
  /**
   * Calls `told` with the number of lines whenever some are dropped because they cannot be written.
   */
  onDropped(told: (lines: number) => void): void
  /** Writes what waits: the process ends. */
  flush(): void
}

/**
 * A logger on stderr. `format: auto` is JSON unless stderr is a terminal. It never blocks or ends
 * its owner: what cannot be written is dropped and counted, and one line says so when lines can be
 * written again (`log-sink.ts`).
 */
export function createLog(options: {
  readonly level: LogLevel
  readonly format: 'auto' | 'json' | 'pretty'
}): ProcessLog {
  const settings = {
    level: options.level,
    base: null,
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label: string) => ({ level: label }) },
    serializers: { error: describeError },
  }
  const onTerminal =
    options.format === 'pretty' || (options.format === 'auto' && process.stderr.isTTY)
  const sink = createLogSink(STDERR)
  const show = onTerminal ? loadPretty().prettyFactory({ ignore: 'pid,hostname' }) : asItIs
  const log = pino(settings, { write: (line: string) => sink.write(show(line)) })
  sink.onRecovered((lost) =>
    log.warn({ lost }, 'log lines were lost because they could not be written'),
  )
  return Object.assign(log, { onDropped: sink.onDropped, flush: sink.flush })
}

const STDERR = 2
const asItIs = (line: string): string => line

/** Only people at a terminal need it, so a daemon does without its megabyte. */
function loadPretty(): typeof PinoPretty {
  return createRequire(import.meta.url)('pino-pretty')
}

/** Causes that are told of one error; an aggregate may have hundreds. */
const CAUSES_SHOWN = 10

/**
 * How an error is logged. For expected errors (which carry a code or a kind, and are no bug): the
 * messages of the error and its causes. For all others: every stack, because the fault may be ours.
 */
export function describeError(error: unknown): unknown {
  if (!(error instanceof Error)) return error
  if (!isExpected(error)) return pino.stdSerializers.errWithCause(error)
  const causes = causesOf(error).map((cause) => titleOf(cause))
  const { kind, code, detail } = error as { kind?: unknown; code?: unknown; detail?: object }
  return {
    kind,
    code,
    message: error.message,
    ...(causes.length > 0 && { causes }),
    ...(detail !== undefined && Object.keys(detail).length > 0 && { detail }),
  }
}

/** Whether the whole chain is of the kind that happens to a program without a fault. */
function isExpected(error: Error): boolean {
  return [error, ...causesOf(error)].every((one) => {
    if (one instanceof AggregateError) return true
    if (one instanceof Error && 'kind' in one) return one.kind !== 'bug'
    // Foreign errors that a program is to expect have a code (errno, SQLite, HTTP). A TypeError is
    // a mistake even when it has one.
    if (!(one instanceof Error) || one instanceof TypeError || one instanceof RangeError)
      return false
    return 'code' in one || 'statusCode' in one
  })
}

/** What caused an error, nearest first, members of aggregates among them. */
function causesOf(error: Error): readonly unknown[] {
  const causes: unknown[] = []
  const next = (at: unknown): readonly unknown[] => {
    if (at instanceof AggregateError) return at.errors
    return at instanceof Error && at.cause !== undefined ? [at.cause] : []
  }
  const waiting = [...next(error)]
  for (let at = waiting.shift(); at !== undefined; at = waiting.shift()) {
    causes.push(at)
    if (causes.length === CAUSES_SHOWN) break
    waiting.unshift(...next(at))
  }
  return causes
}

function titleOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const code = 'code' in error ? `${error.code}: ` : ''
  return error.message.startsWith(code) ? error.message : `${code}${error.message}`
}
