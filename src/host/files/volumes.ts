/**
 * Volumes that were kept when their instance was terminated. `<stateDir>/volumes/<volume id>` has
 * the disk and the images below it.
 *
 * A directory without a record is kept: it may be the only copy of somebody's data.
 */
import { readdir } from 'node:fs/promises'
import { below, removeTree } from '../../lib/paths.ts'
import type { VolumeId } from '../../model/ids.ts'
import { VOLUMES_DIRECTORY, volumeFromMark } from '../../model/names.ts'

/** The directory of a volume. */
export function volumeHome(stateDir: string, volume: VolumeId): string {
  return below(stateDir, VOLUMES_DIRECTORY, volume)
}

/** The directories of all volumes below `stateDir`. */
export async function volumeHomes(stateDir: string): Promise<ReadonlyMap<VolumeId, string>> {
  const names = await readdir(below(stateDir, VOLUMES_DIRECTORY)).catch(() => [])
  const volumes = names.flatMap((name) => volumeFromMark(name) ?? [])
  return new Map(volumes.map((volume) => [volume, volumeHome(stateDir, volume)]))
}

/** Removes a volume's directory, if it is there. */
export async function removeVolumeHome(stateDir: string, volume: VolumeId): Promise<void> {
  await removeTree(stateDir, VOLUMES_DIRECTORY, volume)
}
