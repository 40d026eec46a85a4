/**
 * `atoll explain` itself, with a daemon's socket over real records: what it prints, and its exit
 * codes.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Admin, createAdmin } from '../../../src/api/admin.ts'
import { createLocalBus } from '../../../src/bus/local.ts'
import { systemClock } from '../../../src/lib/clock.ts'
import { createMetrics } from '../../../src/lib/metrics.ts'
import { ipv4 } from '../../../src/model/addr.ts'
import { PLAIN_NAT } from '../../../src/model/nat.ts'
import { adminSocketFile } from '../../../src/operator/admin-client.ts'
import { withoutReplica } from '../../../src/store/replica-reads.ts'
import { silentLog } from '../../../tools/kit/log.ts'
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
let directory: string
let admin: Admin

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'atoll-explain-'))
  await writeFile(join(directory, 'atoll.yaml'), `runtimeDir: ${directory}\n`)
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
  admin = createAdmin({
    store: withoutReplica(store),
    bus: createLocalBus(),
    host: HERE,
    version: '0',
    clock: systemClock,
    log: silentLog,
    metrics: createMetrics(),
    agentStatus: () => ({}),
    unreadable: () => [],
    health: () => [],
    trace: () => Promise.reject(new Error('there is no packet')),
    surroundings: async () => ({
      host: HERE,
      zone: 'atoll.internal',
      reach: [],
      pools: [],
      engines: [],
      instanceToHostPorts: [],
      nat: PLAIN_NAT,
      routing: {
        defaultRoutes: [{ link: 'eth0', gateway: ipv4('10.0.0.1') }],
        connected: [],
        addresses: [],
        engineBridges: [],
        forwardedBefore: true,
      },
    }),
    upgrader: { wants: () => false, take: () => {} },
    consoleLocator: { seek: () => Promise.reject(new Error('there are no consoles')) },
    socketFile: adminSocketFile(directory),
    listen: '127.0.0.1',
    port: 0,
  })
  await admin.listen()
})
afterAll(async () => {
  await admin.close()
  await rm(directory, { recursive: true })
})

async function explain(...words: readonly string[]) {
  const config = join(directory, 'atoll.yaml')
  const child = spawn(process.execPath, ['src/cli.ts', '--config', config, 'explain', ...words])
  const ended = once(child, 'exit')
  const [out, errors] = await Promise.all([text(child.stdout), text(child.stderr)])
  const [code] = await ended
  return { code, out, errors }
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
