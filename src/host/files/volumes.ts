/**
 * Disks that have outlived their instance, `<stateDir>/volumes/<volume id>`: the disk, and what it
 * lies on.
 *
 * A directory without a record is kept: what is in it is somebody's, and nothing else has it.
 */
import { readdir } from 'node:fs/promises'
import { below, removeTree } from '../../lib/paths.ts'
import type { VolumeId } from '../../model/ids.ts'
import { VOLUMES_DIRECTORY, volumeFromMark } from '../../model/names.ts'

/** The directory of a volume. */
export function volumeHome(stateDir: string, volume: VolumeId): string {
  return below(stateDir, VOLUMES_DIRECTORY, volume)
}

/** The directories of all volumes that are kept below `stateDir`. */
export async function volumeHomes(stateDir: string): Promise<ReadonlyMap<VolumeId, string>> {
  const names = await readdir(below(stateDir, VOLUMES_DIRECTORY)).catch(() => [])
  const volumes = names.flatMap((name) => volumeFromMark(name) ?? [])
  return new Map(volumes.map((volume) => [volume, volumeHome(stateDir, volume)]))
}

/** Removes a volume's directory, if it is there. */
export async function removeVolumeHome(stateDir: string, volume: VolumeId): Promise<void> {
  await removeTree(stateDir, VOLUMES_DIRECTORY, volume)
}
