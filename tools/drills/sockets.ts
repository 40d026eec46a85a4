/**
 * Sockets of this process in other machines' networks. So one process probes from all instances,
 * and no program runs in them.
 *
 * A socket belongs to the network namespace in which it was created, whoever uses it later
 * (network_namespaces(7)). Pings use ICMP datagram sockets (icmp(7)), for which the kernel writes
 * identifier and checksum.
 */
import { createSocket, type Socket } from 'node:dgram'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import koffi from 'koffi'
import { loadLibc, SO_REUSEADDR } from '../../src/host/libc.ts'
import { ipv4 } from '../../src/model/addr.ts'
import { enterNamespace } from '../kit/netns.ts'

const AF_INET = 2
const SOCK_DGRAM_NONBLOCK_CLOEXEC = 2 | 0o4000 | 0o2000000
const IPPROTO_ICMP = 1
/** ICMP has no ports, but Node requires one. */
export const ANY_PORT = 1

/** Runs `work`, which must be synchronous, in the network namespace of `file`. */
export function inside<T>(file: string, work: () => T): T {
  const leave = enterNamespace(file)
  try {
    return work()
  } finally {
    leave()
  }
}

/** A socket for echo requests. */
export function pingSocket(netnsFile: string): Promise<Socket> {
  const socket = koffi.load('libc.so.6').func('int socket(int domain, int type, int protocol)')
  const fd = inside(netnsFile, () => {
    writeFileSync('/proc/sys/net/ipv4/ping_group_range', '0 2147483647')
    return Number(socket(AF_INET, SOCK_DGRAM_NONBLOCK_CLOEXEC, IPPROTO_ICMP))
  })
  if (fd < 0) throw new Error('no ICMP socket')
  return adopt(fd)
}

/** A UDP socket on a port, or on any. */
export function udpSocket(netnsFile: string, port = 0): Promise<Socket> {
  const libc = loadLibc()
  const fd = inside(netnsFile, () => {
    const made = libc.udpSocket()
    libc.setSocketFlag(made, SO_REUSEADDR, 1)
    libc.bind(made, ipv4('0.0.0.0'), port)
    return made
  })
  return adopt(fd)
}

async function adopt(fd: number): Promise<Socket> {
  // Addresses only, so nothing must be looked up.
  const socket = createSocket({ type: 'udp4', lookup: (host, _, done) => done(null, host, 4) })
  // An ICMP error means a lost probe, and nothing more.
  socket.on('error', () => undefined)
  const listening = once(socket, 'listening')
  socket.bind({ fd })
  await listening
  return socket
}

/** An echo request. The kernel fills in the zero fields. */
export function echoRequest(sequence: number): Buffer {
  const packet = Buffer.alloc(8)
  packet.writeUInt8(8, 0)
  packet.writeUInt16BE(sequence, 6)
  return packet
}

/** The sequence number of an echo reply. Null when it is not one. */
export function echoReply(packet: Buffer): number | null {
  return packet.length >= 8 && packet.readUInt8(0) === 0 ? packet.readUInt16BE(6) : null
}

/** Whether an address answers one ping from this network within `timeoutMs`. */
export async function answersPing(
  netnsFile: string,
  address: string,
  timeoutMs: number,
): Promise<boolean> {
  const socket = await pingSocket(netnsFile)
  try {
    const answered = once(socket, 'message', { signal: AbortSignal.timeout(timeoutMs) })
    socket.send(echoRequest(1), ANY_PORT, address, () => undefined)
    return await answered.then(
      () => true,
      () => false,
    )
  } finally {
    socket.close()
  }
}
