/** Metadata on the real address, asked by curl from inside guests. */

import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Host } from '../../../src/host/host.ts'
import { createLinuxHost } from '../../../src/host/linux.ts'
import { systemClock } from '../../../src/lib/clock.ts'
import { createMetrics } from '../../../src/lib/metrics.ts'
import { METADATA_ADDRESS } from '../../../src/model/addr.ts'
import { GATEWAY_LINK } from '../../../src/model/names.ts'
import { createMetadata } from '../../../src/services/metadata/metadata.ts'
import type { HostService } from '../../../src/services/service.ts'
import { instance, passWith } from '../../../tools/kit/instance.ts'
import { silentLog } from '../../../tools/kit/log.ts'
import type { Netns } from '../../../tools/kit/netns.ts'
import { createNetns, eventually } from '../../../tools/kit/netns.ts'
import { createGuest, nicSpecOf } from '../../kit/guest.ts'
import { OPEN_RULES } from '../../kit/open-rules.ts'

const ORIGIN = `http://${METADATA_ADDRESS}`
const one = instance(7)
const other = instance(8)
/** On the network, but nobody's instance. */
const stranger = instance(9)

let hostSpace: Netns
let leave: () => void
let host: Host
let guests: Netns[] = []
let metadata: HostService

function serve(): HostService {
  return createMetadata({
    settings: { zone: 'atoll.internal', region: 'atoll-1', architecture: 'x86_64' },
    key: new Uint8Array(32).fill(1),
    clock: systemClock,
    metrics: createMetrics(),
    log: silentLog,
  })
}

beforeAll(async () => {
  hostSpace = await createNetns('metadata')
  leave = hostSpace.enter()
  host = createLinuxHost({ log: silentLog })
  await host.ensureForwarding()
  await host.applyRules(OPEN_RULES)
  metadata = serve()
})

afterAll(async () => {
  await metadata.close()
  await Promise.all(guests.map((guest) => guest.destroy()))
  await host.close()
  leave()
  await hostSpace.destroy()
})

/** Status and body of a request from inside guest number `index`. */
async function curl(index: number, path: string, ...more: string[]) {
  const guest = guests[index]
  if (guest === undefined) throw new Error('no such guest')
  const ran = await guest.run([
    'curl',
    '-sS',
    '-m',
    '5',
    '-w',
    '\n%{http_code}',
    ...more,
    `${ORIGIN}${path}`,
  ])
  const lines = ran.stdout.split('\n')
  return { status: Number(lines.at(-1)), body: lines.slice(0, -1).join('\n'), stderr: ran.stderr }
}

test('the address is missing at first: reported, and tried again in the next pass', async () => {
  await expect(metadata.apply(passWith(one, other))).rejects.toMatchObject({ kind: 'unavailable' })
  await host.ensureGateway(GATEWAY_LINK, [nicSpecOf(one).gateway, METADATA_ADDRESS])
  await metadata.apply(passWith(one, other))
  const made = [one, other, stranger].map((each) => createGuest(host, each, { isStatic: true }))
  guests = await Promise.all(made)
  await eventually('reachable', async () => (await curl(0, '/')).status === 200)
})

describe('an instance', () => {
  test('sees its own data and nothing else', async () => {
    expect((await curl(0, '/latest/meta-data/instance-id')).body).toBe(one.id)
    expect((await curl(1, '/latest/meta-data/instance-id')).body).toBe(other.id)
    const claim = ['-H', `X-Forwarded-For: ${nicSpecOf(one).ip}`, '-H', `Host: ${one.hostname}`]
    expect((await curl(1, '/latest/meta-data/instance-id', ...claim)).body).toBe(other.id)
  })

  test('cannot use the token of another', async () => {
    const ttl = ['-X', 'PUT', '-H', 'X-aws-ec2-metadata-token-ttl-seconds: 60']
    const token = (await curl(0, '/latest/api/token', ...ttl)).body
    const withToken = ['-H', `X-aws-ec2-metadata-token: ${token}`]
    expect((await curl(0, '/latest/meta-data/mac', ...withToken)).body).toBe(one.nics[0]?.mac)
    expect((await curl(1, '/latest/meta-data/mac', ...withToken)).status).toBe(401)
  })

  test('keeps its token when the daemon is replaced', async () => {
    const ttl = ['-X', 'PUT', '-H', 'X-aws-ec2-metadata-token-ttl-seconds: 60']
    const token = (await curl(0, '/latest/api/token', ...ttl)).body
    await metadata.close()
    metadata = serve()
    await metadata.apply(passWith(one, other))
    const withToken = ['-H', `X-aws-ec2-metadata-token: ${token}`]
    expect((await curl(0, '/latest/meta-data/mac', ...withToken)).status).toBe(200)
  })

  test.each<[string, number, string[]]>([
    ['an unknown path', 404, ['/latest/meta-data/iam/security-credentials/']],
    ['another method', 405, ['/latest/', '-X', 'DELETE']],
    [
      'a token through a proxy',
      403,
      [
        '/latest/api/token',
        '-X',
        'PUT',
        '-H',
        'X-Forwarded-For: 1.1.1.1',
        '-H',
        'X-aws-ec2-metadata-token-ttl-seconds: 9',
      ],
    ],
    ['a token without a life', 400, ['/latest/api/token', '-X', 'PUT']],
    ['a body', 413, ['/latest/', '-d', 'x'.repeat(100)]],
    ['a bad header block', 400, ['/latest/', '-H', `X-Long: ${'x'.repeat(9000)}`]],
    ['HEAD', 200, ['/latest/meta-data/', '-I']],
  ])('is answered for %s: %i', async (_what, status, [path = '', ...flags]) => {
    expect((await curl(0, path, ...flags)).status).toBe(status)
  })

  test('no longer wanted is no longer known', async () => {
    await metadata.apply(passWith(other))
    expect((await curl(0, '/')).status).toBe(0)
    await metadata.apply(passWith(one, other))
    expect((await curl(0, '/')).status).toBe(200)
  })
})

describe('hostile callers', () => {
  test('an unknown source gets nothing', async () => {
    const { status, stderr } = await curl(2, '/latest/meta-data/')
    expect(status).toBe(0)
    expect(stderr).toMatch(/reset|empty reply/i)
  })

  test('one that holds every connection it can get leaves the others theirs', async () => {
    guests[0]?.spawn([
      'python3',
      '-c',
      `import socket, time
held = [socket.create_connection(("${METADATA_ADDRESS}", 80)) for n in range(200)]
time.sleep(60)`,
    ])
    await eventually('its connections are used up', async () => (await curl(0, '/')).status === 0)
    expect((await curl(1, '/')).status).toBe(200)
    await eventually(
      'idle ones are closed',
      async () => (await curl(0, '/')).status === 200,
      15_000,
    )
  })

  test('one that asks too often is throttled, and the others are served', async () => {
    const urls = Array.from({ length: 900 }, () => `${ORIGIN}/latest/`)
    const ran = await guests[0]?.run([
      'curl',
      '-s',
      '-o',
      '/dev/null',
      '-w',
      '%{http_code}\n',
      ...urls,
    ])
    expect(ran?.stdout).toContain('429')
    expect((await curl(1, '/')).status).toBe(200)
  })
})
