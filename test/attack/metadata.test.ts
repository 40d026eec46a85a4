/**
 * A program on an instance that can be made to fetch a URL (SSRF), an open proxy, and a nested
 * guest, against the instance's metadata.
 *
 * Before, neither IMDSv1 nor the service could be switched off, and answers reached any machine
 * that the instance routed for. More headers than are read were refused when first tried: what a
 * proxy says of itself is not lost behind those of its client.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Host } from '../../src/host/host.ts'
import { createLinuxHost } from '../../src/host/linux.ts'
import { systemClock } from '../../src/lib/clock.ts'
import { createMetrics } from '../../src/lib/metrics.ts'
import { METADATA_ADDRESS } from '../../src/model/addr.ts'
import { METADATA_DEFAULTS, type MetadataOptions } from '../../src/model/metadata-options.ts'
import { GATEWAY_LINK } from '../../src/model/names.ts'
import { createFirewall } from '../../src/services/firewall/firewall.ts'
import { createMetadata } from '../../src/services/metadata/metadata.ts'
import type { HostService } from '../../src/services/service.ts'
import { instance, LONE_FIREWALL, passWith } from '../../tools/kit/instance.ts'
import { silentLog } from '../../tools/kit/log.ts'
import { createNetns, eventually, type Netns } from '../../tools/kit/netns.ts'
import { createGuest, nicSpecOf } from '../kit/guest.ts'

const ORIGIN = `http://${METADATA_ADDRESS}`
const TTL = 'X-aws-ec2-metadata-token-ttl-seconds'
const TOKEN = 'X-aws-ec2-metadata-token'
const MANY_HEADERS = Array.from({ length: 64 }, (_, index) => ['-H', `X-${index}: 1`]).flat()
const one = instance(7)
const other = instance(8)

let hostSpace: Netns
let leave: () => void
let host: Host
let guest: Netns
let neighbour: Netns
/** Behind the guest, which routes and translates for it, as Docker does in an instance. */
let inner: Netns
let metadata: HostService
let firewall: HostService

beforeAll(async () => {
  hostSpace = await createNetns('imds')
  leave = hostSpace.enter()
  host = createLinuxHost({ log: silentLog })
  await host.ensureForwarding()
  const metrics = createMetrics()
  metadata = createMetadata({
    settings: { zone: 'atoll.internal', region: 'atoll-1', architecture: 'x86_64' },
    key: new Uint8Array(32).fill(1),
    clock: systemClock,
    metrics,
    log: silentLog,
  })
  const settings = LONE_FIREWALL
  firewall = createFirewall({ host, metrics, settings, instanceMemoryMiB: 1024 })
  await host.ensureGateway(GATEWAY_LINK, [nicSpecOf(one).gateway, METADATA_ADDRESS])
  guest = await createGuest(host, one, { isStatic: true })
  neighbour = await createGuest(host, other, { isStatic: true })
  inner = await createNetns('inner')
  await guest.must([
    'ip',
    'link',
    'add',
    'in0',
    'type',
    'veth',
    'peer',
    'eth0',
    'netns',
    String(inner.pid),
  ])
  await guest.must(['ip', 'address', 'add', '10.9.0.1/24', 'dev', 'in0'])
  await guest.must(['ip', 'link', 'set', 'in0', 'up'])
  await guest.must(['sysctl', '-qw', 'net.ipv4.ip_forward=1'])
  const nat =
    'table ip t { chain c { type nat hook postrouting priority 100; oifname "eth0" masquerade; }; }'
  await guest.must(['nft', nat])
  await inner.must(['ip', 'address', 'add', '10.9.0.2/24', 'dev', 'eth0'])
  await inner.must(['ip', 'link', 'set', 'eth0', 'up'])
  await inner.must(['ip', 'route', 'add', 'default', 'via', '10.9.0.1'])
})

afterAll(async () => {
  await metadata.close()
  await Promise.all([guest, neighbour, inner].map((space) => space.destroy()))
  await host.close()
  leave()
  await hostSpace.destroy()
})

/** The next pass, with these options of instance one. */
async function pass(options: Partial<MetadataOptions> = {}): Promise<void> {
  const wanted = { ...one, metadata: { ...METADATA_DEFAULTS, ...options } }
  const made = passWith(wanted, other)
  const subnets = wanted.nics.map(({ subnet: id, subnetCidr, gateway }) => ({
    ...{ id, cidr: subnetCidr, gateway },
  }))
  const over = { ...made, want: { ...made.want, shared: { ...made.want.shared, subnets } } }
  await firewall.apply(over)
  await metadata.apply(over)
}

async function curl(space: Netns, path: string, ...flags: string[]) {
  const write = ['-w', '\n%{http_code}']
  const ran = await space.run(['curl', '-sS', '-m', '10', ...write, ...flags, `${ORIGIN}${path}`])
  const lines = ran.stdout.split('\n')
  return { status: Number(lines.at(-1)), body: lines.slice(0, -1).join('\n') }
}

const id = '/latest/meta-data/instance-id'
const token = (space: Netns, ...more: string[]) =>
  curl(space, '/latest/api/token', '-X', 'PUT', '-H', `${TTL}: 60`, ...more)
const withToken = async (space: Netns, path: string) =>
  curl(space, path, '-H', `${TOKEN}: ${(await token(space)).body}`)

describe('a fetch without a token', () => {
  it('gets nothing where tokens are required, and a whole request is answered', async () => {
    await pass()
    await eventually('reachable', async () => (await token(guest)).status === 200)
    for (const path of [id, '/', '/latest/user-data', '/2009-04-04/user-data', '/nothing'])
      expect((await curl(guest, path)).status, path).toBe(401)
    expect(await withToken(guest, id)).toStrictEqual({ status: 200, body: one.id })
  })

  it.each([
    ['a made-up token', ['-H', `${TOKEN}: ${'A'.repeat(54)}`]],
    ['an empty one', ['-H', `${TOKEN};`]],
    ['two of them', ['-H', `${TOKEN}: a`, '-H', `${TOKEN}: b`]],
    ['a token in the query', ['-G', '-d', `${TOKEN}=x`]],
  ])('nor with %s', async (_what, flags) => {
    await pass()
    expect((await curl(guest, id, ...flags)).status).toBe(401)
  })

  it('nor with that of a neighbour', async () => {
    await pass()
    const { body } = await token(neighbour)
    expect((await curl(guest, id, '-H', `${TOKEN}: ${body}`)).status).toBe(401)
  })

  it('applies a change at the next pass, both ways', async () => {
    await pass({ tokens: 'optional' })
    expect((await curl(guest, id)).status).toBe(200)
    await pass()
    expect((await curl(guest, id)).status).toBe(401)
  })
})

describe('a request for a token', () => {
  it.each([
    ['through a proxy', 403, ['-X', 'PUT', '-H', 'X-Forwarded-For: 1.2.3.4', '-H', `${TTL}: 60`]],
    [
      'through a proxy that says nothing',
      403,
      ['-X', 'PUT', '-H', 'X-Forwarded-For;', '-H', `${TTL}: 60`],
    ],
    [
      'through a proxy that says so after all that its client says',
      400,
      ['-X', 'PUT', '-H', `${TTL}: 60`, ...MANY_HEADERS, '-H', 'X-Forwarded-For: 1.2.3.4'],
    ],
    ['without a life', 400, ['-X', 'PUT']],
    ['for no time', 400, ['-X', 'PUT', '-H', `${TTL}: 0`]],
    ['for too long', 400, ['-X', 'PUT', '-H', `${TTL}: 21601`]],
    ['for a time in words', 400, ['-X', 'PUT', '-H', `${TTL}: 1e3`]],
    ['by GET', 405, ['-H', `${TTL}: 60`]],
    ['by POST', 405, ['-X', 'POST', '-H', `${TTL}: 60`]],
  ])('%s is answered with %i', async (_what, status, flags) => {
    await pass()
    expect((await curl(guest, '/latest/api/token', ...flags)).status).toBe(status)
  })
})

it('an endpoint that is switched off gives neither data nor token', async () => {
  await pass({ endpoint: 'disabled', tokens: 'optional' })
  expect((await curl(guest, id)).status).toBe(403)
  expect((await token(guest)).status).toBe(403)
  expect((await curl(neighbour, id)).status).toBe(200)
})

it('tags are shown only where they are enabled', async () => {
  await pass({ tokens: 'optional' })
  expect((await curl(guest, '/latest/meta-data/tags/instance/Name')).status).toBe(404)
  expect((await curl(guest, '/latest/meta-data/')).body).not.toContain('tags')
  await pass({ tokens: 'optional', tags: 'enabled' })
  expect((await curl(guest, '/latest/meta-data/tags/instance/Name')).body).toBe('web')
})

describe('a machine behind an instance', () => {
  it('is not reached by answers with a hop limit of 1, but with 2', async () => {
    await pass({ hopLimit: 2 })
    await eventually('two hops', async () => (await token(inner)).status === 200)
    await pass({ hopLimit: 1 })
    expect((await token(inner)).status).toBe(0)
    expect((await token(guest)).status).toBe(200)
  })
})
