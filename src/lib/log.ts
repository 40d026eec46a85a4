/**
 * Logs: JSON lines, or readable text on a terminal.
 *
 * One line per change: a constant message plus fields (host, service, instance, request,
 * generation) and the reason.
 */
import { pino, type SerializedError } from 'pino'
import { createLogSink } from './log-sink.ts'
import { createSourcePositions } from './source-positions.ts'

/** The part of pino's interface that we use: fields first, constant message second. */
export interface Log {
  debug(fields: object, message: string): void
  info(fields: object, message: string): void
  warn(fields: object, message: string): void
  error(fields: object, message: string): void
  child(fields: object): Log
}

export type LogLevel = 'debug' | 'info' | 'warn' | 'error' | 'silent'

/** The log of a process. It works even when its output does not. */
export interface ProcessLog extends Log {
  /**
   * Calls `told` with the number of lines whenever lines are dropped because they cannot be
   * written.
   */
  onDropped(told: (lines: number) => void): void
  /** Writes waiting lines. For the end of the process. */
  flush(): void
}

/**
 * A logger on stderr. `format: auto` is JSON unless stderr is a terminal. It never blocks or ends
 * the process. Lines that cannot be written are dropped and counted, and a later line reports them
 * (`log-sink.ts`).
 */
export async function createLog(options: {
  readonly level: LogLevel
  readonly format: 'auto' | 'json' | 'pretty'
}): Promise<ProcessLog> {
  const toSources = createSourcePositions()
  const settings = {
    level: options.level,
    base: null,
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label: string) => ({ level: label }) },
    serializers: { error: (error: unknown) => describeError(error, toSources) },
  }
  const onTerminal =
    options.format === 'pretty' || (options.format === 'auto' && process.stderr.isTTY)
  const sink = createLogSink(STDERR)
  const show = onTerminal ? await loadPretty() : asItIs
  const log = pino(settings, { write: (line: string) => sink.write(show(line)) })
  sink.onRecovered((lost) =>
    log.warn({ lost }, 'log lines were lost because they could not be written'),
  )
  return Object.assign(log, { onDropped: sink.onDropped, flush: sink.flush })
}

const STDERR = 2
const asItIs = (line: string): string => line

/** Loaded only for terminals, because it takes a megabyte of memory. */
async function loadPretty(): Promise<(line: string) => string> {
  const { prettyFactory } = await import('pino-pretty')
  return prettyFactory({ ignore: 'pid,hostname' })
}

/** Maximum number of causes that are logged for an error. An aggregate may have hundreds. */
const CAUSES_SHOWN = 10

/**
 * How an error is logged. An expected error has a code or a kind and is not a bug: its messages and
 * those of its causes. Any other: all stacks, because the mistake may be ours. `toSources` names
 * the sources in a stack (`source-positions.ts`).
 */
export function describeError(
  error: unknown,
  toSources: (stack: string) => string = asItIs,
): unknown {
  if (!(error instanceof Error)) return error
  if (!isExpected(error)) return nameSources(pino.stdSerializers.errWithCause(error), toSources)
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

/** Names the sources in the stacks of what pino tells of an error, its causes and its members. */
function nameSources(told: SerializedError, toSources: (stack: string) => string): SerializedError {
  told.stack = toSources(told.stack)
  for (const inner of [told['cause'], told['aggregateErrors']].flat())
    if (isSerialized(inner)) nameSources(inner, toSources)
  return told
}

function isSerialized(value: unknown): value is SerializedError {
  return typeof value === 'object' && value !== null && 'stack' in value
}

/** Whether the error and all its causes can happen without a mistake in the program. */
function isExpected(error: Error): boolean {
  return [error, ...causesOf(error)].every((one) => {
    if (one instanceof AggregateError) return true
    if (one instanceof Error && 'kind' in one) return one.kind !== 'bug'
    // Expected errors of others have a code (errno, SQLite, HTTP). A TypeError is a mistake even
    // with a code.
    if (!(one instanceof Error) || one instanceof TypeError || one instanceof RangeError)
      return false
    return 'code' in one || 'statusCode' in one
  })
}

/** The causes of an error, nearest first, including members of aggregates. */
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
