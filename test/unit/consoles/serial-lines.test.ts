import { spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer, type Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { createSerialLines, type SerialLines } from '../../../src/consoles/serial-lines.ts'
import type { Terminal } from '../../../src/lib/terminal.ts'
import { MIB } from '../../../src/model/sizes.ts'
import { execute } from '../../../tools/kit/cloud.ts'
import { eventually } from '../../../tools/kit/netns.ts'
import { instanceId } from '../../kit/records.ts'

const INSTANCE = instanceId(1)
let dir: string
let path: string
let server: Server
let guests: Socket[]
let lines: SerialLines

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'atoll-serial-'))
  path = join(dir, 'serial')
  guests = []
  server = createServer((socket) => guests.push(socket)).listen(path)
  await once(server, 'listening')
  // Longer than a busy machine takes for an answer.
  lines = createSerialLines({ quietMs: 2_000 })
})
afterEach(async () => {
  lines.close()
  for (const guest of guests) guest.destroy()
  server.close()
  await rm(dir, { recursive: true, force: true })
})

const attach = () => lines.attach(INSTANCE, path)

async function guest(): Promise<Socket> {
  await eventually('the line is connected', () => guests.some(({ destroyed }) => !destroyed))
  const found = guests.find(({ destroyed }) => !destroyed)
  if (found === undefined) throw new Error('the line was closed again')
  return found
}

/** What a terminal shows, from now on. */
function watch({ output }: Terminal): { text(): string } {
  let shown = ''
  output.on('data', (bytes: Buffer) => {
    shown += bytes.toString('latin1')
  })
  return { text: () => shown }
}

test('all see what is shown, and any may type, over one connection', async () => {
  const terminals = await Promise.all([attach(), attach(), attach()])
  const seen = terminals.map(watch)
  const line = await guest()
  line.write('hello')
  await eventually('all see it', () => seen.every((one) => one.text() === 'hello'))
  let typed = ''
  line.on('data', (bytes: Buffer) => {
    typed += bytes.toString()
  })
  terminals.forEach(({ input }, n) => void input.write(`<${n}>`))
  await eventually('all is typed', () => typed === '<0><1><2>')
  expect(guests).toHaveLength(1)
})

test('the line is free as soon as the last has left, for others and for the next', async () => {
  for (let turn = 0; turn < 3; turn += 1) {
    const [one, other] = [await attach(), await attach()]
    const line = await guest()
    await one.close()
    expect(line.destroyed).toBe(false)
    await other.close()
    line.resume()
    const next = await attach()
    await eventually('the old connection is gone', () => line.destroyed)
    await eventually('there is a new one', () => guests.length === 2 * turn + 2)
    await next.close()
    guests.at(-1)?.resume()
    await eventually('it is gone, too', () => guests.every(({ destroyed }) => destroyed))
  }
})

test('who does not read misses something and is told, and holds nobody up', async () => {
  const [slow, quick] = [await attach(), await attach()]
  const seen = watch(quick)
  const line = await guest()
  line.write(Buffer.alloc(MIB, 'x'))
  await eventually('the other sees all', () => seen.text().length === MIB)
  expect(slow.output.readableLength).toBeLessThan(MIB / 2)
  const late = watch(slow)
  await eventually('it is told', () => /\d+ bytes came too fast/.test(late.text()))
  const missed = Number(/(\d+) bytes came/.exec(late.text())?.[1])
  expect(late.text().replaceAll(/[^x]/g, '').length + missed).toBe(MIB)
  line.write('after')
  await eventually('it goes on', () => late.text().endsWith('after'))
})

test('a pipe ends when all was typed and the line is silent', async () => {
  const terminal = await attach()
  const seen = watch(terminal)
  const line = await guest()
  terminal.input.end('command\n')
  line.write('answer')
  await once(terminal.output, 'end')
  expect(seen.text()).toBe('answer')
  expect((await terminal.end()).reason).toMatch(/the line is silent/)
})

test('with the machine all end, and none can be attached to', async () => {
  const terminals = [await attach(), await attach()]
  const ended = terminals.map((terminal) => {
    watch(terminal)
    return once(terminal.output, 'end')
  })
  server.close()
  const line = await guest()
  line.destroy()
  await Promise.all(ended)
  for (const terminal of terminals)
    expect(await terminal.end()).toEqual({
      exitCode: null,
      reason: 'the virtual machine has stopped',
    })
  await expect(attach()).rejects.toMatchObject({ code: 'IncorrectInstanceState' })
})

test('a daemon that does not get to it holds up neither the machine nor what is shown afterwards', {
  timeout: 60_000,
}, async () => {
  const terminal = await attach()
  const line = await guest()
  const relays = async () =>
    (await execute('pgrep', ['-f', `serial-relay.* ${path}$`])).stdout.trim().split('\n')
  expect(await relays()).toHaveLength(1)
  // Nothing of ours runs meanwhile, as while the whole process is stopped: what is written must go
  // somewhere.
  const script = `
    const line = new (require('net').Socket)({ fd: 3 })
    let left = 64
    const more = () => { if (left-- > 0) line.write(Buffer.alloc(1024 * 1024, 'x'), more); else process.exit(0) }
    more()`
  const fd = Reflect.get(Reflect.get(line, '_handle'), 'fd')
  const ran = spawnSync(process.execPath, ['-e', script], {
    stdio: ['ignore', 'ignore', 'inherit', fd],
    timeout: 60_000,
  })
  expect(ran.status).toBe(0)
  const seen = watch(terminal)
  await eventually('it is told', () => seen.text().includes('bytes came'))
  line.write('and goes on')
  await eventually('it goes on', () => seen.text().endsWith('and goes on'))
  await terminal.close()
  await eventually('the relay is gone', async () => (await relays())[0] === '')
})
