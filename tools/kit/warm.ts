/** Containers that a test cloud keeps waiting for launches. */
import { appendFile } from 'node:fs/promises'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import type { Cloud } from './cloud.ts'
import { eventually } from './netns.ts'

const DEADLINE_MS = 60_000

/** What is to be kept waiting. The content of the image must be known: launch one before. */
export interface Kept {
  readonly image: string
  readonly type: string
  readonly count: number
}

/** Adds the setting to the cloud, whose daemon does not run. */
export async function keepWaiting(
  { configFile }: Pick<Cloud, 'configFile'>,
  { image, type, count }: Kept,
): Promise<void> {
  await appendFile(
    configFile,
    `warmInstances: [{image: ${image}, type: ${type}, count: ${count}}]\n`,
  )
}

/** The ids that the cloud's records offer. */
export function offersOf({ dir }: Pick<Cloud, 'dir'>): readonly string[] {
  using db = new DatabaseSync(join(dir, 'state/records/atoll.db'), { readOnly: true })
  return db
    .prepare('select id from warmInstances order by id')
    .all()
    .map(({ id }) => String(id))
}

/** Waits until so many are offered. */
export async function allOffered(cloud: Pick<Cloud, 'dir'>, count: number): Promise<void> {
  const isSo = async () => offersOf(cloud).length === count
  await eventually(`${count} containers wait`, isSo, DEADLINE_MS)
}
