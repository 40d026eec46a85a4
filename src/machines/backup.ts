/**
 * Copies the disk of a running machine as it is at one moment, while the guest goes on: QEMU's
 * backup job (https://www.qemu.org/docs/master/interop/live-block-operations.html,
 * "blockdev-backup").
 *
 * The process cannot open paths of the host. But at its start it got a directory that belongs to
 * root, in which it cannot create files. For the job, the one file that it writes is put there,
 * with the process's user as owner. The file is raw, so whatever a process that is controlled by
 * its guest writes is only content.
 *
 * The state of the job is polled. So a job that an earlier daemon started is found as well.
 */
import { chown, open, readdir, readlink, rename, rm } from 'node:fs/promises'
import type { Clock } from '../lib/clock.ts'
import { below } from '../lib/paths.ts'
import { refused, unavailable } from '../model/errors.ts'
import type { InstanceId } from '../model/ids.ts'
import { HANDED_DIRECTORY, machineUser } from '../model/names.ts'
import { MIB } from '../model/sizes.ts'
import { blockJob } from './block-job.ts'
import type { Qmp } from './qmp.ts'

/** Runs `work` while the guest is frozen, and thaws the guest in any case. */
export type FreezeGuest = <T>(work: () => Promise<T>) => Promise<T>

/** The disk to copy, and its location. */
interface BackUpOrder {
  readonly instance: InstanceId
  /** The machine's directory. */
  readonly home: string
  /** As in `QemuSettings`. */
  readonly firstUser: number
  readonly virtualBytes: number
  readonly freeze: FreezeGuest | null
  /** Called repeatedly. Rejects when there is no space to go on. */
  readonly room: () => Promise<void>
}

/** The name of the job and of the node that it writes to. */
const NAME = 'capture'
const FILE = 'target'
/** The node of the machine's own disk (`machine.ts`). */
const SOURCE = 'root'
const LOOK_EVERY_MS = 200
/** A cancelled job waits for its last write. */
const CANCEL_DEADLINE_MS = 30_000

/**
 * Copies into a raw file at `target`. Errors: `unavailable`, and `refused` when this machine cannot
 * do it.
 */
export async function backUp(
  { qmp, pid }: { readonly qmp: Qmp; readonly pid: number },
  order: BackUpOrder,
  target: string,
  wait: {
    readonly clock: Clock
    readonly progress: (message: string) => void
    readonly signal: AbortSignal
  },
): Promise<void> {
  const dir = below(order.home, HANDED_DIRECTORY)
  const number = await descriptorOf(pid, dir)
  if (number === null) {
    throw refused(
      'IncorrectInstanceState',
      `${order.instance} was started by an older version of Atoll: stop and start it once, or make the image while it is stopped`,
    )
  }
  const file = below(dir, FILE)
  await end(qmp, wait.clock)
  try {
    await makeFile(file, order)
    await qmp.execute('blockdev-add', targetNode(number))
    const begin = () =>
      qmp.execute('blockdev-backup', {
        'job-id': NAME,
        device: SOURCE,
        target: NAME,
        sync: 'full',
        'auto-dismiss': false,
      })
    await (order.freeze === null ? begin() : order.freeze(begin))
    await follow(qmp, order, wait)
    await end(qmp, wait.clock)
    await chown(file, 0, 0)
    await rename(file, target)
  } finally {
    await end(qmp, wait.clock).catch(() => undefined)
    await rm(file, { force: true })
  }
}

async function makeFile(path: string, { virtualBytes, firstUser, instance }: BackUpOrder) {
  await rm(path, { force: true })
  await using file = await open(path, 'wx', 0o600)
  await file.truncate(virtualBytes)
  const user = machineUser(firstUser, instance)
  await file.chown(user, user)
}

/** Zeroes are not written. */
function targetNode(directory: number) {
  return {
    driver: 'raw',
    'node-name': NAME,
    discard: 'unmap',
    'detect-zeroes': 'unmap',
    file: {
      driver: 'file',
      filename: `/proc/self/fd/${directory}/${FILE}`,
      discard: 'unmap',
    },
  }
}

/** The process's descriptor of a directory that it got at its start. Null when it has none. */
async function descriptorOf(pid: number, dir: string): Promise<number | null> {
  const place = `/proc/${pid}/fd`
  for (const name of await readdir(place).catch(() => []))
    if ((await readlink(below(place, name)).catch(() => '')) === dir) return Number(name)
  return null
}

async function follow(
  qmp: Qmp,
  { room }: BackUpOrder,
  { clock, progress, signal }: Parameters<typeof backUp>[3],
): Promise<void> {
  for (;;) {
    const job = await blockJob(qmp, NAME)
    if (job === undefined) throw unavailable('the copy of the disk ended unexpectedly')
    if (job.status === 'concluded') {
      if (job.error === undefined) return
      throw unavailable(`QEMU did not copy the disk: ${job.error}`)
    }
    const done = Math.round(job['current-progress'] / MIB)
    progress(`Copying the disk: ${done} of ${Math.round(job['total-progress'] / MIB)} MiB`)
    await room()
    await clock.sleep(LOOK_EVERY_MS, signal)
  }
}

/** Ends a job, whether this daemon or an earlier one started it. */
async function end(qmp: Qmp, clock: Clock): Promise<void> {
  const giveUpMs = clock.monotonic() + CANCEL_DEADLINE_MS
  for (;;) {
    const job = await blockJob(qmp, NAME)
    if (job === undefined) break
    if (clock.monotonic() > giveUpMs) throw unavailable('an earlier copy of the disk does not end')
    // Refused while the job changes its state. Then the next attempt succeeds.
    const step = job.status === 'concluded' ? 'job-dismiss' : 'job-cancel'
    await qmp.execute(step, { id: NAME }).catch(() => undefined)
    await clock.sleep(LOOK_EVERY_MS / 4)
  }
  // Usually there is none.
  await qmp.execute('blockdev-del', { 'node-name': NAME }).catch(() => undefined)
}
