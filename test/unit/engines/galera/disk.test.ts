/**
 * What a Galera node left on its disk, whole, torn or not at all. The texts are Galera 26.4's own.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterEach, beforeEach, expect, test } from 'vitest'
import {
  allowBootstrap,
  parseSavedState,
  parseStartPosition,
  parseView,
  putViewAside,
  readPosition,
} from '../../../../engines/galera/disk.ts'

const HISTORY = '00239b8a-e68b-11f1-b18a-4fc9145004e4'
const ME = '004cfd21-e68b-11f1-b6aa-66a391a85b41'
const OTHER = 'd7b1d294-e68a-11f1-8a80-4f3c6390c651'
const RECOVERED = { history: HISTORY, commit: 935 }

function saved(seqno: number, safe: 0 | 1, uuid = HISTORY): string {
  return `# GALERA saved state\nversion: 2.1\nuuid:    ${uuid}\nseqno:   ${seqno}\nsafe_to_bootstrap: ${safe}\n`
}
const VIEW = `my_uuid: ${ME}\n#vwbeg\nview_id: 3 ${ME} 5\nbootstrap: 0\nmember: ${ME} 0\nmember: ${OTHER} 0\n#vwend\n`

let dir = ''
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'atoll-galera-disk-'))
})
afterEach(() => rmSync(dir, { recursive: true }))

test('a node that lost power: its history, the commit that its tables have, and the view that it was in', async () => {
  writeFileSync(join(dir, 'grastate.dat'), saved(-1, 0))
  writeFileSync(join(dir, 'gvwstate.dat'), VIEW)
  const view = { id: `3 ${ME} 5`, me: ME, members: [ME, OTHER] }
  const expected = { history: HISTORY, commit: 935, leftLast: false, view }
  expect(await readPosition(dir, RECOVERED)).toEqual(expected)
  // Dies again before it has joined anybody: nothing later was seen.
  await putViewAside(dir)
  expect(await readPosition(dir, RECOVERED)).toEqual(expected)
})

test('a stop in good order leaves no view behind, whatever lies about', async () => {
  writeFileSync(join(dir, 'grastate.dat'), saved(938, 1))
  writeFileSync(join(dir, 'gvwstate.before'), VIEW)
  expect(await readPosition(dir, { history: HISTORY, commit: 938 })).toEqual({
    history: HISTORY,
    commit: 938,
    leftLast: true,
    view: null,
  })
})

test('a node that never was in a cluster has no position', async () => {
  expect(await readPosition(dir, null)).toEqual({
    history: null,
    commit: -1,
    leftLast: false,
    view: null,
  })
})

test('a node that was voted out, or died while it took a state, has no position, whatever its tables say', async () => {
  writeFileSync(join(dir, 'grastate.dat'), saved(-1, 0, '00000000-0000-0000-0000-000000000000'))
  writeFileSync(join(dir, 'gvwstate.dat'), VIEW)
  expect((await readPosition(dir, RECOVERED)).history).toBeNull()
  // A power cut that left the file empty is something else.
  writeFileSync(join(dir, 'grastate.dat'), '')
  expect(await readPosition(dir, RECOVERED)).toMatchObject(RECOVERED)
})

test('a torn view is gone before the node joins, as Galera would stumble over it', async () => {
  writeFileSync(join(dir, 'gvwstate.dat'), VIEW.slice(0, 40))
  await putViewAside(dir)
  expect(() => readFileSync(join(dir, 'gvwstate.dat'))).toThrow('ENOENT')
})

test('the permission to start a cluster is written where it was missing, and nothing else changes', async () => {
  writeFileSync(join(dir, 'grastate.dat'), saved(7, 0))
  await allowBootstrap(dir)
  expect(readFileSync(join(dir, 'grastate.dat'), 'utf8')).toBe(saved(7, 1))
})

test.each([
  [`${HISTORY}:935`, RECOVERED],
  [`${HISTORY}:-1`, { history: HISTORY, commit: -1 }],
  ['00000000-0000-0000-0000-000000000000:-1', null],
  [HISTORY, null],
  ['', null],
])('the start position %j', (text, expected) => {
  expect(parseStartPosition(text)).toEqual(expected)
})

test('whatever a power cut left in the files, they are read', () => {
  fc.assert(
    fc.property(fc.nat(VIEW.length), fc.string(), (length, noise) => {
      const left = VIEW.slice(0, length) + noise
      expect(parseView(left) === null || left.includes('#vwend')).toBe(true)
      expect(parseSavedState(noise)).toBeDefined()
      expect(parseStartPosition(noise)).toBeNull()
    }),
  )
})
