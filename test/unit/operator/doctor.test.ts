/** The doctor looks at everything, changes nothing, and says of each finding how to fix it. */
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { createServer } from 'node:net'
import { beforeAll, expect, test } from 'vitest'
import { type Config, configSchema, readEnvironment } from '../../../src/config.ts'
import { runChecks } from '../../../src/operator/doctor.ts'
import type { DoctorCheck } from '../../../src/operator/doctor-check.ts'

// What `auto` finds is test/unit/operator/doctor-machines.test.ts's to see; it takes seconds where
// KVM does not work.
const qemu = { accel: 'tcg' }
const settings = {
  docker: { socket: '/nowhere/docker.sock' },
  api: { listen: '127.0.0.1' },
  // Not that of a daemon that runs here.
  runtimeDir: '/nowhere/run',
  qemu,
}
let checks: ReadonlyMap<string, DoctorCheck>

async function look(config: Config): Promise<ReadonlyMap<string, DoctorCheck>> {
  return new Map(
    (await runChecks(config, readEnvironment(), '/nowhere/atoll.yaml')).map((check) => [
      check.name,
      check,
    ]),
  )
}

beforeAll(async () => {
  checks = await look(configSchema.parse(settings))
})

test('every prerequisite is looked at once', () => {
  expect([...checks.keys()]).toEqual([
    'root',
    'node',
    'nftables',
    'other firewalls',
    'network devices',
    'docker',
    'proxies',
    'isolation',
    'virtual machines',
    'busybox',
    'memory',
    'disk',
    'shared storage',
    'Ceph',
    'metadata address',
    'network',
    'addresses',
    'service ports',
    'clocks',
    'health',
    'API port',
    'API address',
    'metrics port',
    'DNS forwarders',
    'outbound ports',
    'warm instances',
    'files',
    'records',
    'access keys',
    'certificates',
    'engine TLS',
    'fabric address',
    'fabric encryption',
    'fabric port',
    'fabric peers',
    'failover',
    'engines',
  ])
})

test('whatever is unhealthy comes with the way to fix it, and only that', () => {
  for (const { result, found, fix } of checks.values()) {
    expect(found).not.toBe('')
    expect(fix === null).toBe(result === 'ok')
  }
})

test('an engine that does not answer is a failure that names its socket', () => {
  expect(checks.get('docker')).toMatchObject({
    result: 'fail',
    found: expect.stringContaining('/nowhere/docker.sock'),
  })
})

test('a port that is taken is named with its setting', async () => {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  try {
    const found = await look(configSchema.parse({ ...settings, api: { ...settings.api, port } }))
    expect(found.get('API port')).toMatchObject({
      result: 'fail',
      fix: expect.stringContaining('api.port'),
    })
  } finally {
    server.close()
  }
})

test('more memory kept back than there is cannot work', async () => {
  const all = configSchema.parse(settings)
  const capacity = { ...all.capacity, reserveMemoryMiB: Number.MAX_SAFE_INTEGER }
  const found = await look({ ...all, capacity })
  expect(found.get('memory')).toMatchObject({ result: 'fail' })
})
