/**
 * Measures the time of the first answered ping without starting a program for each.
 *
 * `ping` ends at once while the address has no route. So a small process sends a ping every 2 ms to
 * the addresses in turn, ignores the kernel's errors, and reports the first answer of each.
 */
import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { setTimeout as delay } from 'node:timers/promises'

const PROBE = `
import os, select, socket, struct, sys, time
sock = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
ident = os.getpid() & 0xffff
def checksum(data):
    total = sum(struct.unpack('!%dH' % (len(data) // 2), data))
    total = (total >> 16) + (total & 0xffff)
    return ~(total + (total >> 16)) & 0xffff
head = struct.pack('!BBHHH', 8, 0, 0, ident, 1)
probe = struct.pack('!BBHHH', 8, 0, checksum(head), ident, 1)
print('ready', flush=True)
waiting = sys.stdin.readline().split()
while waiting:
    waiting.append(waiting.pop(0))
    try:
        sock.sendto(probe, (waiting[-1], 0))
    except OSError:
        pass
    until = time.monotonic() + 0.002
    while (left := until - time.monotonic()) > 0:
        if not select.select([sock], [], [], left)[0]:
            break
        packet, (source, _) = sock.recvfrom(2048)
        icmp = packet[(packet[0] & 15) * 4:]
        if source in waiting and icmp[0] == 0 and struct.unpack('!H', icmp[4:6])[0] == ident:
            print(source, flush=True)
            waiting.remove(source)
`

/** A process that is ready to ping. Dispose of it. */
export interface Pinger extends Disposable {
  /**
   * Pings these addresses, and returns the `performance.now()` of each one's first answer, in their
   * order. Rejects after `timeoutMs`. To be called once.
   */
  firstAnswers(addresses: readonly string[], timeoutMs: number): Promise<readonly number[]>
}

/** Starts it, which takes longer than some launches. Needs root for the raw socket. */
export async function openPinger(): Promise<Pinger> {
  const child = spawn('/usr/bin/python3', ['-S', '-c', PROBE], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  await lines.next()
  return {
    async firstAnswers(addresses, timeoutMs) {
      const answered = new Map<string, number>()
      const late = new AbortController()
      const giveUp = async () => {
        await delay(timeoutMs, undefined, { signal: late.signal }).catch(() => undefined)
        child.kill('SIGKILL')
      }
      void giveUp()
      child.stdin.end(`${addresses.join(' ')}\n`)
      for await (const address of lines) answered.set(address, performance.now())
      late.abort()
      return addresses.map((address) => {
        const at = answered.get(address)
        if (at === undefined) throw new Error(`${address} did not answer within ${timeoutMs} ms`)
        return at
      })
    },
    [Symbol.dispose]: () => void child.kill('SIGKILL'),
  }
}

/** As `Pinger.firstAnswers`, with a process that is started now. */
export async function firstAnswers(
  addresses: readonly string[],
  timeoutMs: number,
): Promise<readonly number[]> {
  using pinger = await openPinger()
  return await pinger.firstAnswers(addresses, timeoutMs)
}
