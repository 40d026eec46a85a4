/**
 * What the processes of the daemon have in common: the command line, the exit code, the log's last
 * lines, and the signals that end them.
 */
import { resolve } from 'node:path'
import { Command, InvalidArgumentError, Option } from 'commander'
import packageJson from '../package.json' with { type: 'json' }
import { type Config, DEFAULT_CONFIG_FILE, readEnvironment } from './config.ts'
import { ConfigError, loadConfig, printConfig } from './config-file.ts'
import type { ProcessLog } from './lib/log.ts'
import type { Metrics } from './lib/metrics.ts'
import { createSourcePositions } from './lib/source-positions.ts'
import { explain } from './model/errors.ts'
import { DuplicateHostError } from './unique-host.ts'

/**
 * Counts dropped lines, writes pending ones at exit, sends Node's warnings to the log, and names
 * the sources in the stack of an error that nobody catches.
 */
export function watchLog(log: ProcessLog, metrics: Metrics): void {
  const dropped = metrics.counter(
    'atoll_log_lines_dropped_total',
    'Log lines that were dropped because they could not be written',
  )
  log.onDropped((lines) => dropped.inc(lines))
  process.once('exit', () => log.flush())
  process.removeAllListeners('warning')
  process.on('warning', (error) => log.warn({ error }, 'Node warns'))
  const toSources = createSourcePositions()
  process.on('uncaughtExceptionMonitor', (error) => {
    if (error instanceof Error && error.stack !== undefined) error.stack = toSources(error.stack)
  })
}

/** This process is not wanted. Starting it again changes nothing; the message says what does. */
export class UnwantedProcessError extends Error {}

/** Resolves with the first signal that asks the daemon to stop. */
export function untilStopped(): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => resolve(signal))
  })
}

/** Reads the command line. Exits with code 2 when it is invalid. */
function readCommandLine() {
  const program = new Command('atolld')
    .description('The Atoll daemon: this host of the cloud.')
    .version(packageJson.version)
    .option('--config <file>', `configuration (default ${DEFAULT_CONFIG_FILE})`)
    .addOption(
      new Option(
        '--part <part>',
        'run one part of the daemon only; a service manager runs the others',
      ).choices(['agent', 'services', 'api']),
    )
    .addOption(
      new Option('--worker <number>', 'which process of the part it is, from 1 on')
        .default(1)
        .argParser(parseWorker),
    )
    .option('--check-config', 'report every problem of the configuration and exit')
    .option('--print-config', 'print the whole configuration with defaults and exit')
    .allowExcessArguments(false)
    .exitOverride((end) => process.exit(end.exitCode === 0 ? 0 : 2))
  return program.parse().opts<{
    config?: string
    part?: string
    worker: number
    checkConfig?: boolean
    printConfig?: boolean
  }>()
}

/** What the command line says. */
interface CommandLine {
  readonly config: Config
  /** The file of the configuration, as an absolute path. */
  readonly file: string
  readonly part: string | undefined
  /** Which process of the part it is, from 1 on. */
  readonly worker: number
}

function parseWorker(text: string): number {
  if (!/^[1-9]\d{0,3}$/.test(text)) throw new InvalidArgumentError('It is a number from 1 on.')
  return Number(text)
}

/**
 * The process, from its command line to its exit code: what is asked for is printed, or `run` is
 * called.
 */
export async function runCommand(run: (line: CommandLine) => Promise<void>): Promise<void> {
  try {
    const {
      config: named = readEnvironment().configFile,
      part,
      worker,
      checkConfig,
      printConfig: print,
    } = readCommandLine()
    const file = named ?? DEFAULT_CONFIG_FILE
    const config = loadConfig(file, { required: named !== undefined })
    if (print === true) process.stdout.write(printConfig(config))
    else if (checkConfig === true) process.stdout.write('Configuration OK.\n')
    else await run({ config, file: resolve(file), part, worker })
    process.exit(0)
  } catch (error) {
    process.stderr.write(`atolld: ${explain(error)}\n`)
    process.exit(exitCodeOf(error))
  }
}

function exitCodeOf(error: unknown): number {
  if (error instanceof ConfigError) return 2
  return error instanceof DuplicateHostError || error instanceof UnwantedProcessError ? 3 : 1
}
