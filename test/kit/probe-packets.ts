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

/**
 * Prints the number of each such packet that arrives, and `a` with the number of each whose answer
 * does. The kernel answers TCP and pings; datagrams are answered here. After SIGUSR1 and 0.2 s of
 * silence it has answered all that was sent, and says `drained`; when all have, none of their
 * answers is under way, and another SIGUSR1 ends it in the same way.
 */
const HEAR = `
import os, re, select, signal, socket, struct
def answer(source, to, ports, number):
    mark = b"reply%08d" % number
    out = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
    udp = ports + struct.pack("!HH", 8 + len(mark), 0) + mark
    header = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(udp), number % 65536, 0, 64, 17, 0, source, to)
    try: out.sendto(header + udp, (socket.inet_ntoa(to), 0))
    except OSError: pass
    out.close()
inner, outer = os.pipe()
signal.signal(signal.SIGUSR1, lambda *_: os.write(outer, b"x"))
raw = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(3))
raw.setsockopt(socket.SOL_SOCKET, 33, 1 << 26)  # SO_RCVBUFFORCE
print("ready", flush=True)
signals, drained = 0, 0
while True:
    ready, _, _ = select.select([raw, inner], [], [], None if drained == signals else 0.2)
    if not ready:
        drained = signals
        if signals == 2: break
        print("drained", flush=True)
        continue
    if raw in ready:
        data, (_, _, kind, *_) = raw.recvfrom(65535)
        # PACKET_OUTGOING is what this machine sends; an ICMP error quotes what did not arrive.
        if kind == 4 or len(data) < 28: continue
        header = (data[0] & 15) * 4
        body = data[header:]
        if data[9] == 6 and len(body) >= 20 and body[13] & 4:
            # A reset acknowledges the SYN and its 13 bytes.
            print("a%d" % ((struct.unpack("!I", body[8:12])[0] - 14) % 2**32), flush=True)
            continue
        found = re.search(rb"(atoll|reply)(\\d{8})", data)
        if not found or (data[9] == 1 and body[0] in (3, 11, 14)): continue
        number = int(found.group(2))
        if found.group(1) == b"reply" or (data[9] == 1 and body[0] == 0):
            print("a%d" % number, flush=True)
            continue
        print(number, flush=True)
        if data[9] == 17: answer(data[16:20], data[12:16], body[2:4] + body[0:2], number)
    else: signals += len(os.read(inner, 1))
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
/** Others use the machine, too. */
const LISTEN_MS = 60_000

/** What became of packets. */
export interface Heard {
  /** Those that arrived at their end. */
  readonly arrived: ReadonlySet<Probe>
  /** Those whose answers arrived where they came from. */
  readonly answered: ReadonlySet<Probe>
}

/** Sends all, and says what became of them. */
export async function sendProbes(
  ends: readonly PacketEnd[],
  probes: readonly Probe[],
): Promise<Heard> {
  const heard = ends.map(() => '')
  const hearers = ends.map(({ machine }, at) =>
    machine.spawn(['python3', '-c', HEAR], (text) => {
      heard[at] += text
    }),
  )
  await eventually(
    'everybody listens',
    () => heard.every((text) => text.startsWith('ready')),
    LISTEN_MS,
  )
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
  for (const hearer of hearers) hearer.kill('SIGUSR1')
  const areDrained = () => heard.every((text) => text.includes('drained'))
  await eventually('everybody has answered', areDrained, LISTEN_MS)
  const gone = hearers.map((hearer) => new Promise((resolve) => hearer.once('close', resolve)))
  for (const hearer of hearers) hearer.kill('SIGUSR1')
  await Promise.all(gone)
  const said = heard.map((text) => new Set(text.split('\n')))
  const those = (isIt: (one: (typeof numbered)[number]) => boolean | undefined) =>
    new Set(numbered.flatMap((one) => (isIt(one) === true ? [one.probe] : [])))
  const arrived = those(({ probe, number }) => said[probe.to]?.has(`${number}`))
  // Somebody else may have the address, too, and answer.
  const isAnswered = ({ probe, number }: (typeof numbered)[number]) =>
    arrived.has(probe) && said[probe.from]?.has(`a${number}`)
  return { arrived, answered: those(isAnswered) }
}
