/** What the doctor says of shared storage. */
import { expect, it } from 'vitest'
import { judgeStorage } from '../../../src/operator/doctor-storage.ts'

const ID = 'st-0123456789abcdef'
const host = (name: string, storage: string | null) => ({ name, storage })

it.each([
  [
    'others reach it, too',
    [host('a', ID), host('b', ID), host('c', null)],
    'ok',
    'which b reaches',
  ],
  ['it is this host alone', [host('a', ID), host('b', 'st-f')], 'ok', 'no other host reaches'],
  ['it is not there', [host('a', null), host('b', ID)], 'warn', 'is not the storage'],
  ['a daemon of before says nothing', [{ name: 'a' }], 'warn', 'is not the storage'],
  ['no daemon answers', null, 'ok', 'not known'],
] as const)('%s', (_case, hosts, result, words) => {
  const said = judgeStorage('/mnt', 'a', hosts === null ? null : [...hosts])
  expect(said).toMatchObject({ result })
  expect(said.found).toContain(words)
})
