/**
 * A process of the API: `atolld --config FILE --part api`. Started as root, it gives that up once
 * it has read its settings, before it reads a byte from anybody. The socket that it listens on is
 * inherited as descriptor 3, as from systemd (sd_listen_fds(3)); without one it opens its own.
 */

import { startApiPart } from './api-part.ts'
import { runCommand, UnwantedProcessError, untilStopped, watchLog } from './command-line.ts'
import type { Config } from './config.ts'
import { startingClock, systemClock } from './lib/clock.ts'
import { giveUpRoot } from './lib/give-up-root.ts'
import { isSocket } from './lib/inherited.ts'
import { createLog } from './lib/log.ts'
import { createMetrics } from './lib/metrics.ts'
import { systemRandom, systemRandomBytes } from './lib/random.ts'
import { API_USER } from './model/names.ts'

const OWN_FILES_ONLY = 0o077
const LISTENER = 3

/** The process, from its command line to its exit code. */
export async function runProcess(): Promise<void> {
  await runCommand(({ config, worker }) => runApi(config, worker))
}

/** Runs until a signal ends it. Errors: what keeps it from answering clients. */
async function runApi(config: Config, worker: number): Promise<void> {
  const { workers } = config.api
  if (worker > workers)
    throw new UnwantedProcessError(
      `api.workers is ${workers} in the configuration, and this is process ${worker} of the API${workers === 0 ? ': the agent answers clients itself' : ''}. Where systemd runs, scripts/install has it start as many as the settings say`,
    )
  process.umask(OWN_FILES_ONLY)
  giveUpRoot(API_USER)
  const log = await createLog(config.log)
  const metrics = createMetrics({ process: true })
  watchLog(log, metrics)
  const retired = Promise.withResolvers<string>()
  const stopped = Promise.race([untilStopped(), retired.promise])
  await using _api = await startApiPart({
    config,
    worker,
    listener: isSocket(LISTENER) ? LISTENER : null,
    log,
    metrics,
    clock: systemClock,
    starting: startingClock,
    random: systemRandom,
    randomBytes: systemRandomBytes,
    onRetire: () => retired.resolve('agent'),
  })
  log.info({ part: 'api', worker, pid: process.pid }, 'the API answers clients')
  log.info({ part: 'api', worker, why: await stopped }, 'the API stops')
}
