/** Which sockets of a process that serves an agent takes over: here, of the test's own. */
import { closeSync, fstatSync } from 'node:fs'
import { afterEach, expect, it } from 'vitest'
import { loadLibc } from '../../../src/host/libc.ts'
import { loadDescriptors } from '../../../src/host/sockets/descriptors.ts'
import { loadSocketInspector } from '../../../src/host/sockets/inspect.ts'
import { createServiceDescriptors } from '../../../src/host/sockets/service-descriptors.ts'
import type { SocketPlace } from '../../../src/host/sockets/socket-place.ts'
import { ipv4 } from '../../../src/model/addr.ts'
import { SocketShelf } from '../../../src/parts/socket-shelf.ts'

const LOOPBACK = ipv4('127.0.0.1')
const libc = loadLibc()
const inspector = loadSocketInspector()
const opener = createServiceDescriptors((work) => work(), libc)
const open: number[] = []
afterEach(() => {
  for (const fd of open.splice(0)) closeSync(fd)
})

/** A socket as one that serves would have it. */
function served(kind: 'udp' | 'tcp') {
  const fd = opener.open({ kind, address: LOOPBACK, port: 0 })
  open.push(fd)
  const port = inspector.inspect(fd)?.port ?? 0
  return { id: fstatSync(fd).ino, place: { kind, address: LOOPBACK, port } satisfies SocketPlace }
}

const newShelf = () => new SocketShelf({ libc, descriptors: loadDescriptors(), inspector })
const nothing = {
  namespace: opener.namespace,
  open: () => expect.fail('a new socket'),
}

it('takes copies of the sockets that are bound as wanted', () => {
  const all = [served('udp'), served('tcp')]
  const shelf = newShelf()
  shelf.takeFrom(process.pid)
  for (const { id, place } of all) {
    const found = shelf.open(nothing, place)
    open.push(found.fd)
    expect(found).toEqual({ fd: found.fd, id, place })
    expect(fstatSync(found.fd).ino).toBe(id)
  }
  shelf.closeFound()
})

it('opens what is bound elsewhere: another kind, another network namespace', () => {
  const { id, place } = served('udp')
  const shelf = newShelf()
  shelf.takeFrom(process.pid)
  const other = { ...nothing, namespace: opener.namespace + 1 }
  expect(() => shelf.open(other, place)).toThrow('a new socket')
  expect(() => shelf.open(nothing, { ...place, kind: 'tcp' })).toThrow('a new socket')
  const found = shelf.open(nothing, place)
  open.push(found.fd)
  expect(found.id).toBe(id)
  // It is given once.
  expect(() => shelf.open(nothing, place)).toThrow('a new socket')
  shelf.closeFound()
})

it('closes what nobody has asked for', () => {
  const { id } = served('udp')
  const copies = () => socketsOf(id)
  const shelf = newShelf()
  shelf.takeFrom(process.pid)
  expect(copies()).toBe(2)
  // What was copied is not copied again.
  shelf.takeFrom(process.pid)
  expect(copies()).toBe(2)
  shelf.closeFound()
  expect(copies()).toBe(1)
})

/** How many descriptors of this process are of a socket. */
function socketsOf(id: number): number {
  let count = 0
  for (let fd = 0; fd < 4_096; fd += 1)
    try {
      const found = fstatSync(fd)
      if (found.isSocket() && found.ino === id) count += 1
    } catch {
      // It is not open.
    }
  return count
}
