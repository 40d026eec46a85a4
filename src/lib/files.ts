/** Small files of ours: whether they are there, replaced in one step, records in them, and having all of it on the disk. */
import { open, readFile, rename, stat, writeFile } from 'node:fs/promises'
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

/** Writes the record in the place of what is there, as `replaceFile`. */
export function writeRecord(path: string, record: unknown): Promise<void> {
  return replaceFile(path, JSON.stringify(record))
}

/** Puts a file in the place of what is there: whoever is killed on the way leaves the old one or the new one. */
export async function replaceFile(
  path: string,
  content: string | Buffer,
  mode?: number,
): Promise<void> {
  await writeFile(`${path}.new`, content, { mode })
  await rename(`${path}.new`, path)
}

/** Resolves when a file's content, or a directory's entries, are on the disk (fsync(2)). */
export async function syncPath(path: string): Promise<void> {
  await using opened = await open(path, 'r')
  await opened.sync()
}
