/**
 * The boot record: for which boot a container was last started, which the container itself cannot
 * store.
 *
 * `<stateDir>/instances/<id>/boot.json` is written *before* each start. It has the StartedAt of the
 * start before. So after a crash the next daemon can tell from the container's StartedAt whether
 * the recorded start took place.
 */
import { mkdir, readdir } from 'node:fs/promises'
import { z } from 'zod'
import { exists, readRecord, writeRecord } from '../lib/files.ts'
import { below, removeTree } from '../lib/paths.ts'
import type { InstanceId } from '../model/ids.ts'
import { MOST_BOOTS } from '../model/lifecycle.ts'
import { CONTAINERS_DIRECTORY, instanceFromMark } from '../model/names.ts'

const recordSchema = z.strictObject({
  bootCount: z.int().positive().max(MOST_BOOTS),
  startedBefore: z.string().max(64),
  // Absent in nearly all, because an older daemon reads no record that has it.
  reservation: z.string().max(64).optional(),
})

/** A start that was about to happen. */
export interface BootRecord {
  readonly bootCount: number
  /** The container's StartedAt before it. */
  readonly startedBefore: string
  /** The launch that has taken it. Absent: it was made for its instance. */
  readonly reservation?: string | undefined
}

/**
 * The directories of instances below the state directory. They contain only small files of ours.
 */
export interface InstanceFiles {
  /** Absolute path of an instance's directory. */
  path(instance: InstanceId): string
  /** Where what a container has written on another host waits for its first start here. */
  arrived(instance: InstanceId): string
  /** Whether it waits there. */
  hasArrived(instance: InstanceId): Promise<boolean>
  /** Instances that have a directory. */
  list(): Promise<readonly InstanceId[]>
  /** Null when no record is readable. Then the running instance is accepted as it is. */
  readBoot(instance: InstanceId): Promise<BootRecord | null>
  /** Replaces the record atomically. Creates the directory if it is missing. */
  writeBoot(instance: InstanceId, record: BootRecord): Promise<void>
  /** Removes the directory. Does nothing if there is none. */
  remove(instance: InstanceId): Promise<void>
}

/**
 * Instance directories in `<stateDir>/instances`, which only root may enter, because they contain
 * user data.
 */
export function createInstanceFiles(stateDir: string): InstanceFiles {
  const root = below(stateDir, CONTAINERS_DIRECTORY)
  const path = (instance: InstanceId) => below(root, instance)
  const bootFile = (instance: InstanceId) => below(path(instance), 'boot.json')
  const arrived = (instance: InstanceId) => below(path(instance), 'arrived')
  return {
    path,
    arrived,
    hasArrived: (instance) => exists(arrived(instance)),
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
 * The boot of a container's last start: the record's own if StartedAt has changed, otherwise the
 * one before.
 */
export function bootOf(record: BootRecord | null, startedAt: string): number | null {
  if (record === null) return null
  return record.startedBefore === startedAt ? record.bootCount - 1 : record.bootCount
}
