/**
 * Asks DNS and DHCP from inside an instance, all the time, and says how long answers take. A client
 * in a process of its own: what it measures must not wait for the benchmark.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'

/**
 * A query for its own name every 20 ms, and a renewal (DHCPREQUEST with `ciaddr`, RFC 2131 section
 * 4.3.2) every 300 ms: an instance gets five answers a second. One that is not answered within a
 * second is lost.
 */
const ASK = `
import os, select, socket, struct, sys, time
name, mac, ip, gateway = sys.argv[1], bytes.fromhex(sys.argv[2].replace(':', '')), sys.argv[3], sys.argv[4]
dns = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
dns.connect((gateway, 53))
dhcp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
dhcp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
dhcp.bind((ip, 68))
question = b''.join(bytes([len(part)]) + part.encode() for part in name.split('.')) + bytes([0, 0, 1, 0, 1])
def query(number):
    dns.send(struct.pack('!HHHHHH', number & 65535, 0x100, 1, 0, 0, 0) + question)
def renew(number):
    head = struct.pack('!BBBBIHH4s4s4s4s16s192s4s', 1, 1, 6, 0, number, 0, 0, socket.inet_aton(ip), bytes(4), bytes(4), bytes(4), mac, b'', b'\\x63\\x82\\x53\\x63')
    dhcp.sendto(head + bytes([53, 1, 3, 255]), (gateway, 67))
kinds = {
    'dns': [dns, query, 0.02, lambda reply: struct.unpack('!H', reply[:2])[0]],
    'dhcp': [dhcp, renew, 0.3, lambda reply: struct.unpack('!I', reply[4:8])[0]],
}
waiting = {'dns': {}, 'dhcp': {}}
due = {'dns': 0, 'dhcp': 0}
number = 0
while True:
    now = time.monotonic()
    for kind, (sock, ask, pause, read) in kinds.items():
        if now >= due[kind]:
            number += 1
            waiting[kind][number & 65535] = now
            ask(number & 65535)
            due[kind] = max(due[kind] + pause, now)
        for key, sent in list(waiting[kind].items()):
            if now - sent > 1:
                del waiting[kind][key]
                print('lost', 0, flush=True)
    left = min(due.values()) - time.monotonic()
    for sock in select.select([dns, dhcp], [], [], max(0, left))[0]:
        at = time.monotonic()
        kind = 'dns' if sock is dns else 'dhcp'
        try:
            sent = waiting[kind].pop(kinds[kind][3](sock.recv(4096)), None)
        except OSError:
            continue
        if sent is not None:
            print(kind, (at - sent) * 1000, flush=True)
`

/**
 * chrt(1): what the client measures is not to be its own wait for a processor. It sleeps between
 * two questions.
 */
const FIRST = ['--fifo', '2'] as const

/** What was seen since the last `clear`. */
export interface ServiceAnswers {
  /** Time of each answer. */
  readonly dnsMs: readonly number[]
  readonly dhcpMs: readonly number[]
  /** Questions without an answer within a second. */
  readonly lost: number
}

export interface ServiceWatch {
  clear(): void
  seen(): ServiceAnswers
  close(): void
}

/** A network interface of an instance: what the client asks with. */
interface Asker {
  /** A process in the instance's network namespace. */
  readonly pid: number
  readonly mac: string
  readonly address: string
  readonly gateway: string
  /** The name that it asks for. */
  readonly name: string
}

/** Starts asking. Resolves with the first answer. Nobody else may use port 68 of the instance. */
export async function watchServices(asker: Asker): Promise<ServiceWatch> {
  const { pid, mac, address, gateway, name } = asker
  const program = ['/usr/bin/python3', '-S', '-c', ASK, name, mac, address, gateway]
  const child = spawn('chrt', [...FIRST, 'nsenter', '-t', `${pid}`, '-n', ...program], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let figures: Record<string, number[]> = {}
  const lines = createInterface({ input: child.stdout })
  lines.on('line', (line) => {
    const [kind = '', ms] = line.split(' ')
    figures[kind] ??= []
    figures[kind].push(Number(ms))
  })
  await once(lines, 'line')
  return {
    clear() {
      figures = {}
    },
    seen: () => ({
      dnsMs: figures['dns'] ?? [],
      dhcpMs: figures['dhcp'] ?? [],
      lost: figures['lost']?.length ?? 0,
    }),
    close: () => child.kill('SIGKILL'),
  }
}
