/** Parts that are processes of their own: started, found again, started anew, ended. */
import { spawn } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { getPriority, tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { systemClock } from '../../../src/lib/clock.ts'
import {
  type Child,
  type ChildSpec,
  endChildren,
  keepChild,
  runningChildren,
} from '../../../src/parts/children.ts'
import { silentLog } from '../../../tools/kit/log.ts'
import { eventually } from '../../../tools/kit/netns.ts'

let runtimeDir: string
let begun: Child[]

beforeEach(() => {
  runtimeDir = mkdtempSync(join(tmpdir(), 'atoll-children-'))
  begun = []
})

afterEach(async () => {
  for (const child of begun) await child.end(systemClock)
  await endChildren(runtimeDir, systemClock)
  rmSync(runtimeDir, { recursive: true })
})

async function begin(script = 'exec sleep 600', spec: Partial<ChildSpec> = {}): Promise<Child> {
  const parts = {
    ...{ runtimeDir, configFile: '/tmp/atoll.yaml', clock: systemClock, log: silentLog },
    command: ['/bin/sh', '-c', script, 'sh'],
  }
  const child = keepChild(parts, { part: 'services', ...spec })
  begun.push(child)
  return child
}

/** A part whose daemon is dead. */
function leave(): number {
  const { pid = 0 } = spawn('/bin/sleep', ['600'], { stdio: 'ignore' })
  const started = readFileSync(`/proc/${pid}/stat`, 'utf8')
    .replace(/^.*\) /s, '')
    .split(' ')[19]
  writeFileSync(join(runtimeDir, 'services.pid'), `${pid} ${started}\n`)
  return pid
}

function exists(pid: number): boolean {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8')
    return !/\) [ZX] /.test(text)
  } catch {
    return false
  }
}

describe('a part that is a process of its own', () => {
  it('may be several processes, each with its number, which all end', async () => {
    const said = join(runtimeDir, 'said')
    const script = `echo "$@" >> ${said}; exec sleep 600`
    const pids = []
    for (const worker of [1, 2, 3]) {
      const child = await begin(script, { part: 'api', worker })
      await eventually('it runs', () => child.pid() !== null)
      pids.push(child.pid())
    }
    await eventually('all have said it', () =>
      /--part api\n.*--worker 2\n.*--worker 3\n/s.test(
        `${readFileSync(said, 'utf8').split('\n').toSorted().join('\n')}\n`,
      ),
    )
    expect(runningChildren(runtimeDir, 'api')).toEqual(pids)
    expect(runningChildren(runtimeDir, 'services')).toEqual([])
    expect(await endChildren(runtimeDir, systemClock)).toEqual(['api'])
    expect(runningChildren(runtimeDir, 'api')).toEqual([])
  })

  it('stands back for others, or goes before them', async () => {
    const niceness = getPriority()
    const child = await begin('exec sleep 600', { niceness: niceness + 3 })
    expect(getPriority(child.pid() ?? 0)).toBe(niceness + 3)
  })

  it('is started, with a process group of its own', async () => {
    const pid = (await begin()).pid() ?? 0
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
      .replace(/^.*\) /s, '')
      .split(' ')
    expect(Number(fields[2]), 'process group').toBe(pid)
  })

  it('is told the configuration and its name', async () => {
    const file = join(runtimeDir, 'words')
    await begin(`echo "$*" >${file}; exec sleep 600`)
    const words = () => (existsSync(file) ? readFileSync(file, 'utf8') : '')
    await eventually('it has written', async () => words() !== '')
    expect(words()).toBe('--config /tmp/atoll.yaml --part services\n')
  })

  it('is started again when it was killed', async () => {
    const child = await begin()
    const first = child.pid() ?? 0
    process.kill(first, 'SIGKILL')
    await eventually('another one runs', async () => child.pid() !== null && child.pid() !== first)
    expect(exists(first)).toBe(false)
  })

  it('is found by the next daemon, which starts no second one', async () => {
    const first = await begin()
    const second = await begin()
    expect(second.pid()).toBe(first.pid())
  })

  it('is started again by a daemon that has found it', async () => {
    const pid = leave()
    const child = await begin()
    expect(child.pid()).toBe(pid)
    process.kill(pid, 'SIGKILL')
    await eventually('it is noticed', () => child.pid() !== pid && child.pid() !== null)
  })

  it('is not taken for another process with its number', async () => {
    const pid = (await begin()).pid() ?? 0
    const file = join(runtimeDir, 'services.pid')
    writeFileSync(file, `${pid} 1\n`)
    expect(await endChildren(runtimeDir, systemClock)).toEqual([])
    expect(exists(pid)).toBe(true)
  })

  it('is ended after its daemon is gone', async () => {
    const pid = leave()
    expect(await endChildren(runtimeDir, systemClock)).toEqual(['services'])
    expect(exists(pid)).toBe(false)
    expect(await endChildren(runtimeDir, systemClock)).toEqual([])
  })

  it('that keeps ending is started at a limited rate', async () => {
    await begin(`echo x >>${join(runtimeDir, 'starts')}; exit 1`)
    await eventually('it was started', async () => existsSync(join(runtimeDir, 'starts')))
    const starts = () => readFileSync(join(runtimeDir, 'starts'), 'utf8').length / 2
    await eventually('the burst is over', async () => starts() >= 8)
    const before = performance.now()
    await eventually('one more', async () => starts() >= 10)
    expect(performance.now() - before).toBeGreaterThan(1_000)
  })

  it('is succeeded by another one at once, and ends by itself', async () => {
    const child = await begin()
    const first = child.pid() ?? 0
    child.succeed()
    expect(child.pid()).not.toBe(first)
    expect(exists(first)).toBe(true)
    process.kill(first, 'SIGKILL')
  })
})
