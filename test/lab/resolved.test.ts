/**
 * The setting that docs/names.md gives for a host with systemd-resolved, exactly as written there,
 * with the real resolved and our resolver.
 */
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import type { Host } from '../../src/host/host.ts'
import { createLinuxHost } from '../../src/host/linux.ts'
import { ipv4, RESOLVER_ADDRESS } from '../../src/model/addr.ts'
import { GATEWAY_LINK } from '../../src/model/names.ts'
import { silentLog } from '../../tools/kit/log.ts'
import { createNetns, eventually, type Netns } from '../../tools/kit/netns.ts'
import { packageLibraries, unpackedPackages } from '../kit/debian-packages.ts'
import { missing, OWN_BUS } from '../kit/dhcp-clients.ts'
import {
  type DnsUnderTest,
  GATEWAY,
  instanceId,
  startDns,
  VPC_RESOLVER,
  wantWith,
  ZONE,
} from '../kit/dns.ts'

const DEADLINE_MS = 60_000
const ADDRESS = ipv4('172.31.0.7')
const OUTSIDE = '198.51.100.53'
const resolved = `${unpackedPackages()}/lib/systemd/systemd-resolved`
const cannot = missing({ program: resolved })
if (cannot !== null) process.stderr.write(`skipped: systemd-resolved: ${cannot}\n`)
const resolvectl = `env ${packageLibraries()} ${unpackedPackages()}/usr/bin/resolvectl`

let space: Netns
let leave: () => void
let host: Host
let dns: DnsUnderTest
let directory: string
let pid = 0

/**
 * resolved in its own files, asked by programs of the host at 127.0.0.53, with the outside's
 * resolver on the uplink.
 */
const START = (home: string) => `exec > ${home}/said 2>&1
mount --make-rprivate /
mount -t tmpfs tmpfs /run
{ cat /etc/passwd; echo 'systemd-resolve:x:991:991::/:/bin/false'; } > /run/users
{ cat /etc/group; echo 'systemd-resolve:x:991:'; } > /run/groups
mount --bind /run/users /etc/passwd
mount --bind /run/groups /etc/group
mkdir -p /run/systemd/resolve
chown 991:991 /run/systemd/resolve
${OWN_BUS}
exec env ${packageLibraries()} ${resolved}`

beforeAll(async () => {
  if (cannot !== null) return
  directory = await mkdtemp(join(tmpdir(), 'atoll-resolved-'))
  space = await createNetns('resolved')
  leave = space.enter()
  host = createLinuxHost({ log: silentLog })
  await host.ensureGateway(GATEWAY_LINK, [GATEWAY, VPC_RESOLVER, RESOLVER_ADDRESS])
  const uplink = `ip link add up0 type bridge; ip addr add ${OUTSIDE}/24 dev up0; ip link set up0 up`
  await space.must(['sh', '-ec', uplink])
  space.spawn([
    ...['dnsmasq', '--keep-in-foreground', '--conf-file=/dev/null', '--no-resolv', '--no-hosts'],
    ...['--pid-file=', '--user=root', '--bind-interfaces', `--listen-address=${OUTSIDE}`],
    '--address=/www.example.com/192.0.2.80',
  ])
  // As where the host's resolv.conf names resolved: what we do not know we ask it.
  dns = startDns({ forwarders: ['127.0.0.53'] })
  await dns.apply(wantWith([ADDRESS]))
  pid = space.spawn(['unshare', '--mount', 'sh', '-ec', START(directory)]).pid ?? 0
  await eventually(
    'resolved answers',
    async () => (await inside(`${resolvectl} dns up0 ${OUTSIDE}`)).exitCode === 0,
    DEADLINE_MS,
  ).catch(async (cause: unknown) => {
    const said = await readFile(join(directory, 'said'), 'utf8').catch(() => '')
    throw new Error(`resolved said: ${said}`, { cause })
  })
})
afterAll(async () => {
  if (cannot !== null) return
  await dns?.close()
  await host?.close()
  leave?.()
  await space?.destroy()
  await rm(directory, { recursive: true, force: true })
})

function inside(command: string) {
  return space.run(['nsenter', `--target=${pid}`, '--mount', '--net', 'sh', '-c', command])
}

async function asked(...what: readonly string[]): Promise<string> {
  const dig = ['dig', '+time=20', '+tries=1', '+short', '@127.0.0.53', ...what]
  return (await space.run(dig)).stdout.trim()
}

it.skipIf(cannot !== null)(
  'the line of docs/names.md has the host resolve the names of the cloud, and no others there',
  async () => {
    const page = await readFile(resolve(import.meta.dirname, '../../docs/names.md'), 'utf8')
    const line = /^resolvectl .*$/m.exec(page)?.[0] ?? 'false'
    expect(await asked(`web.${ZONE}`)).toBe('')
    const said = await inside(line.replaceAll('resolvectl', resolvectl))
    expect(said).toMatchObject({ exitCode: 0, stderr: '' })
    expect(await asked(`web.${ZONE}`)).toBe(ADDRESS)
    expect(await asked('-x', ADDRESS)).toBe(`${instanceId(1)}.${ZONE}.`)
    expect(await asked('www.example.com')).toBe('192.0.2.80')
    // An instance's question goes on to resolved, and not round in a circle.
    const forwarded = ['dig', '+time=20', '+tries=1', '+short', `@${GATEWAY}`, 'www.example.com']
    expect((await space.must(forwarded)).trim()).toBe('192.0.2.80')
  },
)
