/** Where the lines of a stack trace are in the sources, as Node's own reader of maps says it. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { SourceMap } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { transformSync } from 'esbuild'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { createSourcePositions, findSources } from '../../../src/lib/source-positions.ts'

const SOURCE = join(import.meta.dirname, '../../../src/lib/log.ts')
const { map } = transformSync(readFileSync(SOURCE, 'utf8'), {
  ...{ loader: 'ts', sourcemap: true, sourcefile: '../../src/lib/log.ts' },
  ...{ minifyWhitespace: true, minifySyntax: true, lineLimit: 120 },
})
const payload = JSON.parse(map)

let directory: string
let file: string

beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'atoll-positions-'))
  file = join(directory, 'atolld.cjs')
  writeFileSync(`${file}.map`, map)
})
afterAll(() => rmSync(directory, { recursive: true }))

it('are those that Node finds, of every place', () => {
  const oracle = new SourceMap(payload)
  const places = Array.from({ length: 60 }, (_, line) =>
    Array.from({ length: 125 }, (_, column) => ({ line: line + 1, column })),
  ).flat()
  const found = findSources(payload.mappings, places)
  for (const [index, { line, column }] of places.entries()) {
    const theirs = oracle.findEntry(line - 1, column)
    const ours = found[index]
    // Node also answers with the line before, for a place before the first of its own line.
    if (!('generatedLine' in theirs) || theirs.generatedLine !== line - 1)
      expect(ours, `${line}:${column}`).toBeUndefined()
    else
      expect(ours, `${line}:${column}`).toEqual({
        source: 0,
        line: theirs.originalLine + 1,
        column: theirs.originalColumn,
      })
  }
})

it('stand in the trace, from the root of the checkout', () => {
  const toSources = createSourcePositions(directory)
  const [entry] = findSources(payload.mappings, [{ line: 3, column: 10 }])
  const said = toSources(`TypeError: x\n    at f (${file}:3:11)\n    at async ${file}:3:11\n`)
  const place = `src/lib/log.ts:${entry?.line}:${(entry?.column ?? 0) + 1}`
  expect(said).toBe(`TypeError: x\n    at f (${place})\n    at async ${place}\n`)
})

it.each([
  ['a file that is not ours', '/etc/other.cjs:1:1'],
  ['a program without a map', () => `${directory}/none.cjs:1:1`],
  ['a line that the program does not have', () => `${file}:9999:1`],
  ['the line 0', () => `${file}:0:0`],
  ['text that is no place', 'a.cjs:x:y'],
])('are left as they are in %s', (_what, place) => {
  const text = typeof place === 'string' ? place : place()
  expect(createSourcePositions(directory)(`at (${text})`)).toBe(`at (${text})`)
})

it.each([
  '',
  '{',
  '{"sources":[],"mappings":"!!!!,;AAAA"}',
  '{"sources":["a"],"mappings":"gggggggg"}',
  'null',
  '{}',
  '{"sources":{},"mappings":7}',
])('are left as they are by a damaged map: %j', (damaged) => {
  const other = join(directory, 'damaged.cjs')
  writeFileSync(`${other}.map`, damaged)
  expect(createSourcePositions(directory)(`at (${other}:1:1)`)).toContain('at (')
})
