/**
 * Checks of `atoll doctor`: the network between the hosts. This host's fabric address, the MTU of
 * its link, the port of VXLAN, and whether the other hosts answer packets as large as instances
 * send. Changes nothing.
 */
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { networkInterfaces } from 'node:os'
import { z } from 'zod'
import { type Config, instanceMtuBytes } from '../config.ts'
import { createIp } from '../host/netlink/ip.ts'
import { openRouteNetlink } from '../host/netlink/netlink.ts'
import { errnoOf } from '../lib/errno.ts'
import { systemRunner } from '../lib/runner.ts'
import { parseIpv4 } from '../model/addr.ts'
import { fabricOverheadBytes } from '../model/fabric.ts'
import { FABRIC_LINK, LINK_PREFIX } from '../model/names.ts'
import { readAdmin } from './admin-client.ts'
import { type CheckResult, fail, ok, warn } from './doctor-check.ts'

const PING_SECONDS = 1
const PING_TIMEOUT_MS = 5000
/** IPv4 and ICMP headers, which ping(8) adds to the given size. */
const ICMP_HEADERS_BYTES = 28

/**
 * The link with this host's fabric address. The daemon's own device may also have it, and does not
 * count.
 */
function fabricLink({ fabric }: Config): string | undefined {
  return Object.entries(networkInterfaces()).find(
    ([name, addresses]) =>
      !name.startsWith(LINK_PREFIX) && addresses?.some(({ address }) => address === fabric.address),
  )?.[0]
}

/**
 * The largest packet that is sent to another host: an instance's packet with the headers around it.
 */
function largestPacketBytes(config: Config): number {
  return instanceMtuBytes(config) + fabricOverheadBytes(config.fabric)
}

/** Whether the kernel has IPsec policies, if the fabric should be encrypted. */
export async function checkFabricEncryption({ fabric }: Config): Promise<CheckResult> {
  if (fabric.encryption === 'none')
    return fabric.address === null
      ? ok('there is no fabric')
      : ok('off: anybody on the network between the hosts can read and change what instances send')
  const { stdout, exitCode } = await systemRunner('ip', ['-o', 'xfrm', 'policy'])
  const out = stdout.split('\n').filter((line) => line.includes('dir out'))
  return exitCode === 0 && out.some((line) => line.includes(`src ${fabric.address}/`))
    ? ok(`the kernel has policies from ${fabric.address}`)
    : fail(
        `no IPsec policy from ${fabric.address}: nothing reaches the instances of other hosts`,
        'start an IKE daemon as docs/security.md shows, or set fabric.encryption to none on all hosts',
      )
}

/** Whether a link has the address, and whether its MTU is large enough. */
export async function checkFabricAddress(config: Config): Promise<CheckResult> {
  const { address, mode } = config.fabric
  const isCluster = config.store.kind !== 'sqlite'
  if (address === null)
    return isCluster
      ? fail(
          'none, but this host is part of a cluster',
          'set fabric.address to the address at which the other hosts reach this one',
        )
      : ok('none: single host')
  const link = fabricLink(config)
  if (link === undefined)
    return fail(`no link has ${address}`, 'set fabric.address to an address of this host')
  const mtu = await mtuBytesOf(link)
  const found = `${address} on ${link}, MTU ${mtu}, mode ${mode}`
  const needed = largestPacketBytes(config)
  return mtu >= needed
    ? ok(found)
    : warn(
        `${found}; instances send packets of up to ${needed} bytes`,
        `raise the MTU of ${link}, or set network.mtu to ${mtu - needed + instanceMtuBytes(config)} on all hosts`,
      )
}

/** Read from the kernel, because /sys shows the namespace in which it was mounted. */
async function mtuBytesOf(link: string): Promise<number> {
  const ip = createIp(openRouteNetlink())
  try {
    return (await ip.link(link))?.mtu ?? 0
  } finally {
    ip.close()
  }
}

/** Whether the port of VXLAN is free. The kernel cannot share it with a program. */
export async function checkFabricPort({ fabric }: Config): Promise<CheckResult> {
  if (fabric.mode === 'direct') return ok('not needed in mode direct')
  const socket = createSocket('udp4')
  try {
    socket.bind(fabric.port)
    await once(socket, 'listening')
    return ok(`UDP ${fabric.port} is free`)
  } catch (error) {
    if (FABRIC_LINK in networkInterfaces())
      return ok(`UDP ${fabric.port} is used by ${FABRIC_LINK}`)
    return fail(
      `UDP ${fabric.port} is not free (${errnoOf(error)})`,
      `stop the program that uses it (ss -ulnp 'sport = :${fabric.port}'), or set another fabric.port on all hosts`,
    )
  } finally {
    socket.close()
  }
}

const hostsSchema = z.array(z.object({ name: z.string(), fabricAddress: z.string().nullable() }))

/** Pings every other host of the records with an unfragmented packet of the largest size. */
export async function checkFabricPeers(config: Config): Promise<CheckResult> {
  if (config.fabric.address === null) return ok('none: single host')
  const records = await readAdmin(config.runtimeDir, '/v1/hosts').catch(() => null)
  const hosts = hostsSchema.safeParse(records)
  if (!hosts.success)
    return warn('unknown: atolld does not answer', 'start atolld and run this again')
  const peers = hosts.data.filter(({ name }) => name !== config.host.name)
  const found = await Promise.all(
    peers.map(async ({ name, fabricAddress }) => ({
      name,
      problem: await problemOf(fabricAddress, largestPacketBytes(config)),
    })),
  )
  const bad = found.filter(({ problem }) => problem !== null)
  return bad.length === 0
    ? ok(peers.length === 0 ? 'no other host yet' : `${peers.length} other hosts answer`)
    : warn(
        bad.map(({ name, problem }) => `${name} ${problem}`).join('; '),
        'check the network between the hosts: addresses, MTU, and firewalls that drop ICMP or the fabric port',
      )
}

async function problemOf(address: string | null, packetBytes: number): Promise<string | null> {
  const ip = address === null ? undefined : parseIpv4(address)
  if (ip === undefined) return 'has no fabric address'
  if (await answers(ip, packetBytes)) return null
  return (await answers(ip, ICMP_HEADERS_BYTES))
    ? `answers small packets, but not packets of ${packetBytes} bytes`
    : `does not answer at ${ip}`
}

async function answers(address: string, packetBytes: number): Promise<boolean> {
  const size = `${packetBytes - ICMP_HEADERS_BYTES}`
  const flags = ['-n', '-c', '1', '-W', `${PING_SECONDS}`, '-M', 'do', '-s', size]
  const ping = await systemRunner('ping', [...flags, address], { timeoutMs: PING_TIMEOUT_MS })
  return ping.exitCode === 0
}
