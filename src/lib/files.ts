/**
 * Small files of ours: whether they are there, replaced in one step, records in them, and having
 * all of it on the disk.
 */
import { randomBytes } from 'node:crypto'
import { link, open, readFile, rename, rm, stat, unlink } from 'node:fs/promises'
import type { z } from 'zod'
import { createQueues } from './queue.ts'

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

/** By path: two replacements of one file at once would take the same file aside. */
const inTurn = createQueues<string>()

/**
 * Puts a file in the place of what is there: whoever looks, after whatever crash, sees all of the
 * old one or all of the new one. Which of them a power cut leaves is sure only when the directory
 * is synced, too (fsync(2), notes). Of several the last one stays.
 */
export function replaceFile(path: string, content: string | Buffer, mode?: number): Promise<void> {
  const aside = `${path}.new`
  return inTurn(path, async () => {
    // What a crash left here may have any mode; a new file has ours.
    await rm(aside, { force: true })
    try {
      await writeSynced(aside, content, mode)
      await rename(aside, path)
    } catch (error) {
      await rm(aside, { force: true })
      throw error
    }
  })
}

/**
 * Creates a file with all of its content where there is none; `replaces` first removes one that
 * cannot be used. Of several programs at once the first succeeds, and its file is everybody's: read
 * it afterwards.
 */
export async function createFile(
  path: string,
  content: string | Buffer,
  { mode, replaces }: { readonly mode: number; readonly replaces: boolean },
): Promise<void> {
  const aside = `${path}.${randomBytes(6).toString('hex')}`
  await writeSynced(aside, content, mode)
  try {
    if (replaces) await rm(path, { force: true })
    // link(2) refuses an existing name.
    await link(aside, path).catch(() => undefined)
  } finally {
    await unlink(aside)
  }
}

/** Makes a file that is not there yet. */
async function writeSynced(path: string, content: string | Buffer, mode?: number): Promise<void> {
  await using opened = await open(path, 'wx', mode)
  await opened.writeFile(content)
  await opened.sync()
}

/** Resolves when a file's content, or a directory's entries, are on the disk (fsync(2)). */
export async function syncPath(path: string): Promise<void> {
  await using opened = await open(path, 'r')
  await opened.sync()
}
