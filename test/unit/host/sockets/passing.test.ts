/** Descriptors in datagrams, between sockets of this process. */
import { closeSync, fstatSync, openSync, readFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest'
import { loadDescriptors } from '../../../../src/host/sockets/descriptors.ts'
import { loadPassing, MAX_PASSED } from '../../../../src/host/sockets/passing.ts'

const passing = loadPassing()
let directory = ''
let path = ''
let inbox = 0
let sent: number[] = []

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'atoll-passing-'))
})
afterAll(async () => {
  await rm(directory, { recursive: true })
})
beforeEach(({ task }) => {
  path = join(directory, task.id)
  inbox = loadDescriptors().bindUnixDatagrams(path)
})
afterEach(() => {
  for (const fd of [inbox, ...sent]) closeSync(fd)
  sent = []
})

const openFile = (file: string): number => {
  const fd = openSync(file, 'r')
  sent.push(fd)
  return fd
}

it('brings the bytes, and copies of the same files in their order', () => {
  const files = ['/dev/null', '/dev/zero', '/etc/passwd']
  passing.send(path, Buffer.from('one'), files.map(openFile))
  passing.send(path, Buffer.from('two'), [])
  const first = passing.receive(inbox)
  expect(first?.bytes.toString()).toBe('one')
  const fds = first?.fds ?? []
  expect(fds.map((fd) => fstatSync(fd).ino)).toEqual(sent.map((fd) => fstatSync(fd).ino))
  for (const fd of fds) {
    expect(sent).not.toContain(fd)
    // O_CLOEXEC (open(2)): no program that is started inherits it.
    const flags = /flags:\s+(\d+)/.exec(readFileSync(`/proc/self/fdinfo/${fd}`, 'utf8'))?.[1]
    expect(Number.parseInt(flags ?? '0', 8) & 0o2000000).not.toBe(0)
    closeSync(fd)
  }
  expect(passing.receive(inbox)).toMatchObject({ bytes: Buffer.from('two'), fds: [] })
  expect(passing.receive(inbox)).toBeNull()
})

it('brings as many as it promises, and refuses one more', () => {
  const many = Array.from({ length: MAX_PASSED }, () => openFile('/dev/null'))
  passing.send(path, Buffer.from('many'), many)
  const fds = passing.receive(inbox)?.fds ?? []
  expect(fds).toHaveLength(MAX_PASSED)
  for (const fd of fds) closeSync(fd)
  expect(() => passing.send(path, Buffer.of(1), [...many, many[0] ?? 0])).toThrow('too large')
  expect(passing.receive(inbox)).toBeNull()
})

it('does not wait for one that reads nothing, or is not there', () => {
  const send = () => passing.send(path, Buffer.from('x'), [])
  expect(() => {
    for (let count = 0; count < 10_000; count += 1) send()
  }).toThrow('EAGAIN')
  expect(() => passing.send(`${path}-not`, Buffer.from('x'), [])).toThrow('ENOENT')
})
