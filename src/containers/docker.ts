/**
 * Containers: the workload driver on the Docker Engine.
 *
 * - Its part of the want: each `InstanceWant` with this driver. `plan/workloads.ts` decides,
 *   `spec.ts` describes a container to the engine, and `state.ts` interprets the engine's answers
 *   (all pure).
 * - A new daemon recognises containers by the label `atoll.instance` together with the name
 *   `atoll-<id>` (an image or a person may set one of them), and by the directories
 *   `<stateDir>/instances/<id>`.
 * - If the daemon dies here, containers go on: they are the engine's children. One that was started
 *   but not plugged in waits in its entry script, without a NIC, until the next daemon plugs it in.
 *   Its boot record was written before the start (`boot-record.ts`).
 * - `list` with `fresh` uses no cache.
 */
import type Dockerode from 'dockerode'
import { tail } from '../consoles/kept.ts'
import type { Host } from '../host/host.ts'
import { isHalted } from '../host/processes/halted.ts'
import type { Clock } from '../lib/clock.ts'
import type { Log } from '../lib/log.ts'
import type { Runner } from '../lib/runner.ts'
import type { InstanceId } from '../model/ids.ts'
import type { MachineTables } from '../model/limits.ts'
import type { WorkloadHave } from '../plan/workloads.ts'
import type { Pulse, WorkloadDriver } from '../workloads/driver.ts'
import { bootOf, createInstanceFiles } from './boot-record.ts'
import { createDockerCapturer } from './capture.ts'
import { startDiskMeter } from './disk.ts'
import { createEngineInfo } from './engine-info.ts'
import { dockerError, isAway, statusOf } from './errors.ts'
import { followEvents } from './events.ts'
import { createGuestKit } from './guest-kit.ts'
import type { DockerImages } from './images.ts'
import { demultiplex } from './logs.ts'
import { createContainerMover } from './mover.ts'
import { createPauses, type Pauses } from './pause.ts'
import { createPlug } from './plug.ts'
import { createCache, findAll, findOne, type Reader, readGone, readHave } from './read.ts'
import { createShells } from './shell.ts'
import { createDockerSteps } from './steps.ts'
import { createTimedReads, type TimedReads } from './timed-reads.ts'
import { createWaiting } from './waiting.ts'
import { createWarmDriver } from './warm.ts'

interface DockerSettings {
  /** The engine's socket. */
  readonly engineSocket: string
  /** The state directory, `/var/lib/atoll`, with the instances' directories. */
  readonly stateDir: string
  readonly zone: string
  /** How long an instance may take to stop before it is killed. */
  readonly stopSeconds: number
  /** MTU of the guests' NICs. */
  readonly mtuBytes: number
  /** The tables of this machine that all instances share. */
  readonly tables: MachineTables
  /** A statically linked busybox, such as `/bin/busybox` of Debian's busybox-static. */
  readonly busyboxPath: string
}

export interface DockerDriverOptions {
  readonly docker: Dockerode
  readonly images: DockerImages
  readonly host: Pick<
    Host,
    'plugNic' | 'replugNic' | 'isPlugged' | 'removeNic' | 'limitUserNamespace'
  >
  readonly settings: DockerSettings
  /** Runs `du`. */
  readonly run: Runner
  readonly clock: Clock
  readonly log: Log
}

const NOT_FOUND = 404
/** Maximum number of console lines. The engine's files are limited in bytes as well. */
const CONSOLE_LINES = 10_000
const LAST_LINES = { follow: false, stdout: true, stderr: true, tail: CONSOLE_LINES } as const
/** An engine that takes longer to list its containers counts as away. */
const ANSWER_DEADLINE_MS = 30_000

/** The driver. It does not connect before its first call. */
export function createDockerDriver(options: DockerDriverOptions): WorkloadDriver {
  const { docker, settings, clock, log } = options
  const files = createInstanceFiles(settings.stateDir)
  const plug = createPlug(options.host, settings)
  const cache = createCache()
  const engine = createEngineInfo(docker, settings.engineSocket)
  const closing = new AbortController()
  const listeners = new Set<(instance: InstanceId | null) => void>()
  const tell = (instance: InstanceId) => {
    for (const listener of listeners) listener(instance)
  }
  const disks = startDiskMeter({
    ...{ clock, log, run: options.run, signal: closing.signal },
    exceeded: tell,
  })
  const reads = createTimedReads({ clock, ended: tell, concernsAll: isAway })
  const waiting = createWaiting()
  const reader = { docker, clock, files, plug, cache, engine, disks, waiting }
  const { images, host, run } = options
  const stepper = {
    ...reader,
    images,
    host,
    run,
    kit: createGuestKit({ ...settings, run }),
    settings,
  }
  const pauses = createPauses({ docker, files, log })
  const shells = createShells({ docker, clock })

  return {
    name: 'docker',
    stopSeconds: settings.stopSeconds,
    capturer: createDockerCapturer({ ...options, engine, pauses }),
    mover: createContainerMover({ ...reader, run }),

    list: (options) => listAll({ ...reader, pauses, reads }, options),

    ...createDockerSteps(stepper),
    warm: createWarmDriver(stepper),

    replug: (instance, nics) => plug.replug(instance, nics),

    async storage() {
      const known = await engine.read().catch(() => null)
      return [settings.stateDir, ...(known === null ? [] : [known.rootDirectory])]
    },

    console: (instance, limitBytes) => readConsole(docker, instance, limitBytes),

    pulse: (instance, bootCount) => pulseOf({ ...reader, pauses }, instance, bootCount),
    holds: async (instance) => (await findOne(docker, instance)) !== null,
    async attach(instance, screen) {
      const id = await findOne(docker, instance)
      return id === null ? null : shells.attach(instance, id, screen)
    },

    watch(changed) {
      listeners.add(changed)
      const end = watchEngine({ ...reader, log }, closing.signal, changed)
      return () => {
        listeners.delete(changed)
        end()
      }
    },

    hanging: () => reads.hanging(),

    close: async () => closing.abort(),
  }
}

/** Everything on this machine with our marks. */
async function listAll(
  reader: Reader & { readonly pauses: Pauses; readonly reads: TimedReads },
  { fresh, busy, signal }: Parameters<WorkloadDriver['list']>[0],
): Promise<readonly WorkloadHave[]> {
  const { docker, files, cache, disks, reads, waiting } = reader
  if (fresh) cache.clear()
  const deadline = AbortSignal.any([signal, AbortSignal.timeout(ANSWER_DEADLINE_MS)])
  const waited = waiting.all()
  const found = await findAll(docker, deadline)
  for (const { id } of waited) if (!found.has(id)) waiting.take(id)
  const remaining = await files.list()
  const haves: WorkloadHave[] = []
  for (const [instance, id] of found) {
    const how = { fresh, signal: deadline }
    const have = busy?.has(instance)
      ? busyHave(instance, id)
      : await reads.read(instance, () => readOne(reader, instance, id, how))
    if (have !== null) haves.push(have)
  }
  if (deadline.aborted) throw dockerError(deadline.reason, 'read the containers')
  reads.keep(found)
  disks.keep(runningOf(haves))
  for (const instance of remaining)
    if (!found.has(instance)) haves.push(await readGone(files, instance))
  return haves
}

/** Of a container with a step in progress. A start locks it: the list would wait as long. */
function busyHave(instance: InstanceId, container: string): WorkloadHave {
  return { instance, bootCount: null, state: { kind: 'busy' }, container }
}

async function readOne(
  reader: Reader & { readonly pauses: Pauses },
  instance: InstanceId,
  id: string,
  how: { readonly fresh: boolean; readonly signal: AbortSignal },
): Promise<WorkloadHave | null> {
  const have = await readHave(reader, instance, id, how)
  if (how.fresh) await reader.pauses.endLeft(instance, id)
  return have
}

function runningOf(haves: readonly WorkloadHave[]): ReadonlySet<InstanceId> {
  return new Set(haves.flatMap(({ state, instance }) => (state.kind === 'running' ? instance : [])))
}

async function pulseOf(
  { plug, files, pauses }: Pick<Reader, 'plug' | 'files'> & { readonly pauses: Pauses },
  instance: InstanceId,
  bootCount: number,
): Promise<Pulse> {
  const life = plug.lastLife(instance)
  if (life === null) return 'absent'
  const boot = bootOf(await files.readBoot(instance), life.startedAt)
  if (boot !== null && boot !== bootCount) return 'absent'
  if (pauses.isHeld(instance)) return 'runs'
  return (await isHalted(life.pid)) ? 'halted' : 'runs'
}

async function readConsole(
  docker: Dockerode,
  instance: InstanceId,
  limitBytes: number,
): Promise<Buffer | null> {
  const id = await findOne(docker, instance)
  if (id === null) return null
  try {
    const framed = await docker
      .getContainer(id)
      .logs({ ...LAST_LINES, abortSignal: AbortSignal.timeout(ANSWER_DEADLINE_MS) })
    return tail(demultiplex(framed), limitBytes)
  } catch (error) {
    if (statusOf(error) === NOT_FOUND) return null
    throw dockerError(error, `read the console of ${instance}`)
  }
}

/**
 * Keeps the cache current with the engine's events, and reports them. The returned function ends
 * it.
 */
function watchEngine(
  { docker, clock, log, cache, engine }: Reader & { readonly log: Log },
  closing: AbortSignal,
  changed: (instance: InstanceId | null) => void,
): () => void {
  const stop = new AbortController()
  const signal = AbortSignal.any([stop.signal, closing])
  const listener = {
    connected: () => {
      cache.trust(true)
      // The engine may have been restarted with another configuration.
      engine.forget()
      changed(null)
    },
    lost: () => cache.trust(false),
    changed: (containerId: string, instance: InstanceId) => {
      cache.drop(containerId)
      changed(instance)
    },
  }
  void followEvents({ docker, clock, log, signal, listener })
  return () => stop.abort()
}
