/**
 * An instance with raw sockets, or a virtual machine on its tap, sends frames that are neither IPv4
 * nor ARP: tagged for VLANs, of switches, routers, access protocols, storage; IPv6 router
 * advertisements; IPv4 and ARP of others under a tag.
 *
 * Before: programs of the host that speak one of them, as lldpd does, heard 30 of these kinds from
 * any instance.
 */
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { writeSync } from 'node:fs'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { FIRST_DRIVERS } from '../../src/model/driver.ts'
import { nicLinkName } from '../../src/model/names.ts'
import type { InstanceWant, NicWant } from '../../src/model/want.ts'
import { eventually, type Netns } from '../../tools/kit/netns.ts'
import { createTestbed, type Testbed, testInstance, testWant } from '../kit/testbed.ts'

const ALICE = testInstance(11, [1])
const BOB = testInstance(12, [1])
const MACHINE: InstanceWant = {
  ...testInstance(13, [1]),
  image: { ...ALICE.image, location: 'kernel=/k,initrd=/i', driver: FIRST_DRIVERS.machine },
  driver: FIRST_DRIVERS.machine,
}
const want = testWant(ALICE, BOB, MACHINE)

let testbed: Testbed
let alice: Netns
let bob: Netns
const listeners: ChildProcess[] = []

beforeAll(async () => {
  testbed = await createTestbed()
  await testbed.pass(want)
  const [one, two] = await Promise.all([ALICE, BOB].map((each) => testbed.plug(each)))
  if (one === undefined || two === undefined) throw new Error('two guests')
  ;[alice, bob] = [one, two]
  // A host that is a bridge, and takes what routers say.
  await testbed.machine.must([
    'sh',
    '-ec',
    'ip link add br9 up type bridge stp_state 1; sysctl -qw net.ipv6.conf.all.accept_ra=2 net.ipv6.conf.all.forwarding=0',
  ])
})
afterEach(async () => {
  for (const listener of listeners.splice(0)) {
    listener.kill('SIGKILL')
    await once(listener, 'exit')
  }
})
afterAll(() => testbed?.destroy())

/**
 * All kinds in turn, each with a mark of its own in it, to the host's end, to everybody, and to the
 * neighbour.
 */
const SEND = `
import struct, sys
mine, bobs, my_ip, bob_ip = (bytes.fromhex(x.replace(":", "")) for x in sys.argv[1:5])
def ip(source, to, mark, proto=17):
    body = struct.pack("!HHHH", 7777, 5555, 8 + len(mark), 0) + mark if proto == 17 else mark
    head = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(body), 1, 0, 64, proto, 0, source, to)
    total = sum(struct.unpack("!10H", head)); total = (total & 0xffff) + (total >> 16); total = (total & 0xffff) + (total >> 16)
    return head[:10] + struct.pack("!H", ~total & 0xffff) + head[12:] + body
def arp(mac, source, to): return struct.pack("!HHBBH6s4s6s4s", 1, 0x800, 6, 4, 2, mac, source, b"\\0" * 6, to)
def tag(vid, proto, rest, tpid=0x8100): return struct.pack("!HHH", tpid, vid, proto) + rest
def ether(proto, rest): return struct.pack("!H", proto) + rest
def icmp6(kind, mark):
    source, to = bytes.fromhex("fe80" + "0" * 27 + "1"), bytes.fromhex("ff02" + "0" * 27 + "1")
    options = bytes.fromhex("030440c0000007080000070800000000") + bytes.fromhex("20010db8") + b"\\0" * 12 if kind == 134 else b""
    body = struct.pack("!BBHBBHII", kind, 0, 0, 64, 0, 1800, 0, 0) + options + mark + b"." * (len(mark) % 2)
    pseudo = source + to + struct.pack("!II", len(body), 58) + body
    total = sum(struct.unpack("!%dH" % (len(pseudo) // 2), pseudo))
    while total >> 16: total = (total & 0xffff) + (total >> 16)
    body = body[:2] + struct.pack("!H", ~total & 0xffff) + body[4:]
    return struct.pack("!IHBB", 6 << 28, len(body), 58, 255) + source + to + body
forged = bytes([172, 31, 0, 99])
gateway = bytes([172, 31, 0, 1])
kinds = {
    "vlan": lambda m: tag(100, 0x800, ip(my_ip, bob_ip, m)),
    "vlan-forged": lambda m: tag(100, 0x800, ip(forged, bob_ip, m)),
    "priority-forged": lambda m: tag(0, 0x800, ip(forged, bob_ip, m)),
    "priority-arp": lambda m: tag(0, 0x806, arp(mine, gateway, bob_ip) + m),
    "qinq": lambda m: tag(100, 0x8100, tag(200, 0x800, ip(my_ip, bob_ip, m))[2:], 0x88a8),
    "qinq-priority-forged": lambda m: tag(0, 0x8100, tag(0, 0x800, ip(forged, bob_ip, m))[2:], 0x88a8),
    "router-advertisement": lambda m: ether(0x86dd, icmp6(134, m)),
    "priority-advertisement": lambda m: tag(0, 0x86dd, icmp6(134, m)),
    "neighbour-advertisement": lambda m: ether(0x86dd, icmp6(136, m)),
    "stp": lambda m: struct.pack("!H", 38) + bytes.fromhex("424203") + bytes.fromhex("0000000000") + b"\\0" * 30 + m,
    "snap": lambda m: struct.pack("!H", 40) + bytes.fromhex("aaaa0300000c2000") + m,
    "ipx": lambda m: struct.pack("!H", 40) + b"\\xff\\xff" + m,
    "forged-ip": lambda m: ether(0x800, ip(forged, bob_ip, m)),
}
for name, proto in dict(lldp=0x88cc, eapol=0x888e, mpls=0x8847, mplsm=0x8848, pppoed=0x8863, pppoes=0x8864, pause=0x8808,
        experimental=0x88b5, teb=0x6558, ptp=0x88f7, macsec=0x88e5, aoe=0x88a2, fcoe=0x8906, roce=0x8915, batman=0x4305,
        rarp=0x8035, hsr=0x892f, mrp=0x88e3, profinet=0x8892, ethercat=0x88a4, wol=0x0842, trill=0x22f3, nsh=0x894f,
        loop=0x9000, tipc=0x88ca, appletalk=0x809b, xid=0x0001).items():
    kinds[name] = lambda m, proto=proto: ether(proto, m)
places = [b"\\xff" * 6, bobs, bytes.fromhex("0261746f6c6c"), bytes.fromhex("0180c2000000"), bytes.fromhex("0180c200000e"), bytes.fromhex("333300000001")]
frames = [to + mine + make(b"ATOLL-" + name.encode() + b"-END" + b"." * 40) for name, make in kinds.items() for to in places]
frames.append(places[2] + mine + ether(0x800, ip(my_ip, bob_ip, b"LAST" + b"." * 40)))
for frame in frames: print(frame.hex())
`
/** Sends such frames. */
const RAW = `
import socket, sys
out = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
out.bind(("eth0", 0))
for line in sys.stdin: out.send(bytes.fromhex(line))
`
/**
 * Says which marks it sees: on all links, or as programs do that speak one protocol each; and by
 * UDP.
 */
const LISTEN = `
import re, select, socket, sys
sockets = [socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(int(each, 16))) for each in sys.argv[1].split(",")]
udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
udp.bind(("0.0.0.0", 5555))
icmp6 = socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6)
print("ready", flush=True)
while True:
    for each in select.select(sockets + [udp, icmp6], [], [])[0]:
        data, source = each.recvfrom(4096)
        if each in sockets and source[2] == socket.PACKET_OUTGOING: continue
        for mark in re.findall(rb"ATOLL-(.+?)-END|(LAST)", data): print("heard", (mark[0] or mark[1]).decode(), flush=True)
`
const ALL = '3'
const DEADLINE_MS = 20_000
/**
 * What switches, access control, storage and the like use on a host, and frames with a length
 * (802.2).
 */
const HOST_PROTOCOLS =
  '88cc,888e,8847,8848,8863,8864,8808,88b5,6558,88f7,88e5,88a2,8906,8915,4305,8035,892f,88e3,8892,88a4,0842,22f3,894f,9000,88ca,809b,0004,8100,88a8'

async function listen(place: Netns, protocols: string): Promise<() => readonly string[]> {
  let said = ''
  const listener = place.spawn(['python3', '-c', LISTEN, protocols], (text) => {
    said += text
  })
  listeners.push(listener)
  await eventually('it listens', () => said.includes('ready'), DEADLINE_MS)
  return () => [...new Set([...said.matchAll(/heard (.*)/g)].map(([, mark = '']) => mark))]
}

function nicOf(instance: InstanceWant): NicWant {
  const [nic] = instance.nics
  if (nic === undefined) throw new Error('an instance has a NIC')
  return nic
}

async function frames(from: InstanceWant): Promise<string> {
  const hex = (ip: string) =>
    ip.split('.').map((octet) => Number(octet).toString(16).padStart(2, '0'))
  const [mine, bobs] = [nicOf(from), nicOf(BOB)]
  const argv = [mine.mac, bobs.mac, hex(mine.ip).join(':'), hex(bobs.ip).join(':')]
  return await alice.must(['python3', '-c', SEND, ...argv])
}

test.each(['container', 'machine'])(
  'no frame of a %s arrives anywhere',
  async (kind) => {
    const from = kind === 'container' ? ALICE : MACHINE
    const text = await frames(from)
    const [atBob, atOutside, atHost] = await Promise.all([
      listen(bob, ALL),
      listen(testbed.outside, ALL),
      listen(testbed.machine, HOST_PROTOCOLS),
    ])
    if (kind === 'container') await alice.must(['python3', '-c', RAW], { stdin: text })
    else await sendByTap(text)
    await eventually(
      'the last one, which is in order, arrives',
      () => atBob?.().includes('LAST') === true,
      DEADLINE_MS,
    )
    expect({ bob: atBob?.(), outside: atOutside?.(), host: atHost?.() }).toEqual({
      bob: ['LAST'],
      outside: [],
      host: [],
    })
    expect(await testbed.machine.must(['ip', '-6', 'route'])).not.toMatch(/2001:db8|default|ra/)
  },
  60_000,
)

/** As QEMU does. */
async function sendByTap(text: string): Promise<void> {
  const tap = await testbed.host.openTap(nicLinkName(nicOf(MACHINE).id))
  // Before each frame a struct virtio_net_hdr, which asks for nothing.
  for (const line of text.trim().split('\n'))
    writeSync(tap.fd, Buffer.concat([Buffer.alloc(10), Buffer.from(line, 'hex')]))
  tap.close()
}
