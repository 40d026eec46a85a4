/**
 * Moves of containers: what a container has written over its image, and in the volumes that its
 * image declares, as archives of tar(1).
 *
 * A layer of overlay2 is copied as it is on the disk: whiteouts are device nodes there, and opaque
 * directories have an attribute (Documentation/filesystems/overlayfs.rst), so tar keeps them. It
 * fits only below the same image. On its new host the archives wait beside the container's boot
 * record until the first start, which makes the container and unpacks them into it.
 */
import { mkdir, readdir, rename, stat } from 'node:fs/promises'
import { basename } from 'node:path'
import { z } from 'zod'
import { needSpace } from '../host/files/space.ts'
import { exists, readRecord, syncPath, writeRecord } from '../lib/files.ts'
import { below, removeTree } from '../lib/paths.ts'
import { createQueues } from '../lib/queue.ts'
import { failureOf, type Runner } from '../lib/runner.ts'
import { refused, unavailable } from '../model/errors.ts'
import type { InstanceId } from '../model/ids.ts'
import type { Mover, PackedFile } from '../workloads/driver.ts'
import { bootOf, type InstanceFiles } from './boot-record.ts'
import { type Directories, volumesOf } from './directories.ts'
import { findOne, inspect, type Reader, type Seen } from './read.ts'

/** What the mover needs. */
export type MoverParts = Pick<Reader, 'docker' | 'files' | 'engine'> & { readonly run: Runner }

const LAYER = 'layer.tar'
const CONTENT = 'content.json'
const PACKED = 'departing-'
const TAR_MS = 12 * 3600 * 1000
const VOLUMES_MAX = 16
const PATH_LENGTH = 4096
/** Everything that a file system may say of a file, and numbers of users as they are. */
const WHOLE = ['--xattrs', '--xattrs-include=*', '--acls', '--numeric-owner', '--sparse']

/** States of a container in which nothing writes. */
const AT_REST: ReadonlySet<string> = new Set(['created', 'exited', 'dead'])

const contentSchema = z.strictObject({
  /** Where the volumes are in the container, in the order of their archives. */
  volumes: z.array(z.string().max(PATH_LENGTH)).max(VOLUMES_MAX),
  /** The users that the container's are on the host, as the engine names its directory. */
  users: z.string().max(64),
})

/** The mover. */
export function createContainerMover(parts: MoverParts): Mover {
  const { files } = parts
  // The hosts that ask twice must not get an archive that is being made.
  const inTurn = createQueues<InstanceId>()
  return {
    home: (instance) => files.path(instance),
    pack: (instance, bootCount, signal) =>
      inTurn(instance, () => pack(parts, instance, bootCount, signal)),
    async unpackOthers(instances) {
      for (const instance of await files.list()) {
        if (instances.has(instance)) continue
        const home = files.path(instance)
        for (const name of await readdir(home).catch(() => []))
          if (name.startsWith(PACKED)) await removeTree(home, name)
      }
    },
    async install(instance, directory) {
      const content = await readRecord(below(directory, CONTENT), contentSchema)
      const arrived = files.arrived(instance)
      if (content === null && (await files.hasArrived(instance))) return
      if (content === null)
        throw refused('UnsupportedOperation', `what ${instance} has written was not sent`)
      const users = await usersOf(parts)
      if (content.users !== users)
        throw refused(
          'UnsupportedOperation',
          `the engines give containers different users (${content.users} there, ${users} here)`,
        )
      await removeTree(files.path(instance), basename(arrived))
      await rename(directory, arrived)
      await syncPath(files.path(instance))
    },
  }
}

/** Puts what has arrived into a container that was never started. */
export async function unpackArrived(
  { files, run }: Pick<MoverParts, 'files' | 'run'>,
  instance: InstanceId,
  { directories }: Seen,
  signal: AbortSignal,
): Promise<void> {
  const arrived = files.arrived(instance)
  const content = await readRecord(below(arrived, CONTENT), contentSchema)
  if (content === null) throw unavailable(`the copy of ${instance} cannot be read`)
  const upper = layerOf(instance, directories)
  const volumes = volumesOf(directories)
  for (const [index, destination] of content.volumes.entries()) {
    const volume = volumes.find((one) => one.destination === destination)
    if (volume === undefined)
      throw refused('UnsupportedOperation', `the image has no volume ${destination} any more`)
    await untar(run, below(arrived, volumeName(index)), volume.source, signal)
  }
  await untar(run, below(arrived, LAYER), upper, signal)
}

/** Forgets the copy, because the container has it. */
export async function forgetArrived(files: InstanceFiles, instance: InstanceId): Promise<void> {
  await removeTree(files.path(instance), basename(files.arrived(instance)))
}

async function usersOf({ engine }: Pick<MoverParts, 'engine'>): Promise<string> {
  const { hasUserNamespace, rootDirectory } = await engine.read()
  return hasUserNamespace ? basename(rootDirectory) : 'host'
}

async function pack(
  parts: MoverParts,
  instance: InstanceId,
  bootCount: number,
  signal: AbortSignal,
): Promise<readonly PackedFile[]> {
  const { docker, files } = parts
  const home = files.path(instance)
  // It has moved here, and has not been started since.
  if (await files.hasArrived(instance)) return await filesIn(files.arrived(instance))
  const packed = below(home, `${PACKED}${bootCount}`)
  const id = await findOne(docker, instance)
  const seen = id === null ? null : await inspect(docker, id, signal)
  if (seen === null)
    throw refused('IncorrectInstanceState', `${instance} has no container: it was removed`)
  if (!AT_REST.has(seen.state.Status)) throw unavailable(`${instance} is ${seen.state.Status}`)
  const booted = bootOf(await files.readBoot(instance), seen.state.StartedAt)
  if (booted !== null && booted > bootCount) throw unavailable(`${instance} was started again`)
  if (!(await exists(packed))) await makePacked(parts, instance, seen, packed, signal)
  return await filesIn(packed)
}

async function makePacked(
  parts: MoverParts,
  instance: InstanceId,
  { directories }: Seen,
  packed: string,
  signal: AbortSignal,
): Promise<void> {
  const { run } = parts
  const upper = layerOf(instance, directories)
  const volumes = volumesOf(directories)
  if (volumes.length > VOLUMES_MAX)
    throw refused('UnsupportedOperation', `${instance} has more than ${VOLUMES_MAX} volumes`)
  const home = parts.files.path(instance)
  const making = `${packed}.new`
  await removeTree(home, basename(making))
  await mkdir(making, { mode: 0o700 })
  const sources = [upper, ...volumes.map(({ source }) => source)]
  await needSpace(home, await bytesOf(run, sources, signal))
  await tar(run, upper, below(making, LAYER), signal)
  for (const [index, { source }] of volumes.entries())
    await tar(run, source, below(making, volumeName(index)), signal)
  const content = {
    volumes: volumes.map(({ destination }) => destination),
    users: await usersOf(parts),
  }
  await writeRecord(below(making, CONTENT), content)
  await rename(making, packed)
}

/** Errors: `refused` where the engine does not say where a container's files are. */
function layerOf(instance: InstanceId, { upper }: Directories): string {
  if (upper !== null) return upper
  throw refused(
    'UnsupportedOperation',
    `the engine's storage driver does not say where the files of ${instance} are; only overlay2 does`,
  )
}

function volumeName(index: number): string {
  return `volume-${index}.tar`
}

/** The record of the content is the last, so that what lacks it is not whole. */
async function filesIn(directory: string): Promise<readonly PackedFile[]> {
  const names = (await readdir(directory)).filter((name) => name.endsWith('.tar')).sort()
  return [...names, CONTENT].map((name) => ({ name, path: below(directory, name) }))
}

async function bytesOf(
  run: Runner,
  places: readonly string[],
  signal: AbortSignal,
): Promise<number> {
  const { stdout } = await run('du', ['-sxcB1', '--', ...places], { timeoutMs: TAR_MS, signal })
  return Number(/^(\d+)\ttotal$/m.exec(stdout)?.[1] ?? 0)
}

async function tar(run: Runner, from: string, to: string, signal: AbortSignal): Promise<void> {
  const args = ['--create', ...WHOLE, '--one-file-system', '-C', from, '-f', to, '.']
  await runTar(run, args, from, signal)
}

async function untar(run: Runner, from: string, to: string, signal: AbortSignal): Promise<void> {
  if (!(await stat(to)).isDirectory()) throw unavailable(`${to} is no directory`)
  const args = [
    '--extract',
    ...WHOLE,
    '--preserve-permissions',
    '--same-owner',
    '-C',
    to,
    '-f',
    from,
  ]
  await runTar(run, args, from, signal)
}

async function runTar(
  run: Runner,
  args: readonly string[],
  what: string,
  signal: AbortSignal,
): Promise<void> {
  const ran = await run('tar', args, { timeoutMs: TAR_MS, signal })
  if (ran.exitCode !== 0) throw unavailable(`tar could not copy ${what}: ${failureOf(ran)}`)
}
