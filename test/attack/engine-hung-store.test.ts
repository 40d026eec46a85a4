/**
 * A database that hangs (MariaDB is stopped, or on a hung disk) accepts requests and answers none,
 * while someone removes the host's rules and routes.
 *
 * Before: a daemon that was started while its database hung repaired nothing, because it had no
 * want until it gave up on the database. Now it repairs by the ledger, as fast as with the
 * database.
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { startAgent } from '../../src/agent/agent.ts'
import { createLocalBus } from '../../src/bus/local.ts'
import { unavailable } from '../../src/model/errors.ts'
import { eventually } from '../../tools/kit/netns.ts'
import { agentParts, ledgerIn } from '../kit/agent.ts'
import { openRecords } from '../kit/cluster-records.ts'
import { createTestbed, testInstance, testWant } from '../kit/testbed.ts'

const ALICE = testInstance(11, [1])
const want = testWant(ALICE)
/** Of /etc/atoll: none of it comes to pass here. */
const LONG_MS = 3_600_000

it('repairs by the ledger while the records hang', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'atoll-hung-'))
  const testbed = await createTestbed()
  const store = await openRecords([want.local.host])
  const hang = Promise.withResolvers<never>()
  const hung = { ...store, read: () => hang.promise, single: () => hang.promise }
  await ledgerIn(directory).accept(want)
  const bus = createLocalBus()
  const agent = startAgent(
    agentParts(directory, {
      store: hung,
      bus,
      services: testbed.services,
      watchKernel: (heard) => testbed.host.watchKernel(heard),
      metrics: testbed.metrics,
    }),
    { host: want.local.host, identity: 'this', intervalMs: LONG_MS, resyncMs: LONG_MS },
  )
  const state = async () =>
    (await testbed.machine.run(['sh', '-c', 'nft list tables | sort; ip route show proto 167']))
      .stdout
  try {
    await eventually(
      'the ledger holds',
      async () => (await state()).includes('172.31.0.11'),
      20_000,
    )
    const intact = await state()
    for (const damage of ['nft flush ruleset', 'ip route flush proto 167']) {
      await testbed.machine.must(['sh', '-ec', damage])
      const began = performance.now()
      await eventually(`${damage} is repaired`, async () => (await state()) === intact, 20_000)
      const tookMs = Math.round(performance.now() - began)
      process.stdout.write(`${damage}: mended after ${tookMs} ms, records hang\n`)
    }
    expect(agent.status().passes).toBe(0)
  } finally {
    hang.reject(unavailable('the database is given up'))
    await agent.close()
    await bus.close()
    await store.close()
    await testbed.destroy()
    await rm(directory, { recursive: true })
  }
}, 90_000)
