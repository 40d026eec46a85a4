/**
 * A guest writes without end to its serial line while the daemon through which someone is attached
 * is stopped, and then while none runs. It continues to write, and its log stays within its limits.
 */
import { appendFile, readFile, stat } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { KIB, MIB } from '../../src/model/sizes.ts'
import { type Cloud, createCloud } from '../../tools/kit/cloud.ts'
import { type InstanceCalls, instanceCalls } from '../../tools/kit/instance-calls.ts'
import { eventually } from '../../tools/kit/netns.ts'
import { canRunMachines, placeTinyGuest } from '../../tools/kit/tiny-guest.ts'
import { type Pty, startPty } from '../kit/pty.ts'

const ATOLL = resolve(import.meta.dirname, '../../bin/atoll')
const DEADLINE_MS = 300_000
/** What all buffers between the guest and a terminal hold is less. */
const MUCH_BYTES = MIB
/** Where the log is cut. */
const LOG_LIMIT_BYTES = 2 * MIB
/** Each line has almost 1 KiB, and says how many were before it. */
const FLOOD =
  'p=0123456789abcde; for i in 1 2 3 4 5 6; do p=$p$p; done; n=0; while :; do n=$((n+1)); echo "at $n $p"; done\n'

describe.skipIf(!canRunMachines())('a guest that floods its console (needs root and QEMU)', () => {
  let cloud: Cloud
  let ask: InstanceCalls
  let machine: string
  let terminal: Pty

  const command = () => `${ATOLL} --config ${cloud.configFile} console ${machine}`
  const logFile = () => join(cloud.dir, 'state/machines', machine, 'console.log')
  /** How much was written, by the last line that is there. */
  async function writtenBytes(): Promise<number> {
    const kept = await readFile(`${logFile()}.1`, 'latin1').catch(() => '')
    const text = kept + (await readFile(logFile(), 'latin1'))
    const lines = [...text.matchAll(/^at (\d+) (?:0123456789abcde){64}\r?$/gm)]
    return Number(lines.at(-1)?.[1] ?? 0) * KIB
  }
  /** It writes much more, and its log is cut, which we make long as it writes slowly. */
  async function goesOn(): Promise<void> {
    const before = await writtenBytes()
    await appendFile(logFile(), `${'x'.repeat(LOG_LIMIT_BYTES)}\n`)
    const isCut = async () => (await stat(logFile())).size < LOG_LIMIT_BYTES
    await eventually('the log is cut', isCut, DEADLINE_MS)
    const wroteMuch = async () => (await writtenBytes()) - before > MUCH_BYTES
    await eventually('it writes much', wroteMuch, DEADLINE_MS)
    expect(await isCut()).toBe(true)
  }

  beforeAll(async () => {
    cloud = await createCloud('flood', 'qemu: {accel: tcg, stopSeconds: 5}\n')
    ask = instanceCalls(cloud.ec2, DEADLINE_MS)
    const { location } = await placeTinyGuest(join(cloud.dir, 'state/images'))
    machine = (await ask.launch(await ask.register('tiny', location)))[0] ?? ''
    await ask.untilItAnswers(machine)
    terminal = await startPty(command())
    await terminal.until('detaches')
    terminal.type(FLOOD)
    await terminal.until('at 10 ')
  }, DEADLINE_MS)
  afterAll(async () => {
    terminal?.cut()
    await cloud?.destroy()
  })

  it(
    'goes on while the daemon is stopped',
    async () => {
      process.kill(cloud.daemon().pid ?? 0, 'SIGSTOP')
      try {
        await goesOn()
      } finally {
        process.kill(cloud.daemon().pid ?? 0, 'SIGCONT')
      }
      const again = await startPty(command())
      await again.until('\nat ')
      again.cut()
    },
    2 * DEADLINE_MS,
  )

  it(
    'goes on while no daemon runs',
    async () => {
      await cloud.stop('SIGKILL')
      await goesOn()
      await cloud.start()
      await ask.terminate(machine)
    },
    2 * DEADLINE_MS,
  )
})
