/**
 * The new host's part of a live migration: a process that waits for a machine, with an empty disk
 * that is exported to the old one, and that stands still when it has everything.
 */
import { once } from 'node:events'
import { rm } from 'node:fs/promises'
import { createConnection } from 'node:net'
import type { Host } from '../../host/host.ts'
import type { Clock } from '../../lib/clock.ts'
import { unlessAborted, withDeadline } from '../../lib/deadline.ts'
import { below } from '../../lib/paths.ts'
import { unavailable } from '../../model/errors.ts'
import type { LiveStreams } from '../../workloads/driver.ts'
import type { Qmp } from '../qmp.ts'
import { LIVE, migration, ROOT, runState } from './qmp-live.ts'
import { EXPORT, undo } from './send.ts'

/** What receiving needs. */
interface ReceiveParts {
  readonly host: Pick<Host, 'listenUnix' | 'pairedUnix'>
  /** The directory of the machine's sockets. */
  readonly socketsDir: string
  readonly clock: Clock
}

const LOOK_EVERY_MS = 2
const CONNECT_MS = 5_000

/** Has a process that waits take the disk and the memory from these streams. */
export async function receive(qmp: Qmp, parts: ReceiveParts): Promise<LiveStreams> {
  // The export is not writable any more when the machine runs, so it may still be there by then.
  const capabilities = [{ capability: 'late-block-activate', state: true }]
  await qmp.execute('migrate-set-capabilities', { capabilities })
  const disk = await exportDisk(qmp, parts)
  const { here: memory, there } = parts.host.pairedUnix()
  try {
    await qmp.executeWithFile('getfd', { fdname: LIVE.memory }, there.fd)
    await qmp.execute('migrate-incoming', { uri: `fd:${LIVE.memory}` })
  } catch (error) {
    disk.destroy()
    memory.destroy()
    throw error
  } finally {
    there.close()
  }
  return { disk, memory }
}

async function exportDisk(qmp: Qmp, { host, socketsDir, clock }: ReceiveParts) {
  const path = below(socketsDir, 'disk')
  const listening = await host.listenUnix(path)
  try {
    await qmp.executeWithFile('getfd', { fdname: LIVE.disk }, listening.fd)
  } finally {
    listening.close()
  }
  const addr = { type: 'fd', data: { str: LIVE.disk } }
  await qmp.execute('nbd-server-start', { addr, 'max-connections': 1 })
  await qmp.execute('block-export-add', {
    ...{ type: 'nbd', id: LIVE.job, 'node-name': ROOT, name: EXPORT, writable: true },
  })
  const disk = createConnection({ path, allowHalfOpen: true })
  // Until somebody listens, its end says the same.
  disk.on('error', () => undefined)
  const late = () => unavailable('the export of the disk cannot be reached')
  await withDeadline({ clock, ms: CONNECT_MS, late }, (signal) => once(disk, 'connect', { signal }))
  // Nobody else connects.
  await rm(path, { force: true })
  return disk
}

/** Resolves when the process has everything. Errors: `unavailable` when it ends before that. */
export async function loaded(qmp: Qmp, clock: Clock, signal: AbortSignal): Promise<void> {
  const ended = qmp.closed.then(() => {
    throw unavailable('the machine could not be taken over: QEMU ended, see its qemu.log')
  })
  ended.catch(() => undefined)
  const look = async () => {
    while ((await runState(qmp)) === 'inmigrate') {
      await clock.sleep(LOOK_EVERY_MS, signal)
      signal.throwIfAborted()
    }
  }
  await unlessAborted(signal, () => Promise.race([look(), ended]))
}

/**
 * Lets a machine run that stands still between two hosts. Only for the host to which the records
 * give it. One that never got everything is ended: it starts again from its disk.
 */
export async function resume(qmp: Pick<Qmp, 'execute'>, clock: Clock): Promise<void> {
  const [state, { status }] = await Promise.all([runState(qmp), migration(qmp)])
  if (state === 'running') return
  // As it is when it has just arrived. The guest stands still, so nothing waits for an answer in
  // between: QEMU executes commands in their order.
  if (state === 'paused' && status === 'completed') {
    const sent = ['nbd-server-stop', 'cont'].map((command) => qmp.execute(command))
    await Promise.allSettled(sent)
    if ((await runState(qmp)) === 'running') return
  }
  if (state === 'inmigrate') {
    await qmp.execute('quit')
    return
  }
  if ((await undo(qmp, clock)) === 'runs' && (await runState(qmp)) === 'running') return
  // There is none on the old host.
  await qmp.execute('nbd-server-stop').catch(() => undefined)
  await qmp.execute('cont')
  const now = await runState(qmp)
  if (now !== 'running') throw unavailable(`the machine does not go on: it is ${now}`)
}
