/**
 * Finds address conflicts by ARP probes (RFC 5227). A probe has no sender address, so it changes no
 * ARP cache. It uses busybox, which every host has.
 */
import { networkInterfaces } from 'node:os'
import type { Runner } from '../../lib/runner.ts'
import type { Ipv4 } from '../../model/addr.ts'
import {
  addressesToProbe,
  type ClaimedAddresses,
  explainAddressConflict,
} from '../../model/address-conflicts.ts'
import { readOwnNetwork } from './own-network.ts'

/**
 * RFC 5227, 2.1.1: three probes, one or two seconds apart. Two are enough on a network that has
 * just carried others.
 */
const PROBES = 2
const TIMEOUT_MS = 10_000
/** A program for each. */
const SIDE_BY_SIDE = 16
const ANSWER = /\[([0-9a-f]{2}(?::[0-9a-f]{2}){5})\]/gi

/**
 * The Ethernet address of another machine with the address. Null when nobody answers, or the link
 * has no ARP.
 */
async function askWhoHas(
  run: Runner,
  link: string,
  ip: Ipv4,
  how: readonly string[] = ['-D'],
): Promise<string | null> {
  const waiting = ['-c', String(PROBES), '-w', String(PROBES)]
  const args = ['arping', ...how, '-b', ...waiting, '-I', link, ip]
  const { stdout } = await run('/bin/busybox', args, { timeoutMs: TIMEOUT_MS })
  // Another link of this host on the same network answers for all addresses of the host (arp_ignore
  // in ip-sysctl of the kernel).
  const own = new Set(
    Object.values(networkInterfaces()).flatMap((all) => (all ?? []).map(({ mac }) => mac)),
  )
  const macs = [...stdout.matchAll(ANSWER)].map(([, mac = '']) => mac.toLowerCase())
  return macs.find((mac) => !own.has(mac)) ?? null
}

/**
 * Which of our addresses another machine has, and the fix for each. Takes two seconds for as many
 * as are probed in parallel.
 */
export async function findAddressConflicts(
  cloud: ClaimedAddresses,
  run: Runner,
): Promise<readonly ReturnType<typeof explainAddressConflict>[]> {
  const addresses = addressesToProbe(await readOwnNetwork(), cloud)
  const found: ReturnType<typeof explainAddressConflict>[] = []
  for (let at = 0; at < addresses.length; at += SIDE_BY_SIDE)
    await Promise.all(
      addresses.slice(at, at + SIDE_BY_SIDE).map(async (address) => {
        const mac = await askWhoHas(run, address.link, address.ip)
        if (mac !== null) found.push(explainAddressConflict(address, mac))
      }),
    )
  return found
}

/**
 * Which of these addresses another machine answers for, also by proxy ARP, as a host does for
 * floating IPs: a kernel answers no probe by proxy (Linux, `arp_process`), so this asks as one who
 * has an address.
 */
export async function answeredElsewhere(
  addresses: readonly { readonly link: string; readonly ip: Ipv4 }[],
  run: Runner,
): Promise<readonly Ipv4[]> {
  const found: Ipv4[] = []
  for (let at = 0; at < addresses.length; at += SIDE_BY_SIDE)
    await Promise.all(
      addresses.slice(at, at + SIDE_BY_SIDE).map(async ({ link, ip }) => {
        if ((await askWhoHas(run, link, ip, [])) !== null) found.push(ip)
      }),
    )
  return found
}
