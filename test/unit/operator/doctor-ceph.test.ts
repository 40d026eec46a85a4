/** What the doctor says of a Ceph cluster. */
import { expect, it } from 'vitest'
import type { Runner, RunResult } from '../../../src/lib/runner.ts'
import { checkCephHealth, judgeCephHealth } from '../../../src/operator/doctor-ceph.ts'

const ceph = { pool: 'atoll', user: 'atoll', conf: '/etc/ceph/ceph.conf', keyring: null }
const config = (pool: string | null) => ({
  storage: { shared: { path: null }, ceph: { ...ceph, pool } },
})
const said = (change: Partial<RunResult>): Runner => {
  const result: RunResult = { exitCode: 0, stoppedBy: null, stdout: '', stderr: '', ...change }
  return async () => result
}
const problem = (message: string, muted = false) => ({ muted, summary: { message, count: 1 } })

it('is well with a cluster that is whole, and asks as the user of the pool', async () => {
  const asked: string[] = []
  const run: Runner = async (program, args, options) => {
    asked.push([program, ...args].join(' '))
    return await said({ stdout: '{"status":"HEALTH_OK","checks":{},"mutes":[]}' })('', [], options)
  }
  expect(await checkCephHealth(config('atoll'), run)).toMatchObject({ result: 'ok' })
  expect(asked).toEqual([
    'ceph --conf /etc/ceph/ceph.conf --id atoll --keyring /etc/ceph/ceph.client.atoll.keyring health --format json',
  ])
})

it('asks nobody without a pool', async () => {
  const run: Runner = async () => {
    throw new Error('asked')
  }
  expect(await checkCephHealth(config(null), run)).toMatchObject({ result: 'ok' })
})

it('names what is wrong, and not what the operator has muted', () => {
  const checks = {
    ...{ MON_DOWN: problem('1/3 mons down, quorum a,b'), OSD_DOWN: problem('1 osds down') },
    POOL_NO_REDUNDANCY: problem('1 pool(s) have no replicas configured', true),
  }
  expect(judgeCephHealth(JSON.stringify({ status: 'HEALTH_WARN', checks }))).toMatchObject({
    result: 'warn',
    found: 'HEALTH_WARN: MON_DOWN: 1/3 mons down, quorum a,b; OSD_DOWN: 1 osds down',
    fix: expect.stringContaining('docs/ceph.md'),
  })
  const many = Object.fromEntries(
    Array.from({ length: 8 }, (_, n) => [`C${n}`, problem('x'.repeat(1_000))]),
  )
  const { found } = judgeCephHealth(JSON.stringify({ status: 'HEALTH_ERR', checks: many }))
  expect(found).toMatch(/ and 3 more$/)
  expect(found.length).toBeLessThan(1_200)
})

it.each(['', 'null', '{"status":1,"checks":{}}', '{"status":"HEALTH_WARN","checks":[1]}'])(
  'is not misled by %j',
  (text) => expect(judgeCephHealth(text)).toMatchObject({ result: 'warn' }),
)

it('says that the cluster refuses or does not answer', async () => {
  const refused = said({ exitCode: 13 })
  expect(await checkCephHealth(config('atoll'), refused)).toMatchObject({ result: 'warn' })
  const silent = said({ exitCode: null, stoppedBy: 'timeout' })
  await expect(checkCephHealth(config('atoll'), silent)).rejects.toThrow('does not answer in time')
})
