import { expect, it } from 'vitest'
import { parsePortHolders } from '../../../../src/host/sockets/port-holders.ts'
import { METADATA_ADDRESS } from '../../../../src/model/addr.ts'

const SS = `
udp UNCONN 0 0          127.0.0.53%lo:53     0.0.0.0:*  users:(("systemd-resolve",pid=9,fd=13))
udp UNCONN 0 0       0.0.0.0%virbr0:67      0.0.0.0:*  users:(("dnsmasq",pid=10,fd=3))
udp UNCONN 0 0          192.168.122.1:53     0.0.0.0:*  users:(("dnsmasq",pid=10,fd=5))
udp UNCONN 0 0                0.0.0.0:67     0.0.0.0:*  users:(("dhcpd",pid=11,fd=7))
tcp LISTEN 0 511              0.0.0.0:80     0.0.0.0:*  users:(("nginx",pid=12,fd=6),("nginx",pid=13,fd=6))
tcp LISTEN 0 511                 [::]:80        [::]:*
tcp LISTEN 0 511                    *:53           *:*  users:(("named",pid=14,fd=6))
tcp LISTEN 0 511      169.254.169.254:80     0.0.0.0:*  users:(("node",pid=42,fd=30))
tcp LISTEN 0 511              0.0.0.0:8080   0.0.0.0:*  users:(("java",pid=15,fd=6))
`

it('names who is at all addresses or at one of ours, and nobody who keeps to a link or to himself', () => {
  const found = parsePortHolders(SS, [METADATA_ADDRESS], (pid) => pid === 42)
  expect(found.map(({ protocol, port, holder }) => `${protocol} ${port} ${holder}`)).toEqual([
    'UDP 67 dhcpd (process 11)',
    'TCP 80 nginx (process 12)',
    'TCP 80 a process elsewhere',
    'TCP 53 named (process 14)',
  ])
  expect(parsePortHolders(SS, [METADATA_ADDRESS], () => false)).toHaveLength(5)
})
