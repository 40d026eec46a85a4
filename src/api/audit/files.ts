/**
 * Records of calls in files of this host: one for each owner, a JSON document on each line.
 *
 * Nothing waits for a file. Lines are queued, and written by one loop; a hung disk holds one thread
 * of the pool. The queue and the files have limits, of which one owner gets a part. What does not
 * fit, or cannot be written, is dropped and counted. A line that a full disk cut off ends before
 * the next one begins.
 */
import { constants } from 'node:fs'
import { mkdir, open, readdir, rename, rm, stat } from 'node:fs/promises'
import { hasCode } from '../../lib/errno.ts'
import { below } from '../../lib/paths.ts'
import type { AuditOwner } from '../../model/audit.ts'
import { KIB, MIB } from '../../model/sizes.ts'

/** Maximum length of waiting lines, of all owners and of one, in characters. */
const WAITING_LIMIT = 4 * MIB
const WAITING_LIMIT_OF_ONE = MIB
/** After so many writes the size of all files is looked at. */
const LOOK_WRITES = 200
/** Most characters of one write. */
const WRITE_LIMIT = 256 * KIB
const FILE_MODE = 0o600
const DIRECTORY_MODE = 0o700
const SUFFIX = '.jsonl'
const OLDER_SUFFIX = `${SUFFIX}.1`

/** Sizes of the files. */
export interface AuditFileSettings {
  readonly directory: string
  /** Size at which a file is set aside. One older part is kept. */
  readonly fileBytes: number
  /** Of all files. Above it, the largest older parts are removed, and then the largest files. */
  readonly totalBytes: number
}

/** The files. */
export interface AuditFiles {
  /** Takes a line, without its line feed. */
  write(owner: AuditOwner, line: string): void
  /** Resolves when all that waits has been written or dropped. */
  flushed(): Promise<void>
}

interface Waiting {
  lines: string[]
  length: number
}

/** `lost` is called with the number of lines that were dropped, and why. */
export function openAuditFiles(
  settings: AuditFileSettings,
  lost: (lines: number, why: 'full' | Error) => void,
): AuditFiles {
  const waiting = new Map<AuditOwner, Waiting>()
  /** Files whose last line may be cut off. */
  const torn = new Set<AuditOwner>()
  let length = 0
  let writes = 0
  let writing: Promise<void> | null = null

  function take(owner: AuditOwner, of: Waiting): readonly string[] {
    let taken = 0
    let count = 0
    for (const line of of.lines) {
      if (count > 0 && taken + line.length > WRITE_LIMIT) break
      taken += line.length
      count += 1
    }
    const lines = of.lines.slice(0, count)
    of.lines = of.lines.slice(count)
    of.length -= taken
    length -= taken
    if (of.lines.length === 0) waiting.delete(owner)
    return lines
  }

  async function drain(): Promise<void> {
    while (waiting.size > 0) {
      // One write for each owner in turn.
      for (const [owner, of] of [...waiting]) {
        const lines = take(owner, of)
        const text = `${torn.has(owner) ? '\n' : ''}${lines.join('\n')}\n`
        try {
          await append(settings, owner, text)
          torn.delete(owner)
          writes += 1
          if (writes % LOOK_WRITES === 0) await makeRoom(settings)
        } catch (error) {
          torn.add(owner)
          lost(lines.length, error instanceof Error ? error : new Error(String(error)))
        }
      }
    }
    writing = null
  }

  return {
    write(owner, line) {
      const of = waiting.get(owner) ?? { lines: [], length: 0 }
      const isFull =
        length + line.length > WAITING_LIMIT || of.length + line.length > WAITING_LIMIT_OF_ONE
      if (isFull) return lost(1, 'full')
      of.lines.push(line)
      of.length += line.length
      length += line.length
      waiting.set(owner, of)
      writing ??= Promise.resolve().then(drain)
    },
    flushed: async () => (await writing) ?? undefined,
  }
}

/** Adds to the owner's file, which is set aside before when it is large. */
async function append(settings: AuditFileSettings, owner: AuditOwner, text: string): Promise<void> {
  const { directory, fileBytes } = settings
  const { O_APPEND, O_CREAT, O_NOFOLLOW, O_WRONLY } = constants
  const path = below(directory, `${owner}${SUFFIX}`)
  await mkdir(directory, { recursive: true, mode: DIRECTORY_MODE })
  if ((await sizeOf(path)) >= fileBytes) {
    await rename(path, below(directory, `${owner}${OLDER_SUFFIX}`))
    await makeRoom(settings)
  }
  await using file = await open(path, O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW, FILE_MODE)
  await file.writeFile(text)
}

/** Removes the largest older parts, and then the largest files, while they take too much. */
async function makeRoom({ directory, totalBytes }: AuditFileSettings): Promise<void> {
  const names = (await readdir(directory)).filter((name) => name.includes(SUFFIX))
  const sized = await Promise.all(
    names.map(async (name) => ({ name, size: await sizeOf(below(directory, name)) })),
  )
  let total = sized.reduce((sum, { size }) => sum + size, 0)
  const isOlder = ({ name }: { readonly name: string }) => name.endsWith(OLDER_SUFFIX)
  const bySize = sized.toSorted((a, b) => b.size - a.size)
  const inTurn = [...bySize.filter(isOlder), ...bySize.filter((one) => !isOlder(one))]
  for (const { name, size } of inTurn) {
    if (total <= totalBytes) return
    await rm(below(directory, name), { force: true })
    total -= size
  }
}

async function sizeOf(path: string): Promise<number> {
  try {
    return (await stat(path)).size
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return 0
    throw error
  }
}
