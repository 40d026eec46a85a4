/**
 * The guest agent, played by a socket: what is done when it answers, lies, or says nothing, and
 * that no guest stays frozen.
 */
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { createServer, type Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { type Clock, systemClock } from '../../../src/lib/clock.ts'
import { createFreezer } from '../../../src/machines/agent.ts'
import { silentLog } from '../../../tools/kit/log.ts'
import { instanceId } from '../../kit/records.ts'

const ID = instanceId(1)
const signal = new AbortController().signal
/** Pauses between attempts are not what is looked at here. */
const clock: Clock = { ...systemClock, sleep: async () => {} }

let dir: string
let server: Server | undefined
const open = new Set<Socket>()

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'atoll-agent-'))
})
afterEach(async () => {
  for (const socket of open) socket.destroy()
  server?.close()
  server = undefined
  await rm(dir, { recursive: true, force: true })
})

/**
 * An agent that answers each command as `say` does, and what it was asked but for synchronisation.
 */
async function agent(
  say: (command: string) => object | string | null,
  before = '',
): Promise<string[]> {
  const asked: string[] = []
  server = createServer((socket) => {
    open.add(socket)
    socket.on('error', () => {})
    let text = before
    socket.write(text)
    text = ''
    socket.on('data', (bytes) => {
      text += bytes.toString('latin1')
      for (const line of text.split('\n').slice(0, -1)) {
        const question = JSON.parse(line.replace('\xff', ''))
        if (question.execute === 'guest-sync-delimited') {
          socket.write(Buffer.of(0xff))
          socket.write(`${JSON.stringify({ return: question.arguments.id })}\n`)
          continue
        }
        asked.push(question.execute)
        const answer = say(question.execute)
        if (typeof answer === 'string') socket.write(answer)
        else if (answer !== null) socket.write(`${JSON.stringify(answer)}\n`)
      }
      text = text.slice(text.lastIndexOf('\n') + 1)
    })
  })
  await new Promise<void>((done) => server?.listen(join(dir, 'agent'), done))
  return asked
}

/**
 * What QEMU says of its ends, when a program in the guest holds the agent's port open and when none
 * does.
 */
const chardevs = (isOpen: boolean) => [
  { label: 'serial', filename: '', 'frontend-open': true },
  { label: 'agent', filename: '', 'frontend-open': isOpen },
]

function freezer(isOpen = true) {
  return createFreezer({
    socketOf: () => join(dir, 'agent'),
    monitorOf: async () => ({ execute: async () => chardevs(isOpen) }),
    homeOf: () => dir,
    answerMs: 1_000,
    clock,
    log: silentLog,
  })
}

/** The usual answers. */
function healthy(command: string): object {
  return { return: command === 'guest-fsfreeze-status' ? 'thawed' : 1 }
}

async function isMarked(): Promise<boolean> {
  return (await readdir(dir)).includes('frozen')
}

test('a guest in which nothing listens is not asked and not waited for', async () => {
  const asked = await agent(healthy)
  expect(await freezer(false).open(ID, signal)).toBeNull()
  expect(asked).toEqual([])
})

test.each([
  ['answers', true, true, false],
  ['does not answer', true, false, true],
  ['is not there', false, true, false],
])(
  'an agent that %s (its port open: %s) is silent, or not',
  async (_what, isOpen, answers, isSilent) => {
    const asked = answers ? await agent(healthy) : []
    expect(await freezer(isOpen).isSilent(ID)).toBe(isSilent)
    // It is only called: a command may be forbidden.
    expect(asked).toEqual([])
  },
)

test.each([
  ['a line without an end', 'x'.repeat(8 * 1024 * 1024)],
  ['lines without an end', '{"return": 1}\n'.repeat(100_000)],
])('an agent that sends %s is not read for ever, and counts as silent', async (_what, flood) => {
  await agent(healthy, flood)
  expect(await freezer().isSilent(ID)).toBe(true)
})

describe('a guest with an agent', () => {
  test('is still while something is done, and goes on after it', async () => {
    const asked = await agent(healthy, '{"return": {}}\n half a line\n')
    const freeze = await freezer().open(ID, signal)
    const result = await freeze?.(async () => {
      expect(asked).toEqual(['guest-fsfreeze-status', 'guest-fsfreeze-freeze'])
      expect(await isMarked()).toBe(true)
      return 'done'
    })
    expect(result).toBe('done')
    expect(asked.at(-1)).toBe('guest-fsfreeze-thaw')
    expect(await isMarked()).toBe(false)
  })

  test('goes on when what is done fails, and when it could not be frozen', async () => {
    const asked = await agent((command) =>
      command.endsWith('-freeze') && asked.length > 4
        ? { error: { class: 'GenericError', desc: 'no' } }
        : healthy(command),
    )
    for (const message of ['broken', 'does not answer']) {
      const freeze = await freezer().open(ID, signal)
      await expect(freeze?.(() => Promise.reject(new Error('broken')))).rejects.toThrow(message)
      expect(asked.at(-1)).toBe('guest-fsfreeze-thaw')
      expect(await isMarked()).toBe(false)
    }
  })

  test('that could not be thawed is, by whoever comes later; nobody else is asked', async () => {
    let isDeaf = true
    const asked = await agent((command) =>
      isDeaf && command.endsWith('-thaw')
        ? { error: { class: 'GenericError', desc: 'no' } }
        : healthy(command),
    )
    const freeze = await freezer().open(ID, signal)
    expect(await freeze?.(async () => 'done')).toBe('done')
    expect(await isMarked()).toBe(true)
    isDeaf = false
    await freezer().thawLeft(ID)
    expect(await isMarked()).toBe(false)
    const count = asked.length
    await freezer().thawLeft(ID)
    expect(asked.length).toBe(count)
  })

  test('is not thawed while it is held on purpose', async () => {
    const asked = await agent(healthy)
    const one = freezer()
    const freeze = await one.open(ID, signal)
    await freeze?.(async () => {
      await one.thawLeft(ID)
      expect(asked).not.toContain('guest-fsfreeze-thaw')
    })
  })
})

describe('a guest without one', () => {
  test.each<[string, (command: string) => object | string | null, string]>([
    ['says nothing', () => null, ''],
    ['is frozen already', () => ({ return: 'frozen' }), ''],
    ['does not know the question', () => ({ error: { class: 'x', desc: 'unknown' } }), ''],
    ['answers something else', () => 'hello\n', ''],
    ['never ends its line', () => 'x'.repeat(100_000), ''],
    ['says too much', healthy, '{"return":1}\n'.repeat(200)],
  ])('that %s', async (_what, say, before) => {
    await agent(say, before)
    expect(await freezer().open(ID, signal)).toBeNull()
    expect(await isMarked()).toBe(false)
  })

  test('that has no port at all', async () => {
    await writeFile(join(dir, 'agent'), '')
    expect(await freezer().open(ID, signal)).toBeNull()
  })
})
