/**
 * Finds the moment of the first answered echo without starting a program for each probe.
 *
 * `ping` will not do: it ends at once while the address has no route yet. So one small process keeps a raw socket, sends a probe
 * every 2 ms whatever the kernel says to it, and tells when the first answer came.
 */
import { spawn } from 'node:child_process'

const PROBE = `
import os, select, socket, struct, sys, time
address = sys.argv[1]
sock = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
ident = os.getpid() & 0xffff
def checksum(data):
    total = sum(struct.unpack('!%dH' % (len(data) // 2), data))
    total = (total >> 16) + (total & 0xffff)
    return ~(total + (total >> 16)) & 0xffff
head = struct.pack('!BBHHH', 8, 0, 0, ident, 1)
probe = struct.pack('!BBHHH', 8, 0, checksum(head), ident, 1)
while True:
    try:
        sock.sendto(probe, (address, 0))
    except OSError:
        pass
    until = time.monotonic() + 0.002
    while (left := until - time.monotonic()) > 0:
        if not select.select([sock], [], [], left)[0]:
            break
        packet, (source, _) = sock.recvfrom(2048)
        icmp = packet[(packet[0] & 15) * 4:]
        if source == address and icmp[0] == 0 and struct.unpack('!H', icmp[4:6])[0] == ident:
            print('answered', flush=True)
            sys.exit()
`

export interface Pinger {
  /** `performance.now()` at the first answer; the probing ends with it. Rejects after `timeoutMs`. */
  firstAnswer(timeoutMs: number): Promise<number>
}

/** Starts probing at once. Needs root for the raw socket. */
export function startPinger(address: string): Pinger {
  const child = spawn('/usr/bin/python3', ['-S', '-c', PROBE, address], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  return {
    firstAnswer: (timeoutMs) =>
      new Promise((resolve, reject) => {
        const timer = setTimeout(() => {
          child.kill('SIGKILL')
          reject(new Error(`${address} did not answer within ${timeoutMs} ms`))
        }, timeoutMs)
        child.stdout.once('data', () => {
          resolve(performance.now())
          clearTimeout(timer)
        })
      }),
  }
}
