/** Small files: existence, atomic replacement, JSON records, and syncing to disk. */
import { randomBytes } from 'node:crypto'
import { link, open, readFile, rename, rm, stat, unlink, writeFile } from 'node:fs/promises'
import type { z } from 'zod'
import { createQueues } from './queue.ts'

/** Whether the path exists. */
export function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  )
}

/** The record in a JSON file. Null when the file is missing, incomplete or foreign. */
export async function readRecord<T>(path: string, schema: z.ZodType<T>): Promise<T | null> {
  try {
    return schema.parse(JSON.parse(await readFile(path, 'utf8')))
  } catch {
    return null
  }
}

/** Writes a record to a JSON file, like `replaceFile`. */
export function writeRecord(path: string, record: unknown): Promise<void> {
  return replaceFile(path, JSON.stringify(record))
}

/** By path: two replacements of one file would use the same temporary file. */
const inTurn = createQueues<string>()

/**
 * Replaces a file. After any crash a reader sees the whole old file or the whole new one. Which of
 * them a power failure leaves is certain only when the directory is synced as well (fsync(2),
 * notes). Of several calls the last one counts.
 */
export function replaceFile(path: string, content: string | Buffer, mode?: number): Promise<void> {
  return replace(path, (aside) => writeSynced(aside, content, mode))
}

/**
 * As `replaceFile`, without waiting for the disk: a power failure may leave an empty file. For what
 * is written again before anybody reads it then.
 */
export function replaceUnsynced(
  path: string,
  content: string | Buffer,
  mode: number,
): Promise<void> {
  return replace(path, (aside) => writeFile(aside, content, { flag: 'wx', mode }))
}

function replace(path: string, write: (aside: string) => Promise<void>): Promise<void> {
  const aside = `${path}.new`
  return inTurn(path, async () => {
    // A file that a crash left here may have any mode. A new one has ours.
    await rm(aside, { force: true })
    try {
      await write(aside)
      await rename(aside, path)
    } catch (error) {
      await rm(aside, { force: true })
      throw error
    }
  })
}

/**
 * Creates a file with its whole content if it does not exist. `replaces` first removes an unusable
 * one. If several programs create it at once, the first succeeds and all use its file: read it
 * afterwards.
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
    // link(2) fails if the name exists.
    await link(aside, path).catch(() => undefined)
  } finally {
    await unlink(aside)
  }
}

/** Creates a new file. */
async function writeSynced(path: string, content: string | Buffer, mode?: number): Promise<void> {
  await using opened = await open(path, 'wx', mode)
  await opened.writeFile(content)
  await opened.sync()
}

/**
 * Resolves when the content of a file, or the entries of a directory, are on the disk (fsync(2)).
 */
export async function syncPath(path: string): Promise<void> {
  await using opened = await open(path, 'r')
  await opened.sync()
}
