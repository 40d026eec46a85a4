/**
 * Asks a guest for its Ethernet address (ARP, RFC 826), as EC2's instance status check does.
 *
 * The host's entry for a guest is permanent, so the kernel never asks by itself. The question goes
 * out by the link of the guest's NIC, past nftables, and the answer is read there, so no rule of
 * anybody and no guest on another link has a say in it. The sender is the gateway, with the address
 * that the guest has for it: a probe without a sender (RFC 5227) would look like a conflict to a
 * guest that is about to take its address.
 */
import { close } from 'node:fs'
import type { Clock } from '../../lib/clock.ts'
import { hasCode } from '../../lib/errno.ts'
import { type Ipv4, ipv4ToBytes, type Mac } from '../../model/addr.ts'
import type { Libc } from '../libc.ts'
import type { Ip } from '../netlink/ip.ts'

/** Whom to ask, and who asks. */
export interface ArpQuestion {
  readonly mac: Mac
  readonly ip: Ipv4
  readonly gateway: Ipv4
}

const ETHERTYPE_ARP = 0x0806
/** Ethernet and IPv4, with addresses of six and four bytes. */
const KIND = [0, 1, 8, 0, 6, 4]
const REQUEST = [0, 1]
const REPLY = [0, 2]
const NO_MAC = Buffer.alloc(6)
/** RFC 826, "Packet format", for these kinds. */
const BYTES = 28
/**
 * A container's kernel answers while the question is sent. A guest whose machine is emulated on a
 * busy host may take seconds. In milliseconds, one after the other.
 */
const WAITS_MS = [1, 10, 40, 150, 300, 500, 1000, 1000]
/** Messages that are read at a time: a guest may send as many as it likes. */
const READ_AT_ONCE = 64

/** Whether the guest answers; null: there is no such link. Takes at most three seconds. */
export async function askArp(
  { ip, libc }: { readonly ip: Ip; readonly libc: Libc },
  link: string,
  asked: ArpQuestion,
  clock: Pick<Clock, 'sleep'>,
): Promise<boolean | null> {
  const found = await ip.link(link)
  if (found === undefined) return null
  const fd = ip.inside(() => libc.packetSocket())
  try {
    libc.bindToProtocol(fd, found.index, ETHERTYPE_ARP)
    libc.broadcast(fd, found.index, ETHERTYPE_ARP, arpRequest(found.mac, asked))
    for (const ms of WAITS_MS) {
      if (hasReply(libc, fd, asked)) return true
      await clock.sleep(ms)
    }
    return hasReply(libc, fd, asked)
  } catch (error) {
    // The link is down or has just gone, or nobody takes what is sent to it.
    if (hasCode(error, 'ENETDOWN', 'ENXIO', 'ENODEV', 'ENOBUFS')) return false
    throw error
  } finally {
    // Closing a packet socket waits until no processor uses it any more (`synchronize_net`), some
    // ten milliseconds on a busy machine. Another thread waits.
    close(fd, () => undefined)
  }
}

/** Whether the answer is among what waits at the socket. */
function hasReply(libc: Libc, fd: number, asked: ArpQuestion): boolean {
  for (let count = 0; count < READ_AT_ONCE; count += 1) {
    const message = libc.receive(fd, BYTES)
    if (message === null) return false
    if (isArpReply(message, asked)) return true
  }
  return false
}

/** The question. `from` is the Ethernet address of the link. */
export function arpRequest(from: string, { ip, gateway }: ArpQuestion): Buffer {
  const own = macBytes(from)
  return Buffer.from([
    ...KIND,
    ...REQUEST,
    ...own,
    ...ipv4ToBytes(gateway),
    ...NO_MAC,
    ...ipv4ToBytes(ip),
  ])
}

/** Whether a message is the guest's answer. It is from the guest: hostile. */
export function isArpReply(message: Uint8Array, { mac, ip }: ArpQuestion): boolean {
  const expected = [...KIND, ...REPLY, ...macBytes(mac), ...ipv4ToBytes(ip)]
  return message.length >= BYTES && expected.every((byte, at) => message[at] === byte)
}

function macBytes(mac: string): Buffer {
  return Buffer.from(mac.replaceAll(':', ''), 'hex')
}
