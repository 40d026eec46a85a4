/**
 * `atoll explain` itself, with a daemon's socket over real records: what it prints, and its exit
 * codes.
 */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type OpenAdmin, openAdmin } from '../../kit/admin.ts'
import { openRecords } from '../../kit/cluster-records.ts'
import {
  account,
  defaultRules,
  hostName,
  instanceId,
  instanceRecord,
  network,
  nicRecord,
} from '../../kit/records.ts'

const HERE = hostName('here')
const WEB = instanceId(1)
const DB = instanceId(2)
let admin: OpenAdmin

beforeAll(async () => {
  const store = await openRecords([HERE])
  await store.change(async (tx) => {
    for (const rule of defaultRules(network.group)) await tx.insertGroupRule(rule)
    for (const [at, id] of [WEB, DB].entries()) {
      await tx.insertInstance({ ...instanceRecord(id, HERE), state: 'running' })
      await tx.insertNic(nicRecord(id, at + 1))
    }
    await tx.putTags([
      { account, resource: WEB, resourceType: 'instance', key: 'Name', value: 'web' },
    ])
  })
  admin = await openAdmin(store, HERE)
})
afterAll(() => admin[Symbol.asyncDispose]())

async function explain(...words: readonly string[]) {
  const { code, out, error } = await admin.atoll('explain', ...words)
  return { code, out, errors: error }
}

test.each([
  ['it passes', ['web', DB, 'tcp/22'], 0, /: yes\.\n.*source.*\n.*egress/s],
  ['it does not', ['outside', 'web', 'tcp/22'], 1, /: no\. No rule lets tcp\/22 in.*STOP ingress/s],
  ['a name', ['web', 'dns', DB], 0, /is 172\.31\.0\.5/],
  ['no name', ['web', 'dns', 'nobody'], 1, /no instance has that id or Name/],
])('%s', async (_what, words, code, out) => {
  const answer = await explain(...words)
  expect(answer).toMatchObject({ code, out: expect.stringMatching(out), errors: '' })
})

test.each([
  [['web', 'nobody', 'tcp/22'], /no instance is "nobody"/],
  [['web', DB, 'tcp'], /needs one port/],
  [['outside', '8.8.8.8', 'tcp/22'], /must be an instance/],
  [['web', DB], /missing required argument/],
])('it is no question: %j', async (words, errors) => {
  expect(await explain(...words)).toMatchObject({ code: 2, errors: expect.stringMatching(errors) })
})

test('--json prints the document', async () => {
  const { out } = await explain('web', DB, 'any', '--json')
  expect(JSON.parse(out)).toMatchObject({ passes: true, steps: expect.any(Array) })
})
