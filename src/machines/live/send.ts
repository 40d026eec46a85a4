/**
 * The old host's part of a live migration: the disk by a mirror job, then the memory, then a moment
 * in which the machine stands still and the rest of both is passed on
 * (https://www.qemu.org/docs/master/interop/live-block-operations.html, "drive-mirror with NBD").
 *
 * The guest may control its QEMU. So QEMU gets neither a key nor an address: both connections are
 * sockets whose other ends this process holds.
 *
 * QEMU lets the machine go on by itself after every failure, as long as it has not said
 * `completed`. From then on it never does: only `resume` lets it run.
 */
import type { Host } from '../../host/host.ts'
import type { Clock } from '../../lib/clock.ts'
import { withDeadline } from '../../lib/deadline.ts'
import { splice } from '../../lib/splice.ts'
import { unavailable } from '../../model/errors.ts'
import { MIB } from '../../model/sizes.ts'
import type { LiveStreams } from '../../workloads/driver.ts'
import { blockJob } from '../block-job.ts'
import type { Qmp } from '../qmp.ts'
import { isSuspended, LIVE, migration, ROOT, runState } from './qmp-live.ts'

/** What sending needs. */
export interface SendParts {
  readonly host: Pick<Host, 'pairedUnix'>
  readonly clock: Clock
}

/** What is told while it lasts, and what ends it. */
interface Sending {
  readonly progress: (message: string) => void
  /** Is called once, when the machine stands still. */
  readonly still: () => void
  readonly signal: AbortSignal
}

/** The other side has the disk's export under this name. */
export const EXPORT = 'disk'
/**
 * What QEMU aims at; the guest stands still somewhat longer. Its default is 300. One that writes
 * too much for it gets twice as much each time, so that the move comes to an end.
 */
const DOWNTIME = { firstMs: 60, mostMs: 2_000, doubleEveryMs: 20_000 }
/** The pace of the connections is the caller's; QEMU's default would be 128 MiB/s. */
const MEMORY_BYTES_PER_SECOND = 1024 * MIB
const LOOK_EVERY_MS = 200
/** While the memory is sent, so that the machine is noticed soon that stands still. */
const LOOK_SOON_MS = 10
/** While it stands still. */
const LOOK_AT_ONCE_MS = 2
/** How long it may stand still. Then it goes on here. */
const SWITCH_DEADLINE_MS = 8_000
/** QEMU ends a migration within milliseconds, unless its disk hangs. */
const UNDO_DEADLINE_MS = 20_000

/**
 * Sends a running machine. Resolves when the other process has all of it, and this one has stopped
 * for good. Rejects when the machine goes on here, or will when it is resumed.
 */
export async function send(
  qmp: Qmp,
  { host, clock }: SendParts,
  { disk, memory }: LiveStreams,
  sending: Sending,
): Promise<void> {
  const { signal } = sending
  const close = () => {
    disk.destroy()
    memory.destroy()
  }
  try {
    await undo(qmp, clock)
    await configure(qmp)
    await give(qmp, host, LIVE.disk, disk)
    await mirror(qmp, clock, sending)
    await give(qmp, host, LIVE.memory, memory)
    await qmp.execute('migrate', { uri: `fd:${LIVE.memory}` })
    await followMemory(qmp, clock, sending)
    sending.still()
    const late = () => unavailable('the switch to the other host took too long')
    await withDeadline({ clock, ms: SWITCH_DEADLINE_MS, late, signal }, (over) =>
      switchOver(qmp, clock, over),
    )
  } catch (error) {
    // First, so that nothing waits for the other host any more.
    close()
    // The last answer may have been late.
    if ((await undo(qmp, clock)) === 'completed') return
    throw error
  }
}

async function configure(qmp: Qmp): Promise<void> {
  const names = ['pause-before-switchover', 'return-path', 'auto-converge']
  const capabilities = names.map((capability) => ({ capability, state: true }))
  await qmp.execute('migrate-set-capabilities', { capabilities })
  await qmp.execute('migrate-set-parameters', {
    'downtime-limit': DOWNTIME.firstMs,
    'max-bandwidth': MEMORY_BYTES_PER_SECOND,
  })
}

/** Gives QEMU a connection, whose other end is this stream. */
async function give(
  qmp: Qmp,
  host: SendParts['host'],
  name: string,
  stream: LiveStreams['disk'],
): Promise<void> {
  const { here, there } = host.pairedUnix()
  splice(here, stream)
  try {
    await qmp.executeWithFile('getfd', { fdname: name }, there.fd)
  } finally {
    there.close()
  }
}

/** Resolves when the other disk is as this one, and every write is passed on. */
async function mirror(qmp: Qmp, clock: Clock, { progress, signal }: Sending): Promise<void> {
  progress('disk: beginning')
  signal.throwIfAborted()
  await qmp.execute('blockdev-add', {
    ...{ driver: 'nbd', 'node-name': LIVE.node, export: EXPORT, discard: 'unmap' },
    server: { type: 'fd', str: LIVE.disk },
  })
  await qmp.execute('blockdev-mirror', {
    ...{ 'job-id': LIVE.job, device: ROOT, target: LIVE.node },
    // What the disk has itself. Both hosts have the image that it is based on.
    ...{ sync: 'top', 'auto-dismiss': false },
  })
  for (;;) {
    const job = await blockJob(qmp, LIVE.job)
    if (job?.status === 'ready') return
    if (job === undefined || job.status === 'concluded')
      throw unavailable(`the disk could not be copied: ${job?.error ?? 'the copy ended'}`)
    const done = Math.round(job['current-progress'] / MIB)
    progress(`disk: ${done} of ${Math.round(job['total-progress'] / MIB)} MiB`)
    await clock.sleep(LOOK_EVERY_MS, signal)
    signal.throwIfAborted()
  }
}

/** Resolves when the machine stands still. */
async function followMemory(qmp: Qmp, clock: Clock, { progress, signal }: Sending): Promise<void> {
  let limitMs = DOWNTIME.firstMs
  let sinceMs = clock.monotonic()
  for (;;) {
    const { status, ram, 'error-desc': why } = await migration(qmp)
    if (status === 'pre-switchover') return
    if (status === 'failed' || status === 'cancelled' || status === 'completed')
      throw unavailable(`the memory could not be sent: ${why ?? status}`)
    const left = Math.round((ram?.remaining ?? 0) / MIB)
    progress(`memory: ${left} of ${Math.round((ram?.total ?? 0) / MIB)} MiB left`)
    const job = await blockJob(qmp, LIVE.job)
    if (job?.status !== 'ready')
      throw unavailable(`the disk is not copied any more: ${job?.error ?? 'the copy ended'}`)
    if (limitMs < DOWNTIME.mostMs && clock.monotonic() - sinceMs >= DOWNTIME.doubleEveryMs) {
      limitMs = Math.min(limitMs * 2, DOWNTIME.mostMs)
      sinceMs = clock.monotonic()
      await qmp.execute('migrate-set-parameters', { 'downtime-limit': limitMs })
    }
    await clock.sleep(LOOK_SOON_MS, signal)
    signal.throwIfAborted()
  }
}

/** The rest of the disk, then the rest of the memory and the devices. */
async function switchOver(qmp: Qmp, clock: Clock, signal: AbortSignal): Promise<void> {
  // Of a job that is ready, this ends the copy when both are the same.
  await qmp.execute('block-job-cancel', { device: LIVE.job })
  for (;;) {
    const job = await blockJob(qmp, LIVE.job)
    if (job === undefined) throw unavailable('the copy of the disk ended unexpectedly')
    if (job.status === 'concluded') {
      if (job.error === undefined) break
      throw unavailable(`the disk could not be copied: ${job.error}`)
    }
    await clock.sleep(LOOK_AT_ONCE_MS, signal)
    signal.throwIfAborted()
  }
  await qmp.execute('job-dismiss', { id: LIVE.job })
  await qmp.execute('blockdev-del', { 'node-name': LIVE.node })
  signal.throwIfAborted()
  await qmp.execute('migrate-continue', { state: 'pre-switchover' })
  for (;;) {
    const { status, 'error-desc': why } = await migration(qmp)
    if (status === 'completed') return
    if (status !== 'device' && status !== 'pre-switchover')
      throw unavailable(`the other host did not take over: ${why ?? status}`)
    await clock.sleep(LOOK_AT_ONCE_MS, signal)
    signal.throwIfAborted()
  }
}

/**
 * Ends what this daemon or an earlier one has begun. `completed`: the other process has all, so the
 * machine stands still until `resume`; otherwise it goes on. Errors: `unavailable` when QEMU does
 * not end it in time.
 */
export async function undo(qmp: Pick<Qmp, 'execute'>, clock: Clock): Promise<'completed' | 'runs'> {
  const giveUpMs = clock.monotonic() + UNDO_DEADLINE_MS
  for (;;) {
    const { status } = await migration(qmp)
    const isOver = OVER.has(status)
    // Refused when it has just ended.
    if (!isOver) await qmp.execute('migrate_cancel').catch(() => undefined)
    const job = await blockJob(qmp, LIVE.job)
    if (job !== undefined) await endJob(qmp, job.status)
    const state = await runState(qmp)
    const mayGoOn = status !== 'completed' && isSuspended(state)
    if (isOver && job === undefined && !mayGoOn) {
      // Usually there is none.
      await qmp.execute('blockdev-del', { 'node-name': LIVE.node }).catch(() => undefined)
      return status === 'completed' && isSuspended(state) ? 'completed' : 'runs'
    }
    if (clock.monotonic() > giveUpMs)
      throw unavailable(`QEMU does not end the migration (${status}, ${state})`)
    await clock.sleep(LOOK_SOON_MS)
  }
}

const OVER: ReadonlySet<string> = new Set(['none', 'completed', 'failed', 'cancelled'])

/** Refused while the job changes its state. Then the next attempt succeeds. */
async function endJob(qmp: Pick<Qmp, 'execute'>, status: string): Promise<void> {
  const step =
    status === 'concluded'
      ? qmp.execute('job-dismiss', { id: LIVE.job })
      : qmp.execute('block-job-cancel', { device: LIVE.job, force: true })
  await step.catch(() => undefined)
}
