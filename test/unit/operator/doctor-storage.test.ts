/** What the doctor says of shared storage. */
import { expect, it } from 'vitest'
import type { Config } from '../../../src/config.ts'
import { checkStorage, judgeStorage } from '../../../src/operator/doctor-storage.ts'
import { hostName } from '../../kit/records.ts'

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

it('names what a host lacks for a pool of Ceph', async () => {
  const ceph = { pool: 'atoll', user: 'atoll', conf: '/nowhere/ceph.conf', keyring: null }
  const host = { name: hostName('a') } as Config['host']
  const config = { storage: { shared: { path: null }, ceph }, host, runtimeDir: '/nowhere' }
  expect(await checkStorage(config)).toMatchObject({
    result: 'fail',
    found: '/nowhere/ceph.conf is not there',
    fix: expect.stringContaining('storage.ceph.conf'),
  })
  const found = { ...ceph, conf: '/etc/hostname' }
  expect(
    await checkStorage({ ...config, storage: { ...config.storage, ceph: found } }),
  ).toMatchObject({
    found: '/etc/ceph.client.atoll.keyring is not there',
    fix: expect.stringContaining('storage.ceph.keyring'),
  })
  expect(
    await checkStorage({
      ...config,
      storage: { shared: { path: null }, ceph: { ...ceph, pool: null } },
    }),
  ).toMatchObject({ result: 'ok' })
})
