/**
 * Tells when a client got its address, by watching every DHCPACK in the caller's network namespace,
 * whatever server sent it.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { eventually } from '../kit/netns.ts'

/**
 * RFC 2131: BOOTREPLY with option 53 of value 5, from port 67. A reply is seen on each link that it
 * crosses. The first counts.
 */
const WATCH = `
import socket, struct, sys
sock = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(3))
print('watching', flush=True)
while True:
    packet = sock.recv(2048)
    if len(packet) < 28 or packet[0] >> 4 != 4 or packet[9] != 17:
        continue
    udp = packet[(packet[0] & 15) * 4:]
    if len(udp) < 248 or struct.unpack('!H', udp[:2])[0] != 67 or udp[8] != 2:
        continue
    at = 248
    while at + 2 < len(udp) and udp[at] not in (53, 255):
        at += 1 if udp[at] == 0 else 2 + udp[at + 1]
    if udp[at:at + 3] == bytes([53, 1, 5]):
        print(udp[36:42].hex(':'), flush=True)
`

export interface DhcpWatch {
  /**
   * The `performance.now()` of the first DHCPACK to each of these clients. Rejects after
   * `timeoutMs`.
   */
  acks(macs: readonly string[], timeoutMs: number): Promise<readonly number[]>
  /** Forgets earlier ones. */
  clear(): void
  close(): void
}

/** Starts watching. Needs root for the packet socket. */
export async function startDhcpWatch(): Promise<DhcpWatch> {
  const child: ChildProcess = spawn('/usr/bin/python3', ['-S', '-c', WATCH], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  if (child.stdout === null) throw new Error('no stdout')
  const seen = new Map<string, number>()
  const lines = createInterface({ input: child.stdout })
  await once(lines, 'line')
  lines.on('line', (mac) => {
    if (!seen.has(mac)) seen.set(mac, performance.now())
  })
  return {
    async acks(macs, timeoutMs) {
      await eventually('every DHCPACK', () => macs.every((mac) => seen.has(mac)), timeoutMs)
      return macs.map((mac) => seen.get(mac) ?? Number.NaN)
    },
    clear: () => seen.clear(),
    close: () => child.kill('SIGKILL'),
  }
}
