/** The configuration of a Docker Engine, from `docker info`. Pure. */
import { z } from 'zod'

/**
 * The fields of `docker info` that are read
 * (https://docs.docker.com/reference/api/engine/version/v1.41/, SystemInfo).
 */
const infoSchema = z.object({
  DockerRootDir: z.string().max(4096),
  Driver: z.string().max(64).default(''),
  DriverStatus: z
    .array(z.array(z.string().max(4096)))
    .max(64)
    .nullish(),
  LiveRestoreEnabled: z.boolean().default(false),
  SecurityOptions: z.array(z.string().max(256)).max(64).nullish(),
})

/** What we need of `docker info`. It may change whenever the engine starts. */
export interface DockerInfo {
  /** The engine's data directory. */
  readonly rootDirectory: string
  /**
   * Whether the root of a container is an ordinary user of the host (`userns-remap`,
   * https://docs.docker.com/engine/security/userns-remap/).
   */
  readonly hasUserNamespace: boolean
  /** Whether containers keep running while the engine is down (`live-restore`). */
  readonly hasLiveRestore: boolean
  /**
   * Whether the file system can limit the size of each container (`--storage-opt size`: overlay2 on
   * XFS with project quotas).
   */
  readonly hasQuota: boolean
}

/**
 * Parses `docker info`; `mounts` is /proc/self/mounts. Errors: those of the schema.
 */
export function parseDockerInfo(info: unknown, mounts: string): DockerInfo {
  const { DockerRootDir, Driver, DriverStatus, SecurityOptions, LiveRestoreEnabled } =
    infoSchema.parse(info)
  const isXfs = (DriverStatus ?? []).some(([name, value]) => name === BACKING && value === 'xfs')
  return {
    rootDirectory: DockerRootDir,
    hasLiveRestore: LiveRestoreEnabled,
    hasUserNamespace: isRemapped(SecurityOptions ?? []),
    hasQuota: Driver === 'overlay2' && isXfs && hasProjectQuota(mounts, DockerRootDir),
  }
}

/** A key of `DriverStatus`. */
const BACKING = 'Backing Filesystem'

/**
 * Whether the file system of a path has project quotas (xfs(5), `prjquota`), according to
 * /proc/self/mounts.
 */
function hasProjectQuota(mounts: string, path: string): boolean {
  const holders = mounts
    .split('\n')
    .map((line) => line.split(' '))
    .filter(([, at = '']) => `${path}/`.startsWith(at === '/' ? at : `${at}/`))
  // The mount with the longest path. Of several, the last one hides the others.
  const holder = holders.toSorted(([, a = ''], [, b = '']) => a.length - b.length).at(-1)
  return (holder?.[3] ?? '').split(',').some((option) => ['prjquota', 'pquota'].includes(option))
}

/** Each option is `name=…`, and may have further fields after a comma. */
function isRemapped(options: readonly string[]): boolean {
  return options.some((option) => option.split(',').includes('name=userns'))
}
