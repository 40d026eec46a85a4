/**
 * What docs/compatibility.md says of a client that others wrote: each test of `test/clients` tells
 * it here what it tried and how that ended, and what it did not try and why. The page is written by
 * `test/clients/page.ts`.
 */
import { execFile } from 'node:child_process'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, inject, it } from 'vitest'

const run = promisify(execFile)

declare module 'vitest' {
  interface ProvidedContext {
    /** The directory where each client's record is left as JSON. */
    readonly compatibility: string
  }
}

/** Something that was tried. */
interface Row {
  readonly what: string
  readonly passed: boolean
  /** What the client said, if it failed. */
  readonly said: string
}

/** Something that was not tried, and why. */
interface Exclusion {
  readonly what: string
  readonly why: string
}

/** One client's part of the page. */
export interface ClientRecord {
  readonly client: string
  readonly version: string
  /** What of it was run, in a sentence or two. */
  readonly about: string
  readonly rows: readonly Row[]
  readonly excluded: readonly Exclusion[]
}

/** A step of a client's program, and what went wrong; null: nothing. */
export type Outcome = readonly [what: string, said: string | null]

export interface ClientReport {
  /** A test by that name, and its row. */
  passes(what: string, work: () => Promise<void>, timeoutMs?: number): void
  /** Rows of one test that tries many things. */
  add(rows: readonly { readonly what: string; readonly said?: string | null }[]): void
  /** What is not tried. */
  excludes(what: string, why: string): void
}

/** How long a client's test may take unless it says otherwise. */
const USUAL_MS = 300_000
const SAID_LENGTH = 300

/** Begins a client's part. To be called once in a file, outside of its tests. */
export function reportOf(
  client: string,
  version: () => Promise<string>,
  about: string,
): ClientReport {
  const rows: Row[] = []
  const excluded: Exclusion[] = []
  afterAll(async () => {
    const record: ClientRecord = { client, version: await version(), about, rows, excluded }
    const name = `${client.replaceAll(/[^A-Za-z0-9]+/g, '-')}.json`
    await writeFile(join(inject('compatibility'), name), JSON.stringify(record))
  })
  const shorten = (text: string) => text.replaceAll(/\s+/g, ' ').trim().slice(0, SAID_LENGTH)
  return {
    passes(what, work, timeoutMs = USUAL_MS) {
      it(what, { timeout: timeoutMs }, async () => {
        try {
          await work()
          rows.push({ what, passed: true, said: '' })
        } catch (error) {
          rows.push({ what, passed: false, said: shorten(String(error)) })
          throw error
        }
      })
    },
    add(more) {
      for (const { what, said } of more)
        rows.push({ what, passed: (said ?? null) === null, said: shorten(said ?? '') })
    },
    excludes: (what, why) => void excluded.push({ what, why }),
  }
}

/** "6.5.0-1 (Debian)" of an installed package. */
export async function debianVersion(name: string): Promise<string> {
  const { stdout } = await run('dpkg-query', ['--show', name])
  return `${stdout.trim().split('\t')[1] ?? 'unknown'} (Debian)`
}
