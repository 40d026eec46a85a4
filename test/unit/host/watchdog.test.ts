import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer, type Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { openWatchdog, watchdogKind } from '../../../src/host/watchdog.ts'
import { SOON } from '../../kit/soon.ts'

let directory: string
let server: Server
let heard: string[]
let isOpen = false

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'watchdog-'))
  heard = []
  server = createServer((socket) => {
    isOpen = true
    socket.on('data', (bytes) => heard.push(bytes.toString('latin1')))
    socket.on('close', () => {
      isOpen = false
    })
  })
  server.listen(join(directory, 'socket'))
  await once(server, 'listening')
})
afterEach(() => {
  server.close()
  rmSync(directory, { recursive: true, force: true })
})

it('feeds a socket with bytes, and disarms it with a V before it closes', async () => {
  const watchdog = openWatchdog(`unix:${join(directory, 'socket')}`, 10_000)
  expect(watchdog.kind).toBe('watchdog')
  watchdog.feed()
  watchdog.feed()
  await vi.waitFor(() => expect(heard.join('')).toBe('\0\0'), SOON)
  expect(isOpen).toBe(true)
  watchdog.disarm()
  await vi.waitFor(() => expect([heard.join(''), isOpen]).toEqual(['\0\0V', false]), SOON)
})

it('disarms what a process before has left armed', async () => {
  openWatchdog(`unix:${join(directory, 'socket')}`, 10_000).disarm()
  await vi.waitFor(() => expect([heard.join(''), isOpen]).toEqual(['V', false]), SOON)
})

it('says that there is no other end', () => {
  const watchdog = openWatchdog(`unix:${join(directory, 'nobody')}`, 10_000)
  expect(() => watchdog.feed()).toThrow('ENOENT')
})

it('takes a device that nothing is known of for software', () => {
  expect(watchdogKind('/dev/watchdog')).toBe('softdog')
})
