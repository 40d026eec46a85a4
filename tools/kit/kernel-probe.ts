/**
 * What the daemon maintains in the kernel, as one line of text, read without starting a program. It
 * shows when something is damaged and repaired. It uses the calling thread's network namespace.
 */
import { readFileSync } from 'node:fs'
import { loadLibc } from '../../src/host/libc.ts'
import { createIp, type Ip } from '../../src/host/netlink/ip.ts'
import { openNetfilterNetlink, openRouteNetlink } from '../../src/host/netlink/netlink.ts'
import { inNamespace, openNamespace } from '../../src/host/network/netns.ts'
import { errnoOf } from '../../src/lib/errno.ts'
import { GATEWAY_LINK, NFT_TABLE, ROUTE_PROTOCOL } from '../../src/model/names.ts'

export interface KernelProbe {
  state(): Promise<string>
  close(): void
}

/**
 * NFNL_SUBSYS_NFTABLES, and the requests that list tables, chains, rules and elements
 * (linux/netfilter/nf_tables.h).
 */
const NFT = 10 << 8
const LISTS = { tables: NFT | 1, chains: NFT | 4, rules: NFT | 7 } as const
const ELEMENTS = NFT | 13
const INET = 1
/** Sets of the main table. */
const SETS = ['nic_links', 'nic_sources', 'services']
/** RTM_GETTFILTER, and the two directions of clsact (linux/rtnetlink.h, linux/pkt_sched.h). */
const FILTERS = 46
const SIDES = [0xffff_fff2, 0xffff_fff3]

/**
 * The state of NIC `link`, and of what all NICs share. `guestPid`: a process of the container that
 * has its other end as eth0.
 */
export function createKernelProbe(link: string, guestPid: number): KernelProbe {
  const routes = openRouteNetlink()
  const ip = createIp(routes)
  const rules = openNetfilterNetlink()
  const guest = openGuest(guestPid)
  const count = async (list: Promise<readonly unknown[]>) => {
    try {
      return (await list).length
    } catch (error) {
      if (errnoOf(error) === 'ENOENT') return 0
      throw error
    }
  }
  const ruleCounts = async () => {
    const counts: number[] = []
    for (const type of Object.values(LISTS))
      counts.push(await count(rules.dump(type, [Buffer.alloc(4)])))
    for (const set of SETS) counts.push(await count(rules.dump(ELEMENTS, elementsOf(set))))
    return counts
  }
  return {
    async state() {
      const links = await ip.links()
      const nic = links.find(({ name }) => name === link)
      const gateway = links.find(({ name }) => name === GATEWAY_LINK)
      const parts: unknown[] = [nic?.up, gateway?.up, ...SETTINGS(link).map(setting)]
      const addresses = (await ip.addresses()).filter(({ index }) => index === gateway?.index)
      parts.push(addresses.map((address) => address.ip).toSorted())
      const ours = (await ip.routes()).filter(({ protocol }) => protocol === ROUTE_PROTOCOL)
      parts.push(ours.map(({ destination, prefix }) => `${destination}/${prefix}`).toSorted())
      const near = (await ip.neighbours()).filter(
        ({ index, permanent }) => permanent && index === nic?.index,
      )
      parts.push(near.map((neighbour) => [neighbour.ip, neighbour.mac]))
      parts.push((await ip.classified()).has(nic?.index ?? 0))
      for (const side of SIDES)
        parts.push(await count(routes.dump(FILTERS, [filterQuery(nic?.index ?? 0, side)])))
      parts.push(await ruleCounts(), await guestState(guest))
      return JSON.stringify(parts)
    },
    close() {
      ip.close()
      rules.close()
      guest.close()
    },
  }
}

function openGuest(pid: number): Ip {
  const namespace = openNamespace(pid)
  try {
    return createIp(inNamespace(loadLibc(), namespace.fd, openRouteNetlink))
  } finally {
    namespace.close()
  }
}

/** What a guest has of its eth0. */
async function guestState(guest: Ip): Promise<readonly unknown[]> {
  const nic = (await guest.links()).find(({ name }) => name === 'eth0')
  const addresses = (await guest.addresses()).filter(({ index }) => index === nic?.index)
  const routes = (await guest.routes()).filter(({ index }) => index === nic?.index)
  return [
    ...[nic?.up, nic?.carrier, nic?.mac, nic?.mtu],
    addresses.map(({ ip, prefix }) => `${ip}/${prefix}`),
    routes.some(({ prefix, via }) => prefix === 0 && via !== null),
  ]
}

const SETTINGS = (link: string) => [
  'ip_forward',
  ...['forwarding', 'rp_filter', 'proxy_arp'].map((name) => `conf/${link}/${name}`),
]

function setting(name: string): string {
  try {
    return readFileSync(`/proc/sys/net/ipv4/${name}`, 'utf8').trim()
  } catch {
    return 'absent'
  }
}

/** NFTA_SET_ELEM_LIST_TABLE and …_SET. */
function elementsOf(set: string): Uint8Array[] {
  return [Buffer.of(INET, 0, 0, 0), attribute(1, NFT_TABLE), attribute(2, set)]
}

function attribute(type: number, value: string): Buffer {
  const length = 4 + value.length + 1
  const bytes = Buffer.alloc((length + 3) & ~3)
  bytes.writeUInt16LE(length, 0)
  bytes.writeUInt16LE(type, 2)
  bytes.write(value, 4)
  return bytes
}

/** struct tcmsg. */
function filterQuery(index: number, parent: number): Buffer {
  const message = Buffer.alloc(20)
  message.writeInt32LE(index, 4)
  message.writeUInt32LE(parent, 12)
  return message
}
