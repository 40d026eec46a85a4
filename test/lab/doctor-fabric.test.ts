/** What `atoll doctor` says of the fabric, on real hosts with real damage. */
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer, type Server } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { type Config, configSchema } from '../../src/config.ts'
import { adminSocketFile } from '../../src/operator/admin-client.ts'
import type { CheckResult } from '../../src/operator/doctor-check.ts'
import {
  checkFabricAddress,
  checkFabricPeers,
  checkFabricPort,
} from '../../src/operator/doctor-fabric.ts'
import { createFabricFixture, type FabricFixture } from '../kit/fabric-fixture.ts'

let fixture: FabricFixture
let runtimeDir: string
let config: Config
let daemon: Server

beforeAll(async () => {
  fixture = await createFabricFixture('vxlan')
  runtimeDir = await mkdtemp(join(tmpdir(), 'atoll-doctor-'))
  config = configSchema.parse({
    runtimeDir,
    host: { name: 'host-1' },
    fabric: { mode: 'vxlan', address: fixture.host(0).address },
  })
  // Stands for the daemon: all that the doctor asks it is who the hosts are.
  daemon = createServer((_request, response) => {
    const hosts = fixture.testbed.hosts.map(({ address }, index) => ({
      name: `host-${index + 1}`,
      fabricAddress: address,
    }))
    response.end(JSON.stringify(hosts))
  })
  daemon.listen(adminSocketFile(runtimeDir))
  await once(daemon, 'listening')
})

afterEach(() => fixture.testbed.wire.must(['ip', 'link', 'set', 'port2', 'up', 'mtu', '1500']))
afterAll(async () => {
  daemon.close()
  await fixture.testbed.destroy()
  await rm(runtimeDir, { recursive: true })
})

const ask = (
  check: (config: Config) => Promise<CheckResult>,
  changes: Partial<Config> = {},
): Promise<CheckResult> => fixture.host(0).inside(() => check({ ...config, ...changes }))
const withFabric = (changes: Partial<Config['fabric']>) => ({
  fabric: { ...config.fabric, ...changes },
})

test('everything is healthy on hosts that are', async () => {
  expect(await ask(checkFabricAddress)).toMatchObject({
    result: 'ok',
    found: expect.stringMatching(/10\.77\.1\.2 on fab0/),
  })
  expect(await ask(checkFabricPort)).toMatchObject({
    result: 'ok',
    found: expect.stringMatching(/at-fabric/),
  })
  expect(await ask(checkFabricPeers)).toMatchObject({
    result: 'ok',
    found: expect.stringMatching(/^2 other hosts/),
  })
})

test('an address that is on no link', async () => {
  const elsewhere = withFabric({ address: fixture.host(1).address })
  expect(await ask(checkFabricAddress, elsewhere)).toMatchObject({ result: 'fail' })
})

test('shared records and no address', async () => {
  const none = {
    ...withFabric({ address: null, mode: 'direct' }),
    store: { ...config.store, kind: 'mariadb' as const },
  }
  expect(await ask(checkFabricAddress, none)).toMatchObject({
    result: 'fail',
    fix: expect.stringMatching(/fabric\.address/),
  })
})

test('instances that send more than the link takes', async () => {
  const large = { network: { ...config.network, mtu: 1500 } }
  expect(await ask(checkFabricAddress, large)).toMatchObject({
    result: 'warn',
    fix: expect.stringContaining('network.mtu to 1450'),
  })
})

test('a port that somebody has', async () => {
  const { netns, inside } = fixture.host(0)
  const holder = netns.spawn(
    [
      'python3',
      '-uc',
      'import socket,time; s=socket.socket(2,2); s.bind(("",4790)); print(); time.sleep(99)',
    ],
    () => {},
  )
  if (holder.stdout === null) throw new Error('the holder is heard')
  await once(holder.stdout, 'data')
  await netns.must(['ip', 'link', 'set', 'at-fabric', 'down', 'name', 'away'])
  const port = withFabric({ port: 4790 })
  expect(await inside(() => checkFabricPort({ ...config, ...port }))).toMatchObject({
    result: 'fail',
    found: expect.stringMatching(/EADDRINUSE/),
  })
  holder.kill('SIGKILL')
  await netns.must(['ip', 'link', 'set', 'away', 'name', 'at-fabric', 'up'])
})

test('a host that is away, and one that is narrow', async () => {
  await fixture.testbed.wire.must(['ip', 'link', 'set', 'port2', 'mtu', '1300'])
  expect(await ask(checkFabricPeers)).toMatchObject({
    result: 'warn',
    found: 'host-2 answers small packets, but not packets of 1500 bytes',
  })
  await fixture.testbed.wire.must(['ip', 'link', 'set', 'port2', 'down'])
  expect(await ask(checkFabricPeers)).toMatchObject({
    result: 'warn',
    found: 'host-2 does not answer at 10.77.2.2',
  })
})

test('a daemon that does not answer', async () => {
  expect(await ask(checkFabricPeers, { runtimeDir: '/nowhere' })).toMatchObject({ result: 'warn' })
})
