/**
 * What `iptables-save` tells of instances; real rules are judged by real packets in
 * test/attack/foreign-rules.test.ts.
 */
import { expect, test } from 'vitest'
import { parseIptables } from '../../../../src/host/nftables/iptables-rules.ts'
import { cidr } from '../../../../src/model/addr.ts'
import {
  explainBlockingChain,
  findBlockingChains,
  probeAddresses,
} from '../../../../src/model/foreign-rules.ts'

const places = probeAddresses(cidr('172.31.0.0/16'), { hasPeers: true })
const look = (text: string) => findBlockingChains(parseIptables(text, 'iptables-legacy'), places)
const filter = (...lines: readonly string[]) =>
  [
    '*filter',
    ':INPUT ACCEPT [0:0]',
    ':FORWARD ACCEPT [1:2]',
    ':c - [0:0]',
    ...lines,
    'COMMIT',
  ].join('\n')

test.each([
  ['-A INPUT -p udp -m udp --dport 53 -j DROP', ['DNS']],
  [
    '-A INPUT -p udp -m multiport --dports 1:52,67 -j REJECT --reject-with icmp-port-unreachable',
    ['DHCP'],
  ],
  ['-A INPUT ! -s 172.31.0.0/16 -j DROP', ['DHCP']],
  ['-A INPUT -p icmp -m icmp --icmp-type 8 -j DROP', ['ping of the gateway']],
  [
    '-A INPUT -m comment --comment "a \\"word\\" -j ACCEPT" -p udp -m udp --dport 67 -j DROP',
    ['DHCP'],
  ],
  ['-A INPUT -m addrtype --dst-type BROADCAST -j DROP', ['DHCP']],
  ['-A INPUT ! -i at-h+ -j DROP', []],
  ['-A INPUT -m limit --limit 5/min -j DROP', []],
  ['-A INPUT -m owner ! --uid-owner 0 -j DROP', []],
  ['-A INPUT -m conntrack --ctstate NEW,INVALID -j DROP', []],
  ['-A INPUT -p udp -j LOG --log-prefix "x -j DROP "', []],
  ['-A INPUT -j c\n-A c -p udp -j RETURN\n-A c -p tcp -j DROP', ['DNS by TCP', 'metadata']],
  ['-A INPUT', []],
])('%s', (rules, lost) => {
  expect(look(filter(rules)).flatMap(({ loses }) => loses)).toEqual(lost)
})

test('the advice is for the program and the ways that are shut', () => {
  const [found] = look(filter(':FORWARD DROP [0:0]'))
  expect(found === undefined ? null : explainBlockingChain(found)).toMatchObject({
    fix: 'iptables-legacy -t filter -I FORWARD -i at-h+ -j ACCEPT; iptables-legacy -t filter -I FORWARD -o at-h+ -j ACCEPT; and the same in what loads these rules',
  })
})

const OF_VPCS = [
  'what instances of VPCs send to the internet',
  'what the internet answers instances of VPCs',
]

test.each([
  ['-A FORWARD -i at-t-+ -j DROP', OF_VPCS.slice(0, 1)],
  ['-A FORWARD -d 100.64.0.0/10 -j DROP', OF_VPCS.slice(1)],
  [
    '-A FORWARD -s 100.64.0.0/10 -j REJECT --reject-with icmp-port-unreachable',
    OF_VPCS.slice(0, 1),
  ],
  ['-A FORWARD -i at-h+ -j ACCEPT\n-A FORWARD -o at-h+ -j ACCEPT\n-A FORWARD -j DROP', OF_VPCS],
  ['-A FORWARD -i at-t-+ -j ACCEPT\n-A FORWARD -o at-t-+ -j ACCEPT', []],
])('links to VPCs are packets, too: %s', (rules, lost) => {
  const withVpcs = probeAddresses(cidr('172.31.0.0/16'), { hasPeers: true, hasVpcs: true })
  const found = findBlockingChains(parseIptables(filter(rules), 'iptables-legacy'), withVpcs)
  expect(found.flatMap(({ loses }) => loses)).toEqual(lost)
  for (const { fix } of found.map(explainBlockingChain)) {
    expect(fix).toContain('FORWARD -i at-t-+ -j ACCEPT')
    expect(fix).not.toContain('at-h')
  }
  // Where there are none, nothing is lost.
  expect(look(filter(rules)).flatMap(({ loses }) => loses)).toEqual([])
})

test('in the namespace of a VPC the world is behind one link', () => {
  const inside = probeAddresses(cidr('172.31.0.0/16'), { hasPeers: false, inVpc: true })
  const rules = filter('-A FORWARD -o at-world -j DROP')
  const found = findBlockingChains(parseIptables(rules, 'iptables-legacy'), inside)
  expect(found.flatMap(({ loses }) => loses)).toEqual(['what instances send to the internet'])
})

test("Docker's own policy is none: it lets us through by DOCKER-USER", () => {
  const docker = filter(':FORWARD DROP [0:0]', ':DOCKER-USER - [0:0]', '-A FORWARD -j DOCKER-USER')
  expect(look(docker)).toEqual([])
})

test('nat drops nothing, and what is no rule is none', () => {
  expect(look('*nat\n:PREROUTING DROP [0:0]\n-A PREROUTING -j DROP\nCOMMIT')).toEqual([])
  expect(look('-A INPUT -j DROP\n:\n*\nrubbish')).toEqual([])
})
