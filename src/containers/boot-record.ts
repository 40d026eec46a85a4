/**
 * The one thing about an instance that its container cannot remember: for which boot it was last
 * started.
 *
 * `<stateDir>/instances/<id>/boot.json` is written *before* each start of a container. It names the
 * start before it, so after a crash the next daemon can tell by the container's StartedAt whether
 * the announced start took place.
 */
import { mkdir, readdir } from 'node:fs/promises'
import { z } from 'zod'
import { readRecord, writeRecord } from '../lib/files.ts'
import { below, removeTree } from '../lib/paths.ts'
import type { InstanceId } from '../model/ids.ts'
import { CONTAINERS_DIRECTORY, instanceFromMark } from '../model/names.ts'

const recordSchema = z.strictObject({
  bootCount: z.int().positive(),
  startedBefore: z.string().max(64),
})

/** A start that was about to happen. */
export interface BootRecord {
  readonly bootCount: number
  /** The container's StartedAt as it was before. */
  readonly startedBefore: string
}

/**
 * The directories of instances under the state directory. They hold nothing but small files of
 * ours.
 */
export interface InstanceFiles {
  /** Absolute path of an instance's directory. */
  path(instance: InstanceId): string
  /** Instances that have one. */
  list(): Promise<readonly InstanceId[]>
  /** Null when there is none that can be read: the instance is then adopted as it is. */
  readBoot(instance: InstanceId): Promise<BootRecord | null>
  /** Replaces the record atomically; makes the directory when it is missing. */
  writeBoot(instance: InstanceId, record: BootRecord): Promise<void>
  /** Removes the directory; does nothing when there is none. */
  remove(instance: InstanceId): Promise<void>
}

/**
 * Instance directories under `<stateDir>/instances`, which only root may enter: they hold user
 * data.
 */
export function createInstanceFiles(stateDir: string): InstanceFiles {
  const root = below(stateDir, CONTAINERS_DIRECTORY)
  const path = (instance: InstanceId) => below(root, instance)
  const bootFile = (instance: InstanceId) => below(path(instance), 'boot.json')
  return {
    path,
    async list() {
      const names = await readdir(root).catch(() => [])
      return names.flatMap((name) => instanceFromMark(name) ?? [])
    },
    readBoot: (instance) => readRecord(bootFile(instance), recordSchema),
    async writeBoot(instance, record) {
      await mkdir(path(instance), { recursive: true, mode: 0o700 })
      await writeRecord(bootFile(instance), record)
    },
    remove: (instance) => removeTree(root, instance),
  }
}

/**
 * The boot that a container's last start was for: the record's own once StartedAt has moved on,
 * else the one before.
 */
export function bootOf(record: BootRecord | null, startedAt: string): number | null {
  if (record === null) return null
  return record.startedBefore === startedAt ? record.bootCount - 1 : record.bootCount
}
