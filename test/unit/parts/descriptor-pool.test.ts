/** Which of the sockets that were handed over a service gets. */
import { fstatSync } from 'node:fs'
import { afterEach, expect, it } from 'vitest'
import { loadLibc } from '../../../src/host/libc.ts'
import type { LinkSocket } from '../../../src/host/sockets/udp.ts'
import { DescriptorPool } from '../../../src/parts/descriptor-pool.ts'

const SESSION = 'session'
const open: LinkSocket[] = []
afterEach(() => {
  for (const one of open.splice(0)) one.close()
})

/** A pool that is handed new sockets, as if they were bound to these links. */
function openPool() {
  const libc = loadLibc()
  const waiting: { bytes: Buffer; fds: number[] }[] = []
  const given: number[] = []
  const duplicate = (fd: number) => {
    given.push(fstatSync(fd).ino)
    return libc.duplicate(fd)
  }
  const calls = { ...libc, duplicate }
  const pool = new DescriptorPool(calls, { receive: () => waiting.shift() ?? null }, 0)
  const hand = (link: string, index: number): number => {
    const fd = libc.udpSocket()
    const id = fstatSync(fd).ino
    waiting.push({ bytes: Buffer.from(SESSION), fds: [fd] })
    const place = { kind: 'link', link, index, port: 67 } as const
    expect(pool.take(SESSION, 'machine', [{ id, place }])).toBe(0)
    return id
  }
  return { host: pool.ofNamespace('machine').host, hand, given }
}

it('gives the socket of the link that was made again, and not the one before', async () => {
  const { host, hand, given } = openPool()
  hand('at-one', 4)
  hand('at-other', 5)
  const now = hand('at-one', 9)
  expect(Object.fromEntries(await host.nicIndexes())).toEqual({ 'at-one': 9, 'at-other': 5 })
  open.push(await host.bindUdp('at-one', 67))
  expect(given).toEqual([now])
})
