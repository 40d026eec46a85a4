/**
 * The running machines, each with its QMP connection. When the connection ends, the process ends.
 *
 * Whatever is remembered here can be read again: the processes from /proc, and the state of each by
 * QMP.
 */
import { awaitEnd, findProcesses } from '../host/processes/processes.ts'
import type { Clock } from '../lib/clock.ts'
import { inTime } from '../lib/deadline.ts'
import type { Log } from '../lib/log.ts'
import { below } from '../lib/paths.ts'
import { createSingleFlight } from '../lib/queue.ts'
import type { InstanceId } from '../model/ids.ts'
import { MACHINE_SOCKETS_DIRECTORY } from '../model/names.ts'
import type { MachineFilesystem } from './files.ts'
import { isSuspended, runState } from './live/qmp-live.ts'
import { connectQmp, type Qmp, type QmpEvent, type SendFile } from './qmp.ts'

/** A machine with a process. */
export interface Machine {
  readonly pid: number
  /** Null while it does not answer. */
  readonly qmp: Qmp | null
  /** The guest is off, and the process is about to end. */
  readonly isOff: boolean
  /** It stands still between two hosts, until it is resumed. */
  readonly isSuspended: boolean
}

export interface Monitors {
  /**
   * All machines of this host with a process. `fresh` reads /proc, and connects to unknown ones.
   */
  list(fresh: boolean): Promise<ReadonlyMap<InstanceId, Machine>>
  /** What is known of a machine without a look, which a hanging one makes long; of none nothing. */
  known(instance: InstanceId): Machine | undefined
  /** Adds a machine that was just started. Errors: `unavailable` when it does not answer. */
  adopt(instance: InstanceId, pid: number): Promise<void>
  /** The directory of a machine's sockets. */
  sockets(instance: InstanceId): {
    readonly dir: string
    readonly qmp: string
    readonly serial: string
    readonly agent: string
  }
  watch(changed: (instance: InstanceId) => void): () => void
  /** Disconnects from all machines, which go on. */
  close(): void
}

export interface MonitorsOptions {
  readonly files: MachineFilesystem
  /** The directory of sockets, `/run/atoll`. */
  readonly runtimeDir: string
  readonly firstUser: number
  /** As in `connectQmp`. */
  readonly sendFile?: SendFile
  readonly clock: Clock
  readonly log: Log
}

const MUTE: Omit<Machine, 'pid'> = { qmp: null, isOff: false, isSuspended: false }
/** How long the list of all machines waits for one of them. */
const WAIT_MS = 300
/** A process that closes its monitor is about to end. */
const END_DEADLINE_MS = 10_000

/** Knows no machines before the first call. */
export function createMonitors(options: MonitorsOptions): Monitors {
  const { files, runtimeDir, clock, log } = options
  const known = new Map<InstanceId, Machine>()
  const listeners = new Set<(instance: InstanceId) => void>()
  let isComplete = false
  let closing = false

  const sockets = (instance: InstanceId) => socketsOf(runtimeDir, instance)
  const tell = (instance: InstanceId) => {
    for (const listener of listeners) listener(instance)
  }

  const finish = createFinish({ known, files, log })
  const lookAgain = createLook({ known, tell, finish })

  /** The connection ended. The process ends as well, or does not answer any more. */
  async function dismiss(instance: InstanceId, pid: number, qmp: Qmp): Promise<void> {
    if (closing || known.get(instance)?.qmp !== qmp) return
    known.set(instance, { pid, qmp, isOff: true, isSuspended: false })
    await awaitEnd(pid, files.paths(instance).home, { clock, timeoutMs: END_DEADLINE_MS })
    if (known.get(instance)?.qmp === qmp) known.delete(instance)
    isComplete = false
    tell(instance)
  }

  // A monitor serves one connection at a time. A second one would wait for ever.
  const connectOnce = async (instance: InstanceId, pid: number): Promise<void> => {
    const machine = known.get(instance)
    if (machine?.pid === pid && machine.qmp !== null) return
    const onEvent = ({ name }: QmpEvent) => {
      if (name === 'SHUTDOWN') finish(instance)
      const { qmp: now } = known.get(instance) ?? {}
      if ((name === 'STOP' || name === 'RESUME') && now != null)
        // If its monitor ended, that is told by itself.
        lookAgain(instance, now).catch(() => undefined)
    }
    const qmp = await connectQmp(sockets(instance).qmp, onEvent, options.sendFile)
    known.set(instance, { pid, qmp, isOff: false, isSuspended: false })
    void qmp.closed.then(() => dismiss(instance, pid, qmp))
    await lookAgain(instance, qmp)
  }
  const adopting = createSingleFlight<InstanceId, void>()
  const adopt = (instance: InstanceId, pid: number) =>
    adopting(instance, () => connectOnce(instance, pid))
  const connect = connectBriefly({ known, adopt, tell, clock, log })

  async function readAnew(): Promise<void> {
    // Machines that were started while /proc was read are known already, but not in the result.
    const before = [...known]
    const found = await findProcesses(await files.homes(), options.firstUser)
    for (const [instance, machine] of before)
      if (known.get(instance) === machine && found.get(instance) !== machine.pid)
        known.delete(instance)
    await Promise.all([...found].map(([instance, pid]) => connect(instance, pid)))
    isComplete = [...known.values()].every(({ qmp }) => qmp !== null)
  }
  return {
    async list(fresh) {
      if (fresh || !isComplete) await readAnew()
      return new Map(known)
    },
    known: (instance) => known.get(instance),
    adopt,
    sockets,
    watch(changed) {
      listeners.add(changed)
      return () => listeners.delete(changed)
    },
    close() {
      closing = true
      for (const { qmp } of known.values()) qmp?.close()
    },
  }
}

/**
 * Writes to disk that the guest powered off by itself before the process may end. Nothing else
 * distinguishes it from a crash.
 */
function createFinish({
  known,
  files,
  log,
}: Pick<MonitorsOptions, 'files' | 'log'> & { readonly known: Map<InstanceId, Machine> }) {
  async function recordPowerOff(instance: InstanceId): Promise<void> {
    const machine = known.get(instance)
    if (machine?.qmp == null || machine.isOff) return
    known.set(instance, { ...machine, isOff: true })
    const boot = await files.readBoot(instance)
    if (boot !== null) await files.writeBoot(instance, { ...boot, poweredOff: true })
    await machine.qmp.execute('quit')
  }
  return (instance: InstanceId) => {
    recordPowerOff(instance).catch((error: unknown) =>
      log.warn({ instance, error }, 'the power-off of a machine could not be recorded'),
    )
  }
}

/**
 * Looks again at a machine that may stand still now, or go on. One look at a time for each: whoever
 * controls a QEMU can make it send as many events as it likes.
 */
function createLook({
  known,
  tell,
  finish,
}: {
  readonly known: Map<InstanceId, Machine>
  readonly tell: (instance: InstanceId) => void
  readonly finish: (instance: InstanceId) => void
}) {
  /** Those that are looked at now, and whether once more when that is done. */
  const looking = new Map<Qmp, { again: boolean }>()

  async function look(instance: InstanceId, qmp: Qmp): Promise<void> {
    const state = await runState(qmp)
    const machine = known.get(instance)
    if (machine?.qmp !== qmp) return
    if (state === 'shutdown') finish(instance)
    if (machine.isOff || machine.isSuspended === isSuspended(state)) return
    known.set(instance, { ...machine, isSuspended: isSuspended(state) })
    tell(instance)
  }

  return async function lookAgain(instance: InstanceId, qmp: Qmp): Promise<void> {
    const before = looking.get(qmp)
    if (before !== undefined) {
      before.again = true
      return
    }
    const now = { again: false }
    looking.set(qmp, now)
    try {
      await look(instance, qmp)
    } finally {
      looking.delete(qmp)
    }
    // If its monitor ended, that is told by itself.
    if (now.again) lookAgain(instance, qmp).catch(() => undefined)
  }
}

/**
 * Connects with a short wait. A machine that hangs is waited for only once. Then others are listed
 * without it, until it answers.
 */
function connectBriefly({
  known,
  adopt,
  tell,
  clock,
  log,
}: Pick<MonitorsOptions, 'clock' | 'log'> &
  Pick<Monitors, 'adopt'> & {
    readonly known: Map<InstanceId, Machine>
    readonly tell: (instance: InstanceId) => void
  }) {
  const isMute = (instance: InstanceId, pid: number) => {
    const machine = known.get(instance)
    return machine?.pid === pid && machine.qmp === null
  }
  return async (instance: InstanceId, pid: number): Promise<void> => {
    const wasMute = isMute(instance, pid)
    const adopted = adopt(instance, pid).catch((error: unknown) => {
      log.warn({ instance, pid, error }, 'a virtual machine does not answer')
      known.set(instance, { ...MUTE, pid })
    })
    const ended = adopted.then(() => true)
    if (!wasMute && (await inTime(clock, WAIT_MS, ended)) === true) return
    if (known.get(instance)?.pid !== pid) known.set(instance, { ...MUTE, pid })
    void ended.then(() => tell(instance))
  }
}

function socketsOf(runtimeDir: string, instance: InstanceId): ReturnType<Monitors['sockets']> {
  const dir = below(runtimeDir, MACHINE_SOCKETS_DIRECTORY, instance)
  return { dir, qmp: below(dir, 'qmp'), serial: below(dir, 'serial'), agent: below(dir, 'agent') }
}
