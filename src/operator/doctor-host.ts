/**
 * Checks of `atoll doctor`: this machine's network, ports and clock, and the problems that the
 * daemon reports. Changes nothing.
 */
import { readFile } from 'node:fs/promises'
import { request } from 'node:https'
import { z } from 'zod'
import type { Config } from '../config.ts'
import { findAddressConflicts } from '../host/network/address-probe.ts'
import { readOwnNetwork } from '../host/network/own-network.ts'
import { readPortHolders } from '../host/sockets/port-holders.ts'
import { below } from '../lib/paths.ts'
import { systemRunner } from '../lib/runner.ts'
import { gatewayOf, METADATA_ADDRESS, RESOLVER_ADDRESS, resolverOf } from '../model/addr.ts'
import { findCollisions } from '../model/collisions.ts'
import { namedSources } from '../model/nat.ts'
import { isPartProcess } from '../parts/children.ts'
import { readAdmin } from './admin-client.ts'
import { type CheckResult, fail, ok, warn } from './doctor-check.ts'

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

/** The conditions of the daemon's health, as in `atoll status`. */
export async function checkHealth(config: Config): Promise<CheckResult> {
  const status = await readStatus(config)
  if (status === null)
    return warn(
      'atolld is not running here',
      'systemctl start atolld; if it does not start: journalctl -u atolld',
    )
  const failing = status.conditions.filter((condition) => !condition.ok)
  return failing.length === 0
    ? ok('atolld reports no problems')
    : fail(
        failing.map(({ name, value }) => `${name}: ${value}`).join('; '),
        'the log of atolld says more: journalctl -u atolld (or /var/log/atoll/atolld.log)',
      )
}

/** Whether addresses of this machine's own network overlap those of the cloud. */
export async function checkNetwork(config: Config): Promise<CheckResult> {
  const known = (await readStatus(config))?.conditions.find(({ name }) => name === 'network')
  if (known?.ok === false)
    return fail(known.value, 'do what the brackets say; atolld keeps running meanwhile')
  if (known !== undefined) return ok(known.value)
  const services = [METADATA_ADDRESS, RESOLVER_ADDRESS]
  const { vpc, pools, nat } = config.network
  const cloud = {
    ...{ vpcs: [vpc], transits: [], services, needed: [], floatingIps: [] },
    ...{ pools, zone: config.host.zone, natSources: namedSources(nat) },
  }
  const found = findCollisions(await readOwnNetwork(), cloud)
  const [first] = found
  if (first === undefined) return ok('nothing overlaps network.vpc')
  const what = found.map((one) => one.what).join('; ')
  return first.harmsHost ? fail(what, first.fix) : warn(what, first.fix)
}

/** Whether another machine on the host's network uses an address of Atoll (RFC 5227). */
export async function checkAddresses({ network, fabric }: Config): Promise<CheckResult> {
  const services = [gatewayOf(network.subnet), ...[resolverOf(network.vpc) ?? []].flat()]
  const found = await findAddressConflicts(
    { fabric: fabric.address, services, floatingIps: [] },
    systemRunner,
  )
  return found.length === 0
    ? ok('no other machine uses an address of Atoll')
    : fail(found.map(({ what }) => what).join('; '), found.map(({ fix }) => fix).join('; '))
}

/** Whether another program uses the ports of DNS, DHCP and metadata. */
export async function checkServicePorts({ network, runtimeDir }: Config): Promise<CheckResult> {
  const services = [
    METADATA_ADDRESS,
    RESOLVER_ADDRESS,
    gatewayOf(network.subnet),
    ...[resolverOf(network.vpc) ?? []].flat(),
  ]
  const pid = Number(await readFile(below(runtimeDir, 'atolld.pid'), 'utf8').catch(() => '0'))
  const ours = (one: number) => one === pid || isPartProcess(one, 'services')
  const holders = await readPortHolders(services, ours)
  if (holders.length === 0) return ok('ports 53, 67 and 80 are free for DNS, DHCP and metadata')
  const said = holders.map(
    ({ protocol, port, address, holder }) => `${holder} has ${protocol} ${port} at ${address}`,
  )
  return fail(
    `${said.join('; ')}: instances would be answered by it, or get no DNS, DHCP or metadata`,
    'configure it to listen on single addresses (nginx: listen ADDRESS:80; dnsmasq: bind-interfaces), or stop it',
  )
}

/** Whether the clocks of this host, of the database and of the other hosts agree. */
export async function checkClocks(config: Config): Promise<CheckResult> {
  if (config.store.kind === 'sqlite') return ok('not needed: single host')
  const aheadMs = (await readStatus(config))?.agent.clockAheadMs ?? 0
  const own =
    Math.abs(aheadMs) > TOLERANCE_MS ? [said('this host', aheadMs, 'that of the database')] : []
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
 * Milliseconds by which a host's clock is ahead of ours, from the Date header of its API (RFC 9110,
 * 6.6.1). Null when it does not answer.
 */
function clockOf(address: string, port: number): Promise<number | null> {
  return new Promise((resolve) => {
    // A wrong clock can make its certificate invalid. Nothing secret is sent.
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
