/** Reads containers: which are ours (`instanceOfContainer`), and the state of each. */
import type Dockerode from 'dockerode'
import type { Clock } from '../lib/clock.ts'
import type { InstanceId } from '../model/ids.ts'
import { INSTANCE_LABEL, instanceOfContainer } from '../model/names.ts'
import { reservedTags } from '../model/reserved-tags.ts'
import type { EndedBy, WorkloadHave } from '../plan/workloads.ts'
import { bootOf, type InstanceFiles } from './boot-record.ts'
import { type Directories, directoriesOf } from './directories.ts'
import type { DiskMeter } from './disk.ts'
import type { EngineInfo } from './engine-info.ts'
import { dockerError, statusOf } from './errors.ts'
import { pastEvents } from './events.ts'
import type { NamesFiles } from './own-names.ts'
import type { Plug } from './plug.ts'
import { diskLimitOf } from './spec.ts'
import {
  type ContainerState,
  endedBy,
  hasProcesses,
  NEVER_STARTED,
  workloadState,
} from './state.ts'
import { isMadeToWait, type WaitingContainers } from './waiting.ts'

const NOT_FOUND = 404
/** A client or another host waits for the answer about a single container. */
const FIND_DEADLINE_MS = 10_000
/**
 * FinishedAt and the times of the engine's events are from one clock. Ours may differ by this much.
 */
const CLOCK_SLACK_MS = 2_000

/** What was read of one container. */
export interface Seen {
  readonly id: string
  readonly pid: number
  readonly state: ContainerState
  readonly labels: Readonly<Record<string, string>>
  /** Whether the file system limits its size. */
  readonly hasQuota: boolean
  /** The host's directories that contain its disk. */
  readonly directories: Directories
  readonly names: NamesFiles
}

/** What is needed to read a container's state. */
export interface Reader {
  readonly docker: Dockerode
  readonly clock: Clock
  readonly files: InstanceFiles
  readonly plug: Plug
  readonly cache: ContainerCache
  readonly engine: EngineInfo
  readonly disks: DiskMeter
  readonly waiting: WaitingContainers
}

/** What is stored of a container's last start. */
interface Boot {
  readonly bootCount: number | null
  readonly reservation: string | undefined
}

/** Containers as they were read. Each is valid until an event about it. */
export interface ContainerCache {
  get(id: string): Seen | undefined
  /** The number of invalidations. Take it before reading a container, for `set`. */
  changes(): number
  /** Keeps what was read, unless an event arrived during the reading: then it may be old. */
  set(seen: Seen, changesBefore: number): void
  /** The boot of a running container, as it was stored. It cannot change without an event. */
  boot(seen: Seen): Boot | undefined
  keepBoot(seen: Seen, boot: Boot): void
  drop(id: string): void
  clear(): void
  /** Sets whether the event stream is open. Nothing is kept without it. */
  trust(open: boolean): void
}

/** Empty, and keeps nothing before the event stream is open. */
export function createCache(): ContainerCache {
  const seen = new Map<string, Seen>()
  const boots = new WeakMap<Seen, Boot>()
  let open = false
  let changes = 0
  const clear = () => {
    changes += 1
    seen.clear()
  }
  return {
    get: (id) => seen.get(id),
    changes: () => changes,
    set(one, changesBefore) {
      if (open && changes === changesBefore) seen.set(one.id, one)
    },
    boot: (one) => boots.get(one),
    keepBoot: (one, boot) => void boots.set(one, boot),
    drop(id) {
      changes += 1
      seen.delete(id)
    },
    clear,
    trust(isOpen) {
      open = isOpen
      clear()
    },
  }
}

/** Containers with our label and our name, by instance. */
export async function findAll(
  docker: Dockerode,
  signal: AbortSignal,
): Promise<ReadonlyMap<InstanceId, string>> {
  const list = await docker
    .listContainers({ all: true, filters: { label: [INSTANCE_LABEL] }, abortSignal: signal })
    .catch((error: unknown) => {
      throw dockerError(error, 'list the containers')
    })
  const found = new Map<InstanceId, string>()
  for (const { Id, Names, Labels } of list) {
    const instance = instanceOfContainer(Labels, Names)
    if (instance !== undefined) found.set(instance, Id)
  }
  return found
}

/** The container of one instance. Null if there is none. */
export async function findOne(docker: Dockerode, instance: InstanceId): Promise<string | null> {
  const list = await docker
    .listContainers({
      all: true,
      filters: { label: [`${INSTANCE_LABEL}=${instance}`] },
      abortSignal: AbortSignal.timeout(FIND_DEADLINE_MS),
    })
    .catch((error: unknown) => {
      throw dockerError(error, `find the container of ${instance}`)
    })
  return list.find(({ Names, Labels }) => instanceOfContainer(Labels, Names))?.Id ?? null
}

/** One container in the plan's terms. Null when it disappeared during the reading. */
export async function readHave(
  reader: Reader,
  instance: InstanceId,
  id: string,
  { fresh, signal }: { readonly fresh: boolean; readonly signal: AbortSignal },
): Promise<WorkloadHave | null> {
  const { docker, files, cache, plug } = reader
  const changesBefore = cache.changes()
  const seen = cache.get(id) ?? (await inspect(docker, id, signal))
  if (seen === null) return null
  cache.set(seen, changesBefore)
  const { state } = seen
  const boot = cache.boot(seen) ?? (await readBoot(files, instance, state.StartedAt))
  const { bootCount } = boot
  const warmth = warmthOf(reader, instance, seen, boot)
  if (hasProcesses(state)) {
    if (bootCount !== null) cache.keepBoot(seen, boot)
    const life = { containerId: id, startedAt: state.StartedAt, pid: seen.pid }
    const nics = await plug.pluggedNics(instance, life, fresh)
    const held = await readHold(reader, instance, seen)
    const running = { instance, bootCount, state: workloadState(state, nics, 'unknown') }
    return { ...running, container: id, ...held, ...warmth }
  }
  // Before anybody learns that it has ended: then its address answers no more.
  await plug.unplug(instance, { containerId: id, startedAt: state.StartedAt })
  if (state.Status === 'created' && (await files.hasArrived(instance)))
    return { instance, bootCount: null, state: { kind: 'arrived' } }
  const by = state.Status === 'exited' ? await findEnd(reader, seen, signal) : 'unknown'
  return { instance, bootCount, state: workloadState(state, null, by), container: id, ...warmth }
}

async function readBoot(files: InstanceFiles, id: InstanceId, startedAt: string): Promise<Boot> {
  const record = await files.readBoot(id)
  return { bootCount: bootOf(record, startedAt), reservation: record?.reservation }
}

/** What there is to know of a container that was started before a launch asked for it. */
function warmthOf(
  { waiting }: Reader,
  instance: InstanceId,
  seen: Seen,
  { bootCount, reservation }: Boot,
): Pick<WorkloadHave, 'warm' | 'takenBy'> {
  if (!isMadeToWait(seen)) return {}
  if (bootCount === null) return { warm: waiting.look(instance, seen) }
  return reservation === undefined ? {} : { takenBy: reservation }
}

/** An instance with a directory and no container. If there is a boot record, it had a container. */
export async function readGone(files: InstanceFiles, instance: InstanceId): Promise<WorkloadHave> {
  const boot = await files.readBoot(instance)
  if (boot === null && (await files.hasArrived(instance)))
    return { instance, state: { kind: 'arrived' }, bootCount: null }
  const state = { kind: boot === null ? 'remains' : 'lost' } as const
  return { instance, state, bootCount: boot?.bootCount ?? null }
}

/** How a running container is isolated, and whether it exceeds its disk. */
async function readHold(
  { engine, disks }: Reader,
  instance: InstanceId,
  { directories, hasQuota, labels }: Seen,
): Promise<Pick<WorkloadHave, 'marks' | 'excess'>> {
  const { hasUserNamespace } = await engine.read()
  const isolation = hasUserNamespace ? 'user-namespace' : 'shared-root'
  const marks = reservedTags(isolation, hasQuota ? 'quota' : 'watched')
  const limitGiB = hasQuota ? null : diskLimitOf(labels)
  const excess = limitGiB === null ? null : disks.follow(instance, { directories, limitGiB })
  return excess === null ? { marks } : { marks, excess }
}

async function findEnd(
  { docker, clock, engine }: Reader,
  { id, state }: Seen,
  signal: AbortSignal,
): Promise<EndedBy> {
  if (state.StartedAt === NEVER_STARTED) return 'unknown'
  const nowMs = clock.now()
  // A clock that was set back has ends before starts, and starts in the future: there the engine
  // refuses the question.
  const earliestMs = Math.min(Date.parse(state.StartedAt), Date.parse(state.FinishedAt), nowMs)
  const span = { sinceMs: earliestMs - CLOCK_SLACK_MS, nowMs }
  const events = await pastEvents(docker, id, span, signal).catch((error: unknown) => {
    throw dockerError(error, 'ask for past events')
  })
  return endedBy(state, events, await engine.lastRestart())
}

function hasQuota({ StorageOpt }: { readonly StorageOpt?: unknown }): boolean {
  return typeof StorageOpt === 'object' && StorageOpt !== null && 'size' in StorageOpt
}

/** The engine's current description of one container. Null if there is none. */
export async function inspect(
  docker: Dockerode,
  id: string,
  signal: AbortSignal,
): Promise<Seen | null> {
  try {
    const found = await docker.getContainer(id).inspect({ abortSignal: signal })
    const { State, Config, HostConfig } = found
    return {
      id,
      pid: State.Pid,
      state: State,
      labels: Config.Labels,
      hasQuota: hasQuota(HostConfig),
      directories: directoriesOf(found),
      names: { hosts: found.HostsPath, resolvConf: found.ResolvConfPath },
    }
  } catch (error) {
    if (statusOf(error) === NOT_FOUND) return null
    throw dockerError(error, 'inspect a container')
  }
}
