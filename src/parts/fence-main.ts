/**
 * The process that stops this host when others may go on without it: `atolld --part fence`. It runs
 * in its own directory of the runtime directory, where the agent has written its orders, and needs
 * no file of a disk once it runs.
 *
 * SIGTERM and SIGINT are for a host that is to do without it: it stops what it guards, disarms the
 * watchdog, and ends. SIGHUP is for a restart, as is the end that the agent asks for by other
 * orders: what it guards goes on, and the next process has to be there before the permission and
 * the watchdog run out.
 */
import { closeSync, openSync } from 'node:fs'
import { dirname } from 'node:path'
import { type Orders, openFenceFiles } from '../fence/files.ts'
import { loadStopper } from '../fence/stopper.ts'
import { bootId, loadBootClock } from '../host/boot-clock.ts'
import { loadLibc } from '../host/libc.ts'
import { inNamespace } from '../host/network/netns.ts'
import { createNft } from '../host/nftables/nft.ts'
import { openPermissionGate, type PermissionGate } from '../host/nftables/permission-gate.ts'
import { becomeRealTime } from '../host/processes/real-time.ts'
import { openWatchdog } from '../host/watchdog.ts'
import { startingClock } from '../lib/clock.ts'
import { createLog } from '../lib/log.ts'
import { below } from '../lib/paths.ts'
import { systemRandomBytes } from '../lib/random.ts'
import { type Runner, systemRunner } from '../lib/runner.ts'
import { explain } from '../model/errors.ts'
import { namespaceName } from '../model/names.ts'
import { failoverTimes } from '../plan/failover/times.ts'
import { FenceServer } from './fence-server.ts'
import { fenceProcesses } from './managed.ts'
import { buildName } from './services-build.ts'

/** How often orders are looked for that are not there yet. */
const WAIT_MS = 50
const NAMESPACES = '/run/netns'

/** The process, up to its exit code. */
export async function runProcess(): Promise<void> {
  try {
    await runFence()
    process.exit(0)
  } catch (error) {
    process.stderr.write(`atolld --part fence: ${explain(error)}\n`)
    process.exit(1)
  }
}

/** By what it is ended. */
type End = 'SIGTERM' | 'SIGINT' | 'SIGHUP' | 'agent'

/** Runs until a signal or the agent ends it. */
async function runFence(): Promise<void> {
  const ended = Promise.withResolvers<End>()
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const)
    process.on(signal, () => ended.resolve(signal))
  const log = await createLog({ level: 'info', format: 'auto' })
  process.once('exit', () => log.flush())
  const files = openFenceFiles(process.cwd())
  const nowMs = loadBootClock()
  const aloneAtMs = aloneSince(nowMs)
  const orders = await Promise.race([ordersOf(files), ended.promise.then(() => null)])
  if (orders === null) return
  const times = failoverTimes(orders.settings)
  const { watchdog: place, membership } = orders
  const server = new FenceServer({
    ...{ orders, files, times, randomBytes: systemRandomBytes },
    build: buildName(),
    bootId: bootId(),
    nowMs,
    startedAtMs: aloneAtMs ?? nowMs(),
    after: startingClock.after,
    openGate: createGateOpener(),
    watchdog: place === null ? null : openWatchdog(place, times.watchdogMs),
    stopper: loadStopper(),
    log: log.child({ part: 'fence' }),
    onRetire: () => ended.resolve('agent'),
  })
  const { isFirst, isLocked } = becomeRealTime()
  await server.begin()
  log.info(
    { part: 'fence', members: membership.members, isFirst, isLocked },
    'this host asks the others whether it may go on',
  )
  const why = await ended.promise
  log.info({ part: 'fence', why }, 'the fence of this host ends')
  if (why === 'SIGTERM' || why === 'SIGINT') await server.stop()
  server.close()
}

/**
 * Since when only this process has been able to answer for this host. Whoever had answered before
 * was a process in this directory, and had ended when it was looked for; so what it had promised is
 * older than that, however long this process waits for its orders. Null: there may be another one.
 */
function aloneSince(nowMs: () => number): number | null {
  const [first, ...others] = fenceProcesses(dirname(process.cwd()))
  // In this order: one that ends while it is looked may answer until then.
  return first === process.pid && others.length === 0 ? nowMs() : null
}

async function ordersOf({ readOrders }: ReturnType<typeof openFenceFiles>): Promise<Orders> {
  for (;;) {
    const orders = readOrders()
    if (orders !== null) return orders
    await startingClock.sleep(WAIT_MS)
  }
}

/** Opens the gate of a network namespace. */
function createGateOpener(): (network: number | null) => PermissionGate {
  const libc = loadLibc()
  return (network) => {
    if (network === null) return gateIn((act) => act())
    const fd = openSync(below(NAMESPACES, namespaceName(network)), 'r')
    try {
      // Found by its name again: it is needed when tables are missing only.
      return inNamespace(libc, fd, () =>
        gateIn((act) => {
          const again = openSync(below(NAMESPACES, namespaceName(network)), 'r')
          try {
            return inNamespace(libc, again, act)
          } finally {
            closeSync(again)
          }
        }),
      )
    } finally {
      closeSync(fd)
    }
  }
}

function gateIn(inside: <T>(act: () => T) => T): PermissionGate {
  const run: Runner = (program, args, settings) =>
    inside(() => systemRunner(program, args, settings))
  return openPermissionGate(createNft(run).apply)
}
