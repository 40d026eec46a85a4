/**
 * The common DHCP clients in a table: each gets the same from us at every step of a lease's life
 * (RFC 2131 section 4.4.5).
 *
 * Each has three guests at the same time, so that all wait for the same half minute: one that is
 * undisturbed, one whose unicasts are lost, and one whose link is deleted while it runs.
 */
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { GuestPlace } from '../../../src/host/guest-setup.ts'
import type { Host, NicSpec } from '../../../src/host/host.ts'
import { createLinuxHost } from '../../../src/host/linux.ts'
import { systemClock } from '../../../src/lib/clock.ts'
import type { Log } from '../../../src/lib/log.ts'
import { createMetrics } from '../../../src/lib/metrics.ts'
import { METADATA_ADDRESS, RESOLVER_ADDRESS } from '../../../src/model/addr.ts'
import { GATEWAY_LINK } from '../../../src/model/names.ts'
import { createDhcp } from '../../../src/services/dhcp/dhcp.ts'
import type { HostService } from '../../../src/services/service.ts'
import { instance, passWith } from '../../../tools/kit/instance.ts'
import { silentLog } from '../../../tools/kit/log.ts'
import { createNetns, eventually, type Netns } from '../../../tools/kit/netns.ts'
import { DHCP_CLIENTS, type DhcpClient, missing } from '../../kit/dhcp-clients.ts'
import { attachGuest, nicSpecOf } from '../../kit/guest.ts'
import { OPEN_RULES } from '../../kit/open-rules.ts'

/** The shortest that all of them take: dhcpcd makes less to this. */
const LEASE_SECONDS = 20
const DEADLINE_MS = 30_000

/** A guest with its client. */
interface Place {
  readonly netns: Netns
  readonly home: string
  readonly ip: string
  /** What our server made of each message, `request ack` for one. */
  readonly heard: string[]
  client: ChildProcess
}

/** A guest whose link was deleted. */
interface Lost {
  /** When it was (`performance.now`). */
  readonly atMs: number
  /** Whether it answered at once. */
  readonly answered: boolean
  /** What the host does at each resync: repairs what it finds. */
  readonly resync: () => Promise<void>
}

let hostSpace: Netns
let leave: () => void
let host: Host
let directory: string
let dhcp: HostService
const places = new Map<string, Place>()
/** Of each client, by its name: its guest has lost its link, and has another one. */
const lost = new Map<string, Promise<Lost>>()

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'atoll-dhcp-clients-'))
  hostSpace = await createNetns('dhcp-clients')
  leave = hostSpace.enter()
  host = createLinuxHost({ log: silentLog })
  await host.ensureForwarding()
  await host.applyRules(OPEN_RULES)
  const { gateway } = nicSpecOf(instance(1))
  await host.ensureGateway(GATEWAY_LINK, [gateway, METADATA_ADDRESS, RESOLVER_ADDRESS])
  const settings = { leaseSeconds: LEASE_SECONDS, mtu: 1400, zone: 'atoll.internal' }
  const byLink = new Map<string, string[]>()
  const log = listener(byLink)
  dhcp = createDhcp({ host, settings, clock: systemClock, metrics: createMetrics(), log })
  const unlinked = new Map<string, () => Promise<Lost>>()
  const guests = DHCP_CLIENTS.filter((client) => missing(client) === null).flatMap((client, at) => [
    { client, way: 'whole', one: instance(10 + at) },
    { client, way: 'cut', one: instance(40 + at) },
    { client, way: 'unlinked', one: instance(70 + at) },
  ])
  const pass = passWith(...guests.map(({ one }) => one))
  for (const { client, way, one } of guests) {
    const netns = await createNetns('guest')
    const namespace = await attachGuest(host, one, netns)
    const spec = nicSpecOf(one)
    const home = join(directory, spec.ip)
    await mkdir(home)
    const heard: string[] = []
    byLink.set(spec.hostLink, heard)
    if (way === 'cut') await loseUnicasts(spec.hostLink, gateway)
    const place = { netns, home, ip: spec.ip, heard }
    places.set(`${client.name} ${way}`, { ...place, client: start(place, client) })
    if (way === 'unlinked')
      unlinked.set(client.name, () => {
        const guest = { pid: netns.pid, namespace }
        return unlink(place, spec, guest, () => dhcp.apply(pass))
      })
  }
  await dhcp.apply(pass)
  for (const [name, work] of unlinked) lost.set(name, work())
  // A failure is told by the test of that client.
  for (const work of lost.values()) work.catch(() => undefined)
})
afterAll(async () => {
  await dhcp?.close()
  await Promise.all([...places.values()].map(endAll))
  await host?.close()
  leave?.()
  await hostSpace?.destroy()
  if (directory !== undefined) await rm(directory, { recursive: true, force: true })
})

function listener(byLink: ReadonlyMap<string, string[]>): Log {
  const log: Log = {
    ...silentLog,
    child: () => log,
    debug: (fields) => {
      const { link, message, reply, reason } = Object.fromEntries(Object.entries(fields))
      byLink.get(String(link))?.push(`${message} ${reply ?? reason ?? 'noted'}`)
    },
  }
  return log
}

async function loseUnicasts(link: string, gateway: string): Promise<void> {
  const rule = `iifname "${link}" ip daddr ${gateway} udp dport 67 drop`
  const chain = 'type filter hook input priority 0; policy accept;'
  const stdin = `table ip cut { chain c { ${chain} }; }; add rule ip cut c ${rule}`
  await hostSpace.must(['nft', '-f', '-'], { stdin })
}

/** Once the client has its lease: deletes the link, and does what a host does then. */
async function unlink(
  { heard, ip, netns }: Omit<Place, 'client'>,
  spec: NicSpec,
  guest: GuestPlace,
  serve: () => Promise<unknown>,
): Promise<Lost> {
  await eventually('it has a lease', () => heard.includes('request ack'), DEADLINE_MS)
  const hasRoute = async () => (await netns.must(['ip', 'route'])).includes('default')
  await eventually('it has a route', hasRoute, DEADLINE_MS)
  await hostSpace.must(['ip', 'link', 'delete', spec.hostLink])
  await host.ensureNic(spec)
  const address = { ip: spec.ip, prefix: 20, gateway: spec.gateway }
  const setup = { name: 'eth0', address, unlessUp: true }
  const atMs = performance.now()
  await host.replugNic(spec, guest, setup)
  await serve()
  const { exitCode } = await hostSpace.run(['ping', '-c3', '-i0.2', '-W1', ip])
  const resync = async () => {
    if (!(await host.isPlugged(spec, guest.pid, setup))) await host.replugNic(spec, guest, setup)
  }
  return { atMs, answered: exitCode === 0, resync }
}

function start({ netns, home }: Omit<Place, 'client'>, client: DhcpClient): ChildProcess {
  const script = `export HOME_DIR='${home}'; exec >>"$HOME_DIR/said" 2>&1; ${client.start}`
  return netns.spawn(['unshare', '--mount', '--uts', 'sh', '-c', script])
}

/** Ends the guest with all that runs there: dhcpcd's helpers go on without it. */
async function endAll({ netns }: Place): Promise<void> {
  const others = `for one in /proc/[0-9]*; do
    [ "$(readlink $one/ns/net)" != "$(readlink /proc/$$/ns/net)" ] || echo "\${one#/proc/}"
  done | grep -vx -e $$ -e ${netns.pid} | xargs -r kill -9`
  await netns.run(['sh', '-c', others])
  await netns.destroy()
}

/** Runs a command beside the client, with the files that it sees. */
async function beside({ client, home }: Place, command: string): Promise<string> {
  const target = `--target=${client.pid}`
  const shell = ['sh', '-c', `export HOME_DIR='${home}'; ${command}`]
  const { stdout, stderr } = await hostSpace.run([
    ...['nsenter', target, '--mount', '--net'],
    ...shell,
  ])
  return stdout + stderr
}

describe.each(DHCP_CLIENTS)('$name', (client) => {
  const reason = missing(client)
  if (reason !== null) process.stderr.write(`skipped: ${client.name}: ${reason}\n`)
  const step = test.skipIf(reason !== null)
  const at = (way: 'whole' | 'cut' | 'unlinked'): Place => {
    const place = places.get(`${client.name} ${way}`)
    if (place === undefined) throw new Error(`${client.name} was not started`)
    return place
  }
  const heard = (place: Place, text: string) => place.heard.filter((one) => one === text).length
  /** As `eventually`; when it does not come to be, what the client said is part of the error. */
  const reaches = async (what: string, place: Place, holds: () => Promise<boolean> | boolean) => {
    await eventually(what, holds, DEADLINE_MS).catch(async (cause: unknown) => {
      const said = await readFile(join(place.home, 'said'), 'utf8').catch(() => '')
      throw new Error(`${client.name}: ${place.heard.join(', ')}; it said: ${said}`, { cause })
    })
  }

  /** Its first lease is followed by another, without its having had to begin again. */
  const goesOn = async (place: Place) => {
    const next = () => place.heard.slice(place.heard.indexOf('request ack') + 1)
    const isBound = () => place.heard.includes('request ack')
    await reaches('another ACK', place, () => isBound() && next().includes('request ack'))
    expect(next()[0]).toBe('request ack')
  }

  step('gets address, route, MTU, resolvers and domain', async () => {
    const place = at('whole')
    const { netns, ip } = place
    const shown = async (...what: readonly string[]) => (await netns.run(['ip', ...what])).stdout
    await reaches('an address', place, async () =>
      (await shown('-4', 'addr', 'show', 'eth0')).includes(`inet ${ip}/20`),
    )
    await reaches('a route', place, async () =>
      (await shown('route', 'show', 'default')).includes('default via 172.31.0.1 dev eth0'),
    )
    // dhcpcd has it on its routes.
    await reaches('the MTU', place, async () =>
      /mtu 1400/.test((await shown('link', 'show', 'eth0')) + (await shown('route'))),
    )
    const told = () => beside(place, client.told)
    await reaches('resolvers', place, async () => {
      const text = await told()
      return /172\.31\.0\.1\D/.test(text) && text.includes('169.254.169.253')
    })
    expect(await told()).toContain(client.domain)
    await netns.must(['ping', '-c3', '-i0.3', '-W5', METADATA_ADDRESS])
  })

  step('renews', async () => {
    await goesOn(at('whole'))
  })

  step('rebinds when its unicasts are lost, and keeps its address', async () => {
    const place = at('cut')
    await goesOn(place)
    expect(await place.netns.must(['ip', '-4', 'addr', 'show', 'eth0'])).toContain(place.ip)
  })

  step('started anew it gets the same again', async () => {
    const place = at('whole')
    const ended = once(place.client, 'exit')
    place.client.kill('SIGKILL')
    await ended
    // As after a boot.
    await place.netns.must(['ip', 'addr', 'flush', 'dev', 'eth0'])
    place.heard.length = 0
    place.client = start(place, client)
    await reaches('an ACK', place, () => heard(place, 'request ack') > 0)
    if (client.remembers) expect(place.heard[0]).toBe('request ack')
    await reaches('its address', place, async () =>
      (await place.netns.must(['ip', '-4', 'addr', 'show', 'eth0'])).includes(place.ip),
    )
  })

  step('whose link is deleted has its address at once, and when its lease is over', async () => {
    const place = at('unlinked')
    const { atMs, answered, resync } = (await lost.get(client.name)) ?? {}
    expect(answered).toBe(true)
    const isOver = () => performance.now() - (atMs ?? 0) > 1.2 * LEASE_SECONDS * 1000
    await eventually('its lease is over', isOver, 2 * DEADLINE_MS)
    await reaches('an answer', place, async () => {
      await resync?.()
      return (await hostSpace.run(['ping', '-c1', '-W1', place.ip])).exitCode === 0
    })
    expect(await place.netns.must(['ip', 'route'])).toContain('default via 172.31.0.1 dev eth0')
  })

  test.skipIf(reason !== null || client.release === null)('releases its address', async () => {
    const place = at('cut')
    await hostSpace.run(['nft', 'delete', 'table', 'ip', 'cut'])
    if (typeof client.release === 'string') place.client.kill(client.release)
    else if (client.release !== null) await beside(place, client.release.command)
    await reaches('a RELEASE', place, () => heard(place, 'release noted') > 0)
  })
})
