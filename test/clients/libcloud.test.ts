/** Apache Libcloud (Python) as Debian packages it: what its driver makes, changes and removes. */
import { join } from 'node:path'
import { afterAll, beforeAll, expect } from 'vitest'
import { execute } from '../../tools/kit/cloud.ts'
import { type ClientCloud, openClientCloud } from '../kit/client-cloud.ts'
import { debianVersion, type Outcome, reportOf } from '../kit/compatibility.ts'

const STORY = join(import.meta.dirname, 'python/cloud.py')

const report = reportOf(
  'Apache Libcloud',
  () => debianVersion('python3-libcloud'),
  'Its driver for EC2, with Signature Version 4.',
)

let at: ClientCloud
let key: string
beforeAll(async () => {
  at = await openClientCloud('libcloud')
  key = join(at.cloud.dir, 'key')
  await execute('ssh-keygen', ['-q', '-t', 'rsa', '-N', '', '-f', key])
})
afterAll(() => at?.[Symbol.asyncDispose]())

report.passes(
  'the whole story',
  async () => {
    const args = ['-B', STORY, at.cloud.credentials.endpoint, at.image]
    const env = { ATOLL_PUBLIC_KEY_FILE: `${key}.pub` }
    const steps = (await at.ask('/usr/bin/python3', args, env)) as readonly Outcome[]
    report.add(steps.map(([what, said]) => ({ what, said })))
    expect(steps.filter(([, said]) => said !== null)).toEqual([])
  },
  900_000,
)

report.excludes('volumes and snapshots that are made', 'Atoll has no snapshots yet')
report.excludes(
  'ex_list_availability_zones',
  'the driver asks only for zones of regions that it knows by name',
)
report.excludes('ex_change_node_size', 'only virtual machines can change their type')
report.excludes('reserved and spot instances', 'Atoll sells nothing')
