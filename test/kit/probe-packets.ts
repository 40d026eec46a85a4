/**
 * Packets that begin flows, sent from namespaces and heard where they arrive: each has a number of
 * its own.
 */
import { eventually, type Netns } from '../../tools/kit/netns.ts'

/**
 * Sends packets that begin a flow each: argv is JSON, a list of [destination, protocol, port, code,
 * number].
 */
const SEND = `
import json, socket, struct, sys
def checksum(data):
    data += b"\\0" * (len(data) % 2)
    total = sum(struct.unpack("!%dH" % (len(data) // 2), data))
    total = (total >> 16) + (total & 0xffff)
    return ~(total + (total >> 16)) & 0xffff
source = socket.inet_aton(sys.argv[1])
for destination, protocol, port, code, number in json.loads(sys.argv[2]):
    to = socket.inet_aton(destination)
    mark = b"atoll%08d" % number
    if protocol == 6:
        body = struct.pack("!HHIIBBHHH", 1024 + number % 60000, port, number, 0, 5 << 4, 2, 1024, 0, 0) + mark
    elif protocol == 17:
        body = struct.pack("!HHHH", 1024 + number % 60000, port, 8 + len(mark), 0) + mark
    elif protocol == 1:
        body = struct.pack("!BBHHH", port, code, 0, number % 65536, 1) + mark
    else:
        body = mark
    if protocol == 6:
        sum_ = checksum(source + to + struct.pack("!BBH", 0, protocol, len(body)) + body)
        body = body[:16] + struct.pack("!H", sum_) + body[18:]
    elif protocol == 1:
        body = body[:2] + struct.pack("!H", checksum(body)) + body[4:]
    raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
    header = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(body), number % 65536, 0, 64, protocol, 0, source, to)
    try: raw.sendto(header + body, (destination, 0))
    except OSError: pass
    raw.close()
`

/** Prints the number of each such packet that arrives, until SIGUSR1 and 0.3 s of silence. */
const HEAR = `
import os, re, select, signal, socket
inner, outer = os.pipe()
signal.signal(signal.SIGUSR1, lambda *_: os.write(outer, b"x"))
raw = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(3))
raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
print("ready", flush=True)
over = False
while True:
    ready, _, _ = select.select([raw] + ([] if over else [inner]), [], [], 0.3 if over else None)
    if not ready: break
    if raw in ready:
        data, (_, _, kind, *_) = raw.recvfrom(65535)
        # PACKET_OUTGOING is what this machine sends; an ICMP error quotes what did not arrive.
        found = re.search(rb"atoll(\\d{8})", data)
        if kind != 4 and found and not (data[9] == 1 and data[20] in (0, 3, 11, 14)): print(int(found.group(1)), flush=True)
    elif inner in ready: over = True
`

/** Where packets are sent from, and where they may arrive. */
export interface PacketEnd {
  readonly ip: string
  readonly machine: Netns
}

/** One packet, from an end (its index) to an address. */
export interface Probe {
  readonly from: number
  /** The end at which it should arrive, if at all. */
  readonly to: number
  readonly destination: string
  readonly protocol: number
  /** Or the type of ICMP. */
  readonly port: number
  readonly code: number
}

let lastNumber = 0

/** Sends all, and says which of them arrived at their end. */
export async function sendProbes(
  ends: readonly PacketEnd[],
  probes: readonly Probe[],
): Promise<ReadonlySet<Probe>> {
  const heard = ends.map(() => '')
  const hearers = ends.map(({ machine }, at) =>
    machine.spawn(['python3', '-c', HEAR], (text) => {
      heard[at] += text
    }),
  )
  await eventually('everybody listens', () => heard.every((text) => text.startsWith('ready')))
  const numbered = probes.map((probe) => {
    lastNumber += 1
    return { probe, number: lastNumber }
  })
  await Promise.all(
    ends.map(async ({ ip, machine }, at) => {
      const packets = numbered
        .filter(({ probe }) => probe.from === at)
        .map(({ probe: { destination, protocol, port, code }, number }) => [
          ...[destination, protocol, port, code, number],
        ])
      if (packets.length > 0)
        await machine.must(['python3', '-c', SEND, ip, JSON.stringify(packets)])
    }),
  )
  const gone = hearers.map((hearer) => new Promise((resolve) => hearer.once('close', resolve)))
  for (const hearer of hearers) hearer.kill('SIGUSR1')
  await Promise.all(gone)
  return new Set(
    numbered
      .filter(({ probe, number }) => heard[probe.to]?.split('\n').includes(`${number}`) === true)
      .map(({ probe }) => probe),
  )
}
