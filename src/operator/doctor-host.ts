/**
 * What the doctor says of this machine's network, ports and clock, and of what the daemon itself
 * finds wrong. Changes nothing.
 */
import { readFile } from 'node:fs/promises'
import { request } from 'node:https'
import { z } from 'zod'
import type { Config } from '../config.ts'
import { findRivalClaims } from '../host/network/address-probe.ts'
import { readOwnNetwork } from '../host/network/own-network.ts'
import { readPortHolders } from '../host/sockets/port-holders.ts'
import { below } from '../lib/paths.ts'
import { systemRunner } from '../lib/runner.ts'
import { gatewayOf, METADATA_ADDRESS, RESOLVER_ADDRESS, resolverOf } from '../model/addr.ts'
import { findCollisions } from '../model/collisions.ts'
import { readAdmin } from './admin-client.ts'
import { fail, ok, type Verdict, warn } from './verdict.ts'

const statusSchema = z.object({
  conditions: z.array(z.object({ name: z.string(), ok: z.boolean(), value: z.string() })),
  agent: z.object({ clockAheadMs: z.number().nullable().optional() }),
})
const hostsSchema = z.array(z.object({ name: z.string(), fabricAddress: z.string().nullable() }))
/** As in `agent/health.ts`. */
const TOLERANCE_MS = 60_000
const ASK_TIMEOUT_MS = 3_000
const SET_CLOCK = 'set the clocks of all hosts by NTP, as with: timedatectl set-ntp true'

async function readStatus({ runtimeDir }: Config) {
  const document = await readAdmin(runtimeDir, '/v1/status').catch(() => null)
  return statusSchema.safeParse(document).data ?? null
}

/** What `/healthz` says. */
export async function checkHealth(config: Config): Promise<Verdict> {
  const status = await readStatus(config)
  if (status === null) return ok('atolld is not running here')
  const failing = status.conditions.filter((condition) => !condition.ok)
  return failing.length === 0
    ? ok('atolld reports no problems')
    : fail(
        failing.map(({ name, value }) => `${name}: ${value}`).join('; '),
        'check what is named there, then the log of atolld',
      )
}

/** Whether this machine's own network leaves the cloud's addresses alone. */
export async function checkNetwork(config: Config): Promise<Verdict> {
  const known = (await readStatus(config))?.conditions.find(({ name }) => name === 'network')
  if (known?.ok === false)
    return fail(known.value, 'the fix is in brackets; the daemon keeps running meanwhile')
  if (known !== undefined) return ok(known.value)
  const services = [METADATA_ADDRESS, RESOLVER_ADDRESS]
  const cloud = { vpcs: [config.network.vpc], services, needed: [] }
  const found = findCollisions(await readOwnNetwork(), cloud)
  const [first] = found
  if (first === undefined) return ok('nothing overlaps network.vpc')
  const what = found.map((one) => one.what).join('; ')
  return first.harmsHost ? fail(what, first.fix) : warn(what, first.fix)
}

/** Whether another machine on the host's network has an address of ours (RFC 5227). */
export async function checkAddresses({ network, fabric }: Config): Promise<Verdict> {
  const services = [gatewayOf(network.subnet), ...[resolverOf(network.vpc) ?? []].flat()]
  const found = await findRivalClaims({ fabric: fabric.address, services }, systemRunner)
  return found.length === 0
    ? ok('no other machine answers for ours')
    : fail(found.map(({ what }) => what).join('; '), found.map(({ fix }) => fix).join('; '))
}

/** Whether somebody else has the ports at which instances ask for names, metadata and addresses. */
export async function checkServicePorts({ network, runtimeDir }: Config): Promise<Verdict> {
  const services = [
    METADATA_ADDRESS,
    RESOLVER_ADDRESS,
    gatewayOf(network.subnet),
    ...[resolverOf(network.vpc) ?? []].flat(),
  ]
  const pid = Number(await readFile(below(runtimeDir, 'atolld.pid'), 'utf8').catch(() => '0'))
  const holders = await readPortHolders(services, pid)
  if (holders.length === 0) return ok('ports 53, 67 and 80 are free for instances')
  const said = holders.map(
    ({ protocol, port, address, holder }) => `${holder} has ${protocol} ${port} at ${address}`,
  )
  return fail(
    `${said.join('; ')}: it would answer instances instead of Atoll, or keep DNS, DHCP and metadata from them`,
    'make it listen on its own addresses only (nginx: listen ADDRESS:80; dnsmasq: bind-interfaces), or stop it',
  )
}

/** Whether the clocks of this host, the records and the other hosts agree. */
export async function checkClocks(config: Config): Promise<Verdict> {
  if (config.store.kind === 'sqlite') return ok('not needed: single host')
  const aheadMs = (await readStatus(config))?.agent.clockAheadMs ?? 0
  const own =
    Math.abs(aheadMs) > TOLERANCE_MS ? [said('this host', aheadMs, 'that of the records')] : []
  const records = await readAdmin(config.runtimeDir, '/v1/hosts').catch(() => null)
  const peers = (hostsSchema.safeParse(records).data ?? []).filter(
    ({ name }) => name !== config.host.name,
  )
  const others = await Promise.all(
    peers.map(async ({ name, fabricAddress }) => {
      const ms = fabricAddress === null ? null : await clockOf(fabricAddress, config.api.port)
      return ms !== null && Math.abs(ms) > TOLERANCE_MS ? [said(name, ms, 'that of this host')] : []
    }),
  )
  const wrong = [...own, ...others.flat()]
  return wrong.length === 0 ? ok('all known clocks agree') : fail(wrong.join('; '), SET_CLOCK)
}

function said(who: string, aheadMs: number, than: string): string {
  const seconds = Math.round(Math.abs(aheadMs) / 1000)
  return `the clock of ${who} is ${seconds} s ${aheadMs > 0 ? 'ahead of' : 'behind'} ${than}`
}

/**
 * By how much a host's clock is ahead of ours, as its API's answers say (RFC 9110, 6.6.1); null
 * when it does not answer.
 */
function clockOf(address: string, port: number): Promise<number | null> {
  return new Promise((resolve) => {
    // A wrong clock may be why its certificate is not believed, and nothing is told to it.
    const options = { host: address, port, path: '/healthz', rejectUnauthorized: false }
    const asked = request({ ...options, timeout: ASK_TIMEOUT_MS }, (answer) => {
      const at = Date.parse(answer.headers.date ?? '')
      answer.destroy()
      resolve(Number.isNaN(at) ? null : at - Date.now())
    })
    asked.on('timeout', () => asked.destroy())
    asked.on('error', () => resolve(null))
    asked.end()
  })
}
