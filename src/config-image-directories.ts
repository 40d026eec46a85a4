/**
 * Which directories may contain published images. A client with a key can have every file in them
 * given to a guest. So a published directory must contain only published images: it may not
 * contain, be inside, or link to a directory with private files.
 */
import { readlinkSync, realpathSync } from 'node:fs'
import { basename, dirname, join, normalize, resolve } from 'node:path'
import type { z } from 'zod'
import { PUBLISHED_IMAGES_DIRECTORY } from './model/names.ts'

/**
 * Not these directories nor anything in them: secrets, other users' files, devices, and files of
 * programs.
 */
const CLOSED: readonly string[] = [
  ...[
    '/root',
    '/home',
    '/tmp',
    '/var/tmp',
    '/etc',
    '/proc',
    '/sys',
    '/run',
    '/var/run',
    '/dev',
    '/boot',
    '/usr',
  ],
  ...['/bin', '/sbin', '/lib', '/lib32', '/lib64', '/libx32', '/lost+found', '/snap'],
  ...[
    '/var/backups',
    '/var/cache',
    '/var/lock',
    '/var/log',
    '/var/mail',
    '/var/spool',
    '/var/lib/atoll-lab',
  ],
  ...[
    '/var/lib/containerd',
    '/var/lib/docker',
    '/var/lib/libvirt',
    '/var/lib/lxd',
    '/var/lib/incus',
  ],
  ...[
    '/var/lib/mysql',
    '/var/lib/postgresql',
    '/var/lib/private',
    '/var/lib/rabbitmq',
    '/var/lib/systemd',
  ],
]
/** Directories inside these are allowed. They themselves contain files of others. */
const SHARED: readonly string[] = [
  '/',
  '/mnt',
  '/media',
  '/opt',
  '/srv',
  '/var',
  '/var/lib',
  '/var/local',
  '/var/opt',
]

/** Limit of links that lead to missing files, as in the kernel (path_resolution(7)). */
const LINKS_MAX = 40

/** Other paths in the configuration. */
interface OwnPaths {
  readonly stateDir: string
  readonly runtimeDir: string
  /** All other files and directories in settings, above all secrets and keys. */
  readonly others: readonly string[]
}

/**
 * The published directory below a state directory: the only place there that is not only the
 * daemon's.
 */
export function publishedDirectory(stateDir: string): string {
  return join(stateDir, PUBLISHED_IMAGES_DIRECTORY)
}

/** Adds a problem for every published directory of the configuration that is not allowed. */
export function refusePrivateDirectories(
  config: {
    readonly stateDir: string
    readonly runtimeDir: string
    readonly images: { readonly directories: readonly string[] }
  },
  context: z.RefinementCtx,
): void {
  const { stateDir, runtimeDir, images, ...rest } = config
  const { directories, ...more } = images
  const own = { stateDir, runtimeDir, others: pathsIn([rest, more]) }
  for (const [index, dir] of directories.entries()) {
    const message = imageDirectoryProblem(dir, own)
    if (message !== null)
      context.addIssue({
        code: 'custom',
        path: ['images', 'directories', index],
        message: `${dir} ${message}`,
      })
  }
}

/** All absolute paths in the values of settings. */
function pathsIn(value: unknown): readonly string[] {
  if (typeof value === 'string') return value.startsWith('/') && value !== '/' ? [value] : []
  return typeof value === 'object' && value !== null ? Object.values(value).flatMap(pathsIn) : []
}

/** Why images may not be published in `dir`. Null when they may. Symbolic links are followed. */
function imageDirectoryProblem(dir: string, own: OwnPaths): string | null {
  const named = clean(dir)
  if (named !== dir.replace(/(?<=.)\/$/, ''))
    return `must be written without . and .. and //: ${named}`
  const published = publishedDirectory(clean(own.stateDir))
  const real = realOf(named)
  if (isIn(named, published) && isIn(real, publishedDirectory(realOf(clean(own.stateDir)))))
    return problemOfOthers(real, own)
  for (const one of new Set([named, real])) {
    const problem = problemOf(one, own)
    if (problem !== null) return one === named ? problem : `leads to ${one}, which ${problem}`
  }
  return problemOfOthers(real, own)
}

function problemOf(dir: string, { stateDir, runtimeDir }: OwnPaths): string | null {
  const advice =
    'name a directory for published images and nothing else, such as /var/lib/atoll/images'
  if (SHARED.includes(dir)) return `contains more than images: ${advice}`
  const own = [stateDir, runtimeDir].flatMap((one) => [clean(one), realOf(clean(one))])
  const closed = [...CLOSED, ...own].find((one) => isIn(dir, one) || isIn(one, dir))
  if (closed === undefined) return null
  return `${isIn(dir, closed) ? 'is inside' : 'contains'} ${closed}, which is not for clients: ${advice}`
}

function problemOfOthers(dir: string, { others }: OwnPaths): string | null {
  const other = others.find((path) =>
    [clean(path), realOf(clean(path))].some((one) => isIn(one, dir) || isIn(dir, one)),
  )
  return other === undefined
    ? null
    : `contains, or is inside, ${other}, which another setting names: move that elsewhere`
}

/** Whether `path` is `dir` or in it. */
function isIn(path: string, dir: string): boolean {
  return path === dir || path.startsWith(dir === '/' ? '/' : `${dir}/`)
}

function clean(path: string): string {
  return normalize(path).replace(/(?<=.)\/+$/, '')
}

/** The target of the path. For a missing file, the place where it would be created. */
function realOf(path: string, links = 0): string {
  try {
    return realpathSync(path)
  } catch {
    if (path === '/' || links > LINKS_MAX) return path
    const target = linkOf(path)
    if (target !== null) return realOf(resolve(dirname(path), target), links + 1)
    return join(realOf(dirname(path), links), basename(path))
  }
}

function linkOf(path: string): string | null {
  try {
    return readlinkSync(path)
  } catch {
    return null
  }
}
