/** Small files of ours: whether they are there, and records in them that are replaced in one step. */
import { readFile, rename, stat, writeFile } from 'node:fs/promises'
import type { z } from 'zod'

/** Whether something can be seen at this path. */
export function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  )
}

/** The record in a JSON file, or null when there is none (no file, a torn or foreign one). */
export async function readRecord<T>(path: string, schema: z.ZodType<T>): Promise<T | null> {
  try {
    return schema.parse(JSON.parse(await readFile(path, 'utf8')))
  } catch {
    return null
  }
}

/** Writes the record in the place of what is there: whoever is killed on the way leaves the old one or the new one. */
export async function writeRecord(path: string, record: unknown): Promise<void> {
  await writeFile(`${path}.new`, JSON.stringify(record))
  await rename(`${path}.new`, path)
}
