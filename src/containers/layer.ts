/**
 * The contents of a container's volumes as a further layer of an image.
 *
 * The engine's commit leaves volumes out
 * (https://docs.docker.com/reference/cli/docker/container/commit/). So GNU tar packs their files
 * with all attributes (owners as the container sees them, extended attributes, hard links, holes)
 * in the format of a layer (https://github.com/opencontainers/image-spec/blob/main/layer.md), and
 * the engine loads an image with this layer on top of the committed ones. That image has no volumes
 * any more: their data is on its root disk, and on that of every instance that is launched from it.
 */
import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { lstat, mkdir, stat, writeFile } from 'node:fs/promises'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import type Dockerode from 'dockerode'
import { z } from 'zod'
import { needSpace } from '../host/files/space.ts'
import { below } from '../lib/paths.ts'
import { failureOf, type Runner } from '../lib/runner.ts'
import { bug, unavailable } from '../model/errors.ts'
import { type Directories, type Mount, volumesOf } from './directories.ts'
import { finished } from './progress.ts'
import { tarEnd, tarFile } from './tar.ts'

interface LayerTools {
  readonly run: Runner
  readonly signal: AbortSignal
}

/** The first user and group numbers of a container on the host. Null: they are the host's. */
export type IdBase = { readonly user: number; readonly group: number } | null

/** As many as useradd(8) allocates (SUB_UID_COUNT), and the container may use. */
const IDS = 65_536
const TAR_TIMEOUT_MS = 24 * 60 * 60 * 1000
/** A program that neither reads nor writes for this long hangs, and would occupy its place. */
const TAR_IDLE_MS = 300_000
/** Without a result, the space is not checked further. */
const DU_TIMEOUT_MS = 600_000
const MESSAGE_LENGTH = 300
/** tar(1): some files changed while they were read. */
const SOME_DIFFER = 1
/** In a layer: hides what the layers below have in this directory. */
const OPAQUE = '.wh..wh..opq'
const LAYER = 'layer.tar'

/** Packs the files of the volumes into `<dir>/layer.tar`. Errors: `unavailable`. */
export async function packVolumes(
  container: Dockerode.Container,
  directories: Directories,
  base: IdBase,
  dir: string,
  tools: LayerTools,
): Promise<void> {
  const volumes = await Promise.all(
    volumesOf(directories).map(async (one) => ({
      ...one,
      destination: await resolvedIn(container, one.destination),
    })),
  )
  // A volume that lies in another one comes after it.
  const ordered = volumes.toSorted((a, b) => a.destination.length - b.destination.length)
  await needSpace(dir, await usedBytes(ordered, tools))
  await mkdir(below(dir, 'opaque'))
  await writeFile(below(dir, 'opaque', OPAQUE), '')
  const maps = await writeMaps(base, dir)
  const pack = (source: string, prefix: string, names: readonly string[], more: string[] = []) =>
    append(below(dir, LAYER), source, prefix, [...maps, ...more], names, tools)
  for (const { source, name } of await parentsOf(ordered, directories))
    await pack(source, '.', [`./${name}`], ['--no-recursion'])
  for (const { source, destination } of ordered) {
    await pack(source, destination.slice(1), ['.'], insideOf(destination, ordered))
    await pack(below(dir, 'opaque'), destination.slice(1), [`./${OPAQUE}`], OWNED_BY_ROOT)
  }
}

/** Other volumes are mounted in this one, and the engine accepts each path of a layer only once. */
function insideOf(destination: string, volumes: readonly Mount[]): string[] {
  const inner = volumes.filter((one) => one.destination.startsWith(`${destination}/`))
  const names = inner.map((one) => `--exclude=.${one.destination.slice(destination.length)}`)
  return ['--anchored', '--no-wildcards', ...names]
}

const OWNED_BY_ROOT = ['--owner=:0', '--group=:0']

/** Adds files to an archive, under another directory. */
async function append(
  archive: string,
  source: string,
  prefix: string,
  options: readonly string[],
  names: readonly string[],
  { run, signal }: LayerTools,
): Promise<void> {
  // Names and targets of hard links are moved; targets of symbolic links are not.
  const moved = `--transform=s|^\\.|${prefix.replaceAll(/[\\&|]/g, '\\$&')}|rhS`
  const kept = ['--xattrs', '--xattrs-include=*', '--xattrs-exclude=trusted.*', '--sparse']
  const args = ['--append', '--format=posix', '--numeric-owner', ...kept, moved, ...options]
  const where = [`--file=${archive}`, `--directory=${source}`, '--', ...names]
  const limits = { timeoutMs: TAR_TIMEOUT_MS, idleMs: TAR_IDLE_MS, signal }
  const ran = await run('tar', [...args, ...where], limits)
  signal.throwIfAborted()
  if (ran.exitCode === 0 || ran.exitCode === SOME_DIFFER) return
  const why = failureOf(ran).slice(-MESSAGE_LENGTH)
  throw unavailable(`the volume at /${prefix} was not copied: tar: ${why}`)
}

async function usedBytes(volumes: readonly Mount[], { run, signal }: LayerTools): Promise<number> {
  const sources = volumes.map(({ source }) => source)
  const limits = { timeoutMs: DU_TIMEOUT_MS, signal }
  const { stdout } = await run('du', ['-sxc', '-B1', '--', ...sources], limits)
  return Number.parseInt(stdout.trim().split('\n').at(-1) ?? '', 10) || 0
}

/**
 * The container's user and group numbers for tar: one line for each number of the host (tar(1),
 * --owner-map).
 */
async function writeMaps(base: IdBase, dir: string): Promise<readonly string[]> {
  if (base === null) return []
  const lines = (first: number) =>
    Array.from({ length: IDS }, (_, id) => `+${first + id} :${id}\n`).join('')
  const [owners, groups] = [below(dir, 'owners'), below(dir, 'groups')]
  await writeFile(owners, lines(base.user))
  await writeFile(groups, lines(base.group))
  return [`--owner-map=${owners}`, `--group-map=${groups}`]
}

/**
 * The directories above the volumes, each from the layer that has it. If a layer lacked them, the
 * engine would choose their permissions.
 */
async function parentsOf(volumes: readonly Mount[], { upper, lower }: Directories) {
  const isInside = (path: string) =>
    volumes.some(({ destination }) => `${path}/`.startsWith(`${destination}/`))
  const paths = volumes.flatMap(({ destination }) => {
    const parts = destination.slice(1).split('/').slice(0, -1)
    return parts.map((_, index) => parts.slice(0, index + 1).join('/'))
  })
  const found: { readonly source: string; readonly name: string }[] = []
  for (const name of [...new Set(paths)].filter((path) => !isInside(`/${path}`))) {
    for (const source of upper === null ? lower : [upper, ...lower]) {
      const there = await lstat(below(source, ...name.split('/'))).catch(() => null)
      if (there?.isDirectory() !== true) continue
      found.push({ source, name })
      break
    }
  }
  return found
}

/**
 * The engine's description of a path in a container (Docker Engine API, "ContainerArchiveInfo").
 */
const pathSchema = z.object({ linkTarget: z.string().max(4096) })
const PATH_HEADER = 'x-docker-container-path-stat'

/** A path in a container without symbolic links, because a volume is mounted at their target. */
async function resolvedIn(container: Dockerode.Container, path: string): Promise<string> {
  let at = ''
  for (const part of path.split('/').filter((one) => !['', '.'].includes(one))) {
    const answer: unknown = await container.infoArchive({ path: `${at}/${part}` })
    const headers = z.object({ headers: z.record(z.string(), z.unknown()) }).parse(answer).headers
    const said = Buffer.from(String(headers[PATH_HEADER]), 'base64').toString('utf8')
    const { linkTarget } = pathSchema.parse(JSON.parse(said))
    at = linkTarget === '' ? `${at}/${part}` : linkTarget.replace(/\/+$/, '')
  }
  if (at === '') throw bug('a volume in the place of the root directory', { path })
  return at
}

/**
 * Loads an image under this tag, with `<dir>/layer.tar` on top of another image's layers. Errors:
 * `unavailable`.
 */
export async function loadOnTop(
  docker: Dockerode,
  under: Dockerode.ImageInspectInfo,
  {
    dir,
    tag,
    signal,
  }: { readonly dir: string; readonly tag: string; readonly signal: AbortSignal },
): Promise<void> {
  const layer = below(dir, LAYER)
  const hash = createHash('sha256')
  await pipeline(createReadStream(layer), hash, { signal })
  const layers = under.RootFS.Layers ?? []
  const config = JSON.stringify({
    architecture: under.Architecture,
    os: under.Os,
    created: under.Created,
    config: { ...under.Config, Volumes: null },
    rootfs: { type: 'layers', diff_ids: [...layers, `sha256:${hash.digest('hex')}`] },
  })
  // The engine has the layers below, and does not need their files.
  const names = [...layers.map((_, index) => `had/${index}/${LAYER}`), LAYER]
  const manifest = JSON.stringify([{ Config: 'config.json', RepoTags: [tag], Layers: names }])
  const { size } = await stat(layer)
  async function* archive() {
    yield tarFile('manifest.json', Buffer.from(manifest))
    yield tarFile('config.json', Buffer.from(config))
    const { head, tail } = tarEnd(LAYER, size)
    yield head
    yield* createReadStream(layer)
    yield tail
  }
  const stream = await docker.loadImage(Readable.from(archive()), { abortSignal: signal })
  await finished(stream, () => undefined, signal)
}
