/** What the kernel says of a descriptor. */
import { closeSync, openSync, statSync } from 'node:fs'
import { afterEach, expect, it } from 'vitest'
import { loadLibc } from '../../../../src/host/libc.ts'
import { loadSocketInspector } from '../../../../src/host/sockets/inspect.ts'
import { ipv4 } from '../../../../src/model/addr.ts'

const libc = loadLibc()
const { inspect } = loadSocketInspector()
const LOOPBACK = ipv4('127.0.0.1')
const namespace = statSync('/proc/self/ns/net').ino
const open: number[] = []
const opened = (fd: number): number => {
  open.push(fd)
  return fd
}
afterEach(() => {
  for (const fd of open.splice(0)) closeSync(fd)
})

it('tells where a UDP socket is bound', () => {
  const fd = opened(libc.udpSocket())
  expect(inspect(fd)).toEqual({ kind: 'udp', namespace, address: '0.0.0.0', port: 0, index: 0 })
  libc.bind(fd, LOOPBACK, 0)
  expect(inspect(fd)).toMatchObject({ kind: 'udp', address: LOOPBACK, index: 0 })
  expect(inspect(fd)?.port).toBeGreaterThan(0)
})

it('tells where a TCP socket listens, and nothing of one that does not', () => {
  const fd = opened(libc.tcpSocket())
  libc.bind(fd, LOOPBACK, 0)
  expect(inspect(fd)).toBeNull()
  libc.listen(fd, 1)
  expect(inspect(fd)).toMatchObject({ kind: 'tcp', namespace, address: LOOPBACK })
})

it('takes no file for a socket', () => {
  expect(inspect(opened(openSync('/dev/null', 'r')))).toBeNull()
})
