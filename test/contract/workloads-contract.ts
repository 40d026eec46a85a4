/** What every workload driver promises, whatever it runs instances on. */
import { once } from 'node:events'
import { copyFile, cp, mkdtempDisposable } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Clock, systemClock } from '../../src/lib/clock.ts'
import type { Screen } from '../../src/lib/terminal.ts'
import { unavailable } from '../../src/model/errors.ts'
import type { InstanceWant } from '../../src/model/want.ts'
import type { WorkloadHave } from '../../src/plan/workloads.ts'
import type { WorkloadDriver } from '../../src/workloads/driver.ts'
import { eventually } from '../../tools/kit/netns.ts'

/** A machine with one kind of engine, and what the suite needs of it. */
export interface WorkloadFixture {
  /** A driver with no memory, as after a restart of the daemon. By default the clock is right. */
  freshDriver(clock?: Clock): WorkloadDriver
  /**
   * Instance `n` with its NIC's host end made, of an image that prints "ready" and ends once there
   * is a file `<dir>/end`.
   */
  prepare(n: number): Promise<{ readonly want: InstanceWant; readonly digest: string }>
  /** A directory on the instance's own disk. */
  readonly dir: string
  /** How that end shows: a machine that powers off has no exit code of its own. */
  readonly endExitCode: number
  /** Whether the instance answers a ping at its address. */
  answers(want: InstanceWant): Promise<boolean>
  /** Whether it answers the host's ARP question; null: it has no link. */
  answersArp(want: InstanceWant): Promise<boolean | null>
  /** Its process: of a container, its first. Absent: its driver has no pulse. */
  pidOf?(want: InstanceWant): Promise<number>
  /** Deletes the link of its NIC, and makes it again as the service of links does. */
  loseLink(want: InstanceWant): Promise<void>
  /** Removes the disk of one that does not run, as a person may who does not know of us. */
  lose(want: InstanceWant): Promise<void>
  /** Runs a shell command inside and returns its output. */
  inside(want: InstanceWant, command: string): Promise<string>
  close(): Promise<void>
}

const signal = new AbortController().signal

const SCREEN: Screen = { term: 'vt100', columns: 80, rows: 24 }

/** How long a container may take to do something. */
const DEADLINE_MS = 30_000
/**
 * Far more than a list takes, and less than any deadline that a driver has for an engine or a
 * guest.
 */
const LIST_MS = 5_000
/** Most things that one test waits for. */
const TEST_DEADLINES = 4

/** Declares the suite for one driver, whose instances do each thing within the deadline. */
export function workloadsContract(
  name: string,
  makeFixture: () => Promise<WorkloadFixture>,
  deadlineMs = DEADLINE_MS,
): void {
  describe(`workload driver ${name}`, { timeout: TEST_DEADLINES * deadlineMs }, () => {
    let ground: WorkloadFixture
    let driver: WorkloadDriver

    beforeAll(async () => {
      ground = await makeFixture()
      driver = ground.freshDriver()
    }, TEST_DEADLINES * deadlineMs)
    afterAll(() => ground.close(), TEST_DEADLINES * deadlineMs)

    async function find(
      want: InstanceWant,
      by: WorkloadDriver = driver,
    ): Promise<WorkloadHave | undefined> {
      const all = await by.list({ fresh: true, signal })
      return all.find(({ instance }) => instance === want.id)
    }

    async function launch(n: number): Promise<InstanceWant> {
      const { want, digest } = await ground.prepare(n)
      await driver.launch(want, digest, signal)
      return want
    }

    async function attach(want: InstanceWant, screen: Screen | null) {
      const terminal = await driver.attach(want.id, screen)
      if (terminal === null) throw new Error(`${want.id} is not there`)
      let shown = ''
      terminal.output.on('data', (bytes: Buffer) => {
        shown += bytes.toString('latin1')
      })
      const ended = once(terminal.output, 'end')
      // Only some wait for it.
      ended.catch(() => undefined)
      const until = (text: string) =>
        eventually(`it shows ${text}`, () => shown.includes(text), deadlineMs)
      return { ...terminal, shown: () => shown, until, ended }
    }

    test('a launched instance runs, answers, shows its console, and when it hangs', async () => {
      const want = await launch(20)
      expect(await find(want)).toMatchObject({
        instance: want.id,
        bootCount: 1,
        state: { kind: 'running', plugged: true },
      })
      await eventually('it answers', () => ground.answers(want), deadlineMs)
      const console = async () => String(await driver.console(want.id, 65_536))
      await eventually(
        'its console says ready',
        async () => (await console()).includes('ready'),
        deadlineMs,
      )
      expect(await driver.console(want.id, 3)).toHaveLength(3)
      await showsWhenItHangs(want)
      await driver.remove(want.id, null)
    })

    /** It is found by ARP, and is halted while it is stopped as a whole. */
    async function showsWhenItHangs(want: InstanceWant): Promise<void> {
      const pulse = (bootCount = 1) => driver.pulse?.(want.id, bootCount)
      const isFound = async () => {
        const runs = ground.pidOf === undefined || (await pulse()) === 'runs'
        return runs && (await ground.answersArp(want)) === true
      }
      await eventually('it is found', isFound, deadlineMs)
      if (ground.pidOf !== undefined) {
        expect(await pulse(2)).toBe('absent')
        const pid = await ground.pidOf(want)
        process.kill(pid, 'SIGSTOP')
        try {
          await eventually('it is halted', async () => (await pulse()) === 'halted', deadlineMs)
        } finally {
          process.kill(pid, 'SIGCONT')
        }
        await eventually('it is found again', isFound, deadlineMs)
      }
    }

    test('starts nothing that is not permitted right then, and starts it later', async () => {
      const { want, digest } = await ground.prepare(8)
      const refuse = async () => {
        throw unavailable('not now')
      }
      const unavailableNow = { kind: 'unavailable' }
      const launch = driver.launch(want, digest, signal, refuse)
      await expect(launch).rejects.toMatchObject(unavailableNow)
      const isCreated = (await find(want))?.state.kind === 'created'
      const permitted: (string | null)[] = []
      const permit = async (container: string | null) => void permitted.push(container)
      if (isCreated) {
        const start = driver.start(want, signal, refuse)
        await expect(start).rejects.toMatchObject(unavailableNow)
        expect(await find(want)).toMatchObject({ state: { kind: 'created' } })
        await driver.start(want, signal, permit)
      } else await driver.launch(want, digest, signal, permit)
      const found = await find(want)
      expect(found).toMatchObject({ state: { kind: 'running' } })
      expect(permitted).toEqual([found?.container ?? null])
      await driver.remove(want.id, null)
    })

    test('lists at once while a launch is under way, and afterwards', async () => {
      const { want, digest } = await ground.prepare(9)
      let isUnderWay = true
      const launching = driver.launch(want, digest, signal).finally(() => {
        isUnderWay = false
      })
      let slowestMs = 0
      for (let more = 10; more > 0; more -= isUnderWay ? 0 : 1) {
        const began = performance.now()
        await find(want)
        slowestMs = Math.max(slowestMs, performance.now() - began)
      }
      await launching
      expect(await find(want)).toMatchObject({ state: { kind: 'running', plugged: true } })
      expect(slowestMs).toBeLessThan(LIST_MS)
    })

    test('a fresh driver finds it running, and plugging it in again harms nothing', async () => {
      const want = await launch(2)
      const fresh = ground.freshDriver()
      expect(await find(want, fresh)).toMatchObject({ bootCount: 1, state: { kind: 'running' } })
      await fresh.plug(want, signal)
      await fresh.plug(want, signal)
      expect(await find(want, fresh)).toMatchObject({ state: { kind: 'running', plugged: true } })
      await eventually('it answers', () => ground.answers(want), deadlineMs)
      await fresh.close()
    })

    test('one whose link was deleted answers again once its NIC is plugged in again, and asks nobody', async () => {
      const want = await launch(11)
      await eventually('it answers', () => ground.answers(want), deadlineMs)
      expect(await driver.replug(want.id, want.nics)).toEqual([])
      await ground.loseLink(want)
      expect(await ground.answers(want)).toBe(false)
      expect(await driver.replug(want.id, want.nics)).not.toEqual([])
      await eventually('it answers again', () => ground.answers(want), deadlineMs)
      expect(await driver.replug(want.id, want.nics)).toEqual([])
      await driver.stop(want.id, signal)
      expect(await driver.replug(want.id, want.nics)).toEqual([])
    })

    test('stop keeps the disk, start boots it again with the same address', async () => {
      const want = await launch(3)
      await eventually('it answers', () => ground.answers(want), deadlineMs)
      await ground.inside(want, `echo kept > ${ground.dir}/kept`)
      await driver.stop(want.id, signal)
      await driver.stop(want.id, signal)
      expect((await find(want))?.state.kind).toBe('ended')
      const again = { ...want, bootCount: 2 }
      await driver.start(again, signal)
      expect(await find(want)).toMatchObject({
        bootCount: 2,
        state: { kind: 'running', plugged: true },
      })
      await eventually('it answers again', () => ground.answers(want), deadlineMs)
      expect(await ground.inside(want, `cat ${ground.dir}/kept`)).toContain('kept')
    })

    test('what is packed of a stopped one makes the same one again, with what it has written', async (context) => {
      const { mover } = driver
      if (mover === undefined) return context.skip('its instances stay on their hosts')
      const want = await launch(12)
      await eventually('it answers', () => ground.answers(want), deadlineMs)
      const { dir } = ground
      await ground.inside(want, `mkdir ${dir}/moved && echo written > ${dir}/moved/file`)
      // Files of the image: one is deleted, and a directory is another one with that name.
      const isRoot = dir === ''
      if (isRoot) await ground.inside(want, 'rm /bin/vi && rm -r /usr/share && mkdir /usr/share')
      await expect(mover.pack(want.id, 1, signal)).rejects.toMatchObject({ kind: 'unavailable' })
      await driver.stop(want.id, signal)
      const packed = await mover.pack(want.id, 1, signal)
      // As another host has it, while nothing of the instance is there.
      await using sent = await mkdtempDisposable(join(tmpdir(), 'atoll-sent-'))
      for (const { name, path } of packed) await copyFile(path, join(sent.path, name))
      await mover.unpackOthers(new Set())
      await driver.remove(want.id, null)
      const arriving = join(mover.home(want.id), 'arriving')
      await cp(sent.path, arriving, { recursive: true })
      await mover.install(want.id, arriving)
      const later = ground.freshDriver()
      const again = { ...want, bootCount: 2, ran: true }
      const { state } = (await find(want, later)) ?? {}
      const { digest } = await ground.prepare(12)
      if (state?.kind === 'arrived') await later.launch(again, digest, signal)
      else await later.start(again, signal)
      expect(await find(want, later)).toMatchObject({ bootCount: 2, state: { kind: 'running' } })
      await eventually('it answers', () => ground.answers(want), deadlineMs)
      expect(await ground.inside(want, `cat ${dir}/moved/file`)).toContain('written')
      const left = 'ls /usr/share; ls /bin/vi 2>/dev/null; echo "nothing" more'
      if (isRoot) expect(await ground.inside(want, left)).toBe('nothing more\n')
      await later.close()
    })

    test('an end by itself is told from one that was forced, and is announced', async () => {
      const want = await launch(4)
      await eventually('it answers', () => ground.answers(want), deadlineMs)
      const told: unknown[] = []
      const end = driver.watch((instance) => told.push(instance))
      await eventually('the watch is open', () => told.length > 0, deadlineMs)
      // Later, so that the command itself comes to its end.
      await ground.inside(want, `(sleep 1; touch ${ground.dir}/end) >/dev/null 2>&1 & true`)
      await eventually('its end is announced', () => told.includes(want.id), deadlineMs)
      end()
      expect((await find(want))?.state).toEqual({
        kind: 'ended',
        by: 'itself',
        exitCode: ground.endExitCode,
      })
      // The clock was set back by an hour since.
      const back = { ...systemClock, now: () => systemClock.now() - 3_600_000 }
      const later = ground.freshDriver(back)
      const { state } = (await find(want, later)) ?? {}
      expect(state).toMatchObject({ kind: 'ended', exitCode: ground.endExitCode })
      // Of others it may say so: a QEMU answers one client at a time.
      expect(later.hanging().filter((one) => one.includes(want.id))).toEqual([])
      await later.close()
    })

    test('those who attach see and type, leave it free for the next, and are told of its end', async () => {
      const want = await launch(8)
      await eventually('it answers', () => ground.answers(want), deadlineMs)
      const pipe = await attach(want, null)
      pipe.input.end('\necho "from" a-pipe\n')
      await pipe.ended
      expect(pipe.shown()).toContain('from a-pipe')
      expect((await pipe.end()).exitCode ?? 0).toBe(0)
      await pipe.close()
      for (const word of ['first', 'second']) {
        const terminal = await attach(want, SCREEN)
        await terminal.resize(100, 40)
        terminal.input.write(`\necho "${word}" time\n`)
        await terminal.until(`${word} time`)
        await terminal.close()
        await terminal.close()
      }
      expect(await ground.inside(want, 'echo "free" again')).toContain('free again')
      const [one, other] = [await attach(want, SCREEN), await attach(want, SCREEN)]
      for (const [terminal, word] of [
        [one, 'one'],
        [other, 'other'],
      ] as const) {
        terminal.input.write(`\necho "said" by-${word}\n`)
        await terminal.until(`said by-${word}`)
      }
      await driver.stop(want.id, signal)
      for (const terminal of [one, other]) {
        await terminal.ended
        expect(await terminal.end()).toEqual({
          exitCode: null,
          reason: expect.stringMatching(/has stopped$/),
        })
        await terminal.close()
      }
      await expect(driver.attach(want.id, SCREEN)).rejects.toMatchObject({
        kind: 'refused',
        code: 'IncorrectInstanceState',
      })
    })

    test('one whose disk somebody removed is told from one that was never made', async () => {
      const want = await launch(10)
      await driver.stop(want.id, signal)
      await ground.lose(want)
      expect(await find(want)).toMatchObject({ state: { kind: 'lost' }, bootCount: 1 })
      expect((await find(want, ground.freshDriver()))?.state.kind).toBe('lost')
      await driver.remove(want.id, null)
      expect(await find(want)).toBeUndefined()
    })

    test('removal leaves nothing, running or not, and may be repeated', async () => {
      const running = await launch(5)
      const stopped = await launch(6)
      await driver.stop(stopped.id, signal)
      for (const want of [running, stopped, running]) {
        await driver.remove(want.id, null)
        expect(await find(want)).toBeUndefined()
      }
      expect(await driver.console(running.id, 100)).toBeNull()
      expect(await driver.attach(running.id, null)).toBeNull()
    })

    test('a launch whose image is gone asks to be tried again, and leaves only a directory', async () => {
      const { want } = await ground.prepare(7)
      const digest = `sha256:${'0'.repeat(64)}`
      await expect(driver.launch(want, digest, signal)).rejects.toMatchObject({
        kind: 'unavailable',
      })
      const found = await find(want)
      expect(found === undefined || found.state.kind === 'remains').toBe(true)
    })
  })
}
