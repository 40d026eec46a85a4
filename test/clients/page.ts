/**
 * Gathers what the clients' tests report (`test/kit/compatibility.ts`), and writes it into
 * docs/compatibility.md if ATOLL_WRITE_DOCS=1, as `scripts/compatibility` does. Clients that were
 * not run keep the part that they have. Vitest runs this in its own process ("globalSetup").
 */
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import type { TestProject } from 'vitest/node'
import type { ClientRecord } from '../kit/compatibility.ts'
import { compatibilityPage } from '../kit/compatibility-page.ts'

const PAGE = resolve(import.meta.dirname, '../../docs/compatibility.md')

export async function setup(project: TestProject): Promise<() => Promise<void>> {
  const directory = await mkdtemp(join(tmpdir(), 'atoll-compatibility-'))
  project.provide('compatibility', directory)
  return async () => {
    const files = await readdir(directory)
    const texts = await Promise.all(files.map((name) => readFile(join(directory, name), 'utf8')))
    await rm(directory, { recursive: true })
    if (process.env['ATOLL_WRITE_DOCS'] !== '1' || texts.length === 0) return
    const records = texts.map((text): ClientRecord => JSON.parse(text))
    const before = await readFile(PAGE, 'utf8').catch(() => '')
    const today = new Date().toISOString().slice(0, 10)
    await writeFile(PAGE, compatibilityPage(records, before, today))
  }
}
