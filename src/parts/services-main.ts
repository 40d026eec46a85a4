/**
 * The process of DHCP, DNS and metadata: `atolld --part services`.
 *
 * It inherits its sockets as descriptors 3 and 4, as from systemd (sd_listen_fds(3)): a stream
 * socket that the agent connects to, and a datagram socket that descriptors come by. Started as
 * root, it gives that up before it reads a byte from anybody. SIGTERM and SIGHUP end it in order.
 */

import { loadLibc } from '../host/libc.ts'
import { loadPassing } from '../host/sockets/passing.ts'
import { startingClock, systemClock } from '../lib/clock.ts'
import { inTime } from '../lib/deadline.ts'
import { giveUpRoot } from '../lib/give-up-root.ts'
import { isSocket } from '../lib/inherited.ts'
import { createLog, type ProcessLog } from '../lib/log.ts'
import { createMetrics } from '../lib/metrics.ts'
import { explain } from '../model/errors.ts'
import { SERVICES_USER } from '../model/names.ts'
import { buildName } from './services-build.ts'
import { startServicesServer } from './services-server.ts'

const CONTROL = 3
const INBOX = 4
/** How long it serves on while the next process starts. Both read the same sockets. */
const HANDOVER_MS = 1_000
/**
 * What is under way takes less, unless somebody wants it to take long. A resolver that has no
 * answer by then asks again (resolv.conf(5), "timeout").
 */
const RETIRE_MS = 5_000
/** Under systemd, which starts the next one when this one has ended: all who ask wait for that. */
const UNIT_RETIRE_MS = 1_000

/** The process, up to its exit code. */
export async function runProcess(): Promise<void> {
  try {
    await runServices()
    process.exit(0)
  } catch (error) {
    process.stderr.write(`atolld --part services: ${explain(error)}\n`)
    process.exit(1)
  }
}

/** Runs until a signal or the agent ends it. Errors: its sockets are missing. */
async function runServices(): Promise<void> {
  for (const fd of [CONTROL, INBOX])
    if (!isSocket(fd))
      throw new Error(
        'the sockets of this part are missing: atolld without --part starts it, or the socket unit of systemd',
      )
  const retire = Promise.withResolvers<string>()
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const)
    process.on(signal, () => retire.resolve(signal))
  let log: ProcessLog = await createLog({ level: 'info', format: 'auto' })
  process.once('exit', () => log.flush())
  const libc = loadLibc()
  const passing = loadPassing()
  // Its unit has another user from the beginning.
  const retireMs = process.getuid?.() === 0 ? RETIRE_MS : UNIT_RETIRE_MS
  giveUpRoot(SERVICES_USER)
  const clock = systemClock
  const server = startServicesServer({
    ...{ libc, passing, control: CONTROL, inbox: INBOX, clock },
    build: buildName(),
    pid: process.pid,
    metrics: createMetrics(),
    openLog: async (settings) => {
      log = await createLog(settings)
      return log.child({ part: 'services' })
    },
    onRetire: () => retire.resolve('agent'),
  })
  log.info({ pid: process.pid }, 'DHCP, DNS and metadata wait for the agent')
  const why = await retire.promise
  server.announceEnd()
  log.info({ part: 'services', why }, 'DHCP, DNS and metadata are handed to the next process')
  await startingClock.sleep(HANDOVER_MS)
  await inTime(startingClock, retireMs, server.close())
}
